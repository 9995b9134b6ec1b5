package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// sampleBidStream is what the first tenant of the tests declares, where it does:
// two segments with one id, one that no profile has, and codes and ids that JSON
// and UTF-8 make longer.
func sampleBidStream() *BidStream {
	return &BidStream{Segtax: 501, Segments: map[string]string{
		"vip": "A1", "churn.high": "A1", "no such": "<é & 7>", "été": strings.Repeat("x", MaxBidStreamID),
	}}
}

// What tenants declare is read back from the manifest, and its bytes do not
// depend on the order of a map.
func TestBidStreamRoundTrip(t *testing.T) {
	d := sampleDicts(t)
	d.Tenants[0].BidStream = sampleBidStream()
	var first HexBytes
	for range 10 {
		fs := memFS{}
		_, hash := writeSnapshot(t, fs, "", sampleMeta(1, 1, 1), d, samplePersons(t, d, 5))
		if first == nil {
			first = hash
		}
		if !bytes.Equal(hash, first) {
			t.Fatal("two manifests of the same tenants differ")
		}
		s := openSample(t, fs.files(), hash)
		if !reflect.DeepEqual(s.Tenants, d.Tenants) {
			t.Fatalf("tenants %+v, want %+v", s.Tenants, d.Tenants)
		}
	}
}

// A manifest of which no tenant declares anything says nothing of it.
func TestNoBidStreamIsNotWritten(t *testing.T) {
	b, err := json.Marshal(sampleDicts(t).Tenants)
	if err != nil || bytes.Contains(b, []byte("bid")) {
		t.Errorf("%s, %v", b, err)
	}
}

var bidStreamLimits = []struct {
	json string // of bid_stream
	why  string // in the error; empty where it is good
}{
	{`null`, ""},
	{`{"segtax":500,"segments":{"vip":"A"}}`, ""},
	{`{"segtax":2147483647,"segments":{"vip":"A"}}`, ""},
	{`{"segtax":501,"segments":{"vip":"A","other":"A"}}`, ""},
	{`{"segtax":501,"segments":{"` + strings.Repeat("c", 128) + `":"` + strings.Repeat("i", 64) + `"}}`, ""},
	{`{"segtax":501,"segments":{"of nobody":"a b <é>"},"later":1}`, ""},

	{`{}`, "segtax 0"},
	{`{"segments":{"vip":"A"}}`, "segtax 0"},
	{`{"segtax":499,"segments":{"vip":"A"}}`, "segtax 499 is not between 500 and 2147483647"},
	{`{"segtax":-501,"segments":{"vip":"A"}}`, "segtax -501"},
	{`{"segtax":2147483648,"segments":{"vip":"A"}}`, "segtax 2147483648"},
	{`{"segtax":501.5,"segments":{"vip":"A"}}`, "json"},
	{`{"segtax":"501","segments":{"vip":"A"}}`, "json"},
	{`{"segtax":501}`, "no segment"},
	{`{"segtax":501,"segments":null}`, "no segment"},
	{`{"segtax":501,"segments":{}}`, "no segment"},
	{`{"segtax":501,"segments":["vip"]}`, "json"},
	{`{"segtax":501,"segments":{"vip":1}}`, "json"},
	{`{"segtax":501,"segments":{"vip":null}}`, `segment "vip": ""`},
	{`{"segtax":501,"segments":{"vip":""}}`, `segment "vip": ""`},
	{`{"segtax":501,"segments":{"vip":"` + strings.Repeat("i", 65) + `"}}`, "is not an id"},
	{`{"segtax":501,"segments":{"vip":"a\u0000"}}`, "is not an id"},
	{`{"segtax":501,"segments":{"vip":"a\n"}}`, "is not an id"},
	{`{"segtax":501,"segments":{"vip":"a\u200b"}}`, "is not an id"},
	{`{"segtax":501,"segments":{"a":"A","":"A"}}`, `"" is not the code`},
	{`{"segtax":501,"segments":{"a|b":"A"}}`, "is not the code"},
	{`{"segtax":501,"segments":{" a":"A"}}`, "is not the code"},
	{`{"segtax":501,"segments":{"a\t":"A"}}`, "is not the code"},
	{`{"segtax":501,"segments":{"a\u0085b":"A"}}`, "is not the code"},
	{`{"segtax":501,"segments":{"` + strings.Repeat("c", 129) + `":"A"}}`, "is not the code"},
	{`[]`, "json"},
	{`"vip"`, "json"},
}

// A manifest with what no build declares is refused by the name of its section,
// also where all checksums are right.
func TestCorruptBidStreamIsRefused(t *testing.T) {
	files, _ := sampleFiles(t, 1, 1, 5)
	open := func(domain, bidStream string) error {
		s, err := OpenBytes(reseal(t, files, func(_, tag string, b []byte) []byte {
			if tag != sectionTenants {
				return b
			}
			return []byte(`[{"name":"acme",` + domain + `"legal_basis":"consent","consent_max_age_months":36,"bid_stream":` + bidStream +
				`},{"name":"other","legal_basis":"contract","consent_max_age_months":12}]`)
		}), nil)
		if err == nil {
			err = s.Close()
		}
		return err
	}
	refused := func(err error, why string) bool {
		return errors.Is(err, ErrCorrupt) && strings.Contains(err.Error(), manifestName) &&
			strings.Contains(err.Error(), sectionTenants) && strings.Contains(err.Error(), why)
	}
	for _, c := range bidStreamLimits {
		err := open(`"domain":"acme.example",`, c.json)
		if c.why == "" && err != nil || c.why != "" && !refused(err, c.why) {
			t.Errorf("%s: error %v, want one of section tenants with %q", c.json, err, c.why)
		}
	}
	if err := open("", `{"segtax":501,"segments":{"vip":"A"}}`); !refused(err, "without a domain") {
		t.Errorf("without a domain: error %v", err)
	}
}

// A writer does not write what its reader refuses.
func TestWriterRefusesBidStreams(t *testing.T) {
	for name, edit := range map[string]func(*Tenant){
		"without a domain": func(t *Tenant) { t.Domain = "" },
		"segtax":           func(t *Tenant) { t.BidStream.Segtax = 4 },
		"not an id":        func(t *Tenant) { t.BidStream.Segments["vip"] = "a\xff" },
	} {
		d := sampleDicts(t)
		d.Tenants[0].BidStream = sampleBidStream()
		if _, err := NewWriter(memFS{}, "", sampleMeta(1, 1, 1), d); err != nil {
			t.Fatal(err)
		}
		edit(&d.Tenants[0])
		_, err := NewWriter(memFS{}, "", sampleMeta(1, 1, 1), d)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), `"acme"`) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
