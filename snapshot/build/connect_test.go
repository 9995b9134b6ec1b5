package build

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/spill"
	"github.com/matchd/matchd/snapshot/resolve"
)

// Joins by many goroutines at once make the sets that joins one after the
// other make, with the same roots, whatever the order.
func TestForestAgreesWithSequentialJoins(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	merged, apart := 0, 0
	for round := range 60 {
		n := 2 + r.IntN(3000)
		edges := make([][2]uint32, r.IntN(2*n))
		for i := range edges {
			edges[i] = [2]uint32{uint32(r.IntN(n)), uint32(r.IntN(n))}
			if round%3 == 0 { // long chains
				edges[i][1] = (edges[i][0] + 1) % uint32(n)
			}
		}
		want := make(resolve.Sets, n)
		for _, e := range edges {
			want.Join(e[0], e[1])
		}
		f := make(forest, n)
		var wg sync.WaitGroup
		var next atomic.Int64
		for range 8 {
			wg.Go(func() {
				for i := next.Add(1) - 1; i < int64(len(edges)); i = next.Add(1) - 1 {
					f.join(edges[i][0], edges[i][1])
				}
			})
		}
		wg.Wait()
		for i := range uint32(n) {
			got := f.find(i)
			if got != want.Find(i) {
				t.Fatalf("round %d: the root of %d of %d is %d, want %d", round, i, n, got, want.Find(i))
			}
			if got == i {
				apart++
			} else {
				merged++
			}
		}
	}
	if merged < 1000 || apart < 1000 {
		t.Errorf("%d nodes joined, %d roots", merged, apart)
	}
}

// connected is a random graph for the connecting stage.
type connectedGraph struct {
	n       int
	links   []link
	crowded []uint32
	largest int
}

func randomGraph(r *rand.Rand) *connectedGraph {
	g := &connectedGraph{n: 2 + r.IntN(60), largest: 1 + r.IntN(20)}
	for range r.IntN(2 * g.n) {
		a, b := uint32(r.IntN(g.n)), uint32(r.IntN(g.n))
		if a != b {
			g.links = append(g.links, link{a: min(a, b), b: max(a, b), method: snapshot.Method(r.IntN(4))})
		}
	}
	for range r.IntN(4) {
		g.crowded = append(g.crowded, uint32(r.IntN(g.n)))
	}
	return g
}

// sets are the connected sets of the nodes, by breadth-first search over the
// links that use says.
func (g *connectedGraph) sets(use func(*link) bool) (root []uint32) {
	root = make([]uint32, g.n)
	seen := make([]bool, g.n)
	for from := range uint32(g.n) {
		for queue := []uint32{from}; len(queue) > 0; queue = queue[1:] {
			at := queue[0]
			if seen[at] {
				continue
			}
			seen[at], root[at] = true, from
			for i := range g.links {
				l := &g.links[i]
				if use(l) && (l.a == at || l.b == at) {
					queue = append(queue, l.a+l.b-at)
				}
			}
		}
	}
	return root
}

func (g *connectedGraph) isCrowded(n uint32) bool { return slices.Contains(g.crowded, n) }

// naive is what the stage is to find: the root of each node, and how many
// methods connect in its set; ok is false where a set is too large by
// authenticated links alone.
func (g *connectedGraph) naive() (root []uint32, methods []int, ok bool) {
	methods = make([]int, g.n)
	for i := range methods {
		methods[i] = 4
	}
	for {
		root = g.sets(func(l *link) bool {
			return !g.isCrowded(l.a) && !g.isCrowded(l.b) && int(l.method) < methods[l.a]
		})
		size := map[uint32]int{}
		for _, at := range root {
			size[at]++
		}
		done := true
		var cut []uint32
		for i := range uint32(g.n) {
			if size[root[i]] > g.largest {
				done = false
				cut = append(cut, i)
			}
		}
		if done {
			return root, methods, true
		}
		for _, i := range cut {
			if methods[i]--; methods[i] == 0 {
				return nil, nil, false
			}
		}
	}
}

func (g *connectedGraph) run(t *testing.T, workers int) (*connecting, error) {
	t.Helper()
	space := spill.NewSpace(func() (string, error) { return t.TempDir(), nil }, 1<<20)
	t.Cleanup(func() {
		if err := space.Close(); err != nil {
			t.Error(err)
		}
	})
	n := &numbering{base: make([]uint32, partitions+1)}
	n.base[partitions] = uint32(g.n)
	c := &connecting{n: n, space: space, links: space.Store("links", partitions), crowded: newBitmap(g.n), largest: g.largest}
	for _, i := range g.crowded {
		c.crowded.set(i)
	}
	w := c.links.Writer()
	var record []byte
	for i := range g.links {
		record = appendLink(record[:0], &g.links[i])
		if err := w.Put(i%partitions, record); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var done atomic.Int64
	return c, c.run(context.Background(), &stage{workers: workers, done: &done})
}

// Sets that are too large lose the links of their weakest methods, one method
// after the other, and no others do; where authenticated links alone are too
// many, that is an error.
func TestTooLargeSetsLoseTheirWeakestLinks(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	total := map[string]int{}
	for round := range 400 {
		g := randomGraph(r)
		root, methods, ok := g.naive()
		c, err := g.run(t, 1+round%4)
		if !ok {
			if err == nil || !strings.Contains(err.Error(), "authenticated") || !strings.Contains(err.Error(), "max_connected") {
				t.Fatalf("round %d: error %v, want one on too many authenticated links", round, err)
			}
			total["refused"]++
			continue
		}
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for i := range uint32(g.n) {
			if got := c.sets.root(i); got != root[i] {
				t.Fatalf("round %d: the root of %d is %d, want %d", round, i, got, root[i])
			}
			total[fmt.Sprint("methods ", methods[i])]++
		}
		for i := range g.links {
			l := &g.links[i]
			want := !g.isCrowded(l.a) && !g.isCrowded(l.b) && int(l.method) < methods[l.a]
			if got := c.cut(l) == resolve.Kept; got != want {
				t.Fatalf("round %d: link %+v connects: %t, want %t", round, *l, got, want)
			}
		}
	}
	for _, what := range []string{"refused", "methods 1", "methods 2", "methods 3", "methods 4"} {
		if total[what] < 20 {
			t.Errorf("%s: %d, too few; %v", what, total[what], slices.SortedFunc(maps.Keys(total), cmp.Compare))
		}
	}
}

// Sets that are counted by a sample of their nodes are counted as exactly.
func TestLargeForestsAreSampledAndCountedExactly(t *testing.T) {
	const n = 1<<20 + 1000
	c := &connecting{sets: make(forest, n), linked: newBitmap(n)}
	want := map[uint32]int{}
	r := rand.New(rand.NewPCG(5, 6))
	for at := uint32(0); at < n; {
		size := uint32(2 + r.IntN(20_000))
		size = min(size, n-at)
		for i := range size {
			c.linked.set(at + i)
			c.sets.join(at, at+i)
		}
		want[at] = int(size)
		at += size
	}
	for _, limit := range []int{300, 9_999, 15_000, 19_999, 30_000} {
		c.largest = limit
		got := c.tooLarge()
		for root, size := range want {
			if size > limit && got[root] != size {
				t.Fatalf("limit %d: a set of %d is counted as %d", limit, size, got[root])
			}
			if size <= limit && got[root] != 0 {
				t.Fatalf("limit %d: a set of %d is too large", limit, size)
			}
		}
		if limit == 15_000 && (len(got) < 10 || len(got) == len(want)) {
			t.Fatalf("%d of %d sets are over %d: the world is too simple", len(got), len(want), limit)
		}
	}
}
