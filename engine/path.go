package engine

import (
	"slices"

	"github.com/matchd/matchd/snapshot"
)

// pathFinder finds the strongest path of fresh links between two identifiers
// of a record. Its zero value is ready after reset.
type pathFinder struct {
	r       *snapshot.Record
	s       *snapshot.Snapshot
	oldest  snapshot.Day
	self    snapshot.Strength // of the path of no links
	damaged bool              // the record's tree makes no sense

	edges []pathEdge // scratch of around
	sets  []int32
}

type pathEdge struct {
	a, b int32
	snapshot.Strength
}

func (f *pathFinder) reset(r *snapshot.Record, s *snapshot.Snapshot, oldest snapshot.Day) {
	f.r, f.s, f.oldest, f.damaged = r, s, oldest, false
	f.self.Seen, _ = snapshot.DayOf(s.AsOf)
}

// strongest returns the weakest link of the strongest path from one place of
// the record to another, and false where no path of fresh links is left. A
// profile asked for by its own customer id is as good as authenticated on the
// day that the snapshot speaks of.
func (f *pathFinder) strongest(from, to int) (snapshot.Strength, bool) {
	if from == to {
		return f.self, true
	}
	weakest, fresh := f.along(from, to)
	if fresh || f.damaged {
		return weakest, !f.damaged
	}
	if f.r.Spares() == 0 {
		return weakest, false
	}
	return f.around(from, to)
}

// along walks the tree of strongest links. Where all links on the way are
// fresh, no path is stronger: the tree is a maximum spanning tree.
func (f *pathFinder) along(from, to int) (weakest snapshot.Strength, fresh bool) {
	weakest = f.self // no link is stronger
	for from != to {
		if from < to {
			from, to = to, from
		}
		// The place further down cannot be an ancestor of the other one.
		n := f.r.Node(from)
		if n.Parent >= from {
			f.damaged = true
			return weakest, false
		}
		link := snapshot.Strength{Method: n.Method, Seen: n.Seen}
		if f.aged(from, n.Parent, link.Seen) {
			return weakest, false
		}
		weakest = weakest.Weaker(link)
		from = n.Parent
	}
	return weakest, true
}

// aged reports whether a link between two places is too old to be used.
func (f *pathFinder) aged(a, b int, seen snapshot.Day) bool {
	return seen < f.oldest && (f.tracer(a) || f.tracer(b))
}

func (f *pathFinder) tracer(i int) bool {
	ns := f.r.Node(i).Namespace
	if int(ns) >= f.s.Namespaces.Len() {
		f.damaged = true
		return true
	}
	return f.s.Tracer(ns)
}

// around looks for a path over the fresh links of the tree and the spares: it
// joins them, strongest first, until the two places are connected.
func (f *pathFinder) around(from, to int) (snapshot.Strength, bool) {
	f.edges = f.edges[:0]
	for i := 1; i < f.r.Len(); i++ {
		n := f.r.Node(i)
		f.add(i, n.Parent, snapshot.Strength{Method: n.Method, Seen: n.Seen})
	}
	for i := range f.r.Spares() {
		p := f.r.Spare(i)
		if int(p.B) >= f.r.Len() || p.A >= p.B {
			f.damaged = true
			return f.self, false
		}
		f.add(int(p.A), int(p.B), snapshot.Strength{Method: p.Method, Seen: p.Seen})
	}
	if f.damaged {
		return f.self, false
	}
	slices.SortFunc(f.edges, func(x, y pathEdge) int { return x.Compare(y.Strength) })
	f.sets = f.sets[:0]
	for i := range f.r.Len() {
		f.sets = append(f.sets, int32(i))
	}
	for _, e := range f.edges {
		f.sets[f.find(e.a)] = f.find(e.b)
		if f.find(int32(from)) == f.find(int32(to)) {
			return e.Strength, true // the edges come strongest first
		}
	}
	return f.self, false
}

func (f *pathFinder) add(a, b int, link snapshot.Strength) {
	if b >= f.r.Len() {
		f.damaged = true
		return
	}
	if !f.aged(a, b, link.Seen) {
		f.edges = append(f.edges, pathEdge{int32(a), int32(b), link})
	}
}

func (f *pathFinder) find(i int32) int32 {
	for f.sets[i] != i {
		f.sets[i] = f.sets[f.sets[i]]
		i = f.sets[i]
	}
	return i
}
