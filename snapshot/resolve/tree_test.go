package resolve

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/matchd/matchd/snapshot"
)

// connected makes a random connected set of up to seven nodes, with several
// links between some, and ties.
func connected(r *rand.Rand) (n int, edges []Edge) {
	n = 1 + r.IntN(7)
	ages := make([]bool, n)
	for i := range ages {
		ages[i] = r.IntN(3) > 0
	}
	add := func(a, b int) {
		if a == b {
			return
		}
		edges = append(edges, Edge{
			A: uint32(min(a, b)), B: uint32(max(a, b)), Method: snapshot.Method(r.IntN(4)),
			Source: uint16(r.IntN(3)), Seen: snapshot.Day(100 + r.IntN(6)), Ages: ages[a] || ages[b],
		})
	}
	for i := 1; i < n; i++ {
		add(r.IntN(i), i)
	}
	for range r.IntN(3 * n) {
		add(r.IntN(n), r.IntN(n))
	}
	// A graph holds one link of a method and source between two nodes.
	slices.SortFunc(edges, byStrength)
	edges = slices.CompactFunc(edges, func(a, b Edge) bool {
		return a.A == b.A && a.B == b.B && a.Method == b.Method && a.Source == b.Source && a.Seen == b.Seen
	})
	r.Shuffle(len(edges), func(i, j int) { edges[i], edges[j] = edges[j], edges[i] })
	return n, edges
}

// fresh are the edges that are used where what was last seen before day is not.
func fresh(edges []Edge, day snapshot.Day) []Edge {
	return slices.DeleteFunc(slices.Clone(edges), func(e Edge) bool { return e.Ages && e.Seen < day })
}

// strongest returns, for each pair of nodes, the strength of the strongest
// path, and false where there is none: all paths without a circle are walked.
func strongest(n int, edges []Edge) map[[2]uint32]snapshot.Strength {
	best := map[[2]uint32]snapshot.Strength{}
	var walk func(from, at uint32, been uint, s snapshot.Strength)
	walk = func(from, at uint32, been uint, s snapshot.Strength) {
		for i := range edges {
			e := &edges[i]
			if e.A != at && e.B != at {
				continue
			}
			to := e.A + e.B - at
			if been>>to&1 == 1 {
				continue
			}
			path := e.strength()
			if from != at {
				path = path.Weaker(s)
			}
			k := [2]uint32{from, to}
			if was, ok := best[k]; !ok || path.Compare(was) < 0 {
				best[k] = path
			}
			walk(from, to, been|1<<to, path)
		}
	}
	for i := range uint32(n) {
		walk(i, i, 1<<i, snapshot.Strength{})
	}
	return best
}

func pick(edges []Edge, places ...[]int) (out []Edge) {
	for _, i := range slices.Concat(places...) {
		out = append(out, edges[i])
	}
	return out
}

// Whatever has aged out, the tree and the spares hold a strongest path between
// any two nodes that all edges connect.
func TestBackboneHoldsTheStrongestPaths(t *testing.T) {
	graphs, withSpares := 6000, 0
	if testing.Short() {
		graphs = 1000
	}
	for seed := range uint64(graphs) {
		n, edges := connected(rand.New(rand.NewPCG(seed, 9)))
		tree, spares := new(Planner).Backbone(n, slices.Clone(edges))
		if len(tree) != n-1 {
			t.Fatalf("graph %d: %d edges span %d nodes", seed, len(tree), n)
		}
		sets := make(Sets, n)
		for _, e := range tree {
			if !sets.Join(edges[e].A, edges[e].B) {
				t.Fatalf("graph %d: the tree has a circle", seed)
			}
		}
		for i, s := range spares {
			if slices.Contains(tree, s) || slices.Contains(spares[:i], s) {
				t.Fatalf("graph %d: edge %d is kept twice", seed, s)
			}
		}
		if len(spares) > 0 {
			withSpares++
		}
		for day := snapshot.Day(99); day < 108; day++ {
			want := strongest(n, fresh(edges, day))
			got := strongest(n, fresh(pick(edges, tree, spares), day))
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("graph %d of %+v, from day %d on:\ntree %v, spares %v give %v\nwant %v", seed, edges, day, tree, spares, got, want)
			}
			if day == 99 {
				if got := strongest(n, pick(edges, tree)); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("graph %d: the tree alone gives %v, want %v", seed, got, want)
				}
			}
		}
	}
	if withSpares < graphs/10 {
		t.Errorf("%d of %d graphs have spares", withSpares, graphs)
	}
}

