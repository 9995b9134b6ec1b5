package resolve

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/snapshot"
)

// component is a connected set and the rules to cut it by.
type component struct {
	rules Rules
	nodes []Node
	edges []Edge
}

func (c *component) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", c.rules)
	for i, n := range c.nodes {
		fmt.Fprintf(&b, "  %d: %s of tenant %d\n", i, kindNames[n.Kind], n.Tenant)
	}
	for i, e := range c.edges {
		fmt.Fprintf(&b, "  edge %d: %d-%d %v, source %d, day %d\n", i, e.A, e.B, e.Method, e.Source, e.Seen)
	}
	return b.String()
}

var kindNames = [...]string{"device", "customer", "email", "phone", "postal"}

// resolve cuts the component with a new resolver.
func (c *component) resolve() Result { return NewResolver(c.rules).Resolve(c.nodes, c.edges) }

// sort puts the edges in the order that Resolve asks for. Edges between the
// same two nodes keep theirs.
func (c *component) sort() {
	slices.SortStableFunc(c.edges, func(x, y Edge) int { return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B)) })
}

// link adds an edge.
func (c *component) link(a, b int, m snapshot.Method, source int, day int) {
	c.edges = append(c.edges, Edge{A: uint32(min(a, b)), B: uint32(max(a, b)), Method: m, Source: uint16(source), Seen: snapshot.Day(day)})
}

// drawComponent makes a connected set of 2 to 40 nodes, with limits so small
// that they bite. choose returns a number below n.
func drawComponent(choose func(n int) int) *component {
	c := &component{rules: Rules{MaxIdentifiers: 50, MaxOnDevice: 1 + choose(4), MaxOnContact: 1 + choose(4), Shared: Shared(choose(2))}}
	if choose(2) == 0 {
		c.rules.MaxIdentifiers = 1 + choose(12)
	}
	n := 2 + choose(7)
	if choose(3) == 0 {
		n = 2 + choose(39)
	}
	tenants := 1 + choose(3)
	kinds := []Kind{Device, Device, Device, Customer, Customer, Customer, Email, Email, Phone, Postal}
	for range n {
		node := Node{Kind: kinds[choose(len(kinds))]}
		if node.Kind == Customer {
			node.Tenant = uint16(choose(tenants))
		}
		c.nodes = append(c.nodes, node)
	}
	days := 1 + choose(4)
	add := func(a, b int) {
		m := snapshot.Method(choose(4))
		if x, y := c.nodes[a].Kind, c.nodes[b].Kind; (x == Customer && y.contact() || y == Customer && x.contact()) && choose(3) > 0 {
			m = snapshot.Authenticated
		}
		c.link(a, b, m, choose(4), 1+choose(days))
	}
	for i := 1; i < n; i++ {
		add(choose(i), i)
	}
	for range choose(2 * n) {
		if a, b := choose(n), choose(n); a != b {
			add(a, b)
		}
	}
	c.sort()
	return c
}

// drawRecords makes customers with an email, a phone and a postal address each,
// or fewer, out of a handful, and some links between them. It may be several
// connected sets.
func drawRecords(choose func(n int) int) *component {
	c := &component{rules: Rules{MaxIdentifiers: 50, MaxOnDevice: 4, MaxOnContact: 3 + choose(3), Shared: Shared(choose(2))}}
	contacts := [][]int{{0, 1, 2}, {3, 4, 5}, {6, 7}}
	for kind, list := range contacts {
		for range list {
			c.nodes = append(c.nodes, Node{Kind: Email + Kind(kind)})
		}
	}
	tenants := 1 + choose(3)
	for range 2 + choose(5) {
		customer := len(c.nodes)
		c.nodes = append(c.nodes, Node{Kind: Customer, Tenant: uint16(choose(tenants))})
		for _, list := range contacts {
			if choose(3) > 0 {
				c.link(customer, list[choose(len(list))], snapshot.Authenticated, choose(2), 1+choose(2))
			}
		}
	}
	for range choose(3) {
		if a, b := choose(len(c.nodes)), choose(len(c.nodes)); a != b {
			c.link(a, b, snapshot.Method(choose(4)), choose(2), 1+choose(2))
		}
	}
	c.sort()
	return c
}

// eachComponent calls f with components that rapid draws, and shrinks where f
// fails, and then with so many of a plain source of randomness, which is
// faster.
func eachComponent(t *testing.T, count int, f func(t rapid.TB, c *component)) {
	t.Helper()
	eachDrawn(t, count/2, drawComponent, f)
	eachDrawn(t, count/2, drawRecords, f)
}

func eachDrawn(t *testing.T, count int, draw func(func(n int) int) *component, f func(t rapid.TB, c *component)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		f(t, draw(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") }))
	})
	if testing.Short() {
		count /= 10
	}
	for seed := range uint64(count) {
		f(t, draw(rand.New(rand.NewPCG(seed, 5)).IntN))
		if t.Failed() {
			t.Fatalf("component of seed %d", seed)
		}
	}
}

// Components as a test writes them by hand: nodes by name, such as "customer
// 1" of tenant 1, in the order in which they are first named.
type sketch struct {
	component
	names map[string]int
}

func newSketch(rules Rules) *sketch {
	return &sketch{component: component{rules: rules}, names: map[string]int{}}
}

// node returns the number of a node whose name begins with its kind, and of a
// customer, behind an @, with the tenant.
func (s *sketch) node(name string) int {
	if n, ok := s.names[name]; ok {
		return n
	}
	kind := slices.IndexFunc(kindNames[:], func(k string) bool { return strings.HasPrefix(name, k) })
	node := Node{Kind: Kind(kind)}
	if _, tenant, ok := strings.Cut(name, "@"); ok {
		node.Tenant = uint16(tenant[0])
	}
	s.names[name] = len(s.nodes)
	s.nodes = append(s.nodes, node)
	return len(s.nodes) - 1
}

// is links two nodes by a method, seen on a day by so many sources.
func (s *sketch) is(a, b string, m snapshot.Method, day int, sources ...int) *sketch {
	if sources == nil {
		sources = []int{0}
	}
	for _, source := range sources {
		s.link(s.node(a), s.node(b), m, source, day)
	}
	return s
}

// record links a customer to its contacts.
func (s *sketch) record(customer string, contacts ...string) *sketch {
	for _, c := range contacts {
		s.is(customer, c, snapshot.Authenticated, 1)
	}
	return s
}

// persons lists the persons by their nodes' names, and what is shared in
// brackets.
func (s *sketch) persons() string {
	s.sort()
	res := s.resolve()
	byRoot := make([][]string, len(s.nodes))
	name := make([]string, len(s.nodes))
	for n, i := range s.names {
		name[i] = n
	}
	for i, p := range res.Person {
		n := name[i]
		if res.Shared[i] {
			n = "[" + n + "]"
		}
		byRoot[p] = append(byRoot[p], n)
	}
	var out []string
	for _, names := range byRoot {
		if len(names) > 0 {
			slices.Sort(names)
			out = append(out, strings.Join(names, " "))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " | ")
}

// reason returns why the link between two nodes was cut.
func (s *sketch) reason(a, b string) Reason {
	s.sort()
	res := s.resolve()
	x, y := uint32(s.node(a)), uint32(s.node(b))
	for i, e := range s.edges {
		if e.A == min(x, y) && e.B == max(x, y) {
			return res.Cuts[i]
		}
	}
	panic("no link between " + a + " and " + b)
}
