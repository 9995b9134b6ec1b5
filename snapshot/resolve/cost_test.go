package resolve

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/matchd/matchd/snapshot"
)

// Components that are large, or made to be hard.
func hardComponents() map[string]*component {
	out := map[string]*component{}
	hub := func(kind Kind, others ...Kind) *component {
		c := &component{rules: DefaultRules(), nodes: []Node{{Kind: kind}}}
		for i := range 10_000 {
			c.nodes = append(c.nodes, Node{Kind: others[i%len(others)], Tenant: uint16(i)})
			c.link(0, i+1, snapshot.Method(i%4), i%3, 1+i%7)
		}
		return c
	}
	out["a customer with 10,000 devices"] = hub(Customer, Device)
	out["a device with 10,000 users"] = hub(Device, Customer, Email, Phone)
	tenants := hub(Email, Customer)
	tenants.nodes, tenants.edges = tenants.nodes[:1001], tenants.edges[:1000]
	out["an email of 1,000 tenants"] = tenants
	chain := func(m func(i int) snapshot.Method, kinds ...Kind) *component {
		c := &component{rules: DefaultRules()}
		for i := range 10_000 {
			c.nodes = append(c.nodes, Node{Kind: kinds[i%len(kinds)]})
			if i > 0 {
				c.link(i-1, i, m(i), 0, 1+i%7)
			}
		}
		return c
	}
	strong := func(int) snapshot.Method { return snapshot.Authenticated }
	out["a chain of devices"] = chain(strong, Device)
	out["a chain of devices behind a customer"] = chain(strong, Device)
	out["a chain of devices behind a customer"].nodes[0].Kind = Customer
	out["a chain of records"] = chain(strong, Customer, Email, Customer, Phone)
	out["a chain of contacts"] = chain(strong, Email, Phone)
	out["a chain of everything"] = chain(func(i int) snapshot.Method { return snapshot.Method(i % 4) }, Customer, Email, Device, Device, Phone, Postal, Device)
	clique := &component{rules: DefaultRules()}
	clique.rules.MaxOnDevice, clique.rules.MaxOnContact = MaxLimit, MaxLimit
	for i := range 300 {
		clique.nodes = append(clique.nodes, Node{Kind: Kind(i % 5), Tenant: uint16(i % 7)})
		for k := range i {
			clique.link(k, i, snapshot.Method((i+k)%4), i%3, 1+k%7)
		}
	}
	out["a clique of 300"] = clique
	star := hub(Email, Customer)
	star.rules.MaxOnContact = MaxLimit
	star.nodes, star.edges = star.nodes[:301], star.edges[:300]
	for i := range star.edges {
		star.nodes[i+1].Tenant, star.edges[i].Method = 0, snapshot.Authenticated
	}
	out["300 customers on an email"] = star
	out["two customers with 20,000 emails each"] = twoRecords(20_000)
	out["a family of 100 tenants on one phone"] = family(100)
	for _, c := range out {
		c.sort()
	}
	return out
}

// twoRecords is two customers of one tenant with many emails, of which they
// have one in common.
func twoRecords(emails int) *component {
	c := &component{rules: DefaultRules(), nodes: []Node{{Kind: Customer}, {Kind: Customer}}}
	for i := range 2*emails - 1 {
		c.nodes = append(c.nodes, Node{Kind: Email})
		if i < emails {
			c.link(0, i+2, snapshot.Authenticated, 0, 1)
		}
		if i >= emails-1 {
			c.link(1, i+2, snapshot.Authenticated, 0, 1)
		}
	}
	return c
}

// family is two people with the same phone and an email each, customers of
// each of many tenants: two sets that are compared over and over.
func family(tenants int) *component {
	c := &component{rules: DefaultRules(), nodes: []Node{{Kind: Phone}, {Kind: Email}, {Kind: Email}}}
	c.rules.MaxIdentifiers = MaxLimit
	for i := range 2 * tenants {
		c.nodes = append(c.nodes, Node{Kind: Customer, Tenant: uint16(i / 2)})
		c.link(i+3, 0, snapshot.Authenticated, 0, 1)
		c.link(i+3, 1+i%2, snapshot.Authenticated, 0, 1)
	}
	return c
}

// The rounds look at each link at most once for each identifier that a person
// can have.
func TestRoundsAreBounded(t *testing.T) {
	for name, c := range hardComponents() {
		for _, limit := range []int{10, 50} {
			c.rules.MaxIdentifiers = limit
			r := NewResolver(c.rules)
			r.reset(c.nodes)
			r.pair(c.edges)
			slices.SortFunc(r.pairs, strongerPair)
			r.granted = resize(r.granted, len(c.nodes))
			r.limit()
			r.joinCustomers()
			steps := 0
			r.settle(r.pairs, customerBit|contactBits, func(*pair) bool { steps++; return true })
			// Each round but the last makes somebody larger.
			if most := (limit + 1) * len(r.pairs); steps > most {
				t.Errorf("%s: %d steps for %d links and persons of %d, more than %d", name, steps, len(r.pairs), limit, most)
			}
			if choices := len(r.core.choices); choices > len(c.nodes)*len(c.nodes)/2 {
				t.Errorf("%s: %d pairs of customers of %d nodes are compared", name, choices, len(c.nodes))
			}
		}
	}
}

// A resolver that is warm allocates nothing.
func TestResolveAllocatesNothing(t *testing.T) {
	for name, draw := range map[string]func(func(int) int) *component{"any": drawComponent, "records": drawRecords} {
		var list []*component
		for seed := range uint64(300) {
			list = append(list, draw(rand.New(rand.NewPCG(seed, 5)).IntN))
		}
		r := NewResolver(Rules{})
		all := func() {
			for _, c := range list {
				r.rules = c.rules
				r.Resolve(c.nodes, c.edges)
			}
		}
		all()
		if n := testing.AllocsPerRun(10, all); n > 0 {
			t.Errorf("%s: %v allocations for %d components", name, n, len(list))
		}
	}
}

func BenchmarkHardComponents(b *testing.B) {
	for name, c := range hardComponents() {
		b.Run(name, func(b *testing.B) {
			r := NewResolver(c.rules)
			for b.Loop() {
				r.Resolve(c.nodes, c.edges)
			}
		})
	}
}
