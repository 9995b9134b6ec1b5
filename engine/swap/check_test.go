package swap_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/matchd/matchd/engine/swap"
	"github.com/matchd/matchd/index"
)

// edit returns a crowd of 100 in which f changed each person, and dropped those
// for which it returned false.
func edit(f func(i int, p *person) bool) []person {
	var out []person
	for i, p := range crowd(100) {
		p.ids = slices.Clone(p.ids)
		if f(i, &p) {
			out = append(out, p)
		}
	}
	return out
}

// TestBounds has for each bound a snapshot that is just within it and one that
// is just beyond, and nothing else is found.
func TestBounds(t *testing.T) {
	all := swap.Bounds{
		IdentifiersShrink: 100, PersonsShrink: 100, ReachShrink: 100, SegmentShrink: 100,
		IdentifiersGrow: swap.MaxGrow, PersonsGrow: swap.MaxGrow, LargestPerson: 1 << 30, LargestGrow: swap.MaxGrow,
		IDsChanged: 100, CanaryLost: 100, CanaryChanged: 100, Minimum: 1,
	}
	without := func(n int) []person { return edit(func(i int, _ *person) bool { return i >= n }) }
	renamed := func(n int) []person {
		return edit(func(i int, p *person) bool {
			if i < n {
				p.id += 1000
			}
			return true
		})
	}
	cookieless := func(n int) []person {
		return edit(func(i int, p *person) bool {
			if i < n {
				p.ids = p.ids[:2] // without cookie.b
			}
			return true
		})
	}
	unsegmented := func(n int) []person {
		return edit(func(i int, p *person) bool {
			if i < n {
				p.segments = []uint32{0}
			}
			return true
		})
	}
	large := func(n int) []person {
		return edit(func(i int, p *person) bool {
			for k := range n {
				if i == 0 {
					p.ids = append(p.ids, "cookie.a:x"+strings.Repeat("y", k))
				}
			}
			return true
		})
	}
	for _, c := range []struct {
		name   string
		bound  func(b *swap.Bounds)
		within []person
		beyond []person
		want   swap.Reason
	}{
		{"identifiers fall", func(b *swap.Bounds) { b.IdentifiersShrink = 20 }, without(20), without(21), swap.Identifiers},
		{"identifiers rise", func(b *swap.Bounds) { b.IdentifiersGrow = 50 }, crowd(150), crowd(151), swap.Identifiers},
		{"persons fall", func(b *swap.Bounds) { b.PersonsShrink = 20 }, without(20), without(21), swap.Persons},
		{"persons rise", func(b *swap.Bounds) { b.PersonsGrow = 50 }, crowd(150), crowd(151), swap.Persons},
		{"reach", func(b *swap.Bounds) { b.ReachShrink = 30 }, cookieless(30), cookieless(31), swap.Reach},
		{"reach of nobody", func(b *swap.Bounds) { b.ReachShrink = 30 }, cookieless(0), cookieless(100), swap.Reach},
		{"segment", func(b *swap.Bounds) { b.SegmentShrink = 50 }, unsegmented(50), unsegmented(51), swap.Segment},
		{"largest person", func(b *swap.Bounds) { b.LargestPerson = 8 }, large(5), large(6), swap.Largest},
		{"largest person grows", func(b *swap.Bounds) { b.LargestGrow = 200 }, large(6), large(7), swap.Largest},
		{"ids", func(b *swap.Bounds) { b.IDsChanged = 5 }, renamed(5), renamed(6), swap.IDs},
		{"canary lost", func(b *swap.Bounds) { b.CanaryLost = 5 }, without(5), without(6), swap.Canary},
		{"canary changed", func(b *swap.Bounds) { b.CanaryChanged = 5 }, renamed(5), renamed(6), swap.Canary},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := all
			c.bound(&b)
			old := open(t, secret, crowd(100))
			var recent []index.Hash
			for _, p := range crowd(100) {
				recent = append(recent, hashOf(secret, p.ids[0]))
			}
			if r := must(swap.Check(&old, open(t, secret, c.within), recent, b))(t); len(r.Findings) > 0 {
				t.Errorf("within: %+v", r.Findings)
			}
			r := must(swap.Check(&old, open(t, secret, c.beyond), recent, b))(t)
			if len(r.Findings) != 1 || r.Findings[0].Reason != c.want {
				t.Errorf("beyond: %+v", r.Findings)
			}
			b.Minimum = 1 << 30 // too few to compare
			r = must(swap.Check(&old, open(t, secret, c.beyond), nil, b))(t)
			if c.name != "largest person" && len(r.Findings) > 0 {
				t.Errorf("of few: %+v", r.Findings)
			}
		})
	}
}

