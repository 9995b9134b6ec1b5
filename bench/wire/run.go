package wire

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/process"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot"
)

// run is a run under way.
type run struct {
	Config
	serverCore, clientCore int

	dir      string
	world    *world.World
	store    *snapshot.Store
	pointers [2][]byte // contents of CURRENT: this snapshot, and the other one
	segments map[string]uint32
	answers  *answers
	key      string
	requests *requests

	processes []*process.Process
	ends      map[place]end
	result    *Result
}

// Run starts the servers, measures, and ends them. Where it fails, there is no
// result; a machine that it cannot measure on is [errors.ErrUnsupported].
func (c Config) Run(ctx context.Context) (_ *Result, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	r := &run{
		Config: c, world: &world.World{IDs: c.IDs, Seed: c.Seed}, key: server.NewKey(), ends: map[place]end{},
		result: &Result{Config: c, IDs: c.IDs, Machine: bench.ThisMachine()},
	}
	if r.serverCore, r.clientCore, err = process.Cores(); err != nil {
		return nil, err
	}
	if r.dir, err = os.MkdirTemp(c.Dir, "matchd-wire-"); err != nil {
		return nil, err
	}
	if r.dir, err = filepath.Abs(r.dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	defer func() {
		for _, p := range r.processes {
			p.Close()
		}
	}()
	if err := r.all(ctx); err != nil {
		return nil, errors.Join(ctx.Err(), err, r.alive())
	}
	return r.result, nil
}

func (r *run) all(ctx context.Context) error {
	if err := r.publish(ctx); err != nil {
		return err
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	// The collector would run on the servers' core while they are timed.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	if err := r.measure(ctx); err != nil {
		return err
	}
	if err := r.measureAllocations(ctx); err != nil {
		return err
	}
	if err := r.measureMemory(ctx); err != nil {
		return err
	}
	if r.LatencyRounds == 0 {
		return nil
	}
	r.endAllBut(latencyPlaces()...)
	if err := r.measureLatency(ctx); err != nil {
		return err
	}
	return r.measureSwaps(ctx)
}

// publish makes the snapshots: the one to serve last, so that it is current,
// and before it one of the same identifiers and three more, for the store takes
// none that it has already.
func (r *run) publish(ctx context.Context) (err error) {
	dir := filepath.Join(r.dir, "store")
	for i := len(r.pointers) - 1; i >= 0; i-- {
		if i > 0 && r.LatencyRounds == 0 {
			continue
		}
		w := *r.world
		w.IDs += i * world.PerPerson
		r.Log("writing a snapshot of %s ids", bench.Count(w.IDs))
		if r.store, err = w.Publish(ctx, dir); err != nil {
			return err
		}
		if r.pointers[i], err = os.ReadFile(r.current()); err != nil {
			return err
		}
	}
	return r.store.WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error {
		in, err := s.Inspect(1)
		r.result.Identifiers, r.result.Bytes, r.result.Sections = int(s.Counts.Identifiers), in.Bytes, in.Sections
		r.segments = map[string]uint32{}
		for i, segment := range s.Segments {
			r.segments[segment.Code] = uint32(i)
		}
		return err
	})
}

// current is the file in which a store names its current snapshot.
func (r *run) current() string { return filepath.Join(r.store.Dir(), "CURRENT") }

// prepare starts and fills the servers and makes sure that they agree.
func (r *run) prepare(ctx context.Context) (err error) {
	r.requests = newRequests(r.world, r.key, r.Draws, r.Seed+1)
	if r.answers, err = openAnswers(r.store); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, r.answers.close())
		r.answers = nil
		runtime.GC()
	}()
	for _, step := range []func(context.Context) error{r.startMatchd, r.startRedis, r.startMemcached, r.startBare, r.check} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}
