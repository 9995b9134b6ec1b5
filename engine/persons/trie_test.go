package persons

import (
	"math/rand/v2"
	"testing"

	"github.com/matchd/matchd/index"
)

// TestTrie does at random what a map does, and holds every version against its
// own map: also those before the last.
func TestTrie(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	type version struct {
		t trie[int]
		m map[index.Hash]int
	}
	versions := []version{{m: map[index.Hash]int{}}}
	key := func() index.Hash {
		h := index.Hash{Hi: r.Uint64N(2), Lo: r.Uint64N(40)}
		switch r.IntN(3) { // that are the same in their low bits, or in all 64
		case 0:
			h.Lo <<= 60
		case 1:
			h = index.Hash{Hi: r.Uint64N(30)}
		}
		return h
	}
	for i := range 3000 {
		from := versions[max(0, len(versions)-1-r.IntN(3))]
		next := version{t: from.t, m: map[index.Hash]int{}}
		for k, v := range from.m {
			next.m[k] = v
		}
		if k := key(); r.IntN(3) > 0 {
			next.t = next.t.with(k, i)
			next.m[k] = i
		} else {
			next.t = next.t.without(k)
			delete(next.m, k)
		}
		versions = append(versions, next)
	}
	most := 0
	for i, v := range versions {
		most = max(most, len(v.m))
		if v.t.n != len(v.m) {
			t.Fatalf("version %d: %d entries, not %d", i, v.t.n, len(v.m))
		}
		for k, want := range v.m {
			if got, ok := v.t.get(k); !ok || got != want {
				t.Fatalf("version %d: %v is %d, %v, not %d", i, k, got, ok, want)
			}
		}
		if k := key(); v.m[k] == 0 {
			if _, there := v.m[k]; !there {
				if got, ok := v.t.get(k); ok {
					t.Fatalf("version %d: %v is %d", i, k, got)
				}
			}
		}
	}
	if most < 50 {
		t.Errorf("at most %d entries", most)
	}
}
