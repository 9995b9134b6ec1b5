package overlay_test

import (
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
)

// What is held, with opt-outs and erasures, comes to the facts that all comes to,
// beside whatever snapshot; and some is not held.
func TestHeldChangesSuffice(t *testing.T) {
	n := names(t)
	hashes := map[string]index.Hash{}
	dropped := 0
	for seed := range uint64(cases(20_000)) {
		r := rand.New(rand.NewPCG(seed, 11))
		m := &model{names: n, hashes: hashes}
		var list []overlay.Change
		for i := range 1 + r.IntN(14) {
			m.events = append(m.events, randomEvent(r, m))
			list = append(list, change(t, n, uint64(i+1), m.events[i]))
		}
		o, whole := overlay.New(uint64(r.IntN(15))).With(list), overlay.New(0).With(list)
		left := overlay.NewBuilder(0)
		for i := range list {
			switch list[i].Event.Type {
			case event.OptOut, event.OptIn, event.Erase:
			default:
				if !o.Holds(&list[i]) {
					dropped++
					continue
				}
			}
			left.Add(&list[i])
		}
		want, _ := read(t, whole)
		if got, _ := read(t, left.Build()); !maps.Equal(got, want) {
			t.Fatalf("seed %d: what is held comes to\n%v\nwant\n%v\nof %+v", seed, got, want, m.events)
		}
	}
	if dropped < cases(20_000) {
		t.Errorf("%d changes are not held: too few to tell", dropped)
	}
}
