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

// Planner lays out persons for their records. It keeps its memory from call to
// call, and what it returns is valid until the next one; it serves one
// goroutine.
type Planner struct {
	order, tree, spares, among []int
	latest                     []int // by edge: the last step whose tree has it
	sets                       Sets
	starts                     []uint32 // by node: where its edges begin in next; one more
	next                       []int
	rooted                     Rooted
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
func (p *Planner) Backbone(n int, edges []Edge) (tree, spares []int) {
	p.order, p.tree, p.spares = p.order[:0], p.tree[:0], p.spares[:0]
	for i := range edges {
		p.order = append(p.order, i)
	}
	if len(edges) == n-1 {
		return p.order, nil // a tree as it is
	}
	slices.SortFunc(p.order, func(x, y int) int {
		return cmp.Or(cmp.Compare(lasts(&edges[y]), lasts(&edges[x])), stronger(&edges[x], &edges[y]))
	})
	p.sets = resize(p.sets, n)
	p.latest = resize(p.latest, len(edges))
	order := p.order
	for step := 1; len(order) > 0; step++ {
		until := lasts(&edges[order[0]])
		some := 1
		for some < len(order) && lasts(&edges[order[some]]) == until {
			some++
		}
		p.among = append(append(p.among[:0], p.tree...), order[:some]...)
		p.tree, p.among = p.among, p.tree // p.among is the tree of the step before
		p.spanning(edges)
		for _, e := range p.tree {
			p.latest[e] = step
		}
		for _, e := range p.among {
			if p.latest[e] != step {
				p.spares = append(p.spares, e)
			}
		}
		order = order[some:]
	}
	slices.SortFunc(p.spares, func(x, y int) int { return stronger(&edges[x], &edges[y]) })
	return p.tree, p.spares
}

// lasts orders edges by the time at which they age out.
func lasts(e *Edge) int {
	if !e.Ages {
		return int(snapshot.MaxDay) + 1
	}
	return int(e.Seen)
}

// spanning is Kruskal's algorithm over the edges in tree, strongest first.
func (p *Planner) spanning(edges []Edge) {
	slices.SortFunc(p.tree, func(x, y int) int { return stronger(&edges[x], &edges[y]) })
	p.sets.Reset()
	tree := p.tree[:0]
	for _, e := range p.tree {
		if p.sets.Join(edges[e].A, edges[e].B) {
			tree = append(tree, e)
		}
	}
	p.tree = tree
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
func (p *Planner) Root(n int, edges []Edge, tree []int, root uint32) Rooted {
	p.list(n, edges, tree)
	r := &p.rooted
	r.Order, r.Parent, r.Edge = append(r.Order[:0], root), append(r.Parent[:0], 0), append(r.Edge[:0], -1)
	for _, e := range p.of(root) {
		if r.Edge[0] < 0 || stronger(&edges[e], &edges[r.Edge[0]]) < 0 {
			r.Edge[0] = e
		}
	}
	for at := 0; at < len(r.Order); at++ {
		node := r.Order[at]
		for _, e := range p.of(node) {
			if at > 0 && e == r.Edge[at] {
				continue // the way we came
			}
			r.Order = append(r.Order, other(&edges[e], node))
			r.Parent = append(r.Parent, uint32(at))
			r.Edge = append(r.Edge, e)
		}
	}
	return *r
}

func other(e *Edge, node uint32) uint32 { return e.A + e.B - node }

// list lists the edges of each node in the tree, by the node at the other end.
func (p *Planner) list(n int, edges []Edge, tree []int) {
	p.starts = resize(p.starts, n+2)
	p.next = resize(p.next, 2*len(tree))
	at := p.starts[1:] // one further, so that filling in makes it the starts
	for _, e := range tree {
		at[edges[e].A+1]++
		at[edges[e].B+1]++
	}
	for i := range n {
		at[i+1] += at[i]
	}
	for _, e := range tree {
		for _, node := range [2]uint32{edges[e].A, edges[e].B} {
			p.next[at[node]] = e
			at[node]++
		}
	}
	for i := range uint32(n) {
		if of := p.of(i); len(of) > 1 {
			slices.SortFunc(of, func(x, y int) int { return cmp.Compare(other(&edges[x], i), other(&edges[y], i)) })
		}
	}
}

// of returns the edges of a node, as list has them.
func (p *Planner) of(node uint32) []int { return p.next[p.starts[node]:p.starts[node+1]] }
