package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/snapshot"
)

// LookupConfig measures lookups in process: matchd in each memory mode, a Go
// map, embedded stores in processes of their own, and the limit.
type LookupConfig struct {
	// IDs is how many mobile ids the snapshot holds.
	IDs int
	// Probes is how many lookups a round of each case makes, and how many ids
	// are drawn for it. Targets that are slow make fewer.
	Probes int
	Rounds int
	Seed   uint64
	Memory []snapshot.Memory
	// Peers is the program that holds the embedded stores; empty is none.
	Peers string
	// PeerIDs is up to how many ids they are measured.
	PeerIDs int
	// LimitBytes is the memory over which the limit is measured.
	LimitBytes int
	// Store, if not empty, is the folder of a store that has the snapshot of
	// the world of IDs and Seed already.
	Store string
	// Dir is where the data is built, in a folder of its own; empty is the
	// system's place for temporary files.
	Dir string
	// Log, if not nil, is told what happens.
	Log func(format string, args ...any)
}

// DefaultLookup measures a million ids.
func DefaultLookup() LookupConfig {
	return LookupConfig{
		IDs: 1_000_000, Probes: 1_000_000, Rounds: 11, Seed: 1,
		Memory: []snapshot.Memory{snapshot.Copy, snapshot.Map}, PeerIDs: 10_000_000, LimitBytes: 1 << 30,
	}
}

// Validate checks the ranges.
func (c LookupConfig) Validate() error {
	if c.IDs < 1 || c.IDs > 1<<30 || c.Probes < largestBatch || c.Probes > 1<<26 || c.Rounds < 1 || len(c.Memory) == 0 || c.LimitBytes < 1<<10 {
		return fmt.Errorf("bench: %d ids, %d probes and %d rounds: give 1 to %d ids, %d to %d probes, and a round at least",
			c.IDs, c.Probes, c.Rounds, 1<<30, largestBatch, 1<<26)
	}
	return nil
}

// What is asked for: the headline first.
var (
	mixDraw  = world.Draw{Hits: 0.2}
	hitDraw  = world.Draw{Hits: 1}
	missDraw = world.Draw{Hits: 0}
	mixZipf  = world.Draw{Hits: 0.2, Zipf: true}
	hitZipf  = world.Draw{Hits: 1, Zipf: true}
)

// Sizes of batches. Who has no call for many asks for them one by one, without
// waiting.
const (
	single       = 1
	smallBatch   = 16
	batch        = 256
	largestBatch = 4096
)

// lookupQuestions lists the ways of asking.
func lookupQuestions() (list []ask.Question) {
	add := func(d world.Draw, cores int, batches ...int) {
		for _, b := range batches {
			list = append(list, ask.Question{Draw: d, Batch: b, Cores: cores})
		}
	}
	for _, d := range []world.Draw{mixDraw, hitDraw, missDraw} {
		add(d, 1, single, smallBatch, batch, largestBatch)
	}
	for _, d := range []world.Draw{mixZipf, hitZipf} {
		add(d, 1, single, batch)
	}
	for _, d := range []world.Draw{mixDraw, hitDraw} {
		add(d, 2, single, batch)
	}
	return list
}

// LookupResult is what a run found.
type LookupResult struct {
	Config LookupConfig `json:"-"`
	IDs    int          `json:"ids"`
	// Identifiers is how many the snapshot holds, customer ids included.
	Identifiers int            `json:"identifiers"`
	Machine     Machine        `json:"machine"`
	Sizes       map[string]int `json:"bytes_by_section"`
	// Limit is the time of a dependent random read, in nanoseconds, by round.
	Limit   []float64 `json:"limit_ns"`
	Targets []string  `json:"targets"`
	Cells   []Cell    `json:"cells"`
	// Skipped says what was not measured, and why.
	Skipped []string `json:"skipped,omitempty"`
}

// Cell is what one target took for one question.
type Cell struct {
	Target   string       `json:"target"`
	Question ask.Question `json:"question"`
	// Rounds are nanoseconds an identifier.
	Rounds []float64 `json:"rounds_ns"`
	sum    uint64
}

// Median is the middle of the rounds.
func (c *Cell) Median() float64 { return Median(c.Rounds) }

// Find returns the cell of a target and a question, or nil.
func (r *LookupResult) Find(target string, q ask.Question) *Cell {
	i := slices.IndexFunc(r.Cells, func(c Cell) bool { return c.Target == target && c.Question == q })
	if i < 0 {
		return nil
	}
	return &r.Cells[i]
}

// Run builds the data and measures.
func (c LookupConfig) Run(ctx context.Context) (_ *LookupResult, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	dir, err := os.MkdirTemp(c.Dir, "matchd-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w := &world.World{IDs: c.IDs, Seed: c.Seed}
	store, err := w.Open(ctx, c.Store, dir, c.Log)
	if err != nil {
		return nil, err
	}
	out := &LookupResult{Config: c, IDs: c.IDs, Machine: ThisMachine()}
	if err := out.measureSizes(store); err != nil {
		return nil, err
	}
	targets, err := c.targets(ctx, w, store, dir, out)
	if err != nil {
		return nil, err
	}
	defer closeAll(targets)
	return out, c.measure(ctx, targets, out)
}

func (r *LookupResult) measureSizes(store *snapshot.Store) error {
	return store.WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error {
		in, err := s.Inspect(1)
		r.Sizes, r.Identifiers = map[string]int{}, int(s.Counts.Identifiers)
		for _, sec := range in.Sections {
			r.Sizes[sec.Tag] = int(sec.Bytes)
		}
		return err
	})
}

// measure asks all targets in turn, round by round, after one round to warm up
// in which they have to agree on the answers.
func (c LookupConfig) measure(ctx context.Context, targets []target, out *LookupResult) error {
	limit, err := newChase(c.LimitBytes, c.Seed)
	if err != nil {
		return err
	}
	defer limit.free()
	questions := lookupQuestions()
	c.Log("measuring %d targets with %d questions, %d rounds of %d lookups", len(targets), len(questions), c.Rounds, c.Probes)
	for _, t := range targets {
		out.Targets = append(out.Targets, t.name())
		for _, q := range questions {
			if !t.skips(q) {
				out.Cells = append(out.Cells, Cell{Target: t.name(), Question: q})
			}
		}
	}
	for round := range c.Rounds + 1 {
		for _, q := range questions {
			ns := limit.time(c.Probes / len(questions))
			if round > 0 {
				out.Limit = append(out.Limit, ns)
			}
			if err := c.ask(ctx, targets, q, round, out); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c LookupConfig) ask(ctx context.Context, targets []target, q ask.Question, round int, out *LookupResult) error {
	for i := range targets {
		if err := ctx.Err(); err != nil {
			return err
		}
		t := targets[(i+round)%len(targets)] // each is first in turn
		cell := out.Find(t.name(), q)
		if cell == nil {
			continue
		}
		n := c.Probes
		if round == 0 {
			n = largestBatch // the same for all, so that sums can be compared
		} else if t.slow() {
			n /= 8
		}
		took, err := t.time(ctx, q, n)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name(), err)
		}
		if round > 0 {
			cell.Rounds = append(cell.Rounds, took.NS)
			continue
		}
		cell.sum = took.Sum
		if first := out.Find(targets[0].name(), q); first.sum != cell.sum {
			return fmt.Errorf("%s and %s give different answers to %v", t.name(), targets[0].name(), q)
		}
	}
	return nil
}
