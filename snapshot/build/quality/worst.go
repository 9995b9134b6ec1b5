package quality

import (
	"cmp"
	"slices"
)

// examples is how many identifiers are shown of one of the worst.
const examples = 3

// worstMixed lists the n persons of the snapshot with most wrong pairs.
func (g *graph) worstMixed(all []mixedPerson, n int) []Mixed {
	slices.SortFunc(all, func(x, y mixedPerson) int {
		return cmp.Or(cmp.Compare(y.Wrong, x.Wrong), cmp.Compare(x.group, y.group))
	})
	all = all[:min(n, len(all))]
	members := map[uint32][]uint32{}
	for _, m := range all {
		members[m.group] = nil
	}
	for i, at := range g.group {
		if list, ok := members[at]; ok && g.unshared(uint32(i)) {
			members[at] = append(list, uint32(i))
		}
	}
	out := make([]Mixed, len(all))
	for i, m := range all {
		out[i] = m.Mixed
		out[i].Examples = g.show(g.parts(members[m.group], func(i uint32) uint32 { return g.of(i)[0] }))
	}
	return out
}

// worstTorn lists the n true persons who miss most pairs.
func (g *graph) worstTorn(all []tornPerson, n int) []Torn {
	slices.SortFunc(all, func(x, y tornPerson) int {
		return cmp.Or(cmp.Compare(y.Missed, x.Missed), cmp.Compare(x.person, y.person))
	})
	all = all[:min(n, len(all))]
	out := make([]Torn, len(all))
	for i, t := range all {
		out[i] = t.Torn
		out[i].Examples = g.show(g.parts(t.counted, func(i uint32) uint32 { return g.group[i] }))
	}
	return out
}

// show names some identifiers: the first of each part, then the second.
func (g *graph) show(parts [][]uint32) []string {
	var out []string
	for round := 0; len(out) < examples; round++ {
		more := false
		for _, part := range parts {
			if round < len(part) && len(out) < examples {
				out = append(out, g.text(part[round]))
				more = true
			}
		}
		if !more {
			break
		}
	}
	return out
}
