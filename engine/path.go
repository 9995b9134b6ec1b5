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
	banned  []bool            // by place: no path leads there; empty where all are free
	work    int               // steps taken since the batch was emptied

	// What prepare found for one start; scratch otherwise.
	start   int                 // or -1
	best    []snapshot.Strength // by place, of the strongest path from start
	reached []bool              // by place
	edges   []pathEdge
	sets    []pathSet
}

// pathSet is a place in a union-find structure whose sets can be listed.
type pathSet struct {
	parent     int32
	next, last int32 // the next place of the set, or -1; at its root, the last one
}

type pathEdge struct {
	a, b int32
	snapshot.Strength
}

func (f *pathFinder) reset(r *snapshot.Record, g *generation, oldest snapshot.Day) {
	f.r, f.s, f.self, f.oldest, f.damaged, f.start = r, g.Snapshot, g.self, oldest, false, -1
	f.banned = f.banned[:0]
}

// strongest returns the weakest link of the strongest path from one place of
// the record to another, and false where no path of fresh links is left.
func (f *pathFinder) strongest(from, to int) (snapshot.Strength, bool) {
	if len(f.banned) > 0 {
		return f.around(from, to)
	}
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
	if f.start != from && !f.prepare(from) {
		return f.self, false
	}
	return f.best[to], f.reached[to]
}

// around is strongest where some places are banned: the tree of strongest links
// may lead through them, so all links that are left are looked at.
func (f *pathFinder) around(from, to int) (snapshot.Strength, bool) {
	switch {
	case f.banned[from] || f.banned[to]:
		return f.self, false
	case from == to:
		return f.self, true
	case f.start != from && !f.prepare(from):
		return f.self, false
	}
	return f.best[to], f.reached[to]
}

// along walks the tree of strongest links. Where all links on the way are
// fresh, no path is stronger: the tree is a maximum spanning tree.
func (f *pathFinder) along(from, to int) (weakest snapshot.Strength, fresh bool) {
	weakest = f.self // no link is stronger
	for from != to {
		f.work++
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

// prepare finds the strongest paths from one place to all others over the
// fresh links of the tree and the spares, in one pass: it joins what links
// connect, strongest first, so that the link that joins a place to the start
// is the weakest of its strongest path. It reports false where the record is
// damaged.
func (f *pathFinder) prepare(from int) bool {
	f.collect()
	if f.damaged {
		return false
	}
	slices.SortFunc(f.edges, func(x, y pathEdge) int { return x.Compare(y.Strength) })
	f.sets, f.best, f.reached = f.sets[:0], f.best[:0], f.reached[:0]
	for i := range int32(f.r.Len()) {
		f.sets = append(f.sets, pathSet{parent: i, next: -1, last: i})
		f.best, f.reached = append(f.best, f.self), append(f.reached, false)
	}
	f.work += len(f.edges) + len(f.sets)
	for _, e := range f.edges {
		a, b := f.find(e.a), f.find(e.b)
		if a == b {
			continue
		}
		if start := f.find(int32(from)); a == start {
			f.reach(b, e.Strength)
		} else if b == start {
			f.reach(a, e.Strength)
		}
		f.sets[f.sets[a].last].next, f.sets[a].last = b, f.sets[b].last
		f.sets[b].parent = a
	}
	f.start = from
	return true
}

// reach notes that the strongest paths to all places of a set end with a link
// of this strength, or a stronger one.
func (f *pathFinder) reach(set int32, link snapshot.Strength) {
	for i := set; i >= 0; i = f.sets[i].next {
		f.best[i], f.reached[i] = link, true
	}
}

// collect gathers the fresh links of the tree, and the spares.
func (f *pathFinder) collect() {
	f.edges = f.edges[:0]
	for i := 1; i < f.r.Len(); i++ {
		n := f.r.Node(i)
		f.add(i, n.Parent, snapshot.Strength{Method: n.Method, Seen: n.Seen})
	}
	for i := range f.r.Spares() {
		p := f.r.Spare(i)
		if int(p.B) >= f.r.Len() || p.A >= p.B {
			f.damaged = true
			return
		}
		f.add(int(p.A), int(p.B), snapshot.Strength{Method: p.Method, Seen: p.Seen})
	}
}

func (f *pathFinder) add(a, b int, link snapshot.Strength) {
	if b >= f.r.Len() {
		f.damaged = true
		return
	}
	if len(f.banned) > 0 && (f.banned[a] || f.banned[b]) {
		return
	}
	if !f.aged(a, b, link.Seen) {
		f.edges = append(f.edges, pathEdge{int32(a), int32(b), link})
	}
}

func (f *pathFinder) find(i int32) int32 {
	for f.sets[i].parent != i {
		f.sets[i].parent = f.sets[f.sets[i].parent].parent
		i = f.sets[i].parent
	}
	return i
}
