package report

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// adversary has tried all small worlds: how many people are in each of some
// disjoint cells. Worlds that look alike are one to it, and it has found
// something out where a group, a union of cells, has the same number of people
// in all of them, and fewer than may be known.
//
// The strong adversary takes worlds to look alike where the same counts are
// shown and the same are withheld: it replays the rule. The plain one goes by
// what is shown alone, as somebody does who reasons from the numbers.
type adversary struct {
	cells, most int
	least       int64
	worlds      []world
	shown       int // counts that were not withheld, in all worlds
}

type world struct {
	groups  []int8 // people, by group; the last is all of them
	figures []int8 // exact, or -1 where it is withheld
	exact   []int8
}

// try shows the adversary all worlds of at most so many people.
func (a *adversary) try(look func(cells []int64) []*figure) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // each world makes much garbage
	cells := make([]int64, a.cells)
	for {
		w := world{groups: make([]int8, 1<<a.cells)}
		for group := 1; group < len(w.groups); group++ {
			rest := group & (group - 1)
			w.groups[group] = w.groups[rest] + int8(cells[bits.TrailingZeros(uint(group))])
		}
		for _, f := range look(cells) {
			w.exact, w.figures = append(w.exact, int8(f.exact)), append(w.figures, -1)
			if f.shown {
				w.figures[len(w.figures)-1] = int8(f.exact)
				a.shown++
			}
		}
		a.worlds = append(a.worlds, w)
		at := 0
		for cells[at]++; total(cells) > int64(a.most); cells[at]++ {
			cells[at] = 0
			if at++; at == a.cells {
				return
			}
		}
	}
}

// strong fails the test for what the strong adversary finds out.
func (a *adversary) strong(t *testing.T) {
	t.Helper()
	alike := map[string]*bounds{}
	for i := range a.worlds {
		w := &a.worlds[i]
		key := fmt.Sprint(w.figures)
		if alike[key] == nil {
			alike[key] = &bounds{slices.Clone(w.groups), slices.Clone(w.groups)}
		}
		alike[key].add(w)
	}
	leaks := 0
	for key, b := range alike {
		leaks += a.judge(t, key, b)
	}
	a.report(t, len(alike), leaks)
}

// plain fails the test for what the plain adversary finds out in some worlds.
func (a *adversary) plain(t *testing.T, some int) {
	t.Helper()
	r := rand.New(rand.NewPCG(11, 12))
	leaks := 0
	for range some {
		seen := a.worlds[r.IntN(len(a.worlds))]
		b := &bounds{slices.Clone(seen.groups), slices.Clone(seen.groups)}
		for i := range a.worlds {
			if seen.couldBe(&a.worlds[i]) {
				b.add(&a.worlds[i])
			}
		}
		leaks += a.judge(t, fmt.Sprint(seen.figures), b)
	}
	a.report(t, some, leaks)
}

// couldBe reports whether what is shown of w is true of o.
func (w *world) couldBe(o *world) bool {
	for i, n := range w.figures {
		if n >= 0 && n != o.exact[i] {
			return false
		}
	}
	return true
}

// bounds are the smallest and the largest count of each group in worlds that
// look alike.
type bounds struct{ low, high []int8 }

func (b *bounds) add(w *world) {
	for group, n := range w.groups {
		b.low[group], b.high[group] = min(b.low[group], n), max(b.high[group], n)
	}
}

// judge returns how many groups are found out. It leaves worlds aside that may
// look like larger ones, which were not tried: those of no fixed number of
// people that come close to the most.
func (a *adversary) judge(t *testing.T, key string, b *bounds) (leaks int) {
	t.Helper()
	if all := len(b.low) - 1; !a.fixed(b, all) {
		return 0
	}
	for group, low := range b.low {
		if low == b.high[group] && low > 0 && int64(low) < a.least {
			if leaks++; leaks == 1 {
				t.Errorf("%s: cells %0*b hold %d", key, a.cells, group, low)
			}
		}
	}
	return leaks
}

