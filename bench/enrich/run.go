package enrich

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/process"
	"github.com/matchd/matchd/bench/wire"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// Result is what a run found.
type Result struct {
	Config  Config
	Machine bench.Machine
	// Identifiers is how many the snapshot holds, customer ids and cookies
	// included. ConsentBytes is the mean length of a consent string.
	Identifiers, ConsentBytes int
	Codecs                    []Codec
	Calls                     []Call
	// Verdicts are remembered ones beside those decided each time.
	Verdicts Pair
	// Hidden is an identifier of nobody, as ours, beside one of somebody else.
	Hidden Pair
	// Mixes are what the daemon took beside the bare handler.
	Mixes []Mix
	// Isolation is nil where it was not measured.
	Isolation *Isolation
	// NoWire says why nothing was measured over the wire.
	NoWire string
}

// Mix is a share of matches, over the wire.
type Mix struct {
	Matches    float64
	Ours, Bare wire.Cell
}

// run is a run under way.
type run struct {
	Config
	dir    string
	world  *world.World
	store  *snapshot.Store
	pools  *engine.Pools
	bodies *bodies
	result *Result

	serverCore, clientCore int
	keys                   keys
	matchd, echo           end
	processes              []*process.Process
}

// Run builds the data and measures. Where it fails, there is no result; a
// machine that cannot be measured over the wire is said to be one.
func (c Config) Run(ctx context.Context) (_ *Result, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	r := &run{
		Config: c, world: &world.World{IDs: c.IDs, Seed: c.Seed, Bids: true}, keys: newKeys(),
		result: &Result{Config: c, Machine: bench.ThisMachine()},
	}
	r.bodies = newBodies(r.world, c.Strings, c.Seed+1)
	if r.dir, err = os.MkdirTemp(c.Dir, "matchd-enrich-"); err != nil {
		return nil, err
	}
	if r.dir, err = filepath.Abs(r.dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	if err := r.all(ctx); err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	return r.result, nil
}

func (r *run) all(ctx context.Context) (err error) {
	r.Log("writing a snapshot of %s ids", bench.Count(r.IDs))
	if r.store, err = r.world.Publish(ctx, filepath.Join(r.dir, "store")); err != nil {
		return err
	}
	if err := r.store.WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error {
		r.result.Identifiers = int(s.Counts.Identifiers)
		return nil
	}); err != nil {
		return err
	}
	if r.pools, err = openPools(r.store, r.Memory); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.pools.Close()) }()
	for _, part := range []func(context.Context) error{r.measureCalls, r.measureVerdicts, r.measureHidden, r.overTheWire} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}
