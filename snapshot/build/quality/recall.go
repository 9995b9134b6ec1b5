package quality

import (
	"cmp"
	"slices"

	"github.com/matchd/matchd/index"
)

// recall is what the true persons come to, one after the other, once it is
// known where the snapshot has each identifier.
type recall struct {
	g         *graph
	report    *Report
	anonymous bool // connected sets without a profile count too
	missed    *spacePairs
	absent    *spacePairs
	torn      []tornPerson

	owner []uint32 // by slot: its identifier
	tally []int64  // by slot: as the root of a set of plain
}

// tornPerson is a true person who misses pairs.
type tornPerson struct {
	person  uint32
	counted []uint32 // its unshared identifiers; only of the worst
	Torn
}

func newRecall(g *graph, report *Report, anonymous bool, namespaces *index.Namespaces) *recall {
	r := &recall{
		g: g, report: report, anonymous: anonymous,
		missed: newSpacePairs(namespaces.Len()), absent: newSpacePairs(namespaces.Len()),
		owner: make([]uint32, len(g.persons)), tally: make([]int64, len(g.persons)),
	}
	for i := range g.keys {
		for slot := g.first[i]; slot < g.first[i+1]; slot++ {
			r.owner[slot] = uint32(i)
		}
	}
	return r
}

// run counts all true persons.
func (r *recall) run() {
	slots, first := r.byPerson()
	for p := range r.g.names {
		r.person(uint32(p), slots[first[p]:first[p+1]])
	}
}

// byPerson lists the slots by their true person.
func (r *recall) byPerson() (slots, first []uint32) {
	first = make([]uint32, len(r.g.names)+1)
	for _, p := range r.g.persons {
		first[p+1]++
	}
	for p := range r.g.names {
		first[p+1] += first[p]
	}
	next := slices.Clone(first)
	slots = make([]uint32, len(r.g.persons))
	for slot, p := range r.g.persons {
		slots[next[p]] = uint32(slot)
		next[p]++
	}
	return slots, first
}

// person counts the connected sets of true person p, who has the slots.
func (r *recall) person(p uint32, slots []uint32) {
	g := r.g
	slices.SortFunc(slots, func(x, y uint32) int {
		return cmp.Or(cmp.Compare(g.whole.find(x), g.whole.find(y)), cmp.Compare(x, y))
	})
	torn := tornPerson{person: p}
	for from := 0; from < len(slots); {
		to := from + 1
		for to < len(slots) && g.whole.find(slots[to]) == g.whole.find(slots[from]) {
			to++
		}
		r.connected(slots[from:to], &torn)
		from = to
	}
	if torn.Missed == 0 {
		return
	}
	r.report.Missed.Pairs += torn.Missed
	r.report.Missed.Persons++
	held := map[uint32]bool{}
	for _, i := range torn.counted {
		if at := g.group[i]; at == 0 {
			torn.Absent++
		} else {
			held[at] = true
		}
	}
	torn.Person, torn.Identifiers, torn.Pieces = g.names[p], int64(len(torn.counted)), int64(len(held))
	r.torn = append(r.torn, torn)
}

// connected counts a connected set of a true person.
func (r *recall) connected(slots []uint32, torn *tornPerson) {
	g := r.g
	var unshared, shared []uint32
	profile := r.anonymous
	for _, slot := range slots {
		i := r.owner[slot]
		profile = profile || g.profile[i]
		if g.shared(i) {
			shared = append(shared, i)
		} else {
			unshared = append(unshared, i)
		}
	}
	due, dueShared := pairs(int64(len(unshared))), int64(len(unshared))*int64(len(shared))
	if !profile {
		r.report.Aside.Unshared += due
		r.report.Aside.Shared += dueShared
		return
	}
	torn.counted = append(torn.counted, unshared...)
	r.report.Unshared.Due += due
	r.report.Shared.Due += dueShared
	pieces := g.parts(unshared, func(i uint32) uint32 { return g.group[i] })
	found, sizes := int64(0), map[uint32]int64{}
	for _, piece := range pieces {
		if at := g.group[piece[0]]; at != 0 {
			sizes[at] = int64(len(piece))
			found += pairs(int64(len(piece)))
		}
	}
	r.report.Unshared.Found += found
	for _, i := range shared {
		r.report.Shared.Found += sizes[g.group[i]]
	}
	if found < due {
		torn.Missed += due - found
		r.explain(unshared, pieces)
	}
}

// explain counts why pairs of a connected set are missed, which has the
// unshared identifiers, in pieces by where the snapshot has them.
func (r *recall) explain(unshared []uint32, pieces [][]uint32) {
	r.missed.add(r.g.ids, unshared, 1)
	r.absent.add(r.g.ids, unshared, 1)
	sharing := r.apart(unshared)
	var present []uint32
	for _, piece := range pieces {
		if r.g.group[piece[0]] == 0 {
			continue
		}
		r.missed.add(r.g.ids, piece, -1)
		sharing -= r.apart(piece)
		present = append(present, piece...)
	}
	r.absent.add(r.g.ids, present, -1)
	m := &r.report.Missed
	m.Absent += pairs(int64(len(unshared))) - pairs(int64(len(present)))
	m.BySharing += sharing
}

// apart counts the pairs of unshared identifiers of one true person that no
// links connect but those of shared identifiers.
func (r *recall) apart(unshared []uint32) int64 {
	g := r.g
	n := pairs(int64(len(unshared)))
	for _, i := range unshared {
		root := g.plain.find(g.first[i])
		n -= r.tally[root]
		r.tally[root]++
	}
	for _, i := range unshared {
		r.tally[g.plain.find(g.first[i])] = 0
	}
	return n
}
