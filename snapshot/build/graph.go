package build

import (
	"bytes"
	"cmp"
	"errors"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// graph is what was read: identifiers, links and profile rows, in memory.
// Identifiers are numbered in the order in which they came, until [graph.rank].
type graph struct {
	ids    map[index.Hash]uint32
	hashes []index.Hash
	spaces []index.NamespaceID
	ends   []uint64 // of the values, in order of first numbering
	values []byte

	links []link
	rows  []row

	segments map[snapshot.Segment]uint32
	codes    []snapshot.Segment

	// order and first place values once identifiers have been ranked.
	order []uint32
}

// link is an edge between two numbered identifiers.
type link struct {
	a, b        uint32
	source      uint16
	method      snapshot.Method
	first, last snapshot.Day
}

// row is what one row of a profile file says.
type row struct {
	node     uint32 // of the profile's own identifier
	tenant   uint16
	kind     snapshot.Kind
	asOf     int64 // of its file, in Unix seconds
	seen     snapshot.Day
	consent  snapshot.ConsentState
	segments []uint32
}

func newGraph() *graph {
	return &graph{ids: map[index.Hash]uint32{}, segments: map[snapshot.Segment]uint32{}}
}

// errCollision cannot be made to happen without the store's secret.
var errCollision = errors.New("two identifiers have one 128-bit hash: build into a store with another key")

// number returns the number of an identifier, new or known.
func (g *graph) number(h index.Hash, ns index.NamespaceID, value []byte) (uint32, error) {
	if i, ok := g.ids[h]; ok {
		if g.spaces[i] != ns || !bytes.Equal(g.raw(i), value) {
			return 0, errCollision
		}
		return i, nil
	}
	i := uint32(len(g.hashes))
	g.ids[h] = i
	g.hashes = append(g.hashes, h)
	g.spaces = append(g.spaces, ns)
	g.values = append(g.values, value...)
	g.ends = append(g.ends, uint64(len(g.values)))
	return i, nil
}

// raw returns the value of identifier i as first numbered.
func (g *graph) raw(i uint32) []byte {
	from := uint64(0)
	if i > 0 {
		from = g.ends[i-1]
	}
	return g.values[from:g.ends[i]:g.ends[i]]
}

// value returns the value of identifier i after ranking.
func (g *graph) value(i uint32) []byte { return g.raw(g.order[i]) }

func (g *graph) segment(s snapshot.Segment) uint32 {
	i, ok := g.segments[s]
	if !ok {
		i = uint32(len(g.codes))
		g.segments[s] = i
		g.codes = append(g.codes, s)
	}
	return i
}

// add takes a batch of rows over.
func (g *graph) add(b *batch) error {
	numbers := make([]uint32, len(b.ids))
	for i, id := range b.ids {
		var err error
		if numbers[i], err = g.number(id.hash, id.namespace, b.values[id.from:id.to]); err != nil {
			return err
		}
	}
	for _, l := range b.links {
		l.a, l.b = numbers[l.a], numbers[l.b]
		g.links = append(g.links, l)
	}
	for _, r := range b.rows {
		own := r.row
		own.node = numbers[r.node]
		for _, code := range r.codes {
			own.segments = append(own.segments, g.segment(snapshot.Segment{Tenant: own.tenant, Code: code}))
		}
		g.rows = append(g.rows, own)
	}
	return nil
}

// rank renumbers identifiers by their hash and segments by tenant and code, so
// that nothing after it depends on the order in which rows came.
func (g *graph) rank(workers int) {
	g.ids = nil
	type numbered struct {
		hash index.Hash
		at   uint32
	}
	all := make([]numbered, len(g.hashes))
	for i, h := range g.hashes {
		all[i] = numbered{h, uint32(i)}
	}
	parallelSort(all, workers, func(a, b numbered) int { return a.hash.Compare(b.hash) })
	g.order = make([]uint32, len(all))
	rank := make([]uint32, len(all))
	spaces := make([]index.NamespaceID, len(all))
	for i, n := range all {
		g.order[i], rank[n.at] = n.at, uint32(i)
		g.hashes[i], spaces[i] = n.hash, g.spaces[n.at]
	}
	g.spaces = spaces
	for i := range g.links {
		l := &g.links[i]
		l.a, l.b = rank[l.a], rank[l.b]
		if l.a > l.b {
			l.a, l.b = l.b, l.a
		}
	}
	codes := g.rankSegments(workers)
	for i := range g.rows {
		r := &g.rows[i]
		r.node = rank[r.node]
		for k, s := range r.segments {
			r.segments[k] = codes[s]
		}
	}
}

// rankSegments sorts the segments and returns the new number of each.
func (g *graph) rankSegments(workers int) []uint32 {
	g.segments = nil
	type numbered struct {
		segment snapshot.Segment
		at      int
	}
	all := make([]numbered, len(g.codes))
	for i, s := range g.codes {
		all[i] = numbered{s, i}
	}
	parallelSort(all, workers, func(a, b numbered) int {
		return cmp.Or(cmp.Compare(a.segment.Tenant, b.segment.Tenant), cmp.Compare(a.segment.Code, b.segment.Code))
	})
	numbers := make([]uint32, len(all))
	for i, n := range all {
		g.codes[i], numbers[n.at] = n.segment, uint32(i)
	}
	return numbers
}

// mergeLinks drops links that had aged out by oldest, and makes one of those
// that differ in nothing but the days on which they were observed. It returns
// how many it dropped for their age.
func (g *graph) mergeLinks(oldest snapshot.Day, tracer []bool, workers int) (aged int) {
	kept := g.links[:0]
	for _, l := range g.links {
		if l.last < oldest && (tracer[g.spaces[l.a]] || tracer[g.spaces[l.b]]) {
			aged++
			continue
		}
		kept = append(kept, l)
	}
	parallelSort(kept, workers, compareLinks)
	out := kept[:0]
	for _, l := range kept {
		if n := len(out); n > 0 && sameLink(&out[n-1], &l) {
			out[n-1].first = min(out[n-1].first, l.first)
			out[n-1].last = max(out[n-1].last, l.last)
			continue
		}
		out = append(out, l)
	}
	g.links = out
	return aged
}

func compareLinks(x, y link) int {
	return cmp.Or(
		cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b), cmp.Compare(x.method, y.method), cmp.Compare(x.source, y.source),
		cmp.Compare(x.first, y.first), cmp.Compare(x.last, y.last),
	)
}

func sameLink(x, y *link) bool {
	return x.a == y.a && x.b == y.b && x.method == y.method && x.source == y.source
}
