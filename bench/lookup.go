package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// LookupConfig measures lookups in process: matchd in each memory mode, a Go
// map, and the limit.
type LookupConfig struct {
	// IDs is how many mobile ids the snapshot holds.
	IDs int
	// Probes is how many lookups a round of each case makes; as many ids are
	// drawn, uniformly.
	Probes int
	Rounds int
	Seed   uint64
	Memory []snapshot.Memory
	// Dir is where the snapshot is built, in a folder of its own; empty is
	// the system's place for temporary files.
	Dir string
	// Log, if not nil, is told what happens.
	Log func(format string, args ...any)
}

// DefaultLookup measures a million ids.
func DefaultLookup() LookupConfig {
	return LookupConfig{
		IDs: 1_000_000, Probes: 1_000_000, Rounds: 7, Seed: 1,
		Memory: []snapshot.Memory{snapshot.Map, snapshot.Copy},
	}
}

// Validate checks the ranges.
func (c LookupConfig) Validate() error {
	if c.IDs < 1 || c.IDs > 1<<30 || c.Probes < batchSize || c.Probes > 1<<26 || c.Rounds < 1 || len(c.Memory) == 0 {
		return fmt.Errorf("bench: %d ids, %d probes and %d rounds: give 1 to %d ids, %d to %d probes, and a round at least",
			c.IDs, c.Probes, c.Rounds, 1<<30, batchSize, 1<<26)
	}
	return nil
}

// LookupResult is what a run found.
type LookupResult struct {
	Config  LookupConfig   `json:"-"`
	IDs     int            `json:"ids"`
	Machine Machine        `json:"machine"`
	Sizes   map[string]int `json:"bytes_by_section"`
	Timings []Timing       `json:"timings"`
	// Index is the size of filter and table in bytes an identifier.
	Index float64 `json:"filter_and_table_bytes_an_id"`
}

// Names of cases that the result is read by.
const caseLimit = "dependent read"

// batchSize is the size of the batches that are measured.
const batchSize = 256

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
	w := &world{ids: c.IDs, seed: c.Seed, asOf: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	c.Log("building a snapshot of %d ids", c.IDs)
	store, err := w.publish(ctx, dir)
	if err != nil {
		return nil, err
	}
	out := &LookupResult{Config: c, IDs: c.IDs, Machine: ThisMachine()}
	if err := out.measureSizes(store); err != nil {
		return nil, err
	}
	cases, done, err := c.cases(ctx, w, store)
	if err != nil {
		return nil, err
	}
	defer done()
	c.Log("measuring %d cases, %d rounds of %d lookups", len(cases), c.Rounds, c.Probes)
	out.Timings, err = interleave(ctx, cases, c.Rounds)
	return out, err
}

func (r *LookupResult) measureSizes(store *snapshot.Store) error {
	return store.WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error {
		in, err := s.Inspect(1)
		r.Sizes = map[string]int{}
		for _, sec := range in.Sections {
			r.Sizes[sec.Tag] = int(sec.Bytes)
		}
		r.Index = float64(r.Sizes["filter"]+r.Sizes["table"]) / float64(s.Counts.Identifiers)
		return err
	})
}

// probes are identifiers as texts, in one buffer.
type probes [][]byte

func (w *world) probes(n int, random *rand.Rand, from, to int) probes {
	buf := make([]byte, 0, n*48)
	out := make(probes, n)
	for i := range out {
		start := len(buf)
		buf = w.text(buf, from+random.IntN(to-from))
		out[i] = buf[start:len(buf):len(buf)]
	}
	return out
}

