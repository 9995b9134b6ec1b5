package resolve

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/matchd/matchd/snapshot"
)

// Resolver cuts connected sets of identifiers into persons. It keeps its
// memory from call to call, and serves one goroutine.
type Resolver struct {
	rules Rules
	nodes []Node
	pairs []pair

	sets    Sets
	persons Sets     // what edges connect of them
	has     []uint8  // by root: a bit for each kind of its members
	size    []uint32 // by root
	next    []uint32 // by node: the next one of its set, in a ring
	shared  []bool   // by node: it serves nobody

	claims    []claim
	best      []uint32 // by node: claim.best and record.best, while they are listed
	contested []uint32 // the roots of sets that several people claim
	granted   []uint32 // by node: 1 + an anchor of whom a contested set is given to
	support   []support
	core      core
	cuts      []Reason
}

// pair is all links between two nodes, taken together.
type pair struct {
	a, b     uint32
	strength snapshot.Strength
	sources  uint16 // how many are independent
	reason   Reason
	first, n uint32 // its edges
}

// Result is what became of a connected set. It lies in the resolver, and is
// valid until the next call.
type Result struct {
	// Person is, for each node, the smallest node of its person.
	Person []uint32
	// Shared are the nodes that several people use: what hangs together with
	// one is no person.
	Shared []bool
	// Cuts are, for each edge, why it was cut, or Kept; Cut reports whether
	// one was.
	Cuts []Reason
	Cut  bool
}

// NewResolver makes a resolver of valid rules.
func NewResolver(rules Rules) *Resolver { return &Resolver{rules: rules} }

// Resolve cuts a connected set of nodes. Edges are sorted by A and B, and A is
// below B. The result depends on nothing but the nodes, their order and the
// edges: see the package's doc for the rules.
func (r *Resolver) Resolve(nodes []Node, edges []Edge) Result {
	r.reset(nodes)
	r.pair(edges)
	if r.plain() {
		for i := range r.pairs {
			r.join(r.pairs[i].a, r.pairs[i].b)
		}
		return r.result(edges)
	}
	slices.SortFunc(r.pairs, strongerPair)
	r.granted = resize(r.granted, len(nodes))
	r.run()
	if r.grant(edges) {
		r.reset(nodes)
		for i := range r.pairs {
			r.pairs[i].reason = Kept
		}
		r.run()
	}
	return r.result(edges)
}

// tiers are the methods whose links contradict each other: what one link of a
// tier says of a device, another of the same tier can call in question. What
// was seen to happen is above what a model infers.
var tiers = [][2]snapshot.Method{
	{snapshot.Authenticated, snapshot.CookieSync}, {snapshot.Inferred, snapshot.Inferred},
}

// run joins what is to be joined, under the grants.
func (r *Resolver) run() {
	r.contested = r.contested[:0]
	r.limit()
	r.joinCustomers()
	at := 0
	for _, t := range tiers {
		from := at
		for at < len(r.pairs) && r.pairs[at].strength.Method <= t[1] {
			at++
		}
		r.tier(r.pairs[from:at])
	}
}

func (r *Resolver) reset(nodes []Node) {
	n := len(nodes)
	r.nodes = nodes
	r.sets = resize(r.sets, n)
	r.has = resize(r.has, n)
	r.size = resize(r.size, n)
	r.next = resize(r.next, n)
	r.shared = resize(r.shared, n)
	r.best = resize(r.best, n)
	r.separate()
}

// separate makes each node a set of its own.
func (r *Resolver) separate() {
	r.sets.Reset()
	for i := range r.nodes {
		r.has[i], r.size[i], r.next[i] = 1<<r.nodes[i].Kind, 1, uint32(i)
	}
}

// resize returns s with n zero elements.
func resize[S ~[]T, T any](s S, n int) S {
	s = slices.Grow(s[:0], n)[:n]
	clear(s)
	return s
}

// pair takes the edges between two nodes together: the strongest method, when
// that was last seen, and how many sources say so.
func (r *Resolver) pair(edges []Edge) {
	r.pairs = r.pairs[:0]
	for i := 0; i < len(edges); {
		e := &edges[i]
		p := pair{a: e.A, b: e.B, strength: e.strength(), first: uint32(i)}
		for ; i < len(edges) && edges[i].A == p.a && edges[i].B == p.b; i++ {
			if s := edges[i].strength(); s.Compare(p.strength) < 0 {
				p.strength = s
			}
		}
		p.n = uint32(i) - p.first
		p.sources = independent(edges[p.first:i])
		r.pairs = append(r.pairs, p)
	}
}

