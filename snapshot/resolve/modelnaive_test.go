package resolve

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/snapshot"
)

// naive is the rules of the package's doc said in the plainest way: persons
// are labels, sets are listed anew whenever one is asked for, and nothing is
// remembered. Names and numbers are those of the doc.
type naive struct {
	*component
	links     []*naiveLink // rule 1: strongest first
	person    []int        // by node
	shared    []bool
	granted   map[int]int // rule 8: node to an anchor
	contested [][]int
}

type naiveLink struct {
	a, b    int
	method  snapshot.Method
	day     snapshot.Day
	sources map[uint16]bool
	edges   []int
	reason  Reason
}

// strong: authenticated, and between anchors.
func (m *naive) strong(l *naiveLink) bool {
	return l.method == snapshot.Authenticated && m.nodes[l.a].Kind != Device && m.nodes[l.b].Kind != Device
}

func (l *naiveLink) ends() [2][2]int { return [2][2]int{{l.a, l.b}, {l.b, l.a}} }

// compare leaves node numbers out.
func (l *naiveLink) compare(o *naiveLink) int {
	return cmp.Or(cmp.Compare(l.method, o.method), -cmp.Compare(l.day, o.day), -cmp.Compare(len(l.sources), len(o.sources)))
}

func newNaive(c *component) *naive {
	m := &naive{component: c, granted: map[int]int{}}
	byEnds := map[[2]int]*naiveLink{}
	for i, e := range c.edges {
		k := [2]int{int(e.A), int(e.B)}
		l := byEnds[k]
		if l == nil {
			l = &naiveLink{a: k[0], b: k[1], method: e.Method, day: e.Seen, sources: map[uint16]bool{}}
			byEnds[k] = l
			m.links = append(m.links, l)
		}
		if e.Method < l.method || e.Method == l.method && e.Seen > l.day {
			l.method, l.day = e.Method, e.Seen
		}
		l.sources[e.Source] = true
		l.edges = append(l.edges, i)
	}
	slices.SortFunc(m.links, func(x, y *naiveLink) int {
		return cmp.Or(x.compare(y), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	return m
}

func (m *naive) resolve() Result {
	m.once()
	if m.grants() {
		m.once()
	}
	res := Result{Shared: m.shared, Cuts: make([]Reason, len(m.edges))}
	var kept []*naiveLink
	for _, l := range m.links {
		if m.one(l.a, l.b) {
			kept = append(kept, l)
			continue
		}
		res.Cut = true
		for _, e := range l.edges {
			res.Cuts[e] = l.reason
		}
	}
	m.alone()
	for _, l := range kept {
		m.join(l.a, l.b)
	}
	for n := range m.nodes {
		res.Person = append(res.Person, uint32(m.set(n)[0]))
	}
	return res
}

func (m *naive) once() {
	m.shared, m.contested = make([]bool, len(m.nodes)), nil
	for _, l := range m.links {
		l.reason = Kept
	}
	m.crowds()
	for again := true; again; {
		m.alone()
		m.customers()
		again = m.shareContacts()
	}
	m.contacts()
	for _, tier := range [][]snapshot.Method{{snapshot.Authenticated, snapshot.Observed, snapshot.CookieSync}, {snapshot.Inferred}} {
		var all, anchors []*naiveLink
		for _, l := range m.links {
			if slices.Contains(tier, l.method) {
				all = append(all, l)
				if m.nodes[l.a].Kind != Device && m.nodes[l.b].Kind != Device {
					anchors = append(anchors, l)
				}
			}
		}
		m.give(anchors, []Kind{Customer})
		m.meet(anchors)
		m.give(all, []Kind{Customer, Email, Phone, Postal})
		m.meet(all)
	}
}

func (m *naive) alone() {
	m.person = nil
	for n := range m.nodes {
		m.person = append(m.person, n)
	}
}

// set lists a node's set in ascending order.
func (m *naive) set(n int) (set []int) {
	for i, p := range m.person {
		if p == m.person[n] {
			set = append(set, i)
		}
	}
	return set
}

func (m *naive) one(a, b int) bool { return m.person[a] == m.person[b] }

func (m *naive) join(a, b int) {
	for _, n := range m.set(b) {
		m.person[n] = m.person[a]
	}
}

func (m *naive) fits(a, b int) bool { return len(m.set(a))+len(m.set(b)) <= m.rules.MaxIdentifiers }

// has reports whether a node's set has one of some kinds.
func (m *naive) has(n int, kinds ...Kind) bool {
	return slices.ContainsFunc(m.set(n), func(i int) bool { return slices.Contains(kinds, m.nodes[i].Kind) })
}

func (m *naive) somebody(n int) bool { return m.has(n, Customer, Email, Phone, Postal) }

// tellsApart: both sets have contacts of one kind.
func (m *naive) tellsApart(a, b int) bool {
	for _, k := range []Kind{Email, Phone, Postal} {
		if m.has(a, k) && m.has(b, k) {
			return true
		}
	}
	return false
}

func (m *naive) oneTenant(a, b int) bool {
	for _, x := range m.set(a) {
		for _, y := range m.set(b) {
			if m.nodes[x].Kind == Customer && m.nodes[y] == m.nodes[x] {
				return true
			}
		}
	}
	return false
}

// give is rule 6: rounds until one gives nothing.
func (m *naive) give(links []*naiveLink, kinds []Kind) {
	for {
		claims := map[int][]*naiveLink{} // by the smallest node of the set
		claimant := map[*naiveLink]int{}
		var order []int
		for _, l := range links {
			for _, e := range l.ends() {
				free, by := e[0], e[1]
				switch {
				case l.reason != Kept || m.one(l.a, l.b) || m.shared[free] || m.has(free, kinds...):
				case !m.shared[by] && !m.has(by, kinds...):
				case !m.shared[by] && m.tellsApart(free, by) && !m.strong(l):
					l.reason = Different
				default:
					root := m.set(free)[0]
					if claims[root] == nil {
						order = append(order, root)
					}
					claims[root] = append(claims[root], l)
					claimant[l] = by
				}
			}
		}
		some := false
		for _, root := range order {
			if slices.ContainsFunc(claims[root], func(l *naiveLink) bool { return !m.shared[claimant[l]] }) {
				some = true
				m.decide(root, claims[root], claimant)
			}
		}
		if !some {
			return
		}
	}
}

// decide gives one free set to whom it is due. Its claims are in order.
func (m *naive) decide(root int, claims []*naiveLink, claimant map[*naiveLink]int) {
	best := claims[0]
	to, several, clear := claimant[best], false, !m.shared[claimant[best]]
	granted := -1
	for _, l := range claims {
		if !m.one(claimant[l], to) {
			several = true
			clear = clear && l.compare(best) > 0
		}
		if anchor, ok := m.granted[root]; ok && m.one(anchor, claimant[l]) {
			granted = anchor
		}
	}
	switch {
	case !several:
	case granted >= 0:
		to = granted
	case m.rules.Shared == SharedLatest && clear:
	default:
		m.contested = append(m.contested, m.set(root))
		for _, n := range m.set(root) {
			m.shared[n] = true
		}
		for _, l := range claims {
			l.reason = SharedID
		}
		return
	}
	for _, l := range claims {
		switch by := claimant[l]; {
		case !m.one(by, to):
			l.reason = SharedID
		case m.one(by, root):
		case !m.fits(by, root):
			l.reason = TooLarge
		default:
			m.join(by, root)
		}
	}
}

// meet is rule 7.
func (m *naive) meet(links []*naiveLink) {
	for _, l := range links {
		if l.reason != Kept || m.one(l.a, l.b) {
			continue
		}
		x, y := m.nodes[l.a].Kind, m.nodes[l.b].Kind
		apart := m.tellsApart(l.a, l.b)
		switch {
		case m.shared[l.a] || m.shared[l.b]:
			l.reason = SharedID
		case m.strong(l):
			if apart && m.oneTenant(l.a, l.b) && !(x == Customer && y == Customer) {
				l.reason = Different
			}
		case !m.somebody(l.a) || !m.somebody(l.b):
		case apart || m.oneTenant(l.a, l.b):
			l.reason = Different
		case x == Device || y == Device || m.has(l.a, Customer) && m.has(l.b, Customer):
			l.reason = Weak
		}
		if l.reason == Kept && !m.fits(l.a, l.b) {
			l.reason = TooLarge
		}
		if l.reason == Kept {
			m.join(l.a, l.b)
		}
	}
}

// grants is rule 8.
func (m *naive) grants() bool {
	for _, set := range m.contested {
		says := map[int]map[uint16]bool{} // by person: the sources
		best := map[int]snapshot.Method{} // by person: the strongest method
		for _, l := range m.links {
			for _, e := range l.ends() {
				if !slices.Contains(set, e[0]) || l.reason == Kept || l.reason == TooMany || !m.somebody(e[1]) || m.shared[e[1]] {
					continue
				}
				p := m.person[e[1]]
				if says[p] == nil {
					says[p], best[p] = map[uint16]bool{}, l.method
				}
				best[p] = min(best[p], l.method)
				for s := range l.sources {
					says[p][s] = true
				}
			}
		}
		var agreed []int
		for p, sources := range says {
			if len(sources) >= 2 {
				agreed = append(agreed, p)
			}
		}
		if len(agreed) != 1 {
			continue
		}
		stronger := false
		for _, method := range best {
			stronger = stronger || method < best[agreed[0]]
		}
		if stronger {
			continue
		}
		anchor := 0
		for m.person[anchor] != agreed[0] || m.nodes[anchor].Kind == Device {
			anchor++
		}
		for _, n := range set {
			m.granted[n] = anchor
		}
	}
	return len(m.granted) > 0
}

// The resolver agrees with the naive rules on every person, shared node and
// cut.
func TestResolveAgreesWithTheNaiveRules(t *testing.T) {
	reasons, plain, grants, latest := map[Reason]int{}, 0, 0, 0
	eachComponent(t, 20_000, func(t rapid.TB, c *component) {
		got := c.resolve()
		m := newNaive(c)
		want := m.resolve()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%v\ngot  %+v\nwant %+v", c, got, want)
		}
		for _, r := range got.Cuts {
			reasons[r]++
		}
		if len(m.granted) > 0 {
			grants++
		}
		r := NewResolver(c.rules)
		r.reset(c.nodes)
		r.pair(c.edges)
		if r.plain() {
			plain++ // the model knows no short cut
		}
		other := *c
		other.rules.Shared = 1 - other.rules.Shared
		if fmt.Sprint(other.resolve().Person) != fmt.Sprint(got.Person) {
			latest++
		}
	})
	for _, r := range Reasons() {
		if reasons[r] < 20 {
			t.Errorf("%d links were cut for %v", reasons[r], r)
		}
	}
	if plain < 20 || grants < 20 || latest < 20 {
		t.Errorf("%d components are plain, %d have grants, in %d the policy changes something", plain, grants, latest)
	}
}
