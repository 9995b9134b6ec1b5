package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// SortEntries agrees with the library's sort, also where hashes are hard on a
// radix sort, and keeps every entry.
func TestSortEntries(t *testing.T) {
	kinds := map[string]func(r *rand.Rand) Hash{
		"few":    func(r *rand.Rand) Hash { return Hash{r.Uint64N(4), r.Uint64N(4)} },
		"bytes":  func(r *rand.Rand) Hash { return Hash{r.Uint64N(2) << (8 * r.IntN(8)), r.Uint64()} },
		"equal":  func(*rand.Rand) Hash { return Hash{1, 2} },
		"by low": func(r *rand.Rand) Hash { return Hash{r.Uint64N(1000), r.Uint64()} },
	}
	for kind, hash := range hashKinds {
		kinds[kind] = func(r *rand.Rand) Hash { return hash(r, 3) }
	}
	order := func(a, b Entry) int {
		if c := a.Hash.Compare(b.Hash); c != 0 {
			return c
		}
		return int(a.Addr) - int(b.Addr)
	}
	for kind, hash := range kinds {
		for _, n := range []int{0, 1, 2, sortFew, sortFew + 1, 300, 20_000} {
			t.Run(fmt.Sprint(kind, " ", n), func(t *testing.T) {
				r := rand.New(rand.NewPCG(5, uint64(n)))
				entries := make([]Entry, n)
				for i := range entries {
					entries[i] = Entry{hash(r), uint64(i)}
				}
				want := slices.Clone(entries)
				slices.SortFunc(want, order)
				SortEntries(entries)
				if !slices.IsSortedFunc(entries, func(a, b Entry) int { return a.Hash.Compare(b.Hash) }) {
					t.Fatal("not sorted")
				}
				slices.SortFunc(entries, order) // those of one hash may stand in any order
				if !slices.Equal(entries, want) {
					t.Fatal("entries are lost or changed")
				}
			})
		}
	}
}

func BenchmarkSortEntries(b *testing.B) {
	from := randomEntries(rand.New(rand.NewPCG(1, 1)), 1_000_000)
	for i := range from {
		from[i].Hash.Hi >>= 6 // as in one shard of 64
	}
	entries := make([]Entry, len(from))
	for b.Loop() {
		copy(entries, from)
		SortEntries(entries)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(from)), "ns/entry")
}
