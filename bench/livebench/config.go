// Package livebench measures what live changes cost lookups: the same
// identifiers asked of one snapshot without an overlay, beside an empty one, and
// beside one with a million entries, of other identifiers than those asked.
// Identifiers that are changed themselves are asked too, and shown beside it.
//
// All sides are sessions of one engine, on the same memory, and take turns, round
// by round; what is shown is the middle of the rounds' ratios.
package livebench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// Config says what to measure.
type Config struct {
	// IDs is how many mobile ids the snapshot holds, three of each person.
	IDs int
	// Entries is how many persons have a live change each: one of its
	// identifiers is opted out, or the customer is added to a segment, or his
	// consent is renewed. They are at most half of all persons.
	Entries int
	// Probes is how many lookups a side makes in a round of each case.
	Probes int
	Rounds int
	Seed   uint64
	Memory snapshot.Memory
	// Dir is where the data is built, in a folder of its own; empty is the
	// system's place for temporary files.
	Dir string
	// Store, if not empty, is the folder of a store that has the snapshot of the
	// world of IDs and Seed already.
	Store string
	// Log, if not nil, is told what happens.
	Log func(format string, args ...any)
}

// Default measures a million entries beside ten million ids.
func Default() Config {
	return Config{IDs: 10_000_000, Entries: 1_000_000, Probes: 500_000, Rounds: 21, Seed: 1, Memory: snapshot.Copy}
}

// Validate checks the ranges.
func (c Config) Validate() error {
	w := world.World{IDs: c.IDs}
	if c.IDs < 1 || c.IDs > 1<<30 || c.Entries < 1 || c.Entries > w.Persons()/2 {
		return fmt.Errorf("livebench: %d ids and %d entries: give up to %d ids, and an entry for at most one in two of their %d persons", c.IDs, c.Entries, 1<<30, w.Persons())
	}
	if c.Probes < batch || c.Probes > 1<<26 || c.Rounds < 1 || c.Rounds > 1<<10 {
		return fmt.Errorf("livebench: %d probes and %d rounds: give %d to %d probes and 1 to %d rounds", c.Probes, c.Rounds, batch, 1<<26, 1<<10)
	}
	if c.Memory != snapshot.Copy && c.Memory != snapshot.Map {
		return fmt.Errorf("livebench: memory %q is neither %s nor %s", c.Memory, snapshot.Copy, snapshot.Map)
	}
	return nil
}

// Result is what a run found.
type Result struct {
	Config  Config        `json:"-"`
	Machine bench.Machine `json:"machine"`
	// OverlayBytes is what the overlay takes in memory.
	OverlayBytes int    `json:"overlay_bytes"`
	Cases        []Case `json:"cases"`
}

// Case is a way of asking, and what it took, in nanoseconds an identifier, by
// round.
type Case struct {
	Asked   Asked     `json:"asked"`
	Batch   int       `json:"batch"`
	Without []float64 `json:"without_ns"`
	Empty   []float64 `json:"empty_ns"`
	With    []float64 `json:"with_ns"`
}

// Asked is which identifiers are asked for.
type Asked string

// What is asked for. Hits are of persons without a change, misses of nobody, and
// changed ones are mobile ids of persons with one.
const (
	Hits    Asked = "hits"
	Misses  Asked = "misses"
	Changed Asked = "of the changed"
)

// batch is how many identifiers are asked for at once, where it is not one.
const batch = 256

// Run builds the data and measures.
func (c Config) Run(ctx context.Context) (_ *Result, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	dir, err := os.MkdirTemp(c.Dir, "matchd-live-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w := &world.World{IDs: c.IDs, Seed: c.Seed}
	store, err := w.Open(ctx, c.Store, dir, c.Log)
	if err != nil {
		return nil, err
	}
	now := w.AsOf().Add(time.Hour)
	e, err := engine.New(engine.Options{Store: store, Memory: c.Memory, Now: func() time.Time { return now }})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := e.SetClients([]engine.Client{bench.WorldClient}); err != nil {
		return nil, err
	}
	if _, err := e.Reload(); err != nil {
		return nil, err
	}
	return c.measure(ctx, w, e, store)
}

// measure asks all sides in turn, after one round to warm up in which those have
// to agree on the answers that are asked the same.
func (c Config) measure(ctx context.Context, w *world.World, e *engine.Engine, store *snapshot.Store) (*Result, error) {
	c.Log("making %d live changes", c.Entries)
	live, err := c.overlay(w, store)
	if err != nil {
		return nil, err
	}
	r := &Result{Config: c, Machine: bench.ThisMachine(), OverlayBytes: live.Bytes()}
	sides, end, err := open(e, live)
	if err != nil {
		return nil, err
	}
	defer end()
	texts := map[Asked][][]byte{}
	for _, asked := range []Asked{Hits, Misses, Changed} {
		texts[asked] = c.draw(w, asked)
		for _, n := range []int{1, batch} {
			r.Cases = append(r.Cases, Case{Asked: asked, Batch: n})
		}
	}
	for round := range c.Rounds + 1 {
		for i := range r.Cases {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := r.Cases[i].take(round, sides, texts[r.Cases[i].Asked], c.Probes); err != nil {
				return nil, err
			}
		}
		c.Log("round %d of %d", round, c.Rounds)
	}
	return r, nil
}

// take has each side take a turn; the one that begins changes from round to
// round. Round 0 warms up.
func (k *Case) take(round int, sides []*bench.Answerer, ids [][]byte, n int) error {
	rounds := []*[]float64{&k.Without, &k.Empty, &k.With}
	sums := make([]uint64, len(sides))
	for i := range sides {
		at := (i + round) % len(sides)
		t, err := ask.Time(ask.Question{Batch: k.Batch, Cores: 1}, []ask.Answerer{sides[at]}, ids, n)
		if err != nil {
			return err
		}
		if sums[at] = t.Sum; round > 0 {
			*rounds[at] = append(*rounds[at], t.NS)
		}
	}
	if sums[0] != sums[1] || k.Asked != Changed && sums[0] != sums[2] {
		return fmt.Errorf("livebench: %s: the answers differ", k.Asked)
	}
	return nil
}
