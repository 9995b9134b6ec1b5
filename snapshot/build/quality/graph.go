package quality

import (
	"cmp"
	"slices"

	"github.com/matchd/matchd/index"
)

// graph is the truth with what true links connect, and where the snapshot has
// each identifier.
type graph struct {
	*ids
	profile []bool   // by identifier: it is the customer of a good profile row
	group   []uint32 // by identifier: the snapshot's person that holds it, from 1; 0 is none

	// By slot: the connected sets, and what they fall into without the links of
	// shared identifiers.
	whole, plain sets

	counts InputCounts
}

// newGraph merges what was read into the graph of true links.
func newGraph(in *input) *graph {
	g := &graph{ids: in.empty.known}
	g.addPostal(in.all, in.empty.postal)
	g.profile = make([]bool, len(g.keys))
	g.group = make([]uint32, len(g.keys))
	g.whole, g.plain = newSets(len(g.persons)), newSets(len(g.persons))
	g.counts.BadRows = in.bad.Load()
	for _, r := range in.all {
		g.counts.add(&r.counts)
		for _, n := range r.profiles {
			g.profile[n] = true
		}
		for _, l := range r.links {
			g.connect(l)
		}
		r.links, r.profiles = nil, nil
	}
	return g
}

// addPostal numbers the postal identifiers that the truth does not have, gives
// each the persons of its customers, and renumbers them in the links.
func (g *graph) addPostal(all []*rows, postal index.NamespaceID) {
	known := uint32(len(g.keys))
	numbers := map[string]uint32{}
	var keys []string
	var derived []link
	for _, r := range all {
		to := make([]uint32, len(r.extra))
		for i, key := range r.extra {
			n, ok := numbers[key]
			if !ok {
				n = known + uint32(len(keys))
				numbers[key] = n
				keys = append(keys, key)
			}
			to[i] = n
		}
		for i := range r.links {
			r.links[i] = link{renumber(r.links[i].a, to), renumber(r.links[i].b, to)}
		}
		for _, l := range r.derived {
			derived = append(derived, link{renumber(l.a, to), l.b})
		}
	}
	slices.SortFunc(derived, func(x, y link) int { return cmp.Compare(x.a, y.a) })
	var persons []uint32
	for i, key := range keys {
		persons = persons[:0]
		for len(derived) > 0 && derived[0].a == known+uint32(i) {
			persons = append(persons, g.of(derived[0].b)...)
			derived = derived[1:]
		}
		g.add(key, postal, persons)
	}
}

func renumber(n uint32, to []uint32) uint32 {
	if n&local != 0 {
		return to[n&^local]
	}
	return n
}

// connect joins the slots of each person that is at both ends of a link.
func (g *graph) connect(l link) {
	a, b := l.a, l.b
	if len(g.of(a)) > len(g.of(b)) {
		a, b = b, a
	}
	few, many := g.of(a), g.of(b)
	if len(few) == 0 {
		g.counts.UnknownLink++
		return
	}
	found := false
	for i, p := range few {
		if at, ok := slices.BinarySearch(many, p); ok {
			found = true
			x, y := g.first[a]+uint32(i), g.first[b]+uint32(at)
			g.whole.join(x, y)
			if len(many) == 1 {
				g.plain.join(x, y)
			}
		}
	}
	if found {
		g.counts.TrueLinks++
	} else {
		g.counts.FalseLinks++
	}
}