// independent counts the different sources of edges.
func independent(edges []Edge) (n uint16) {
	for i := range edges {
		if !slices.ContainsFunc(edges[:i], func(e Edge) bool { return e.Source == edges[i].Source }) {
			n++
		}
	}
	return n
}

// strongerPair orders pairs: method, then recency, then the number of
// independent sources; then by their nodes, so that none tie.
func strongerPair(x, y pair) int {
	return cmp.Or(x.strength.Compare(y.strength), cmp.Compare(y.sources, x.sources), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
}

// Bits of Resolver.has.
const (
	deviceBit   = 1 << Device
	customerBit = 1 << Customer
	contactBits = 1<<Email | 1<<Phone | 1<<Postal
)

// plain reports whether no rule can cut anything: the set is small, and has
// one customer, whose own contacts are all contacts that there are, or no more
// than one anchor.
func (r *Resolver) plain() bool {
	if len(r.nodes) > r.rules.MaxIdentifiers {
		return false
	}
	customer, contacts, seen := -1, 0, uint8(0)
	for i, n := range r.nodes {
		if n.Kind == Device {
			continue
		}
		if seen&(1<<n.Kind) != 0 {
			return false
		}
		seen |= 1 << n.Kind
		if n.Kind == Customer {
			customer = i
		} else {
			contacts++
		}
	}
	if customer < 0 {
		return contacts <= 1
	}
	for i := range r.pairs {
		if p := &r.pairs[i]; r.own(p) {
			contacts--
		}
	}
	return contacts == 0
}

// own reports whether the pair is a contact in a customer's own record.
func (r *Resolver) own(p *pair) bool {
	a, b := r.nodes[p.a].Kind, r.nodes[p.b].Kind
	return p.strength.Method == snapshot.Authenticated && (a == Customer && b.contact() || b == Customer && a.contact())
}

// join makes one set of two.
func (r *Resolver) join(a, b uint32) {
	a, b = r.sets.Find(a), r.sets.Find(b)
	if !r.sets.Join(a, b) {
		return
	}
	root, other := min(a, b), max(a, b)
	r.has[root] |= r.has[other]
	r.size[root] += r.size[other]
	r.next[root], r.next[other] = r.next[other], r.next[root]
}

// fits reports whether two sets make a person that is not too large.
func (r *Resolver) fits(a, b uint32) bool {
	return int(r.size[r.sets.Find(a)]+r.size[r.sets.Find(b)]) <= r.rules.MaxIdentifiers
}

// members calls f with each node of the set of root until it returns false.
func (r *Resolver) members(root uint32, f func(node uint32) bool) {
	for n := root; f(n); {
		if n = r.next[n]; n == root {
			return
		}
	}
}

// differ counts the kinds of contact of which both sets have some: a contact
// is of one set alone, so they are not the same.
func (r *Resolver) differ(a, b uint32) int {
	return bits.OnesCount8(r.has[a] & r.has[b] & contactBits)
}

func (r *Resolver) sameTenant(a, b uint32) bool {
	if r.has[a]&r.has[b]&customerBit == 0 {
		return false
	}
	same := false
	r.members(a, func(x uint32) bool {
		if r.nodes[x].Kind == Customer {
			r.members(b, func(y uint32) bool {
				same = r.nodes[y].Kind == Customer && r.nodes[y].Tenant == r.nodes[x].Tenant
				return !same
			})
		}
		return !same
	})
	return same
}

// share makes a set serve nobody.
func (r *Resolver) share(root uint32) {
	r.members(root, func(n uint32) bool { r.shared[n] = true; return true })
}

// result says of each edge whether it was cut: those within a set were not.
// Customers may have become one by contacts that then were too many for one
// person; what no edge connects is not one.
func (r *Resolver) result(edges []Edge) Result {
	r.cuts = resize(r.cuts, len(edges))
	r.persons = resize(r.persons, len(r.nodes))
	cut := false
	for i := range r.pairs {
		p := &r.pairs[i]
		if r.sets.Find(p.a) == r.sets.Find(p.b) {
			r.persons.Join(p.a, p.b)
			continue
		}
		cut = true
		for k := range p.n {
			r.cuts[p.first+k] = p.reason
		}
	}
	for i := range r.nodes {
		r.size[i] = r.persons.Find(uint32(i)) // sizes are not needed any more
	}
	return Result{Person: r.size, Shared: r.shared, Cuts: r.cuts, Cut: cut}
}
