package build

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"

	"github.com/matchd/matchd/snapshot"
)

// gram is how many bytes of a text are looked for first.
const gram = 6

// haystack is text to search for many needles.
type haystack struct {
	text  []byte
	grams bitmap // by the first bits of their hashes
}

// gramBits make false positives rare in texts of some megabytes.
const gramBits = 28

func gramOf(b []byte) uint32 { return uint32(xxh3.Hash(b[:gram]) >> (64 - gramBits)) }

func newHaystack(text []byte) *haystack {
	h := &haystack{text: text, grams: newBitmap(1 << gramBits)}
	for i := 0; i+gram <= len(text); i++ {
		h.grams.set(gramOf(text[i:]))
	}
	return h
}

// forms are the forms in which a value might leak.
func forms(value string) []string {
	compact := strings.NewReplacer(" ", "", ".", "", "-", "", "(", "", ")", "").Replace(value)
	return []string{value, strings.ToLower(value), strings.ToUpper(value), compact, strings.ToLower(compact), strings.TrimLeft(compact, "+0")}
}

// find returns a form of value that the text holds, or "". Values of less than
// gram bytes are not looked for: they may stand anywhere by chance.
func (h *haystack) find(value string) string {
	for _, form := range forms(value) {
		if len(form) >= gram && h.grams.has(gramOf([]byte(form))) && bytes.Contains(h.text, []byte(form)) {
			return form
		}
	}
	return ""
}

// personalColumns are those of a profile file whose values are of a person, and
// long enough to be looked for.
var personalColumns = []string{"email", "phone", "first_name", "last_name", "address", "city"}

// personalValues are the raw values of all personal columns of the profiles
// below a folder.
func personalValues(t *testing.T, dir string) []string {
	t.Helper()
	values := map[string]bool{}
	columns := map[string]int{}
	for name, data := range tree(t, dir) {
		if !strings.HasPrefix(name, "crm/") {
			continue
		}
		r := csv.NewReader(bytes.NewReader(data))
		r.FieldsPerRecord = -1
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for i, column := range rows[0] {
			if !slices.Contains(personalColumns, column) {
				continue
			}
			for _, row := range rows[1:] {
				if i < len(row) && len(row[i]) >= gram {
					values[strings.TrimSpace(row[i])] = true
					columns[column]++
				}
			}
		}
	}
	if len(columns) != len(personalColumns) {
		t.Fatalf("values of the columns %v alone", columns)
	}
	return slices.Sorted(maps.Keys(values))
}

// coldBlocks returns all cold blocks of a snapshot, decompressed.
func coldBlocks(t *testing.T, s *snapshot.Snapshot) (out []byte) {
	t.Helper()
	seen := map[snapshot.ColdBlock]bool{}
	var r snapshot.Record
	for shard := range s.RecordShards {
		for addr := range s.Addrs(shard) {
			if _, err := s.Record(addr, nil, &r); err != nil {
				t.Fatal(err)
			}
			b := s.ColdBlockOf(addr, &r)
			if seen[b] {
				continue
			}
			seen[b] = true
			raw, err := s.ReadCold(b)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, raw...)
		}
	}
	return out
}

// No byte of the store and what stands beside the snapshot, of the spill files,
// of the report, of an error or of what progress tells holds a raw email, phone
// number, name or address of the input, in any case of letters. The world makes
// postal keys of names and addresses.
func TestNoPersonalDataIsWritten(t *testing.T) {
	config, _ := generate(t, 2000)
	values := personalValues(t, filepath.Dir(config))
	if len(values) < 3000 {
		t.Fatalf("%d values to look for", len(values))
	}
	o := options(config, filepath.Join(t.TempDir(), "store"))
	var text bytes.Buffer
	o.Progress = func(p Progress) { fmt.Fprintf(&text, "%+v\n", p) }
	disk := spillAll(&o)
	var spilled bytes.Buffer
	disk.written = func(name string, b []byte) { spilled.WriteString(name); spilled.Write(b) }
	report, err := Run(context.Background(), o)
	if err == nil {
		t.Fatal("the junk rows of the world are tolerated")
	}
	describe(t, &text, report, err)
	o.MaxBadRows = 1
	report = run(t, o)
	describe(t, &text, report, nil)
	o.Previous = Current
	o.AsOf = testAsOf.AddDate(0, 0, 1)
	describe(t, &text, run(t, o), nil)
	for name, data := range tree(t, o.Store) {
		text.WriteString(name)
		text.Write(data)
	}
	s := openCurrent(t, o.Store)
	text.Write(coldBlocks(t, s))
	if int64(spilled.Len()) < report.Spilled || report.Spilled < 1<<20 || len(disk.files) < 12 {
		t.Fatalf("%d bytes in the files %v were spilled, and %d looked at", report.Spilled, disk.files, spilled.Len())
	}
	if s.Counts.ByNamespace["postal_sha256"] < 1000 {
		t.Fatalf("few postal keys: %v", s.Counts.ByNamespace)
	}
	text.Write(spilled.Bytes())
	in := newHaystack(text.Bytes())
	// What is to be there is found: the search works, in each place.
	known := []string{
		"device-graph", "crm/acme-1.csv", "cookie.publisher-a", s.Segments[0].Code, snapshot.QuarantineJSON, "too_many_customers", "<svg", "set nodes", "heirs", "read previous",
	}
	for _, known := range known {
		if len(known) >= gram && in.find(known) == "" {
			t.Errorf("%q is not found in what was written", known)
		}
	}
	for _, v := range values {
		if form := in.find(v); form != "" {
			t.Errorf("%q was written, as %q", v, form)
		}
	}
}

