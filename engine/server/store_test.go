package server

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// The identifiers of the test store, which holds three persons:
//
//	one    acme's C-1 and globex's G-1: an email, a phone's maid, a cookie
//	two    acme's C-2, which has no consent
//	three  globex's G-3 alone
const (
	maidOne    = "maid:6d92078a-8246-4ba4-ae5b-76104861e7dc"
	cookieOne  = "cookie.site:one"
	emailOne   = "email_sha256:973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"
	maidTwo    = "maid:11111111-2222-3333-4444-555555555552"
	maidThree  = "maid:11111111-2222-3333-4444-555555555553"
	maidHub    = "maid:11111111-2222-3333-4444-555555555554"
	maidNobody = "maid:11111111-2222-3333-4444-555555555559"
)

// now is the engine's clock in tests; asOf is the first snapshot's.
var (
	now  = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	asOf = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
)

const (
	acme = iota
	globex
)

// segments of the test store, by number.
var testSegments = []snapshot.Segment{{Tenant: acme, Code: "vip"}, {Tenant: acme, Code: `churn "high"`}, {Tenant: globex, Code: "lapsed"}}

// newStore makes a store, without a snapshot.
func newStore(t testing.TB) *snapshot.Store {
	t.Helper()
	s, err := snapshot.CreateStore(snapshot.OS{}, t.TempDir()+"/store", nil)
	must(t, err)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// publish puts the three persons into the store as of a time.
func publish(t testing.TB, s *snapshot.Store, asOf time.Time) snapshot.Current {
	t.Helper()
	return publishHub(t, s, asOf, 0, nil)
}

// publishHub publishes a fourth person too, if customers is not 0: that many
// customers of globex who share the identifier maidHub. It says to contain logs as
// applied does.
func publishHub(t testing.TB, s *snapshot.Store, asOf time.Time, customers int, applied map[string]uint64) snapshot.Current {
	t.Helper()
	return publishOf(t, s, asOf, applied, []string{"cookie.site", "crm.acme", "crm.globex"}, testTenants, func(names *index.Namespaces, hasher index.Hasher) []*snapshot.Person {
		return testPersons(t, names, hasher, customers)
	})
}

var testTenants = []snapshot.Tenant{
	{
		Name: "acme", LegalBasis: snapshot.Consent, ConsentMaxAge: 36, Domain: "acme.example",
		BidStream: &snapshot.BidStream{Segtax: 501, Segments: map[string]string{"vip": "A1"}},
	},
	{Name: "globex", LegalBasis: snapshot.Contract, ConsentMaxAge: 36},
}

// publishOf publishes persons of tenants, with namespaces beside those that are built
// in.
func publishOf(t testing.TB, s *snapshot.Store, asOf time.Time, applied map[string]uint64, spaces []string, tenants []snapshot.Tenant, persons func(*index.Namespaces, index.Hasher) []*snapshot.Person) snapshot.Current {
	t.Helper()
	list := index.Builtin()
	for _, name := range spaces {
		list = append(list, index.Namespace{Name: name})
	}
	names, err := index.NewNamespaces(list)
	must(t, err)
	secret, err := s.Secret()
	must(t, err)
	meta := snapshot.Meta{
		ID: snapshot.ID{byte(asOf.Unix()), 1}, KeyID: secret.ID(), AsOf: asOf, Oldest: 20000,
		LinkMaxAge: 13, IndexShards: 1, RecordShards: 1, Applied: applied,
	}
	d, err := s.Begin()
	must(t, err)
	defer func() { must(t, d.Close()) }()
	segments := slices.Clone(testSegments)
	w, err := snapshot.NewWriter(snapshot.OS{}, d.Dir(), meta, snapshot.Dictionaries{
		Namespaces: names,
		Sources:    []snapshot.Source{{Name: "acme"}, {Name: "site", Party: snapshot.SecondParty}},
		Tenants:    tenants,
		Segments:   slices.DeleteFunc(segments, func(s snapshot.Segment) bool { return int(s.Tenant) >= len(tenants) }),
	})
	must(t, err)
	m, hash, err := w.WriteAll(t.Context(), func(int) iter.Seq[*snapshot.Person] {
		return slices.Values(persons(names, snapshot.IdentifierHasher(secret)))
	})
	must(t, err)
	cur, err := d.Publish(m, hash)
	must(t, err)
	return cur
}

// testPerson is a person of a number whose first identifier is linked to the others.
func testPerson(t testing.TB, names *index.Namespaces, hasher index.Hasher, id byte, texts ...string) *snapshot.Person {
	t.Helper()
	p := &snapshot.Person{ID: snapshot.PersonID{id}, Born: asOf.Unix()}
	for i, text := range texts {
		key, ns, err := names.AppendKey(nil, []byte(text))
		must(t, err)
		p.Nodes = append(p.Nodes, snapshot.Node{
			Hash: hasher.Sum(key), Namespace: ns, Value: names.Value(ns, key),
			Method: snapshot.Authenticated, Source: 1, Seen: 20700,
		})
		if i > 0 {
			p.Links = append(p.Links, snapshot.Link{A: 0, B: uint32(i), Source: 1, First: 20650, Last: 20700})
		}
	}
	return p
}

func testPersons(t testing.TB, names *index.Namespaces, hasher index.Hasher, hub int) []*snapshot.Person {
	t.Helper()
	consent := snapshot.ConsentState{At: asOf.Unix() - 86400, Expires: now.AddDate(1, 0, 0).Unix(), Purposes: snapshot.Use}
	person := func(id byte, texts ...string) *snapshot.Person { return testPerson(t, names, hasher, id, texts...) }
	one := person(1, "crm.acme:C-1", "crm.globex:G-1", emailOne, maidOne, cookieOne)
	one.Nodes[4].Method, one.Links[3].Method = snapshot.CookieSync, snapshot.CookieSync
	one.Profiles = []snapshot.Profile{
		{Node: 0, Tenant: acme, Customer: []byte("C-1"), Segments: []uint32{0, 1}, Consent: consent},
		{Node: 1, Tenant: globex, Kind: snapshot.Prospect, Customer: []byte("G-1"), Segments: []uint32{2}},
	}
	two := person(2, "crm.acme:C-2", maidTwo)
	two.Profiles = []snapshot.Profile{{Node: 0, Tenant: acme, Customer: []byte("C-2")}}
	three := person(3, "crm.globex:G-3", maidThree)
	three.Profiles = []snapshot.Profile{{Node: 0, Tenant: globex, Customer: []byte("G-3"), Segments: []uint32{2}}}
	if hub == 0 {
		return []*snapshot.Person{one, two, three}
	}
	texts := []string{maidHub}
	for i := range hub {
		texts = append(texts, fmt.Sprintf("crm.globex:H-%d", i))
	}
	four := person(4, texts...)
	for i := range hub {
		four.Profiles = append(four.Profiles, snapshot.Profile{
			Node: uint32(i + 1), Tenant: globex, Customer: fmt.Appendf(nil, "H-%d", i), Segments: []uint32{2},
		})
	}
	return []*snapshot.Person{one, two, three, four}
}

// newPools opens a store; without a snapshot it is not ready.
func newPools(t testing.TB, s *snapshot.Store) *engine.Pools {
	t.Helper()
	p, err := engine.NewPools(engine.Pool{Name: "store", Engine: newEngine(t, s)})
	must(t, err)
	return p
}

func newEngine(t testing.TB, s *snapshot.Store) *engine.Engine {
	t.Helper()
	e, err := engine.New(engine.Options{Store: s, Now: func() time.Time { return now }, CacheBytes: 1 << 20})
	must(t, err)
	t.Cleanup(func() { must(t, e.Close()) })
	if _, err := s.Current(); err == nil {
		_, err := e.Reload()
		must(t, err)
	}
	return e
}

// readyPools is a store that serves the three persons.
func readyPools(t testing.TB) *engine.Pools {
	t.Helper()
	s := newStore(t)
	publish(t, s, asOf)
	return newPools(t, s)
}

// client makes a client whose key is "key-" and its name.
func client(name string, grants ...engine.Grant) Client {
	return Client{Client: engine.Client{Name: name, Grants: grants}, Key: HashKey("key-" + name)}
}

func grant(tenant string, identifiers bool) engine.Grant {
	return engine.Grant{
		Tenant: tenant, Segments: []string{"*"}, Namespaces: []string{"*"},
		Customers: true, Identifiers: identifiers, Purposes: snapshot.Use,
	}
}

// testClients may see acme, globex, both, and acme's segment vip only.
func testClients() []Client {
	narrow := grant("acme", false)
	narrow.Segments = []string{"vip"}
	return []Client{
		client("acme", grant("acme", true)), client("globex", grant("globex", false)),
		client("both", grant("acme", true), grant("globex", false)), client("narrow", narrow),
	}
}
