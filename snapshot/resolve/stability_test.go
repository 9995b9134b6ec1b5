package resolve

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/snapshot"
)

// copied returns a result that the resolver's next call leaves as it is.
func copied(res Result) Result {
	res.Person, res.Shared, res.Cuts = slices.Clone(res.Person), slices.Clone(res.Shared), slices.Clone(res.Cuts)
	return res
}

// A resolver's answers do not depend on what it resolved before.
func TestResolveAgain(t *testing.T) {
	r := NewResolver(Rules{})
	r.rules = DefaultRules()
	eachComponent(t, 10_000, func(t rapid.TB, c *component) {
		want := copied(c.resolve())
		r.rules = c.rules
		for range 2 {
			if got := r.Resolve(c.nodes, c.edges); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%v\ngot  %+v\nwant %+v", c, got, want)
			}
		}
	})
}

// What a source says twice, or says weaker, changes nothing, nor does the order
// of the links between two nodes.
func TestRepeatedLinks(t *testing.T) {
	eachComponent(t, 10_000, func(t rapid.TB, c *component) {
		want := c.resolve()
		again := &component{rules: c.rules, nodes: c.nodes, edges: slices.Clone(c.edges)}
		for i, e := range c.edges {
			if i%2 == 0 {
				e.Seen -= min(e.Seen, snapshot.Day(i%3))
				again.edges = append(again.edges, e)
			}
		}
		rand.New(rand.NewPCG(uint64(len(c.edges)), 1)).Shuffle(len(again.edges), func(i, j int) {
			again.edges[i], again.edges[j] = again.edges[j], again.edges[i]
		})
		again.sort()
		got := again.resolve()
		if fmt.Sprint(got.Person, got.Shared, got.Cut) != fmt.Sprint(want.Person, want.Shared, want.Cut) {
			t.Fatalf("%v%v\ngot  %+v\nwant %+v", c, again, got, want)
		}
		reason := map[[2]uint32]Reason{}
		for i, e := range c.edges {
			reason[[2]uint32{e.A, e.B}] = want.Cuts[i]
		}
		for i, e := range again.edges {
			if got.Cuts[i] != reason[[2]uint32{e.A, e.B}] {
				t.Fatalf("%v%v\ngot  %+v\nwant %+v", c, again, got, want)
			}
		}
	})
}

// relabelled gives nodes other numbers: to[n] is the one of n.
func (c *component) relabelled(to []int) *component {
	out := &component{rules: c.rules, nodes: make([]Node, len(c.nodes))}
	for n, node := range c.nodes {
		out.nodes[to[n]] = node
	}
	for _, e := range c.edges {
		out.link(to[e.A], to[e.B], e.Method, int(e.Source), int(e.Seen))
	}
	out.sort()
	return out
}

// described says in the old numbers what became of a relabelled component.
func described(c *component, res Result, to []int) string {
	first := map[uint32]int{}
	var out []int
	for n := range c.nodes {
		p := res.Person[to[n]]
		if _, ok := first[p]; !ok {
			first[p] = n
		}
		out = append(out, first[p])
	}
	shared := make([]bool, len(out))
	for n := range shared {
		shared[n] = res.Shared[to[n]]
	}
	return fmt.Sprint(out, shared)
}

// Where no two links are as strong, devices and contacts may have any numbers.
// Those of customers decide between records that agree as well with one as with
// another, and keep their order here; that of an anchor says to whom two
// sources that agree give an identifier, so there is one source here.
func TestNumbersBreakTies(t *testing.T) {
	eachComponent(t, 20_000, func(t rapid.TB, c *component) {
		for i := range c.edges {
			c.edges[i].Seen = snapshot.Day(1 + (i*7919)%9973) // no two are the same
			c.edges[i].Source = 0
		}
		r := rand.New(rand.NewPCG(uint64(len(c.edges)), uint64(len(c.nodes))))
		to := r.Perm(len(c.nodes))
		var customers []int
		for n, node := range c.nodes {
			if node.Kind == Customer {
				customers = append(customers, to[n])
			}
		}
		slices.Sort(customers)
		for n, node := range c.nodes {
			if node.Kind == Customer {
				to[n], customers = customers[0], customers[1:]
			}
		}
		same := r.Perm(len(c.nodes))
		for n := range same {
			same[n] = n
		}
		other := c.relabelled(to)
		want, got := described(c, c.resolve(), same), described(c, other.resolve(), to)
		if got != want {
			t.Fatalf("%vas %v\ngot  %s\nwant %s", c, to, got, want)
		}
	})
}
