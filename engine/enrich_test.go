package engine_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/snapshot"
)

// declared is [story], whose tenants have declared vip for the bid stream, and
// acme's new not.
func declared() *pool {
	p := story()
	p.tenants[0].Domain, p.tenants[1].Domain = "acme.example", "bolt.example"
	p.tenants[0].BidStream = &snapshot.BidStream{Segtax: 501, Segments: map[string]string{"vip": "A1"}}
	p.tenants[1].BidStream = &snapshot.BidStream{Segtax: 502, Segments: map[string]string{"vip": "B1", "new": "B2"}}
	return p
}

// bidder is a client that sees both tenants, and knows what its ids are.
func bidder() engine.Client {
	return engine.Client{
		Name: "bidder", Grants: []engine.Grant{grant("acme"), grant("bolt")},
		BidRequests: engine.BidRequests{
			EIDs:      map[string]string{"pub.example": "cookie.a", "other.example": "cookie.b"},
			Exchanges: map[string]engine.Exchange{"one": {BuyerUID: "cookie.a"}, engine.All: {UserID: "cookie.b"}},
			Devices:   map[string]string{"roku": "ctv.x"},
			Person:    engine.PersonEID{Source: "acme.example", Inserter: "matchd.example", Matcher: "acme.example"},
		},
	}
}

const (
	annsData = `{"name":"acme.example","ext":{"segtax":501},"segment":[{"id":"A1"}]},{"name":"bolt.example","ext":{"segtax":502},"segment":[{"id":"B2"},{"id":"B1"}]}`
	annsEID  = `{"source":"pub.example","uids":[{"id":"ann's"}]}`
)

func enrich(t testing.TB, p *engine.Pools, client, body string, o engine.Enrich) (out string, added bool, why engine.Reason) {
	t.Helper()
	var v engine.View
	ok(t, p.Begin(&v, client))
	defer v.End()
	got, added, why, err := p.Enrich(&v, nil, []byte(body), &o)
	ok(t, err)
	return string(got), added, why
}

// TestEnrich: what is granted and declared is added, by ids of every place,
// and nothing where nobody matched or a signal forbids.
func TestEnrich(t *testing.T) {
	p, _ := openPools(t, []*pool{declared()}, bidder())
	withData := func(user string) string { return `{"user":{` + user + `"data":[` + annsData + `]}}` }
	for _, c := range []struct {
		name, body string
		o          engine.Enrich
		want       string // empty for nothing added
		why        engine.Reason
	}{
		{"eid", `{"user":{"eids":[` + annsEID + `]}}`, engine.Enrich{}, withData(`"eids":[` + annsEID + `],`), engine.Matched},
		{
			"buyeruid of an exchange", `{"user":{"buyeruid":"ann's"}}`,
			engine.Enrich{Exchange: []byte("one")},
			withData(`"buyeruid":"ann's",`), engine.Matched,
		},
		{"buyeruid of another exchange", `{"user":{"buyeruid":"ann's"}}`, engine.Enrich{Exchange: []byte("two")}, "", engine.Invalid},
		{"user.id of any exchange", `{"user":{"id":"ann's"}}`, engine.Enrich{}, withData(`"id":"ann's",`), engine.Matched},
		{"user.id of a named exchange", `{"user":{"id":"ann's"}}`, engine.Enrich{Exchange: []byte("one")}, "", engine.Invalid},
		{"a source that is not configured", `{"user":{"eids":[{"source":"x","uids":[{"id":"ann's"}]}]}}`, engine.Enrich{}, "", engine.Invalid},
		{"nobody", `{"user":{"eids":[{"source":"pub.example","uids":[{"id":"absent"}]}]}}`, engine.Enrich{}, "", engine.Unknown},
		{"device", `{"device":{"ifa":"6d92078a-8246-4ba4-ae5b-76104861e7dc"}}`, engine.Enrich{}, "", engine.Unknown},
		{
			"device that limits tracking", `{"device":{"lmt":1,"ifa":"6d92078a-8246-4ba4-ae5b-76104861e7dc"}}`,
			engine.Enrich{},
			"", engine.Suppressed,
		},
		{"coppa", `{"regs":{"coppa":1},"user":{"eids":[` + annsEID + `]}}`, engine.Enrich{}, "", engine.Suppressed},
		{"gdpr without a vendor", `{"regs":{"gdpr":1},"user":{"eids":[` + annsEID + `]}}`, engine.Enrich{}, "", engine.Suppressed},
		{"two places that differ", `{"regs":{"gdpr":0,"ext":{"gdpr":1}},"user":{"eids":[` + annsEID + `]}}`, engine.Enrich{}, "", engine.Suppressed},
		{
			"two persons that tie", `{"user":{"eids":[` + annsEID + `,{"source":"pub.example","uids":[{"id":"bob's"}]}]}}`,
			engine.Enrich{},
			"", engine.Ambiguous,
		},
		{"no id", `{}`, engine.Enrich{}, "", engine.Invalid},
		{
			"patch", `{"user":{"eids":[` + annsEID + `]}}`, engine.Enrich{Patch: true}, withData(""), engine.Matched,
		},
		{"all of it is there", withData(`"eids":[` + annsEID + `],`), engine.Enrich{}, "", engine.Matched},
	} {
		got, added, why := enrich(t, p, "bidder", c.body, c.o)
		if got != c.want || added != (c.want != "") || why != c.why {
			t.Errorf("%s: %t, %s\n got %s\nwant %s, %s", c.name, added, why, got, c.want, c.why)
		}
	}
}

