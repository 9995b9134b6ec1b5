package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

var storyTime = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// story is a pool of two tenants, small enough to be told: each has a customer
// who is Ann, and one whom the other does not know.
func story() *pool {
	day := snapshot.Day(dayOf(storyTime))
	p := &pool{
		asOf: storyTime, linkMaxAge: 13, spaces: spacesFor("acme", "bolt"), sources: allSources,
		tenants: []snapshot.Tenant{{Name: "acme", LegalBasis: snapshot.Consent}, {Name: "bolt", LegalBasis: snapshot.Contract}},
		segments: []snapshot.Segment{
			{Tenant: 0, Code: "new"}, {Tenant: 0, Code: "vip"}, {Tenant: 1, Code: "new"}, {Tenant: 1, Code: "vip"},
		},
		ids: []poolID{
			{"crm.acme", "ann", 0},
			{"crm.bolt", "B-1", 0},
			{"cookie.a", "ann's", 0},
			{"cookie.b", "ann's", 0},
			{"crm.acme", "bob", 1},
			{"cookie.a", "bob's", 1},
			{"crm.bolt", "B-2", 2},
			{"cookie.a", "carl's", 2},
		},
		links: []poolLink{
			{0, 2, snapshot.Authenticated, 0, day, day},
			{1, 2, snapshot.Observed, 1, day - 5, day - 5},
			{2, 3, snapshot.CookieSync, 1, day - 9, day - 9},
			{4, 5, snapshot.Authenticated, 0, day, day},
			{6, 7, snapshot.Inferred, 2, day - 1, day - 1},
		},
		persons: 3,
	}
	given := snapshot.ConsentState{At: storyTime.Unix() - 1, Purposes: snapshot.Use}
	p.profiles = []poolProfile{
		{id: 0, tenant: 0, segments: []uint32{0, 1}, consent: given},
		{id: 1, tenant: 1, segments: []uint32{2, 3}},
		{id: 4, tenant: 0, segments: []uint32{1}, consent: given},
		{id: 6, tenant: 1, segments: []uint32{3}},
	}
	return p
}

func grant(tenant string) engine.Grant {
	return engine.Grant{
		Tenant: tenant, Segments: []string{engine.All}, Namespaces: []string{engine.All},
		Customers: true, Purposes: snapshot.Use,
	}
}

// open publishes a pool and returns an engine that serves it to clients.
func open(t testing.TB, p *pool, clients ...engine.Client) (*engine.Engine, *snapshot.Store, *clock) {
	t.Helper()
	store, at := newStore(t), &clock{}
	at.set(p.asOf)
	e := newEngine(t, engine.Options{Store: store, Now: at.now})
	publish(t, store, p.contents(t, 1))
	reload(t, e)
	ok(t, e.SetClients(clients))
	return e, store, at
}

// ask returns one client's answer to one identifier.
func ask(t testing.TB, e *engine.Engine, c engine.Client, text string) (answer, engine.Answer) {
	t.Helper()
	s := begin(t, e, c.Name)
	defer s.End()
	var b engine.Batch
	var ps persons
	s.Match(&b, [][]byte{[]byte(text)})
	return ps.read(t, s, &b, &b.Answers[0], c, 0), b.Answers[0]
}

