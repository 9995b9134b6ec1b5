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

// crowds is rule 2.
func (m *naive) crowds() {
	for n, node := range m.nodes {
		users := map[Node]int{}
		for _, l := range m.links {
			for _, e := range l.ends() {
				user := m.nodes[e[1]]
				if e[0] == n && (node.Kind == Device && user.Kind != Device || node.Kind.contact() && user.Kind == Customer) {
					users[user]++
				}
			}
		}
		for _, count := range users {
			if node.Kind == Device && count > m.rules.MaxOnDevice || node.Kind != Device && count > m.rules.MaxOnContact {
				m.shared[n] = true
			}
		}
	}
	for _, l := range m.links {
		if m.shared[l.a] || m.shared[l.b] {
			l.reason = TooMany
		}
	}
}

// inRecord returns a link's customer and contact, where it is of a record.
func (m *naive) inRecord(l *naiveLink) (customer, contact int, ok bool) {
	for _, e := range l.ends() {
		if l.method == snapshot.Authenticated && l.reason == Kept && m.nodes[e[0]].Kind == Customer && m.nodes[e[1]].Kind.contact() {
			return e[0], e[1], true
		}
	}
	return 0, 0, false
}

// records returns the contacts in the records of a set's customers, by kind.
func (m *naive) records(set []int) map[Kind]map[int]bool {
	out := map[Kind]map[int]bool{Email: {}, Phone: {}, Postal: {}}
	for _, l := range m.links {
		if customer, contact, ok := m.inRecord(l); ok && slices.Contains(set, customer) {
			out[m.nodes[contact].Kind][contact] = true
		}
	}
	return out
}

// compare returns in how many kinds of contact two sets agree, in how many
// they differ, and how many kinds the set with fewer has.
func (m *naive) compare(a, b []int) (agree, differ, fewer int) {
	x, y := m.records(a), m.records(b)
	kindsX, kindsY := 0, 0
	for k := range x {
		if len(x[k]) > 0 {
			kindsX++
		}
		if len(y[k]) > 0 {
			kindsY++
		}
		common := false
		for contact := range x[k] {
			common = common || y[k][contact]
		}
		if common {
			agree++
		} else if len(x[k]) > 0 && len(y[k]) > 0 {
			differ++
		}
	}
	return agree, differ, min(kindsX, kindsY)
}

// customers is rule 3.
func (m *naive) customers() {
	type choice struct{ a, b, agree, differ int }
	var choices []choice
	for a := range m.nodes {
		for b := range a {
			if m.nodes[a].Kind == Customer && m.nodes[b].Kind == Customer {
				if agree, differ, _ := m.compare([]int{a}, []int{b}); agree > 0 {
					choices = append(choices, choice{b, a, agree, differ})
				}
			}
		}
	}
	slices.SortFunc(choices, func(x, y choice) int {
		return cmp.Or(cmp.Compare(y.agree, x.agree), cmp.Compare(x.differ, y.differ), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	for _, c := range choices {
		agree, differ, fewer := m.compare(m.set(c.a), m.set(c.b))
		same := agree >= 2 || agree == 1 && differ <= 1
		if agree == 1 && m.oneTenant(c.a, c.b) {
			same = differ == 0 && fewer == 1
		}
		if same && !m.one(c.a, c.b) && m.fits(c.a, c.b) {
			m.join(c.a, c.b)
		}
	}
}

// ofContact lists the links of records that have a contact, and their customers.
func (m *naive) ofContact(n int) (links []*naiveLink, by []int) {
	for _, l := range m.links {
		if customer, contact, ok := m.inRecord(l); ok && contact == n {
			links, by = append(links, l), append(by, customer)
		}
	}
	return links, by
}

// shareContacts is rule 4. It reports whether a contact is several people's.
func (m *naive) shareContacts() (some bool) {
	for n := range m.nodes {
		links, by := m.ofContact(n)
		var others []*naiveLink
		latest := m.rules.Shared == SharedLatest
		for i, l := range links {
			if !m.one(by[i], by[0]) {
				others = append(others, l)
				latest = latest && l.compare(links[0]) > 0
			}
		}
		if others == nil {
			continue
		}
		some = true
		if !latest {
			m.shared[n] = true
			others = links
		}
		for _, l := range others {
			l.reason = SharedID
		}
	}
	return some
}

// contacts joins what rule 4 leaves, strongest first.
func (m *naive) contacts() {
	for _, l := range m.links {
		_, contact, ok := m.inRecord(l)
		links, by := m.ofContact(contact)
		if !ok || l != links[0] {
			continue
		}
		if m.fits(contact, by[0]) {
			m.join(by[0], contact)
			continue
		}
		for _, l := range links {
			l.reason = TooLarge
		}
	}
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
				case !m.shared[by] && m.tellsApart(free, by):
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
		device := x == Device || y == Device
		apart := m.tellsApart(l.a, l.b)
		switch {
		case m.shared[l.a] || m.shared[l.b]:
			l.reason = SharedID
		case l.method == snapshot.Authenticated && !device:
			if apart && m.oneTenant(l.a, l.b) && !(x == Customer && y == Customer) {
				l.reason = Different
			}
		case !m.somebody(l.a) || !m.somebody(l.b):
		case apart || m.oneTenant(l.a, l.b):
			l.reason = Different
		case device:
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
		for _, l := range m.links {
			for _, e := range l.ends() {
				if !slices.Contains(set, e[0]) || l.reason == Kept || l.reason == TooMany || !m.somebody(e[1]) || m.shared[e[1]] {
					continue
				}
				p := m.person[e[1]]
				if says[p] == nil {
					says[p] = map[uint16]bool{}
				}
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