// TestEnrichObeysHeaders: what is said elsewhere counts beside the request, and
// what differs is in conflict.
func TestEnrichObeysHeaders(t *testing.T) {
	p, _ := openPools(t, []*pool{declared()}, bidder())
	var s privacy.Signals
	s.Set(privacy.GPC, []byte("1"))
	if _, added, why := enrich(t, p, "bidder", `{"user":{"eids":[`+annsEID+`]}}`, engine.Enrich{Signals: &s}); added || why != engine.Suppressed {
		t.Errorf("Sec-GPC: added %t, %s", added, why)
	}
	s.Reset()
	s.Set(privacy.COPPA, []byte("0"))
	if _, added, why := enrich(t, p, "bidder", `{"regs":{"coppa":1},"user":{"eids":[`+annsEID+`]}}`, engine.Enrich{Signals: &s}); added || why != engine.Suppressed {
		t.Errorf("a conflict: added %t, %s", added, why)
	}
}

// TestUndeclaredNeverEnters: neither a segment that its tenant has not declared
// nor one that is not granted enters a bid request, nor a tenant's name for
// want of one.
func TestUndeclaredNeverEnters(t *testing.T) {
	only := bidder()
	only.Grants[0].Segments = []string{"new"} // not declared
	only.Grants[1].Segments = []string{"vip"}
	p, _ := openPools(t, []*pool{declared()}, only)
	got, _, _ := enrich(t, p, "bidder", `{"user":{"eids":[`+annsEID+`]}}`, engine.Enrich{})
	if strings.Contains(got, "acme.example") || strings.Contains(got, "B2") || strings.Contains(got, "new") || !strings.Contains(got, "B1") {
		t.Errorf("%s", got)
	}
}