func (a *adversary) fixed(b *bounds, all int) bool {
	return b.low[all] == b.high[all] && int(b.high[all]) < a.most || int64(b.high[all])+2*a.least <= int64(a.most)
}

// report says what was tried, and fails the test where next to nothing was
// shown, which would be safe and of no use.
func (a *adversary) report(t *testing.T, views, leaks int) {
	t.Helper()
	t.Logf("%d worlds, %d views, %d counts are shown, %d small groups are found out", len(a.worlds), views, a.shown, leaks)
	if a.shown < len(a.worlds) {
		t.Error("too little is shown to be a test")
	}
}

// smallConfig is one tenant with nothing but what a test asks for.
func smallConfig(t *testing.T, spaces int, parties ...snapshot.Party) Config {
	t.Helper()
	list := index.Builtin()[1:] // without maid
	list = append(list, index.Namespace{Name: "crm.acme"})
	for i := range spaces {
		list = append(list, index.Namespace{Name: fmt.Sprintf("cookie.%d", i)})
	}
	ns, err := index.NewNamespaces(list)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{AsOf: asOf, Namespaces: ns, Tenants: []snapshot.Tenant{{Name: "acme"}}}
	for i, p := range parties {
		c.Sources = append(c.Sources, snapshot.Source{Name: fmt.Sprint("s", i), Party: p})
	}
	return c
}

// customers returns the counts of people customers, so many of them reached,
// with one device each.
func customers(c Config, people, reached int64) *Data {
	d := &Data{cfg: c, counts: newCounts(c)}
	d.counts.persons = people
	d.counts.sizes[0] = people
	a := &d.counts.audiences[0]
	a.people, a.records = people, people
	for i := range a.party {
		a.party[i] = reached
	}
	for i := range a.method {
		a.method[i] = reached
	}
	a.devices[0], a.devices[1] = people-reached, reached
	return d
}

// Three segments that overlap as they like, and customers in none of them.
func TestAdversarySegments(t *testing.T) {
	cfg := smallConfig(t, 0)
	cfg.Segments = []snapshot.Segment{{Code: "a"}, {Code: "b"}, {Code: "c"}}
	cfg.Largest = []uint32{0, 1, 2}
	adv := &adversary{cells: 8, most: 11, least: 3}
	if testing.Short() {
		adv.most = 7
	}
	adv.try(func(cells []int64) []*figure {
		d := customers(cfg, total(cells), 0)
		copy(d.counts.overlap, cells)
		f := d.decide(adv.least)
		return []*figure{
			f.persons, f.audiences[0].people, f.segments[0], f.segments[1], f.segments[2],
			f.pairs[[2]int{0, 1}], f.pairs[[2]int{0, 2}], f.pairs[[2]int{1, 2}],
		}
	})
	adv.strong(t)
}

// Three sources, one a party, each reaching whom it likes.
func TestAdversarySources(t *testing.T) {
	for _, parties := range [][]snapshot.Party{
		{snapshot.FirstParty, snapshot.SecondParty, snapshot.ThirdParty},
		{snapshot.FirstParty, snapshot.ThirdParty, snapshot.ThirdParty},
		{snapshot.FirstParty, snapshot.FirstParty, snapshot.ThirdParty},
	} {
		t.Run(fmt.Sprint(parties), func(t *testing.T) {
			cfg := smallConfig(t, 1, parties...)
			adv := &adversary{cells: 8, most: 10, least: 3}
			if testing.Short() {
				adv.most = 6
			}
			adv.try(func(cells []int64) []*figure {
				d := customers(cfg, total(cells), total(cells[1:]))
				a := &d.counts.audiences[0]
				a.namespaces[4] = a.reached()
				a.party = [3]int64{}
				for set, n := range cells {
					best := 3
					for s := range a.sources {
						if set>>s&1 == 1 {
							a.sources[s].reached += n
							best = min(best, int(parties[s]))
						}
					}
					if set != 0 && set&(set-1) == 0 {
						a.sources[bits.TrailingZeros(uint(set))].only += n
					}
					for p := best; p < len(a.party); p++ {
						a.party[p] += n
					}
				}
				v := &d.decide(adv.least).audiences[0]
				shown := []*figure{v.people, v.reached, v.party[0], v.party[1]}
				return append(append(shown, v.reach...), v.only...)
			})
			adv.plain(t, 500)
		})
	}
}