// The tree and the spares do not depend on the order of the edges; nor does
// the layout that is made of the tree.
func TestBackboneDoesNotDependOnOrder(t *testing.T) {
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 9))
		n, edges := connected(r)
		text := func(edges []Edge) string {
			tree, spares := new(Planner).Backbone(n, edges)
			rooted := new(Planner).Root(n, edges, tree, 0)
			var laid []Edge
			for _, e := range rooted.Edge {
				if e >= 0 {
					laid = append(laid, edges[e])
				}
			}
			list := pick(edges, tree)
			slices.SortFunc(list, byStrength)
			return fmt.Sprint(list, pick(edges, spares), rooted.Order, rooted.Parent, laid)
		}
		want := text(edges)
		r.Shuffle(len(edges), func(i, j int) { edges[i], edges[j] = edges[j], edges[i] })
		if got := text(edges); got != want {
			t.Fatalf("graph %d: %s, shuffled %s", seed, want, got)
		}
	}
}

func byStrength(a, b Edge) int { return stronger(&a, &b) }

// Parents stand before their children, each edge joins a node to its parent,
// and the root has its strongest edge.
func TestRoot(t *testing.T) {
	for seed := range uint64(1000) {
		n, edges := connected(rand.New(rand.NewPCG(seed, 9)))
		tree, _ := new(Planner).Backbone(n, edges)
		for root := range uint32(n) {
			r := new(Planner).Root(n, edges, tree, root)
			if len(r.Order) != n || len(r.Parent) != n || len(r.Edge) != n || r.Order[0] != root {
				t.Fatalf("graph %d from %d: %+v", seed, root, r)
			}
			if sorted := slices.Sorted(slices.Values(r.Order)); int(sorted[n-1]) != n-1 || len(slices.Compact(sorted)) != n {
				t.Fatalf("graph %d from %d: the order is %v", seed, root, r.Order)
			}
			if (r.Edge[0] < 0) != (n == 1) {
				t.Fatalf("graph %d from %d: the root's edge is %d", seed, root, r.Edge[0])
			}
			for i := range edges {
				if n > 1 && (edges[i].A == root || edges[i].B == root) && edges[i].strength().Compare(edges[r.Edge[0]].strength()) < 0 {
					t.Fatalf("graph %d: root %d has the edge %+v, and %+v is stronger", seed, root, edges[r.Edge[0]], edges[i])
				}
			}
			for at := 1; at < n; at++ {
				e, parent := edges[r.Edge[at]], r.Parent[at]
				if int(parent) >= at || e.A+e.B != r.Order[at]+r.Order[parent] || e.A != r.Order[at] && e.B != r.Order[at] {
					t.Fatalf("graph %d from %d: place %d, parent %d, edge %+v", seed, root, at, parent, e)
				}
			}
		}
	}
}

// Sets against a naive model: each node has the smallest of its set.
func TestSets(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 3))
		n := 1 + r.IntN(20)
		sets, model := make(Sets, n), make([]uint32, n)
		for i := range model {
			model[i] = uint32(i)
		}
		for range 2 * n {
			a, b := uint32(r.IntN(n)), uint32(r.IntN(n))
			x, y := model[a], model[b]
			if got := sets.Join(a, b); got != (x != y) {
				t.Fatalf("join %d and %d: %t", a, b, got)
			}
			for i := range model {
				if model[i] == max(x, y) {
					model[i] = min(x, y)
				}
			}
			for i := range uint32(n) {
				if got := sets.Find(i); got != model[i] {
					t.Fatalf("node %d is in the set of %d, want %d", i, got, model[i])
				}
			}
		}
		sets.Reset()
		for i := range uint32(n) {
			if sets.Find(i) != i {
				t.Fatal("Reset leaves a set")
			}
		}
	}
}
