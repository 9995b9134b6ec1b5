package resolve

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/snapshot"
)

// evidence is what is said of one of two links that contradict each other.
type evidence struct {
	method  snapshot.Method
	day     int
	sources []int
}

func (e evidence) inferred() bool { return e.method == snapshot.Inferred }

func (e evidence) compare(o evidence) int {
	return cmp.Or(cmp.Compare(e.method, o.method), cmp.Compare(o.day, e.day), cmp.Compare(len(o.sources), len(e.sources)))
}

func allEvidence() (out []evidence) {
	for m := snapshot.Authenticated; m <= snapshot.Inferred; m++ {
		for day := 1; day <= 2; day++ {
			out = append(out, evidence{m, day, []int{0}}, evidence{m, day, []int{1, 2}})
		}
	}
	return out
}

// winner is the order of the package's doc for a device that two people claim:
// -1 for the first, 1 for the second, 0 for nobody.
func winner(x, y evidence, shared Shared) int {
	switch {
	case x.inferred() != y.inferred():
		return x.compare(y)
	case shared == SharedLatest && x.compare(y) != 0:
		return x.compare(y)
	case len(x.sources) > len(y.sources) && x.method <= y.method: // two that agree against one no stronger
		return -1
	case len(y.sources) > len(x.sources) && y.method <= x.method:
		return 1
	}
	return 0
}

// Of two links that contradict each other the one is kept that the order says,
// whatever the numbers of the nodes and the tenants of the people.
func TestOrderOfTwoLinks(t *testing.T) {
	for _, x := range allEvidence() {
		for _, y := range allEvidence() {
			for i := range 8 {
				shared, second, deviceFirst := Shared(i&1), []string{"customer2@a", "customer2@b"}[i>>1&1], i>>2 == 1
				s := newSketch(DefaultRules())
				s.rules.Shared = shared
				if deviceFirst {
					s.node("device")
				}
				s.is("customer1@a", "device", x.method, x.day, x.sources...)
				s.is(second, "device", y.method, y.day, y.sources...)
				want := "[device] | customer1@a | " + second
				wantX, wantY := SharedID, SharedID
				after := Weak
				if second == "customer2@a" {
					after = Different
				}
				if x.inferred() == y.inferred() {
					after = SharedID
				}
				switch w := winner(x, y, shared); {
				case w < 0:
					want, wantX, wantY = "customer1@a device | "+second, Kept, after
				case w > 0:
					want, wantX, wantY = "customer1@a | "+second+" device", after, Kept
				}
				if got := s.persons(); got != want {
					t.Errorf("%+v against %+v, %v: %s, want %s", x, y, shared, got, want)
				}
				if gotX, gotY := s.reason("customer1@a", "device"), s.reason(second, "device"); gotX != wantX || gotY != wantY {
					t.Errorf("%+v against %+v, %v: %v and %v, want %v and %v", x, y, shared, gotX, gotY, wantX, wantY)
				}
			}
		}
	}
}

// Where there is no room for all, the strongest links are kept.
func TestOrderUnderTheSizeLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hub := rapid.SampledFrom([]Kind{Device, Customer, Email, Postal}).Draw(t, "hub")
		n := rapid.IntRange(1, 20).Draw(t, "devices")
		at := rapid.IntRange(0, n).Draw(t, "number of the hub")
		c := &component{rules: DefaultRules(), nodes: make([]Node, n+1)}
		c.rules.MaxIdentifiers = rapid.IntRange(2, 21).Draw(t, "limit")
		c.nodes[at].Kind = hub
		order := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0)).Perm(n)
		var links []int
		for i := range n + 1 {
			if i != at {
				links = append(links, i)
			}
		}
		for i, other := range links {
			m := rapid.SampledFrom([]snapshot.Method{snapshot.Authenticated, snapshot.Observed, snapshot.CookieSync, snapshot.Inferred}).Draw(t, "method")
			c.link(at, other, m, 0, 1+order[i])
		}
		c.sort()
		res := c.resolve()
		byStrength := make([]int, n)
		for i := range byStrength {
			byStrength[i] = i
		}
		slices.SortFunc(byStrength, func(x, y int) int { return stronger(&c.edges[x], &c.edges[y]) })
		for i, e := range byStrength {
			want := Kept
			if i+1 >= c.rules.MaxIdentifiers {
				want = TooLarge
			}
			if res.Cuts[e] != want {
				t.Fatalf("%v%+v: edge %d, number %d in order, is %v, want %v", c, res, e, i, res.Cuts[e], want)
			}
		}
	})
}

// What a model infers adds to what was seen to happen, and takes nothing from
// it: a link that is kept where nothing is inferred is kept whatever is. Two
// rules make exceptions, and are left out: a crowd is a crowd by whatever
// links, and a source that agrees counts whatever its method.
func TestInferredLinksOnlyAdd(t *testing.T) {
	added := 0
	eachComponent(t, 20_000, func(t rapid.TB, c *component) {
		c.rules.MaxOnDevice, c.rules.MaxOnContact = MaxLimit, MaxLimit
		for i := range c.edges {
			c.edges[i].Source = 0
		}
		seen := &component{rules: c.rules, nodes: c.nodes}
		for _, e := range c.edges {
			if e.Method != snapshot.Inferred {
				seen.edges = append(seen.edges, e)
			}
		}
		before, after := seen.resolve(), c.resolve()
		for i, e := range seen.edges {
			if before.Cuts[i] == Kept && after.Person[e.A] != after.Person[e.B] {
				t.Fatalf("%v%+v\nkept %d-%d without what is inferred", c, after, e.A, e.B)
			}
		}
		if fmt.Sprint(before.Person) != fmt.Sprint(after.Person) {
			added++
		}
	})
	if added < 100 {
		t.Errorf("links were inferred for %d components", added)
	}
}

// The exceptions, and what else an order by strength does not promise.
func TestWhatAWeakerLinkCanCut(t *testing.T) {
	rules := DefaultRules()
	rules.MaxOnDevice = 2
	login := func() *sketch {
		return newSketch(rules).record("customer1@a", "email1").is("customer1@a", "device", snapshot.Authenticated, 9)
	}
	for name, c := range map[string]struct {
		s    *sketch
		want string
	}{
		"alone": {login(), "customer1@a device email1"},
		"observed with somebody else": {
			login().is("email2", "device", snapshot.Observed, 1), "[device] | customer1@a email1 | email2",
		},
		"inferred of somebody else": {
			login().is("email2", "device", snapshot.Inferred, 9), "customer1@a device email1 | email2",
		},
		"a crowd, inferred": {
			login().is("email2", "device", snapshot.Inferred, 1).is("email3", "device", snapshot.Inferred, 1).is("email4", "device", snapshot.Inferred, 1),
			"[device] | customer1@a email1 | email2 | email3 | email4",
		},
		"two sources that agree, one of which infers": {
			newSketch(rules).record("customer1@a", "email1").is("customer1@a", "device", snapshot.CookieSync, 9).
				record("customer2@a", "email2").is("customer2@a", "device", snapshot.CookieSync, 1, 1).is("email2", "device", snapshot.Inferred, 1, 2),
			"customer1@a email1 | customer2@a device email2",
		},
	} {
		if got := c.s.persons(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