// TestTenantsAreApart tells the story from both tenants' sides.
func TestTenantsAreApart(t *testing.T) {
	p := story()
	day := snapshot.Day(dayOf(storyTime))
	acme := engine.Client{Name: "a", Grants: []engine.Grant{grant("acme")}}
	bolt := engine.Client{Name: "b", Grants: []engine.Grant{grant("bolt")}}
	bolt.Grants[0].Segments = []string{"vip"}
	e, _, _ := open(t, p, acme, bolt)
	unknown, invalid := answer{Reason: engine.Unknown, Person: -1}, answer{Reason: engine.Invalid, Person: -1}
	matched := func(q profile) answer { return answer{Reason: engine.Matched, Profiles: []profile{q}} }
	ann := profile{Tenant: "acme", Customer: "ann", Segments: "new|vip", Path: strength{snapshot.Authenticated, day}}
	b1 := profile{Tenant: "bolt", Customer: "B-1", Segments: "vip", Path: strength{snapshot.Observed, day - 5}}
	b2 := profile{Tenant: "bolt", Customer: "B-2", Segments: "vip", Path: strength{snapshot.Inferred, day - 1}}
	synced := func(q profile) profile { q.Path = strength{snapshot.CookieSync, day - 9}; return q }
	for _, c := range []struct {
		text       string
		acme, bolt answer
	}{
		{"cookie.a:ann's", matched(ann), matched(b1)},
		{"cookie.b:ann's", matched(synced(ann)), matched(synced(b1))},
		{"crm.acme:ann", matched(ann), invalid},
		{"crm.bolt:B-1", invalid, matched(profile{Tenant: "bolt", Customer: "B-1", Segments: "vip", Path: strength{snapshot.Authenticated, day}})},
		{"cookie.a:carl's", unknown, matched(b2)},
		{"crm.bolt:B-2", invalid, matched(profile{Tenant: "bolt", Customer: "B-2", Segments: "vip", Path: strength{snapshot.Authenticated, day}})},
		{"cookie.a:nobody", unknown, unknown},
	} {
		if got, _ := ask(t, e, acme, c.text); !reflect.DeepEqual(got, c.acme) {
			t.Errorf("acme asks %q:\n got %+v\nwant %+v", c.text, got, c.acme)
		}
		if got, _ := ask(t, e, bolt, c.text); !reflect.DeepEqual(got, c.bolt) {
			t.Errorf("bolt asks %q:\n got %+v\nwant %+v", c.text, got, c.bolt)
		}
	}
}

// TestNotGrantedIsNotThere says that no field of an answer, shown or not,
// tells a person without a granted profile from an identifier that nobody
// knows, nor a namespace that is not granted from one that does not exist;
// alone or among other identifiers.
func TestNotGrantedIsNotThere(t *testing.T) {
	store, at := newStore(t), &clock{}
	e := newEngine(t, engine.Options{Store: store, Now: at.now})
	persons, spaces := 0, 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 4))
		p := randomPool(r, false)
		cur := publish(t, store, p.contents(t, seed))
		reload(t, e)
		at.set(pick(r, p.clocks...))
		clients, m := p.randomClients(r), newModel(p)
		ok(t, e.SetClients(clients))
		for _, c := range clients {
			s := begin(t, e, c.Name)
			for i, id := range p.ids {
				v := m.match(c, at.now(), query{text: p.text(i), space: id.space, id: i})
				twin := absentTwin(r, p, id.space)
				switch {
				case v.known:
					continue
				case v.Reason == engine.Invalid:
					spaces++
					twin = "no.such:x"
				default:
					persons++
				}
				sameAnswers(t, fmt.Sprintf("pool %d, client %+v", seed, c), s, p.text(i), twin, p.text(r.IntN(len(p.ids))))
			}
			s.End()
		}
		ok(t, os.RemoveAll(filepath.Join(store.Dir(), "snapshots", cur.Name)))
	}
	if persons < 500 || spaces < 500 {
		t.Errorf("only %d persons and %d namespaces were not granted", persons, spaces)
	}
}

// absentTwin is an identifier of a namespace that is not in the pool.
func absentTwin(r *rand.Rand, p *pool, space string) string {
	n := p.spaceOf(space)
	if n.Compare == 0 {
		return space + ":absent"
	}
	return textsOf(n, randomValue(r, n))[0]
}