// describe writes all that a build says.
func describe(t *testing.T, to *bytes.Buffer, report *Report, err error) {
	t.Helper()
	b, jsonErr := json.Marshal(report)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	fmt.Fprintf(to, "%s %+v %v", b, report, err)
}

// A personal value in a place where none belongs is not repeated: in another
// column, in a broken row, in a header, in a file that is no CSV.
func TestErrorsHoldNoPersonalData(t *testing.T) {
	const secret = "Marie.Dupont@example.com"
	columns := []string{
		"kind", "email", "phone", "email_sha256", "phone_sha256", "consent_at", "consent_expires_at", "consent_purposes", "first_name", "address", "country",
	}
	files := map[string]map[string]string{
		"a row alone":          {"crm.csv": secret + "\n" + secret + "\n"},
		"no header":            {"crm.csv": "C-1," + secret + "\nC-2," + secret + "\n"},
		"semicolons":           {"crm.csv": "customer_id;email\nC-1;" + secret + "\n"},
		"open quote":           {"crm.csv": "customer_id,email\nC-1,\"" + secret + "\nC-2,x\n"},
		"bad quote":            {"crm.csv": "customer_id,email\nC-1,a\"" + secret + "\nC-2,x@example.com\n"},
		"more fields":          {"crm.csv": "customer_id,email\nC-1,a@example.com," + secret + "\n"},
		"not UTF-8":            {"crm.csv": "customer_id,email\nC-1,\xff" + secret + "\n"},
		"lone CR":              {"crm.csv": "customer_id,email\rC-1," + secret + "\rC-2," + secret + "\r"},
		"lone CRs":             {"crm.csv": "customer_id,email\rC-1," + secret + "\r" + strings.Repeat("C-2,"+secret+"\r", 50_000)},
		"in a header":          {"crm.csv": "customer_id," + secret + ",0612345678,06 12 34 56 78\nC-1,a,b,c\n"},
		"in lines of a header": {"crm.csv": "customer_id,\"a\n" + secret + "\"\nC-1,a\n"},
		"left":                 {"links.csv": "left,right\n" + secret + ",crm.acme:C-1\n"},
		"namespace":            {"links.csv": "left,right\nemail:" + secret + ",crm.acme:C-1\n"},
		"hash":                 {"links.csv": "left,right\nemail_sha256:" + secret + ",crm.acme:C-1\n"},
		"uuid":                 {"links.csv": "left,right\nmaid:" + secret + ",crm.acme:C-1\n"},
		"method":               {"links.csv": "left,right,method\ncookie.pub:x,crm.acme:C-1," + secret + "\n"},
		"observed_at":          {"links.csv": "left,right,observed_at\ncookie.pub:x,crm.acme:C-1," + secret + "\n"},
	}
	for _, c := range columns {
		files["column "+c] = map[string]string{"crm.csv": "customer_id," + c + "\nC-1," + secret + "\nC-2," + secret + " 0612345678\n"}
	}
	failed := 0
	for name, f := range files {
		for _, limit := range []float64{0, 1} {
			o := options(writeInputs(t, with(f)), filepath.Join(t.TempDir(), "store"))
			o.MaxBadRows = limit
			report, err := Run(context.Background(), o)
			if err != nil {
				failed++
			}
			var text bytes.Buffer
			describe(t, &text, report, err)
			for _, data := range tree(t, o.Store) {
				text.Write(data)
			}
			if err == nil {
				text.Write(coldBlocks(t, openCurrent(t, o.Store)))
			}
			lower := bytes.ToLower(text.Bytes())
			for _, part := range []string{"dupont", "0612345678", "06 12 34 56 78", "marie"} {
				if bytes.Contains(lower, []byte(part)) {
					t.Errorf("%s: %q is in what the build says or writes: %v", name, part, err)
				}
			}
		}
	}
	if failed < len(files)/2 {
		t.Errorf("%d builds failed", failed)
	}
}
