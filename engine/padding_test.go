package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/matchd/matchd/engine"
)

// TestAbsentCostsWhatForeignCosts: an identifier that nobody has takes as many
// reads as one that belongs to people whom the client may not know of, for
// every client from whom somebody is hidden; and for the others none.
func TestAbsentCostsWhatForeignCosts(t *testing.T) {
	own, shared := grant("bolt"), grant("bolt")
	own.Purposes, shared.Purposes = 0, 0
	for _, c := range []struct {
		name   string
		client engine.Client
		absent int // records read for an identifier of nobody
	}{
		{"every tenant's own client", engine.Client{Grants: []engine.Grant{grant("acme"), grant("bolt")}}, 0},
		{"one tenant's", engine.Client{Grants: []engine.Grant{own}}, 1},
		{"a second party's", engine.Client{Tenant: "acme", Grants: []engine.Grant{grant("acme"), shared}}, 1},
		{"nobody's", engine.Client{}, 0}, // every identifier is invalid
	} {
		t.Run(c.name, func(t *testing.T) {
			c.client.Name = "c"
			e, _, _ := open(t, story(), c.client)
			for text, want := range map[string]int{"cookie.a:absent": c.absent, "cookie.b:neither": c.absent, "no.such:1": 0} {
				if got := records(t, e, text); got != want {
					t.Errorf("%s: %d records read, want %d", text, got, want)
				}
			}
			// Bob is acme's alone.
			if c.absent > 0 && records(t, e, "cookie.a:bob's") != c.absent {
				t.Errorf("somebody whom the client may not know costs another number of reads than nobody does")
			}
		})
	}
}

func records(t *testing.T, e *engine.Engine, texts ...string) int {
	t.Helper()
	s := begin(t, e, "c")
	defer s.End()
	var b engine.Batch
	var ids [][]byte
	for _, text := range texts {
		ids = append(ids, []byte(text))
	}
	ok(t, s.Match(&b, ids))
	return b.Records()
}

// TestDecoysLeaveNoTrace: answers beside decoys are the same as without.
func TestDecoysLeaveNoTrace(t *testing.T) {
	p := poolOf(rand.New(rand.NewPCG(5, 8)), 300, false)
	all := everything(p)
	some := engine.Client{Name: "some", Tenant: p.tenants[0].Name, Grants: all.Grants[:1]}
	e, _, _ := open(t, p, some)
	s := begin(t, e, "some")
	defer s.End()
	var alone, among engine.Batch
	var ids [][]byte
	for i := range p.ids {
		ids = append(ids, []byte(p.text(i)), fmt.Appendf(nil, "cookie.a:absent-%d", i))
	}
	ok(t, s.Match(&among, ids))
	decoys := 0
	for i := range ids {
		ok(t, s.Match(&alone, ids[i:i+1]))
		a, b := &alone.Answers[0], &among.Answers[i]
		if a.Reason != b.Reason || len(alone.Profiles(a)) != len(among.Profiles(b)) {
			t.Errorf("%q: alone %s with %d profiles, among others %s with %d", ids[i], a.Reason, len(alone.Profiles(a)), b.Reason, len(among.Profiles(b)))
		}
		if i%2 == 1 {
			decoys += alone.Records()
			if a.Reason != engine.Unknown || len(alone.Profiles(a)) != 0 || s.Person(a) != (engine.PersonID{}) {
				t.Errorf("%q: %+v", ids[i], a)
			}
		}
	}
	if decoys < len(ids)/2 {
		t.Errorf("%d decoys were read for %d absent identifiers", decoys, len(ids)/2)
	}
}

// BenchmarkHidden compares, for a client that may not see all tenants, an
// identifier of nobody with one of somebody whom it may not know.
func BenchmarkHidden(b *testing.B) {
	p := poolOf(rand.New(rand.NewPCG(5, 8)), 3000, false)
	all := everything(p)
	e, _, _ := open(b, p, engine.Client{Name: "c", Tenant: p.tenants[0].Name, Grants: all.Grants[:1]})
	s := begin(b, e, "c")
	defer s.End()
	var batch engine.Batch
	groups := map[string][][]byte{}
	for i := range p.ids {
		for name, text := range map[string]string{"foreign": p.text(i), "absent": fmt.Sprintf("cookie.a:absent-%d", i)} {
			ids := [][]byte{[]byte(text)}
			ok(b, s.Match(&batch, ids))
			if batch.Answers[0].Reason == engine.Unknown && batch.Records() > 0 {
				groups[name] = append(groups[name], ids[0])
			}
		}
	}
	for _, name := range []string{"absent", "foreign"} {
		ids := groups[name]
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				at := i % len(ids)
				ok(b, s.Match(&batch, ids[at:at+1]))
			}
		})
	}
}
