package engine_test

import (
	"errors"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/snapshot"
)

// neighbour is a pool beside [story]: its tenant dune knows the same cookies,
// and a tenant acme of the same name as there is.
func neighbour() *pool {
	p := story()
	p.tenants[1].Name = "dune"
	p.spaces = spacesFor("acme", "dune")
	for i := range p.ids {
		if p.ids[i].space == "crm.bolt" {
			p.ids[i].space = "crm.dune"
		}
	}
	return p
}

// openPools serves several pools, under the names a, b and so on.
func openPools(t testing.TB, list []*pool, clients ...engine.Client) (*engine.Pools, *clock) {
	t.Helper()
	at := &clock{}
	at.set(storyTime)
	var pools []engine.Pool
	for i, p := range list {
		store := newStore(t)
		e := newEngine(t, engine.Options{Store: store, Now: at.now})
		if p != nil {
			publish(t, store, p.contents(t, uint64(i+1)))
			reload(t, e)
		}
		pools = append(pools, engine.Pool{Name: string(rune('a' + i)), Engine: e})
	}
	out := must(engine.NewPools(pools...))(t)
	ok(t, out.SetClients(clients))
	return out, at
}

// seen is what the stores answer to one identifier.
type seen struct {
	store, customer string
	reason          engine.Reason
}

func look(t testing.TB, p *engine.Pools, client, text string) (out []seen, persons []engine.PersonID) {
	t.Helper()
	var v engine.View
	ok(t, p.Begin(&v, client))
	defer v.End()
	ok(t, v.Match([][]byte{[]byte(text)}))
	for i := range v.Parts() {
		part := &v.Parts()[i]
		a := &part.Answers[0]
		s := seen{store: part.Store, reason: a.Reason}
		for k := range part.Profiles(a) {
			s.customer += string(part.Customer(&part.Profiles(a)[k]))
		}
		out = append(out, s)
		persons = append(persons, part.Person(a))
	}
	return out, persons
}

// TestPoolsStayApart: a client is answered from each store that it has a grant
// in and from no other, and a person of one store is nobody in the next.
func TestPoolsStayApart(t *testing.T) {
	acme, bolt, dune := grant("acme"), grant("bolt"), grant("dune")
	inB := grant("acme")
	inB.Store = "b"
	p, _ := openPools(t, []*pool{story(), neighbour()},
		engine.Client{Name: "acme", IDSpace: "space", Grants: []engine.Grant{acme}},
		engine.Client{Name: "acme in b", IDSpace: "space", Grants: []engine.Grant{inB}},
		engine.Client{Name: "bolt", Grants: []engine.Grant{bolt}},
		engine.Client{Name: "dune", Grants: []engine.Grant{dune}},
		engine.Client{Name: "nobody"},
	)
	matched, invalid := engine.Matched, engine.Invalid
	for _, c := range []struct {
		client, text string
		want         []seen
	}{
		{"acme", "cookie.a:ann's", []seen{{"a", "ann", matched}, {"b", "ann", matched}}},
		{"acme in b", "cookie.a:ann's", []seen{{"b", "ann", matched}}},
		{"bolt", "cookie.a:ann's", []seen{{"a", "B-1", matched}}},
		{"dune", "cookie.a:ann's", []seen{{"b", "B-1", matched}}},
		{"dune", "crm.bolt:B-1", []seen{{"b", "", invalid}}},
		{"nobody", "cookie.a:ann's", []seen{{"a", "", invalid}}},
	} {
		got, _ := look(t, p, c.client, c.text)
		if len(got) != len(c.want) {
			t.Errorf("%s, %s: %v, want %v", c.client, c.text, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s, %s: %v, want %v", c.client, c.text, got, c.want)
			}
		}
	}
	_, both := look(t, p, "acme", "cookie.a:ann's")
	if _, one := look(t, p, "acme in b", "cookie.a:ann's"); one[0] != both[1] {
		t.Error("a grant for one store shows another person id than a grant for all of them, in one id space")
	}
}

// TestGrantsInSeveralStores: what a client is does not depend on which of its
// grants hold in a store: a grant that is a share stays one where it is alone.
func TestGrantsInSeveralStores(t *testing.T) {
	acme, dune := grant("acme"), grant("dune")
	acme.Purposes, dune.Purposes = 0, 0
	acme.Store, dune.Store = "a", "b"
	p, _ := openPools(t, []*pool{story(), neighbour()}, engine.Client{Name: "agency", Grants: []engine.Grant{acme, dune}})
	got, _ := look(t, p, "agency", "cookie.a:ann's")
	for _, s := range got {
		if s.reason != engine.Unknown {
			t.Errorf("store %s shows a profile that is not shared to a client of nobody's: %v", s.store, s.reason)
		}
	}
}

// TestPoolsThatAreNotReady: a client whose store is not open gets no half of
// an answer; others are served.
func TestPoolsThatAreNotReady(t *testing.T) {
	both, one := grant("acme"), grant("acme")
	one.Store = "a"
	p, _ := openPools(t, []*pool{story(), nil},
		engine.Client{Name: "both", Grants: []engine.Grant{both}}, engine.Client{Name: "one", Grants: []engine.Grant{one}})
	var v engine.View
	if err := p.Begin(&v, "both"); !errors.Is(err, engine.ErrNotReady) || len(v.Parts()) != 0 {
		t.Errorf("a client of a store that is not open: %v", err)
	}
	if p.Ready() {
		t.Error("ready, with a store that is not open")
	}
	if got, _ := look(t, p, "one", "cookie.a:ann's"); got[0].customer != "ann" {
		t.Errorf("%v", got)
	}
	if err := p.Begin(&v, "stranger"); !errors.Is(err, engine.ErrUnknownClient) {
		t.Errorf("a stranger: %v", err)
	}
}