// sameAnswers asks for text and for twin, alone, in a batch, and beside
// another identifier, and wants all the same, in every field.
func sameAnswers(t *testing.T, where string, s *engine.Session, text, twin, other string) {
	t.Helper()
	for _, ids := range [][2][]string{
		{{text}, {twin}},
		{{text, other}, {twin, other}},
		{{other, text}, {other, twin}},
		{{text, text, other}, {twin, twin, other}},
	} {
		var got, want [2]engine.Batch
		var one [2]engine.Answer
		for i := range 2 {
			list := make([][]byte, len(ids[i]))
			for k, id := range ids[i] {
				list[k] = []byte(id)
			}
			s.Match(&got[i], list)
			one[i], _ = s.Resolve(&want[i], list)
		}
		if !reflect.DeepEqual(got[0].Answers, got[1].Answers) {
			t.Errorf("%s: %q is told from %q:\n%+v\n%+v", where, text, twin, got[0].Answers, got[1].Answers)
		}
		if one[0] != one[1] || !reflect.DeepEqual(want[0].Profiles(&one[0]), want[1].Profiles(&one[1])) {
			t.Errorf("%s: %q is told from %q as one:\n%+v\n%+v", where, ids[0], ids[1], one[0], one[1])
		}
	}
}

// TestPersonIDs says what the id of a person is: the same for all of the
// person's identifiers, for all clients of an id space, after the engine was
// opened again and after a swap; and something else in every other id space,
// and than the internal one.
func TestPersonIDs(t *testing.T) {
	p := story()
	p.profiles[0].consent.Purposes |= snapshot.Share
	clients := []engine.Client{
		{Name: "acme's", Grants: []engine.Grant{grant("acme")}},
		{Name: "acme's other", Grants: []engine.Grant{grant("acme")}},
		{Name: "bolt's", Grants: []engine.Grant{grant("bolt")}},
		{Name: "both", Grants: []engine.Grant{grant("acme"), grant("bolt")}},
		{Name: "both too", Grants: []engine.Grant{grant("acme"), grant("bolt")}},
		{Name: "in bolt's", IDSpace: "bolt", Grants: []engine.Grant{grant("acme")}},
		{Name: "own", IDSpace: "own", Grants: []engine.Grant{grant("acme")}},
		{Name: "acme's with bolt", Tenant: "acme", Grants: []engine.Grant{grant("acme"), grant("bolt")}},
		{Name: "another brand's", Tenant: "cora", Grants: []engine.Grant{grant("acme")}},
	}
	e, store, at := open(t, p, clients...)
	id := func(e *engine.Engine, client int, text string) engine.PersonID {
		s := begin(t, e, clients[client].Name)
		defer s.End()
		var b engine.Batch
		if err := s.Match(&b, [][]byte{[]byte(text)}); err != nil {
			t.Fatal(err)
		}
		a := &b.Answers[0]
		if !a.Matched() {
			t.Fatalf("%s is not matched for %s", text, clients[client].Name)
		}
		shown := s.Person(a)
		if shown == engine.PersonID(a.InternalID()) || shown == (engine.PersonID{}) {
			t.Errorf("%s is shown the id %v", clients[client].Name, shown)
		}
		return shown
	}
	const ann = "cookie.a:ann's"
	ids := map[engine.PersonID]string{}
	for i, same := range []int{0, 0, 2, 3, 4, 2, 6, 0, 8} {
		got := id(e, i, ann)
		if want := id(e, same, ann); got != want {
			t.Errorf("%s sees %v, and %s %v", clients[i].Name, got, clients[same].Name, want)
		}
		if before, ok := ids[got]; ok && same == i {
			t.Errorf("%s and %s see one id", before, clients[i].Name)
		}
		ids[got] = clients[i].Name
	}
	if id(e, 0, ann) == id(e, 0, "cookie.a:bob's") {
		t.Error("two persons have one id")
	}
	for _, text := range []string{"crm.acme:ann", "cookie.b:ann's"} {
		if got, want := id(e, 0, text), id(e, 0, ann); got != want {
			t.Errorf("%s has id %v, and another identifier of the person %v", text, got, want)
		}
	}
	bucket := must(engine.Bucket(id(e, 0, ann), "price", 100))(t)
	again := newEngine(t, engine.Options{Store: store, Now: at.now})
	reload(t, again)
	ok(t, again.SetClients(clients))
	publish(t, store, p.contents(t, 99))
	reload(t, e) // another snapshot, and the other engine still has the first
	for _, after := range []*engine.Engine{again, e} {
		if _, ok := ids[id(after, 0, "cookie.b:ann's")]; !ok {
			t.Error("the id has changed")
		}
		if got := must(engine.Bucket(id(after, 0, "cookie.b:ann's"), "price", 100))(t); got != bucket {
			t.Errorf("the bucket has changed from %d to %d", bucket, got)
		}
	}
}

