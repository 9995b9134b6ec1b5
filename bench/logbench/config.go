// Package logbench measures the log of live changes beside Pebble, on which it
// stands: acknowledged events a second against Pebble's own synchronous writes
// of as many bytes, and opening a log, with every record checked and handed
// out, against Pebble alone iterating over the same files.
//
// Sides take turns, round by round, and the median of the rounds' ratios is
// what is shown. What was acknowledged is counted in the log afterwards.
package logbench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/matchd/matchd/bench"
)

// Config says what to measure.
type Config struct {
	// Writers are how many goroutines append at once, each waiting for one event
	// to be acknowledged before it sends the next.
	Writers []int
	// Body is the size of an event's body, in bytes.
	Body int
	// Rounds is how often everything is measured, Duration the time of a side
	// in a round of appends.
	Rounds   int
	Duration time.Duration
	// Replayed is how many events the log holds that is opened.
	Replayed int
	// Dir is where the logs are, in a folder of its own; empty is the system's
	// place for temporary files. Its disk is what is measured.
	Dir string
	// Log, if not nil, is told what happens.
	Log func(format string, args ...any)
}

// Default measures for about two minutes.
func Default() Config {
	return Config{Writers: []int{1, 16, 128}, Body: 100, Rounds: 11, Duration: time.Second, Replayed: 3_000_000}
}

// Validate checks the ranges.
func (c Config) Validate() error {
	if len(c.Writers) == 0 || slices.Min(c.Writers) < 1 || slices.Max(c.Writers) > 1<<12 {
		return fmt.Errorf("logbench: %d writers: give 1 to %d each", c.Writers, 1<<12)
	}
	if c.Body < 8 || c.Body > 1<<16 {
		return fmt.Errorf("logbench: bodies of %d bytes: give 8 to %d", c.Body, 1<<16)
	}
	if c.Rounds < 1 || c.Rounds > 1<<10 || c.Duration <= 0 {
		return fmt.Errorf("logbench: %d rounds of %s: give 1 to %d, of some time", c.Rounds, c.Duration, 1<<10)
	}
	if c.Replayed < 1 || c.Replayed > 1<<28 {
		return fmt.Errorf("logbench: %d events to replay: give 1 to %d", c.Replayed, 1<<28)
	}
	return nil
}

// Result is what a run found.
type Result struct {
	Config  Config        `json:"-"`
	Machine bench.Machine `json:"machine"`
	Appends []Pair        `json:"appends"` // by Config.Writers
	Replay  Pair          `json:"replay"`
	// Tuned is the rate of Pebble, by round of Replay, with what the log asks of it
	// while it reads all.
	Tuned []float64 `json:"tuned"`
}

// Pair is events a second of the log and of Pebble, by round.
type Pair struct {
	Ours   []float64 `json:"ours"`
	Pebble []float64 `json:"pebble"`
}

// Ratio is the log's rate by Pebble's, the middle of the rounds': what else the
// machine does in a round slows both.
func (p *Pair) Ratio() float64 {
	var q []float64
	for i := range p.Ours {
		q = append(q, p.Ours[i]/p.Pebble[i])
	}
	return bench.Median(q)
}

// take has both sides take a turn, see [inTurns].
func (p *Pair) take(round int, ours, pebble func() (float64, error)) error {
	return inTurns(round, side{&p.Ours, ours}, side{&p.Pebble, pebble})
}

// side is what measures a rate, and where that is added.
type side struct {
	to   *[]float64
	rate func() (float64, error)
}

// inTurns has each side take a turn; the one that begins changes from round to round.
func inTurns(round int, sides ...side) error {
	for i := range sides {
		s := &sides[(round+i)%len(sides)]
		rate, err := s.rate()
		if err != nil {
			return err
		}
		*s.to = append(*s.to, rate)
	}
	return nil
}

// Run measures.
func (c Config) Run(ctx context.Context) (_ *Result, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	dir, err := os.MkdirTemp(c.Dir, "matchd-log-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &Result{Config: c, Machine: bench.ThisMachine(), Appends: make([]Pair, len(c.Writers))}
	if err := c.replay(ctx, dir, r); err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	for round := range c.Rounds {
		for i, writers := range c.Writers {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			err := r.Appends[i].take(round,
				func() (float64, error) { return c.appendOurs(dir, writers) },
				func() (float64, error) { return c.appendPebble(dir, writers) })
			if err != nil {
				return nil, fmt.Errorf("append with %d writers: %w", writers, err)
			}
		}
		c.Log("round %d of %d of appends", round+1, c.Rounds)
	}
	return r, nil
}