// TestPoolsRefuseBadClients: nothing changes where one client is wrong.
func TestPoolsRefuseBadClients(t *testing.T) {
	good := engine.Client{Name: "good", Grants: []engine.Grant{grant("acme")}}
	p, _ := openPools(t, []*pool{story(), neighbour()}, good)
	elsewhere, twice, hidden := grant("acme"), grant("acme"), grant("acme")
	elsewhere.Store, twice.Store = "no such", "b"
	hidden.Customers, hidden.Identifiers = false, true
	for name, c := range map[string]engine.Client{
		"a store that is not there": {Name: "x", Grants: []engine.Grant{elsewhere}},
		"two grants for a tenant":   {Name: "x", Grants: []engine.Grant{grant("acme"), twice}},
		"a listing without ids":     {Name: "x", Grants: []engine.Grant{hidden}},
		"a policy without purposes": {Name: "x", Privacy: privacy.Policy{Vendor: 7}, Grants: []engine.Grant{grant("acme")}},
		"an eid without a source":   {Name: "x", BidRequests: engine.BidRequests{Person: engine.PersonEID{Matcher: "m"}}},
		"a namespace that is none":  {Name: "x", BidRequests: engine.BidRequests{EIDs: map[string]string{"s": "Not One"}}},
		"a name that is taken":      {Name: "good"},
	} {
		if err := p.SetClients([]engine.Client{good, c}); err == nil {
			t.Errorf("%s: taken", name)
		}
		if got, _ := look(t, p, "good", "cookie.a:ann's"); len(got) != 2 {
			t.Errorf("after %s: %v", name, got)
		}
	}
}

// TestDecidingAcrossStores: the first store that matches speaks, and where none
// does the reason that says most.
func TestDecidingAcrossStores(t *testing.T) {
	without := neighbour()
	without.profiles[0].consent = snapshot.ConsentState{}
	for _, c := range []struct {
		name  string
		pools []*pool
		text  string
		store string
		want  engine.Reason
	}{
		{"both match", []*pool{story(), neighbour()}, "cookie.a:ann's", "a", engine.Matched},
		{"the second matches", []*pool{without, story()}, "cookie.a:ann's", "b", engine.Matched},
		{"neither matches", []*pool{story(), neighbour()}, "cookie.a:absent", "a", engine.Unknown},
		{"one denies", []*pool{emptyOf(story()), without}, "cookie.a:ann's", "b", engine.NoConsent},
	} {
		p, _ := openPools(t, c.pools, engine.Client{Name: "c", Grants: []engine.Grant{grant("acme")}})
		var v engine.View
		ok(t, p.Begin(&v, "c"))
		ids := [][]byte{[]byte(c.text)}
		ok(t, v.Match(ids))
		if got := v.Deciding(0); got.Store != c.store || got.Answers[0].Reason != c.want {
			t.Errorf("%s: store %s, %s", c.name, got.Store, got.Answers[0].Reason)
		}
		ok(t, v.Resolve(ids))
		if got := v.Decided(); got.Store != c.store || got.Resolved().Reason != c.want {
			t.Errorf("%s, as one: store %s, %s", c.name, got.Store, got.Resolved().Reason)
		}
		v.End()
	}
}

// emptyOf is a pool in which acme has no profile.
func emptyOf(p *pool) *pool {
	p.profiles = p.profiles[1:2]
	return p
}

// TestSignalsSuppress: what a signal forbids is not looked up, whether it is
// known or not, and identifiers that the client may not ask by stay invalid.
func TestSignalsSuppress(t *testing.T) {
	p, _ := openPools(t, []*pool{story()}, engine.Client{Name: "c", Grants: []engine.Grant{grant("acme"), grant("bolt")}})
	const maid = "maid:6d92078a-8246-4ba4-ae5b-76104861e7dc"
	for _, c := range []struct {
		kind   privacy.Kind
		value  string
		text   string
		want   engine.Reason
		signal privacy.Kind
	}{
		{privacy.COPPA, "1", "cookie.a:ann's", engine.Suppressed, privacy.COPPA},
		{privacy.COPPA, "1", "cookie.a:absent", engine.Suppressed, privacy.COPPA},
		{privacy.COPPA, "1", "no.such:1", engine.Invalid, privacy.None},
		{privacy.COPPA, "0", "cookie.a:ann's", engine.Matched, privacy.None},
		{privacy.LMT, "1", "cookie.a:ann's", engine.Matched, privacy.None},
		{privacy.LMT, "1", maid, engine.Suppressed, privacy.LMT},
		{privacy.LMT, "0", maid, engine.Unknown, privacy.None},
	} {
		var v engine.View
		ok(t, p.Begin(&v, "c"))
		var s privacy.Signals
		s.Set(c.kind, []byte(c.value))
		p.Heed(&v, &s)
		ok(t, v.Match([][]byte{[]byte(c.text)}))
		a := &v.Parts()[0].Answers[0]
		if a.Reason != c.want || a.Signal != c.signal {
			t.Errorf("%v=%s, %s: %s %v, want %s %v", c.kind, c.value, c.text, a.Reason, a.Signal, c.want, c.signal)
		}
		if a.Reason == engine.Suppressed && v.Parts()[0].Records() != 0 {
			t.Errorf("%v=%s, %s: suppressed, and looked up", c.kind, c.value, c.text)
		}
		v.End()
	}
}
