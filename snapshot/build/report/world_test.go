package report

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

var asOf = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// Namespaces, sources and tenants of the test worlds, by number.
const (
	nsMAID = iota
	nsEmail
	nsPhone
	nsPostal
	nsCookieA
	nsCookieB
	nsAcme
	nsBolt
)

const (
	srcCRM = iota
	srcSite
	srcPublisher
	srcNetwork
	srcSync
)

func testConfig(t testing.TB, segments int) Config {
	t.Helper()
	ns, err := index.NewNamespaces(append(index.Builtin(),
		index.Namespace{Name: "cookie.a"}, index.Namespace{Name: "cookie.b"}, index.Namespace{Name: "crm.acme"}, index.Namespace{Name: "crm.bolt"}))
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		AsOf: asOf, Namespaces: ns,
		Sources: []snapshot.Source{
			srcCRM: {Name: "acme", Party: snapshot.FirstParty}, srcSite: {Name: "acme.example", Party: snapshot.FirstParty},
			srcPublisher: {Name: "publisher-a", Party: snapshot.SecondParty},
			srcNetwork:   {Name: "app-network", Party: snapshot.ThirdParty}, srcSync: {Name: "cookie-sync", Party: snapshot.ThirdParty},
		},
		Tenants: []snapshot.Tenant{{Name: "acme"}, {Name: "bolt"}},
	}
	for i, code := range []string{"vip", "newsletter", "churn.high", "tariff.green", "tariff.fixed", "lead.cold"} {
		c.Segments = append(c.Segments, snapshot.Segment{Code: code})
		if i < segments {
			c.Largest = append(c.Largest, uint32(i))
		}
	}
	return c
}

// maker makes persons one identifier after another.
type maker struct{ p snapshot.Person }

func (m *maker) node(ns index.NamespaceID) uint32 {
	m.p.Nodes = append(m.p.Nodes, snapshot.Node{Namespace: ns})
	return uint32(len(m.p.Nodes) - 1)
}

func (m *maker) link(a, b uint32, method snapshot.Method, source uint16) {
	m.p.Links = append(m.p.Links, snapshot.Link{A: min(a, b), B: max(a, b), Method: method, Source: source})
}

// linked adds an identifier with a link to an older one.
func (m *maker) linked(to uint32, ns index.NamespaceID, method snapshot.Method, source uint16) uint32 {
	n := m.node(ns)
	m.link(to, n, method, source)
	return n
}

func (m *maker) profile(tenant uint16, kind snapshot.Kind, expires time.Time, segments ...uint32) uint32 {
	n := m.node(index.NamespaceID(nsAcme + int(tenant)))
	q := snapshot.Profile{Node: n, Tenant: tenant, Kind: kind, Segments: segments}
	if !expires.IsZero() {
		q.Consent.Expires = expires.Unix()
	}
	m.p.Profiles = append(m.p.Profiles, q)
	return n
}

// likely makes a person as a brand has them: a record with contact data, now
// and then a login of its own, and partners who know more devices.
func likely(r *rand.Rand) *snapshot.Person {
	m := &maker{}
	kind := snapshot.Customer
	if r.IntN(5) == 0 {
		kind = snapshot.Prospect
	}
	var segments []uint32
	vip := r.IntN(4) == 0
	for s, share := range []float64{0, 0.42, 0.16, 0.22, 0.3, 0.05} {
		if s == 0 && vip || r.Float64() < share || s == 1 && vip && r.IntN(2) == 0 {
			segments = append(segments, uint32(s))
		}
	}
	expires := asOf.AddDate(0, 0, r.IntN(1000)-60)
	crm := m.profile(0, kind, expires, segments...)
	email := m.linked(crm, nsEmail, snapshot.Authenticated, srcCRM)
	phone := m.linked(crm, nsPhone, snapshot.Authenticated, srcCRM)
	if r.IntN(14) == 0 {
		second := m.profile(0, kind, expires)
		m.link(second, email, snapshot.Authenticated, srcCRM)
	}
	if r.IntN(9) == 0 {
		m.link(m.profile(1, snapshot.Customer, time.Time{}), email, snapshot.Authenticated, srcCRM)
	}
	if r.IntN(12) == 0 {
		m.linked(crm, nsCookieA, snapshot.Authenticated, srcSite)
	}
	for r.IntN(10) < 4 {
		c := m.linked(email, nsCookieB, snapshot.Authenticated, srcPublisher)
		if r.IntN(3) == 0 {
			m.linked(c, nsCookieA, snapshot.CookieSync, srcSync)
		}
	}
	for r.IntN(10) < 3 {
		m.linked(phone, nsMAID, [...]snapshot.Method{snapshot.Observed, snapshot.Inferred}[r.IntN(2)], srcNetwork)
	}
	return &m.p
}

// wild makes a person of anything linked to anything.
func wild(r *rand.Rand, segments int) *snapshot.Person {
	m := &maker{}
	for range 1 + r.IntN(3) {
		var list []uint32
		for s := range segments {
			if r.IntN(3) == 0 {
				list = append(list, uint32(s))
			}
		}
		var expires time.Time
		if r.IntN(2) == 0 {
			expires = asOf.AddDate(0, 0, r.IntN(250)-20)
		}
		m.profile(uint16(r.IntN(2)), snapshot.Kind(r.IntN(2)), expires, list...)
	}
	for range r.IntN(7) {
		m.node(index.NamespaceID(r.IntN(nsAcme)))
	}
	n := uint32(len(m.p.Nodes))
	for i := uint32(1); i < n; i++ { // a person is connected
		m.link(r.Uint32N(i), i, snapshot.Method(r.IntN(methods)), uint16(r.IntN(5)))
	}
	for range r.IntN(4) {
		if a, b := r.Uint32N(n), r.Uint32N(n); a != b {
			m.link(a, b, snapshot.Method(r.IntN(methods)), uint16(r.IntN(5)))
		}
	}
	return &m.p
}

func likelyData(t testing.TB, people, segments int) *Data {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	c := NewCollector(testConfig(t, segments))
	for range people {
		c.Add(likely(r))
	}
	d := c.Data()
	d.Header.Snapshot, d.Header.Version = "20261121T000000Z-5201cd117eb6", "v0.3.0"
	d.Input = Input{Files: 8, Rows: 81234, Bad: 212, RowsBySource: map[string]int64{"acme": int64(people) + 3000, "publisher-a": 31000}}
	d.Quarantine = map[string]int64{"too many customers on one device": 431, "different emails": 12}
	d.Lineage = &Lineage{Kept: int64(people) - 900, New: 900, Merged: 310, Split: 60}
	return d
}