// Two and three namespaces, of which everybody reached has one or more.
func TestAdversaryNamespaces(t *testing.T) {
	for spaces := 2; spaces <= 3; spaces++ {
		cfg := smallConfig(t, spaces)
		adv := &adversary{cells: 1 << spaces, most: 12, least: 3}
		if spaces == 2 {
			adv.most = 32
			adv.least = 5
		}
		if testing.Short() {
			adv.most -= 4
		}
		adv.try(func(cells []int64) []*figure {
			d := customers(cfg, total(cells), total(cells[1:]))
			a := &d.counts.audiences[0]
			if spaces == 2 {
				a.devices[1] = 0
			}
			for set, n := range cells {
				for s := range spaces {
					a.namespaces[4+s] += n * int64(set>>s&1)
				}
				if set != 0 && spaces == 2 {
					a.devices[bits.OnesCount(uint(set))] += n
				}
			}
			v := &d.decide(adv.least).audiences[0]
			shown := append([]*figure{v.people, v.reached}, v.namespaces...)
			if spaces == 2 { // who has both has two devices or more, here just two
				shown = append(shown, v.devices[1])
			}
			return shown
		})
		if spaces == 2 {
			adv.plain(t, 500)
		} else {
			adv.strong(t)
		}
	}
}

// Consent that ends within 30, 90 and 180 days, later or never.
func TestAdversaryConsent(t *testing.T) {
	cfg := smallConfig(t, 0)
	adv := &adversary{cells: 4, most: 25, least: 3}
	adv.try(func(cells []int64) []*figure {
		d := customers(cfg, total(cells), 0)
		for i := range d.counts.audiences[0].consent {
			d.counts.audiences[0].consent[i] = total(cells[:i+1])
		}
		v := &d.decide(adv.least).audiences[0]
		return append([]*figure{v.people}, v.consent...)
	})
	adv.strong(t)
}

// Customers, prospects and others, small and large.
func TestAdversaryPersons(t *testing.T) {
	cfg := smallConfig(t, 0)
	adv := &adversary{cells: 6, most: 16, least: 4}
	if testing.Short() {
		adv.most = 7
	}
	adv.try(func(cells []int64) []*figure {
		d := customers(cfg, total(cells[:2]), 0)
		p := &d.counts.audiences[1]
		p.people, p.records = total(cells[2:4]), total(cells[2:4])
		d.counts.persons = total(cells)
		d.counts.sizes = [len(sizeSteps)]int64{}
		for i, n := range cells {
			d.counts.sizes[i%2] += n
		}
		f := d.decide(adv.least)
		return append([]*figure{f.audiences[0].people, f.audiences[1].people}, f.sizes[:2]...)
	})
	adv.strong(t)
}

// Duplicates are shown where enough people have them, however many they are.
func TestDuplicatesOfFewPeople(t *testing.T) {
	for _, c := range []struct {
		duplicates, repeated int64
		shown                bool
	}{{0, 0, true}, {49, 49, false}, {50, 49, false}, {5000, 1, false}, {50, 50, true}} {
		d := customers(smallConfig(t, 0), 1000, 0)
		d.counts.audiences[0].records += c.duplicates
		d.counts.audiences[0].repeated = c.repeated
		v := d.disclose().Tenants[0]
		if v.Duplicates.shown != c.shown || v.Records.shown != c.shown {
			t.Errorf("%d duplicates of %d people: %v of %v", c.duplicates, c.repeated, v.Duplicates, v.Records)
		}
	}
}

func total(cells []int64) (n int64) {
	for _, x := range cells {
		n += x
	}
	return n
}
