package enrich

import (
	"context"
	"runtime"
	"time"

	"github.com/matchd/matchd/bench"
)

// Pair is what two sides took in turns, in nanoseconds, round by round.
type Pair struct {
	Ours, Theirs []float64
}

// Faster is how many times as fast as the other side ours is, the middle of the
// rounds': what else the machine does in a round slows both.
func (p *Pair) Faster() float64 {
	ratios := make([]float64, len(p.Ours))
	for i := range ratios {
		ratios[i] = p.Theirs[i] / p.Ours[i]
	}
	return bench.Median(ratios)
}

// side does number from to from+n of what there is to do, of as many as are
// there, and round again.
type side struct {
	run func(from, n int) error
	n   int // how many a round does
}

// turns lets two sides take turns in some rounds, after one to warm up. Which
// begins changes. What one leaves to the collector is collected before the
// other one's turn, and what a turn lets it do meanwhile counts.
func turns(ctx context.Context, rounds int, ours, theirs side) (p Pair, err error) {
	for round := range rounds + 1 {
		for i := range 2 {
			if err := ctx.Err(); err != nil {
				return p, err
			}
			s, to := ours, &p.Ours
			if (i+round)%2 == 1 {
				s, to = theirs, &p.Theirs
			}
			runtime.GC()
			start := time.Now()
			if err := s.run(round*s.n, s.n); err != nil {
				return p, err
			}
			if took := time.Since(start); round > 0 {
				*to = append(*to, float64(took.Nanoseconds())/float64(s.n))
			}
		}
	}
	return p, nil
}

// allocated is how many objects one of the things that a side does allocates,
// once it is warm, all that the process did meanwhile included.
func allocated(s side) (float64, error) {
	var before, after runtime.MemStats
	if err := s.run(0, s.n); err != nil {
		return 0, err
	}
	runtime.ReadMemStats(&before)
	err := s.run(0, s.n)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(s.n), err
}