func (c LookupConfig) cases(ctx context.Context, w *world, store *snapshot.Store) (_ []Case, done func(), err error) {
	random := rand.New(rand.NewPCG(c.Seed, 1))
	hits, misses := w.probes(c.Probes, random, 0, w.ids), w.probes(c.Probes, random, w.ids, 8*w.ids)
	var cleanup []func()
	done = func() {
		for _, f := range cleanup {
			f()
		}
	}
	limit, err := newChase(chaseBytes, c.Seed)
	if err != nil {
		return nil, nil, err
	}
	cleanup = append(cleanup, limit.free)
	out := []Case{{Name: caseLimit, Run: limit.run, N: c.Probes}}
	for _, m := range c.Memory {
		t, err := newTarget(store, m, w.asOf)
		if err != nil {
			done()
			return nil, nil, err
		}
		cleanup = append(cleanup, t.close)
		if err := t.check(w, hits, misses); err != nil {
			done()
			return nil, nil, err
		}
		name := "matchd " + string(m) + " "
		out = append(out,
			Case{name + "hit", t.single(hits), c.Probes},
			Case{name + "miss", t.single(misses), c.Probes},
			Case{fmt.Sprintf("%sbatch of %d hit", name, batchSize), t.batch(hits), c.Probes},
			Case{fmt.Sprintf("%sbatch of %d miss", name, batchSize), t.batch(misses), c.Probes},
		)
	}
	c.Log("filling a Go map")
	m := newGoMap(w)
	runtime.GC()
	return append(out,
		Case{"go map hit", m.single(hits), c.Probes},
		Case{"go map miss", m.single(misses), c.Probes},
	), done, ctx.Err()
}

// target is an engine with one open session.
type target struct {
	engine  *engine.Engine
	session engine.Session
	batches engine.Batch
	read    uint64 // of all answers, so that reading them is not left out
}

func newTarget(store *snapshot.Store, m snapshot.Memory, now time.Time) (*target, error) {
	e, err := engine.New(engine.Options{Store: store, Memory: m, Now: func() time.Time { return now }})
	if err != nil {
		return nil, err
	}
	all := []string{engine.All}
	client := engine.Client{Name: "bench", Grants: []engine.Grant{{Tenant: worldTenant, Segments: all, Namespaces: all}}}
	if err := e.SetClients([]engine.Client{client}); err != nil {
		return nil, err
	}
	if _, err := e.Reload(); err != nil {
		return nil, err
	}
	t := &target{engine: e}
	t.session, err = e.Begin(client.Name)
	return t, err
}

func (t *target) close() {
	t.session.End()
	_ = t.engine.Close() // only read from
}

// check refuses to measure wrong answers.
func (t *target) check(w *world, hits, misses probes) error {
	if err := t.session.Match(&t.batches, hits[:batchSize]); err != nil {
		return err
	}
	for i := range t.batches.Answers {
		if a := &t.batches.Answers[i]; !a.Matched() || len(t.batches.Profiles(a)) != 1 {
			return fmt.Errorf("bench: %s does not match", hits[i])
		}
	}
	if err := t.session.Match(&t.batches, misses[:batchSize]); err != nil {
		return err
	}
	for i := range t.batches.Answers {
		if t.batches.Answers[i].Matched() {
			return fmt.Errorf("bench: %s matches", misses[i])
		}
	}
	return nil
}

// noBits is 0, which the compiler does not know.
var noBits = uint64(len(os.Args)) >> 60

// after returns i, once last is known: an index that depends on an answer
// makes a lookup wait for the one before. An absent identifier's answer has no
// bytes that came from memory, only a branch that the processor may guess, so
// misses overlap a little; a Go map's do so alike.
func after(i int, last uint64) int { return i + int(last&noBits) }

// single looks up one identifier after the other, each waiting for the last,
// and reads customer and segments of each answer.
func (t *target) single(ids probes) func(int) {
	return func(n int) {
		last := uint64(0)
		for i := range n {
			at := after(i, last) % len(ids)
			_ = t.session.Match(&t.batches, ids[at:at+1]) // checked before
			last = t.sum()
		}
	}
}

// batch looks up batches of identifiers.
func (t *target) batch(ids probes) func(int) {
	return func(n int) {
		for i := 0; i < n; i += batchSize {
			at := i % (len(ids) - batchSize + 1)
			_ = t.session.Match(&t.batches, ids[at:at+min(batchSize, n-i)]) // checked before
			t.read += t.sum()
		}
	}
}

// sum reads all of the answers.
func (t *target) sum() (sum uint64) {
	b := &t.batches
	for i := range b.Answers {
		for k := range b.Profiles(&b.Answers[i]) {
			p := &b.Profiles(&b.Answers[i])[k]
			for _, c := range b.Customer(p) {
				sum += uint64(c)
			}
			for _, s := range b.Segments(p) {
				sum += uint64(s)
			}
		}
	}
	return sum
}

func (m *goMap) single(ids probes) func(int) {
	return func(n int) {
		last := uint64(0)
		for i := range n {
			last = m.lookup(ids[after(i, last)%len(ids)])
		}
	}
}