// TestPersonEID: the person id is the client's own, and says how it was come by.
func TestPersonEID(t *testing.T) {
	other := bidder()
	other.Name, other.IDSpace, other.BidRequests.Person = "other", "elsewhere", engine.PersonEID{}
	p, _ := openPools(t, []*pool{declared()}, bidder(), other)
	for mm, want := range map[string]int{``: 3, `"mm":4,`: 4, `"mm":"5",`: 5, `"mm":2,`: 3, `"mm":9,`: 3} {
		body := `{"user":{"eids":[{` + mm + `"source":"pub.example","uids":[{"id":"ann's"}]}]}}`
		got, _, _ := enrich(t, p, "bidder", body, engine.Enrich{Person: true})
		var r struct {
			User struct {
				EIDs []struct {
					Source, Inserter, Matcher string
					MM                        any
					UIDs                      []struct {
						ID    string
						AType int
					}
				}
			}
		}
		ok(t, json.Unmarshal([]byte(got), &r))
		if len(r.User.EIDs) != 2 {
			t.Fatalf("%s", got)
		}
		e := r.User.EIDs[1]
		_, persons := look(t, p, "bidder", "cookie.a:ann's")
		if e.Source != "acme.example" || e.Inserter != "matchd.example" || e.Matcher != "acme.example" ||
			e.MM != float64(want) || len(e.UIDs) != 1 || e.UIDs[0].AType != 3 || e.UIDs[0].ID != persons[0].String() {
			t.Errorf("mm %s: %s", mm, got)
		}
	}
	body := `{"user":{"eids":[` + annsEID + `]}}`
	if got, _, _ := enrich(t, p, "bidder", body, engine.Enrich{}); strings.Contains(got, `"atype"`) {
		t.Errorf("not asked for: %s", got)
	}
	if got, _, _ := enrich(t, p, "other", body, engine.Enrich{Person: true}); strings.Contains(got, `"atype"`) {
		t.Errorf("no source is configured: %s", got)
	}
}

// TestEnrichInSeveralStores: each store adds its tenants, and a tenant that is
// in two has one entry.
func TestEnrichInSeveralStores(t *testing.T) {
	c := bidder()
	c.Grants = append(c.Grants, grant("dune"))
	second := declared()
	second.tenants[0].BidStream.Segments = map[string]string{"new": "A2", "vip": "A1"}
	n := neighbour()
	second.tenants[1], second.spaces, second.ids = n.tenants[1], n.spaces, n.ids
	p, _ := openPools(t, []*pool{declared(), second}, c)
	got, _, _ := enrich(t, p, "bidder", `{"user":{"eids":[`+annsEID+`]}}`, engine.Enrich{Patch: true})
	want := `{"user":{"data":[{"name":"acme.example","ext":{"segtax":501},"segment":[{"id":"A1"},{"id":"A2"}]},{"name":"bolt.example","ext":{"segtax":502},"segment":[{"id":"B2"},{"id":"B1"}]}]}}`
	if got != want {
		t.Errorf(" got %s\nwant %s", got, want)
	}
}

// TestEnrichAllocatesNothing is a budget.
func TestEnrichAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	p, _ := openPools(t, []*pool{declared()}, bidder())
	var v engine.View
	var out []byte
	var s privacy.Signals
	for name, body := range map[string]string{
		"match": `{"regs":{"coppa":0},"user":{"eids":[` + annsEID + `]}}`,
		"miss":  `{"user":{"eids":[{"source":"pub.example","uids":[{"id":"absent"}]}]}}`,
		"coppa": `{"regs":{"coppa":1},"user":{"eids":[` + annsEID + `]}}`,
	} {
		body := []byte(body)
		o := engine.Enrich{Person: true, Signals: &s, Exchange: []byte("one")}
		n := testing.AllocsPerRun(100, func() {
			s.Reset()
			if err := p.Begin(&v, "bidder"); err != nil {
				t.Fatal(err)
			}
			var err error
			if out, _, _, err = p.Enrich(&v, out[:0], body, &o); err != nil {
				t.Fatal(err)
			}
			v.End()
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestEnrichThenAsk asks in the same view for as many other identifiers: they
// are looked up for themselves.
func TestEnrichThenAsk(t *testing.T) {
	p, _ := openPools(t, []*pool{declared()}, bidder())
	var v engine.View
	ok(t, p.Begin(&v, "bidder"))
	defer v.End()
	for range 2 {
		_, added, _, err := p.Enrich(&v, nil, []byte(`{"user":{"eids":[`+annsEID+`]}}`), &engine.Enrich{})
		ok(t, err)
		if !added {
			t.Fatal("ann is not found")
		}
		ok(t, v.Resolve([][]byte{[]byte("cookie.a:nobody")}))
		if got := v.Decided().Resolved().Reason; got != engine.Unknown {
			t.Errorf("nobody is %v", got)
		}
		ok(t, v.Match([][]byte{[]byte("cookie.a:ann's")}))
		if got := v.Deciding(0).Answers[0].Reason; got != engine.Matched {
			t.Errorf("ann is %v", got)
		}
	}
}
