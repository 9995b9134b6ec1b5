package resolve

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/snapshot"
)

// checkGuards checks what holds of every result, whatever the links.
func checkGuards(t rapid.TB, c *component, res Result) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%v%+v\n%s", c, res, fmt.Sprintf(format, args...))
	}
	members := make([][]int, len(c.nodes))
	for n, p := range res.Person {
		members[p] = append(members[p], n)
	}
	connected := make(Sets, len(c.nodes))
	cut := false
	for i, e := range c.edges {
		one := res.Person[e.A] == res.Person[e.B]
		switch {
		case one && res.Cuts[i] != Kept:
			fail("edge %d is cut and lies within a person", i)
		case !one && (res.Cuts[i] == Kept || res.Cuts[i] >= reasons):
			fail("edge %d joins two persons and is %d", i, res.Cuts[i])
		case one:
			connected.Join(e.A, e.B)
		}
		cut = cut || !one
		if i > 0 && c.edges[i-1].A == e.A && c.edges[i-1].B == e.B && res.Cuts[i] != res.Cuts[i-1] {
			fail("edges %d and %d are of the same nodes", i-1, i)
		}
	}
	if res.Cut != cut {
		fail("Cut is %t", res.Cut)
	}
	for p, set := range members {
		if len(set) == 0 {
			continue
		}
		if set[0] != p || len(set) > c.rules.MaxIdentifiers {
			fail("person %d has %v", p, set)
		}
		for _, n := range set {
			if int(connected.Find(uint32(n))) != p {
				fail("no link keeps %d in person %d", n, p)
			}
			if res.Shared[n] != res.Shared[p] {
				fail("person %d is shared in part", p)
			}
			if res.Shared[n] && c.nodes[n].Kind == Customer {
				fail("customer %d is shared", n)
			}
		}
	}
	checkCrowds(c, res, members, fail)
	if len(c.nodes) <= c.rules.MaxIdentifiers {
		checkProven(c, res, members, fail)
	}
}

// checkProven checks that what somebody proved yields only to a tenant's own
// customers, where nobody is too large.
func checkProven(c *component, res Result, members [][]int, fail func(string, ...any)) {
	for i, e := range c.edges {
		switch {
		case !proven(c, e):
		case res.Cuts[i] == Weak:
			fail("edge %d is authenticated and weak", i)
		case res.Cuts[i] == Different && !haveOneTenant(c, members[res.Person[e.A]], members[res.Person[e.B]]):
			fail("edge %d is cut, and no tenant has a customer on either side", i)
		}
	}
}

// proven reports whether a link is an authenticated one between anchors.
func proven(c *component, e Edge) bool {
	return e.Method == snapshot.Authenticated && c.nodes[e.A].Kind != Device && c.nodes[e.B].Kind != Device
}

// checkUnproven checks that without such links nobody's customers are one. It
// counts those of which a link was weak.
func checkUnproven(t rapid.TB, c *component) (weak int) {
	t.Helper()
	rest := &component{rules: c.rules, nodes: c.nodes}
	for _, e := range c.edges {
		if !proven(c, e) {
			rest.edges = append(rest.edges, e)
		}
	}
	res := rest.resolve()
	customer := map[uint32]int{}
	for n, p := range res.Person {
		if c.nodes[n].Kind != Customer {
			continue
		}
		if other, ok := customer[p]; ok {
			t.Fatalf("%v%+v\n%d and %d are one, and nobody proved it", rest, res, other, n)
		}
		customer[p] = n
	}
	for i, e := range rest.edges {
		if res.Cuts[i] == Weak && c.nodes[e.A].Kind != Device && c.nodes[e.B].Kind != Device {
			weak++
		}
	}
	return weak
}

// haveOneTenant reports whether two sets have customers of one tenant.
func haveOneTenant(c *component, a, b []int) bool {
	return slices.ContainsFunc(a, func(x int) bool {
		return c.nodes[x].Kind == Customer && slices.ContainsFunc(b, func(y int) bool { return c.nodes[y] == c.nodes[x] })
	})
}

// checkCrowds checks that what more use than the limit stands alone, and that
// all its links were cut for that.
func checkCrowds(c *component, res Result, members [][]int, fail func(string, ...any)) {
	for n, node := range c.nodes {
		users := map[Node][]uint32{}
		for _, e := range c.edges {
			if int(e.A) != n && int(e.B) != n {
				continue
			}
			other := e.A + e.B - uint32(n)
			if user := c.nodes[other]; user.Kind != Device && node.Kind == Device || user.Kind == Customer && node.Kind.contact() {
				if !slices.Contains(users[user], other) {
					users[user] = append(users[user], other)
				}
			}
		}
		limit := c.rules.MaxOnContact
		if node.Kind == Device {
			limit = c.rules.MaxOnDevice
		}
		for _, list := range users {
			if len(list) <= limit {
				continue
			}
			if !res.Shared[n] || len(members[res.Person[n]]) != 1 {
				fail("%d is used by %v, more than %d", n, list, limit)
			}
			for i, e := range c.edges {
				if (int(e.A) == n || int(e.B) == n) && res.Cuts[i] != TooMany {
					fail("%d is used by %v, and edge %d is %v", n, list, i, res.Cuts[i])
				}
			}
		}
	}
}

