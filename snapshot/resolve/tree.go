// Package resolve decides which identifiers are one person, and keeps of their
// links what an answer needs. It works on numbers: nodes are counted from 0,
// and whoever calls gives them meaning.
package resolve

import (
	"cmp"
	"slices"

	"github.com/matchd/matchd/snapshot"
)

// Edge is a link between two nodes of one person.
type Edge struct {
	A, B   uint32 // A below B
	Method snapshot.Method
	Source uint16
	Seen   snapshot.Day // last
	// Ages says that the link is used only for so long after Seen.
	Ages bool
}

func (e *Edge) strength() snapshot.Strength { return snapshot.Strength{Method: e.Method, Seen: e.Seen} }

// stronger orders edges, strongest first; edges that differ in nothing are the
// only ones that tie.
func stronger(a, b *Edge) int {
	if c := a.strength().Compare(b.strength()); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B), cmp.Compare(a.Source, b.Source))
}

// Backbone returns, of the edges of a connected set of n nodes, those that the
// strongest path between any two nodes can run over: a spanning tree of the
// strongest edges, and the spares, which take over once edges have aged out.
// Both are places in edges, and do not depend on its order.
//
// A maximum spanning tree holds a strongest path between any two nodes. What
// ages out takes its edges from the graph, oldest first, so the tree of each
// later time is the maximum spanning tree of the edges left then. Backbone
// adds edges from those that last longest to the oldest, keeps the tree of
// each step, and returns the last one, with all edges of the earlier ones that
// it has no more as spares.
func Backbone(n int, edges []Edge) (tree, spares []int) {
	order := make([]int, len(edges))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int {
		return cmp.Or(cmp.Compare(lasts(&edges[y]), lasts(&edges[x])), stronger(&edges[x], &edges[y]))
	})
	sets := make(Sets, n)
	latest := make([]int, len(edges)) // the last step whose tree has the edge
	for step := 1; len(order) > 0; step++ {
		until := lasts(&edges[order[0]])
		some := 1
		for some < len(order) && lasts(&edges[order[some]]) == until {
			some++
		}
		before := tree
		tree = spanning(sets, edges, slices.Concat(tree, order[:some]))
		for _, e := range tree {
			latest[e] = step
		}
		for _, e := range before {
			if latest[e] != step {
				spares = append(spares, e)
			}
		}
		order = order[some:]
	}
	slices.SortFunc(spares, func(x, y int) int { return stronger(&edges[x], &edges[y]) })
	return tree, spares
}

// lasts orders edges by the time at which they age out.
func lasts(e *Edge) int {
	if !e.Ages {
		return int(snapshot.MaxDay) + 1
	}
	return int(e.Seen)
}

// spanning is Kruskal's algorithm over the edges in among, strongest first.
func spanning(sets Sets, edges []Edge, among []int) []int {
	slices.SortFunc(among, func(x, y int) int { return stronger(&edges[x], &edges[y]) })
	sets.Reset()
	tree := among[:0]
	for _, e := range among {
		if sets.Join(edges[e].A, edges[e].B) {
			tree = append(tree, e)
		}
	}
	return tree
}

// Rooted is a tree laid out so that parents stand before their children.
type Rooted struct {
	// Order lists the nodes; the first is the root.
	Order []uint32
	// Parent is, for each place in Order, the place of its parent.
	Parent []uint32
	// Edge is, for each place but the first, the edge to the parent; the
	// root's is its strongest one, or -1 where the tree is one node.
	Edge []int
}

// Root lays out the tree of n nodes from root on, breadth first, children in
// ascending order.
func Root(n int, edges []Edge, tree []int, root uint32) Rooted {
	next := make([][]int, n)
	for _, e := range tree {
		next[edges[e].A] = append(next[edges[e].A], e)
		next[edges[e].B] = append(next[edges[e].B], e)
	}
	other := func(e int, node uint32) uint32 { return edges[e].A + edges[e].B - node }
	r := Rooted{Order: []uint32{root}, Parent: []uint32{0}, Edge: []int{-1}}
	for _, e := range next[root] {
		if r.Edge[0] < 0 || stronger(&edges[e], &edges[r.Edge[0]]) < 0 {
			r.Edge[0] = e
		}
	}
	for at := 0; at < len(r.Order); at++ {
		node := r.Order[at]
		slices.SortFunc(next[node], func(x, y int) int { return cmp.Compare(other(x, node), other(y, node)) })
		for _, e := range next[node] {
			if at > 0 && e == r.Edge[at] {
				continue // the way we came
			}
			r.Order = append(r.Order, other(e, node))
			r.Parent = append(r.Parent, uint32(at))
			r.Edge = append(r.Edge, e)
		}
	}
	return r
}