func TestCheckOfTheFirst(t *testing.T) {
	for _, c := range []struct {
		persons []person
		want    []swap.Reason
	}{{nil, []swap.Reason{swap.Empty}}, {crowd(1), nil}} {
		r := must(swap.Check(nil, open(t, secret, c.persons), nil, swap.DefaultBounds()))(t)
		var got []swap.Reason
		for _, f := range r.Findings {
			got = append(got, f.Reason)
		}
		if r.Compared || !slices.Equal(got, c.want) {
			t.Errorf("%d persons: %+v", len(c.persons), r)
		}
	}
}

// TestCheckUnderAnotherKey refuses what it cannot compare, though all is the
// same.
func TestCheckUnderAnotherKey(t *testing.T) {
	old := open(t, secret, crowd(50))
	r := must(swap.Check(&old, open(t, index.Secret{7}, crowd(50)), nil, swap.DefaultBounds()))(t)
	if len(r.Findings) != 1 || r.Findings[0].Reason != swap.Key {
		t.Errorf("%+v", r.Findings)
	}
}

// TestCanaryIsANaiveReplay compares with maps.
func TestCanaryIsANaiveReplay(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		before, after := scattered(r), scattered(r)
		a, b := open(t, secret, before), open(t, secret, after)
		was, is := owners(before), owners(after)
		var recent []index.Hash
		var want swap.Report
		for range 300 {
			id := ident(r)
			recent = append(recent, hashOf(secret, id))
			if w, ok := was[id]; ok {
				want.Canary++
				if i, ok := is[id]; !ok {
					want.Lost++
				} else if i != w {
					want.Changed++
				}
			}
		}
		got := must(swap.Check(&a, b, recent, swap.DefaultBounds()))(t)
		if got.Canary != want.Canary || got.Lost != want.Lost || got.Changed != want.Changed {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// TestRecentKeepsTheLast wraps around, and under many writers loses none but
// what is torn.
func TestRecentKeepsTheLast(t *testing.T) {
	r := swap.NewRecent()
	for i := range uint64(swap.RecentSize + 10) {
		r.Keep(index.Hash{Hi: i, Lo: i})
	}
	got := r.All()
	slices.SortFunc(got, index.Hash.Compare)
	if len(got) != swap.RecentSize || got[0].Hi != 10 || got[len(got)-1].Hi != swap.RecentSize+9 {
		t.Errorf("%d kept, from %v to %v", len(got), got[0], got[len(got)-1])
	}
	r.Reset()
	if len(r.All()) != 0 {
		t.Error("something is left")
	}
	kept := 0
	for i := range uint64(1 << 14) {
		before := len(r.All())
		r.See(index.Hash{Lo: i}, swap.Salt(12345))
		kept += len(r.All()) - before
	}
	if kept != 16 {
		t.Errorf("%d of 16,384 kept", kept)
	}
	var all sync.WaitGroup
	for w := range uint64(4) {
		all.Go(func() {
			for i := range uint64(1000) {
				r.Keep(index.Hash{Hi: w, Lo: i})
				if i%100 == 0 {
					r.All()
				}
			}
		})
	}
	all.Wait()
	if n := testing.AllocsPerRun(100, func() { r.Keep(index.Hash{}) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
