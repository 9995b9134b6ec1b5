package cachebench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/ask"
)

// subject is one of those that take turns.
type subject struct {
	name string
	// run does number from to from+n of what was drawn. Sums are compared where
	// they are not 0; hits is how often a cache had the answer, where that is
	// counted.
	run func(q ask.Question, from, n int) (sum uint64, hits int, err error)
}

// Row is what one subject took for one question.
type Row struct {
	Cache    string       `json:"cache"`
	Question ask.Question `json:"question"`
	// Rounds are nanoseconds of wall time by what was asked.
	Rounds []float64 `json:"rounds_ns"`
	// Allocs and Bytes are allocations by what was asked, of all rounds, in the
	// whole process: a cache's own goroutine is in them.
	Allocs float64 `json:"allocs"`
	Bytes  float64 `json:"bytes"`
	// Hits is the share that the cache had.
	Hits float64 `json:"hits"`
}

// Median is the middle of the rounds.
func (r *Row) Median() float64 { return bench.Median(r.Rounds) }

// Ratio is r's time by that of another row, the middle of the rounds': what
// else the machine does in a round slows both.
func (r *Row) Ratio(by *Row) float64 {
	var q []float64
	for i := range r.Rounds {
		q = append(q, r.Rounds[i]/by.Rounds[i])
	}
	return bench.Median(q)
}

// find returns the row of a cache and a question, or nil.
func find(rows []Row, cache string, q ask.Question) *Row {
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Cache == cache && r.Question == q })
	if i < 0 {
		return nil
	}
	return &rows[i]
}

// measure has the subjects answer the questions in turns, round by round, each
// time another part of n of what was drawn, after the first warm ones. The one
// that begins changes from round to round.
func measure(ctx context.Context, subjects []subject, questions []ask.Question, rounds, warm, n int) ([]Row, error) {
	var rows []Row
	for _, q := range questions {
		for _, s := range subjects {
			rows = append(rows, Row{Cache: s.name, Question: q})
		}
	}
	for round := range rounds {
		for k := range questions {
			from, want := warm+(round*len(questions)+k)*n, uint64(0)
			for i := range subjects {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				at := (i + round) % len(subjects)
				sum, err := rows[k*len(subjects)+at].add(subjects[at], from, n)
				if err != nil {
					return nil, fmt.Errorf("cache %s: %w", subjects[at].name, err)
				}
				if want != 0 && sum != 0 && sum != want {
					return nil, fmt.Errorf("cache %s: other answers than with the other caches", subjects[at].name)
				}
				want = max(want, sum)
			}
		}
	}
	for i := range rows {
		r, all := &rows[i], float64(rounds*n)
		r.Allocs, r.Bytes, r.Hits = r.Allocs/all, r.Bytes/all, r.Hits/all
	}
	return rows, nil
}

// add runs a subject once. Garbage of those before it is collected first.
func (r *Row) add(s subject, from, n int) (sum uint64, err error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	sum, hits, err := s.run(r.Question, from, n)
	r.Rounds = append(r.Rounds, float64(time.Since(start).Nanoseconds())/float64(n))
	runtime.ReadMemStats(&after)
	r.Allocs += float64(after.Mallocs - before.Mallocs)
	r.Bytes += float64(after.TotalAlloc - before.TotalAlloc)
	r.Hits += float64(hits)
	return sum, err
}
