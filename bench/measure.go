package bench

import (
	"context"
	"slices"
	"time"
)

// Case is one thing to measure.
type Case struct {
	Name string
	// Run does n operations.
	Run func(n int)
	// N is how many operations a round does.
	N int
}

// Timing is the result of one case.
type Timing struct {
	Name string `json:"name"`
	// Rounds are the times of the rounds, in nanoseconds an operation.
	Rounds []float64 `json:"rounds_ns"`
}

// Median is the middle of the rounds, in nanoseconds an operation.
func (t Timing) Median() float64 {
	s := slices.Sorted(slices.Values(t.Rounds))
	return s[len(s)/2]
}

// interleave measures the cases round by round, after one round to warm up.
func interleave(ctx context.Context, cases []Case, rounds int) ([]Timing, error) {
	out := make([]Timing, len(cases))
	for i := range cases {
		out[i].Name = cases[i].Name
	}
	for round := range rounds + 1 {
		for i, c := range cases {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			start := time.Now()
			c.Run(c.N)
			if ns := float64(time.Since(start).Nanoseconds()) / float64(c.N); round > 0 {
				out[i].Rounds = append(out[i].Rounds, ns)
			}
		}
	}
	return out, nil
}