func TestClientValidation(t *testing.T) {
	good := engine.Client{Name: "c", Grants: []engine.Grant{grant("acme"), grant("bolt")}}
	for _, c := range []struct {
		name   string
		change func(*engine.Client)
	}{
		{"no name", func(c *engine.Client) { c.Name = "" }},
		{"slash in the name", func(c *engine.Client) { c.Name = "a/b" }},
		{"slash in the id space", func(c *engine.Client) { c.IDSpace = "client/c" }},
		{"no tenant", func(c *engine.Client) { c.Grants[0].Tenant = "" }},
		{"all tenants", func(c *engine.Client) { c.Grants[0].Tenant = engine.All }},
		{"listing without customer ids", func(c *engine.Client) { c.Grants[0].Customers, c.Grants[0].Identifiers = false, true }},
		{"a tenant twice", func(c *engine.Client) { c.Grants[0].Tenant = "bolt" }},
	} {
		bad := good
		bad.Grants = append([]engine.Grant(nil), good.Grants...)
		c.change(&bad)
		e, _, _ := open(t, story(), good)
		if err := e.SetClients([]engine.Client{bad}); err == nil {
			t.Errorf("%s: accepted", c.name)
		}
		begin(t, e, "c").End() // a refused list changes nothing
	}
	e, _, _ := open(t, story(), good)
	if err := e.SetClients([]engine.Client{good, good}); err == nil {
		t.Error("one name twice: accepted")
	}
}

// TestSetClients says that clients are replaced as a whole, for sessions that
// begin later, and that the engine keeps nothing that its caller may change.
func TestSetClients(t *testing.T) {
	p := story()
	list := []engine.Client{{Name: "a", Grants: []engine.Grant{grant("acme")}}}
	e, store, _ := open(t, p, list...)
	ok(t, e.SetClients(list))
	before := begin(t, e, "a")
	ok(t, e.SetClients([]engine.Client{{Name: "a", Grants: []engine.Grant{grant("bolt")}}, {Name: "b"}}))
	after := begin(t, e, "a")
	var b engine.Batch
	for s, want := range map[*engine.Session]string{before: "acme", after: "bolt"} {
		s.Match(&b, [][]byte{[]byte("cookie.a:ann's")})
		if got := s.Tenant(b.Profiles(&b.Answers[0])[0].Tenant).Name; got != want {
			t.Errorf("answered for %s, want %s", got, want)
		}
		s.End()
	}
	if _, err := e.Begin("c"); err != engine.ErrUnknownClient {
		t.Errorf("an unknown client: %v", err)
	}
	ok(t, e.SetClients(list))
	list[0].Grants[0].Tenant, list[0].Grants[0].Namespaces[0], list[0].Name = "bolt", "no.such", "z"
	publish(t, store, p.contents(t, 2))
	reload(t, e)
	if got, _ := ask(t, e, engine.Client{Name: "a"}, "cookie.a:bob's"); got.Reason != engine.Matched || got.Profiles[0].Tenant != "acme" {
		t.Errorf("the caller's list changed the engine's: %+v", got)
	}
	ok(t, e.SetClients(nil))
	if _, err := e.Begin("a"); err != engine.ErrUnknownClient {
		t.Errorf("a client that was taken away: %v", err)
	}
}
