package world

import (
	"slices"
	"testing"
)

// Draws have the share of hits that is asked for, are the same for the same
// seed, and a Zipf draw asks for few identifiers far more often than a uniform
// one does.
func TestDraw(t *testing.T) {
	w := &World{IDs: 10_000, Seed: 3}
	owned := map[string]bool{}
	for i := range w.IDs {
		owned[string(w.AppendText(nil, i))] = true
	}
	if len(owned) != w.IDs {
		t.Fatalf("%d different identifiers of %d", len(owned), w.IDs)
	}
	const n = 100_000
	for _, d := range []Draw{{Hits: 1}, {Hits: 0}, {Hits: 0.2}, {Hits: 0.2, Zipf: true}, {Hits: 1, Zipf: true}} {
		ids := w.Draw(d, n, 5)
		hits, times, most := 0, map[string]int{}, 0
		for _, id := range ids {
			if owned[string(id)] {
				hits++
			}
			times[string(id)]++
			most = max(most, times[string(id)])
		}
		if share := float64(hits) / n; share < d.Hits-0.01 || share > d.Hits+0.01 {
			t.Errorf("%+v: %.3f of the draws are hits", d, share)
		}
		if often := most > n/100; often != d.Zipf {
			t.Errorf("%+v: one identifier is drawn %d times of %d", d, most, n)
		}
		if again := w.Draw(d, n, 5); !slices.EqualFunc(ids, again, slices.Equal) {
			t.Errorf("%+v: the same seed draws other identifiers", d)
		}
		if other := w.Draw(d, n, 6); slices.EqualFunc(ids, other, slices.Equal) {
			t.Errorf("%+v: another seed draws the same identifiers", d)
		}
	}
}
