package quality

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/matchd/matchd/index"
)

// world is a small pool in the words of its files, for a model that knows
// nothing of numbers, slots and sums.
type world struct {
	truth     map[string][]string // identifier to persons
	links     []worldLink         // of good rows
	profiles  map[string]bool     // customers of good profile rows
	persons   [][]string          // of the snapshot
	anonymous bool
}

type worldLink struct {
	a, b string
	aged bool
}

func namespaceOf(id string) string {
	name, _, _ := strings.Cut(id, ":")
	return name
}

// owners are the true persons of an identifier.
func (w *world) owners(id string) []string {
	if list, ok := w.truth[id]; ok || namespaceOf(id) != index.PostalHash {
		return list
	}
	var all []string
	for _, l := range w.links {
		if l.b == id && w.profiles[l.a] {
			all = append(all, w.truth[l.a]...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// reach is what true links connect to id within person p.
func (w *world) reach(p, id string, use func(id string) bool) map[string]bool {
	seen, next := map[string]bool{id: true}, []string{id}
	for len(next) > 0 {
		at := next[0]
		next = next[1:]
		for _, l := range w.links {
			for _, to := range [][2]string{{l.a, l.b}, {l.b, l.a}} {
				if to[0] == at && !l.aged && !seen[to[1]] && use(to[1]) && slices.Contains(w.owners(to[1]), p) {
					seen[to[1]] = true
					next = append(next, to[1])
				}
			}
		}
	}
	return seen
}

// expected is the report of a world, by looking at every pair.
func (w *world) expected() *Report {
	r := &Report{}
	ids := map[string]bool{}
	where := map[string]int{}
	names := map[string]bool{}
	for id, persons := range w.truth {
		ids[id] = true
		for _, p := range persons {
			names[p] = true
		}
	}
	for _, l := range w.links {
		ids[l.a], ids[l.b] = true, true
		switch {
		case l.aged:
			r.Input.AgedLinks++
		case len(w.owners(l.a)) == 0 || len(w.owners(l.b)) == 0:
			r.Input.UnknownLink++
		case common(w.owners(l.a), w.owners(l.b)):
			r.Input.TrueLinks++
		default:
			r.Input.FalseLinks++
		}
	}
	r.Truth.Persons, r.Held.Persons = int64(len(names)), int64(len(w.persons))
	for i, list := range w.persons {
		for _, id := range list {
			where[id] = i + 1
			w.tally(&r.Held, id)
			if len(w.owners(id)) == 0 {
				r.Held.Unknown++
			}
		}
	}
	for id := range ids {
		w.tally(&r.Truth, id)
	}
	list := slices.Sorted(maps.Keys(ids))
	m := &modelPairs{w: w, r: r, where: where, spaces: map[[2]string]*NamespacePairs{}, mixed: map[int]*Mixed{}, torn: map[string]*Torn{}}
	for i, u := range list {
		for _, v := range list[:i] {
			m.pair(u, v)
		}
	}
	m.worst(list)
	r.Unshared.rate()
	r.Shared.rate()
	return r
}

func (w *world) tally(c *PersonCounts, id string) {
	switch n := len(w.owners(id)); {
	case n == 1:
		c.Unshared++
	case n > 1:
		c.Shared++
	}
}

func common(a, b []string) bool {
	return slices.ContainsFunc(a, func(p string) bool { return slices.Contains(b, p) })
}

// modelPairs judges pairs one by one.
type modelPairs struct {
	w      *world
	r      *Report
	where  map[string]int
	spaces map[[2]string]*NamespacePairs
	mixed  map[int]*Mixed
	torn   map[string]*Torn
}

func (m *modelPairs) pair(u, v string) {
	w := m.w
	if len(w.owners(v)) == 1 && len(w.owners(u)) > 1 {
		u, v = v, u
	}
	if len(w.owners(u)) != 1 || len(w.owners(v)) == 0 {
		return
	}
	p := w.owners(u)[0]
	shared := len(w.owners(v)) > 1
	score := &m.r.Unshared
	if shared {
		score = &m.r.Shared
	}
	together := m.where[u] != 0 && m.where[u] == m.where[v]
	right := slices.Contains(w.owners(v), p)
	if together {
		score.Paired++
		if right {
			score.Right++
		} else if !shared {
			m.wrong(u, v)
		}
	}
	set := w.reach(p, u, func(string) bool { return true })
	if !right || !set[v] {
		return
	}
	known := w.anonymous
	for id := range set {
		known = known || w.profiles[id]
	}
	switch {
	case known:
		score.Due++
		if together {
			score.Found++
		} else if !shared {
			m.missed(p, u, v)
		}
	case shared:
		m.r.Aside.Shared++
	default:
		m.r.Aside.Unshared++
	}
}

func (m *modelPairs) space(u, v string) *NamespacePairs {
	key := [2]string{min(namespaceOf(u), namespaceOf(v)), max(namespaceOf(u), namespaceOf(v))}
	if m.spaces[key] == nil {
		m.spaces[key] = &NamespacePairs{A: key[0], B: key[1]}
	}
	return m.spaces[key]
}

func (m *modelPairs) wrong(u, v string) {
	m.r.Wrong.Pairs++
	m.space(u, v).Wrong++
	at := m.where[u]
	if m.mixed[at] == nil {
		m.mixed[at] = &Mixed{}
		m.r.Wrong.Persons++
	}
	m.mixed[at].Wrong++
	both := append(slices.Clone(m.w.owners(u)), m.w.owners(v)...)
	if slices.ContainsFunc(m.w.persons[at-1], func(id string) bool {
		owners := m.w.owners(id)
		return slices.Contains(owners, both[0]) && slices.Contains(owners, both[1])
	}) {
		m.r.Wrong.BySharing++
	}
}

func (m *modelPairs) missed(p, u, v string) {
	m.r.Missed.Pairs++
	m.space(u, v).Missed++
	if m.torn[p] == nil {
		m.torn[p] = &Torn{Person: p}
		m.r.Missed.Persons++
	}
	m.torn[p].Missed++
	if m.where[u] == 0 || m.where[v] == 0 {
		m.r.Missed.Absent++
		m.space(u, v).Absent++
	}
	if !m.w.reach(p, u, func(id string) bool { return len(m.w.owners(id)) == 1 })[v] {
		m.r.Missed.BySharing++
	}
}

// worst completes the lists, which are all there are.
func (m *modelPairs) worst(all []string) {
	w := m.w
	for at, x := range m.mixed {
		persons := map[string]bool{}
		for _, id := range w.persons[at-1] {
			x.Identifiers++
			switch owners := w.owners(id); {
			case len(owners) == 0:
				x.Unknown++
			case len(owners) > 1:
				x.Shared++
			default:
				persons[owners[0]] = true
			}
		}
		x.Persons = int64(len(persons))
		m.r.Mixed = append(m.r.Mixed, *x)
	}
	for p, x := range m.torn {
		pieces := map[int]bool{}
		for _, id := range all {
			if !slices.Equal(w.owners(id), []string{p}) {
				continue
			}
			set := slices.Collect(maps.Keys(w.reach(p, id, func(string) bool { return true })))
			if !w.anonymous && !slices.ContainsFunc(set, func(id string) bool { return w.profiles[id] }) {
				continue
			}
			x.Identifiers++
			if at := m.where[id]; at == 0 {
				x.Absent++
			} else {
				pieces[at] = true
			}
		}
		x.Pieces = int64(len(pieces))
		m.r.Torn = append(m.r.Torn, *x)
	}
	for _, n := range m.spaces {
		m.r.Namespaces = append(m.r.Namespaces, *n)
	}
	m.r.sort()
}

// sort puts the lists into an order in which ties do not matter.
func (r *Report) sort() {
	slices.SortFunc(r.Namespaces, func(x, y NamespacePairs) int {
		return cmp.Or(strings.Compare(x.A, y.A), strings.Compare(x.B, y.B))
	})
	slices.SortFunc(r.Mixed, func(x, y Mixed) int {
		return cmp.Or(cmp.Compare(y.Wrong, x.Wrong), cmp.Compare(x.Identifiers, y.Identifiers),
			cmp.Compare(x.Shared, y.Shared), cmp.Compare(x.Unknown, y.Unknown), cmp.Compare(x.Persons, y.Persons))
	})
	slices.SortFunc(r.Torn, func(x, y Torn) int { return strings.Compare(x.Person, y.Person) })
}