func TestGuards(t *testing.T) {
	sharedSets, weak := 0, 0
	eachComponent(t, 20_000, func(t rapid.TB, c *component) {
		res := c.resolve()
		checkGuards(t, c, res)
		weak += checkUnproven(t, c)
		for n, p := range res.Person {
			if int(p) != n && res.Shared[n] {
				sharedSets++
				break
			}
		}
	})
	if sharedSets < 5 || weak < 100 {
		t.Errorf("%d components have a shared set of several nodes, %d links between anchors are weak", sharedSets, weak)
	}
}

// Two customers of one tenant are one only where a strong link or records say
// so, and where their own differ in a kind, these agree in two, whatever other
// records say. Shared contacts say nothing.
func TestCustomersOfOneTenant(t *testing.T) {
	byLink, byRecords, despite := 0, 0, 0
	eachComponent(t, 20_000, func(t rapid.TB, c *component) {
		c.rules.MaxIdentifiers = MaxLimit
		oneContactARecord(c)
		res := c.resolve()
		for a := range c.nodes {
			for b := range a {
				if c.nodes[a] != c.nodes[b] || c.nodes[a].Kind != Customer || res.Person[a] != res.Person[b] {
					continue
				}
				agree := agreement(c, res.Person, res.Person[a])
				switch own, differ := common(c, res.Person, a, b); {
				case strongLink(c, res.Person, res.Person[a]):
					byLink++
				case agree == 0:
					t.Fatalf("%v%+v\n%d and %d are one, and no two records agree", c, res, a, b)
				case differ && own < 2:
					t.Fatalf("%v%+v\n%d and %d are one, and differ", c, res, a, b)
				case differ:
					despite++
				default:
					byRecords++
				}
			}
		}
	})
	if byLink < 20 || byRecords < 20 || despite < 20 {
		t.Errorf("%d by a link, %d by records, %d although they differ", byLink, byRecords, despite)
	}
}

// oneContactARecord leaves no customer two contacts of one kind.
func oneContactARecord(c *component) {
	has := map[[2]uint32]uint32{}
	for i := range c.edges {
		e := &c.edges[i]
		for _, x := range [2][2]uint32{{e.A, e.B}, {e.B, e.A}} {
			if k := c.nodes[x[1]].Kind; c.nodes[x[0]].Kind == Customer && k.contact() && e.Method == snapshot.Authenticated {
				if was, ok := has[[2]uint32{x[0], uint32(k)}]; !ok {
					has[[2]uint32{x[0], uint32(k)}] = x[1]
				} else if was != x[1] {
					e.Method = snapshot.Observed
				}
			}
		}
	}
}

// recordOf returns the contacts of a customer that are not shared.
func recordOf(c *component, person []uint32, customer int) (out []int) {
	for _, e := range c.edges {
		for _, x := range [2][2]int{{int(e.A), int(e.B)}, {int(e.B), int(e.A)}} {
			if x[0] == customer && e.Method == snapshot.Authenticated && c.nodes[x[1]].Kind.contact() && person[x[0]] == person[x[1]] {
				out = append(out, x[1])
			}
		}
	}
	return out
}

// common returns in how many kinds two records agree, and whether they differ
// in one.
func common(c *component, person []uint32, a, b int) (agree int, differ bool) {
	for _, k := range []Kind{Email, Phone, Postal} {
		of := func(customer int) []int {
			return slices.DeleteFunc(recordOf(c, person, customer), func(x int) bool { return c.nodes[x].Kind != k })
		}
		x, y := of(a), of(b)
		if slices.ContainsFunc(x, func(n int) bool { return slices.Contains(y, n) }) {
			agree++
		} else if len(x) > 0 && len(y) > 0 {
			differ = true
		}
	}
	return agree, differ
}

// agreement returns in how many kinds at most two records of a person agree.
func agreement(c *component, person []uint32, p uint32) (most int) {
	for a := range c.nodes {
		for b := range a {
			if person[a] == p && person[b] == p && c.nodes[a].Kind == Customer && c.nodes[b].Kind == Customer {
				agree, _ := common(c, person, a, b)
				most = max(most, agree)
			}
		}
	}
	return most
}

// strongLink reports whether a person has an authenticated link between
// anchors that is in nobody's record.
func strongLink(c *component, person []uint32, p uint32) bool {
	return slices.ContainsFunc(c.edges, func(e Edge) bool {
		a, b := c.nodes[e.A].Kind, c.nodes[e.B].Kind
		return person[e.A] == p && person[e.B] == p && e.Method == snapshot.Authenticated &&
			a != Device && b != Device && (a == Customer) == (b == Customer)
	})
}

// FuzzResolve checks the guards and the naive rules on components of any kind,
// and of records, that are drawn from bytes.
func FuzzResolve(f *testing.F) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 7))
		data := make([]byte, 20+r.IntN(300))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		f.Add(data)
	}
	r := NewResolver(Rules{})
	f.Fuzz(func(t *testing.T, data []byte) {
		at := 0
		draw := []func(func(int) int) *component{drawComponent, drawRecords}[len(data)%2]
		c := draw(func(n int) int {
			if at == len(data) {
				return 0
			}
			at++
			return int(data[at-1]) % n
		})
		r.rules = c.rules // so that memory is used again
		got := r.Resolve(c.nodes, c.edges)
		checkGuards(t, c, got)
		if want := newNaive(c).resolve(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%v\ngot  %+v\nwant %+v", c, got, want)
		}
		checkUnproven(t, c)
	})
}
