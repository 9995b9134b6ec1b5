package bars

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/opening"
	"github.com/matchd/matchd/bench/wire"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/snapshot"
)

// Result is what a run found. What was not measured is nil.
type Result struct {
	Config  Config              `json:"-"`
	Machine bench.Machine       `json:"machine"`
	Lookup  *bench.LookupResult `json:"lookup,omitempty"`
	Opening *opening.Result     `json:"opening,omitempty"`
	// Allocations are those of lookups in process.
	Allocations []Allocations `json:"allocations,omitempty"`
	Wire        *wire.Result  `json:"wire,omitempty"`
	// NoWire says why Wire was not measured.
	NoWire string `json:"no_wire,omitempty"`
	Took   []Part `json:"took"`
}

// Part is how long a part of a run took.
type Part struct {
	Name string        `json:"name"`
	Took time.Duration `json:"ns"`
}

// Run builds the data and measures. Where it fails after some parts, the result
// has what they found.
func (c Config) Run(ctx context.Context) (*Result, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	r := &Result{Config: c, Machine: bench.ThisMachine()}
	err := r.inProcess(ctx)
	if err == nil {
		err = r.overTheWire(ctx)
	}
	if err != nil && r.Lookup == nil {
		return nil, err
	}
	return r, err
}

// part runs a part and notes its time. What it leaves in the heap goes back to
// the system, which the parts after it need.
func (r *Result) part(name string, f func() error) error {
	start := time.Now()
	if err := f(); err != nil {
		return err
	}
	debug.FreeOSMemory()
	took := time.Since(start)
	r.Took = append(r.Took, Part{name, took})
	r.Config.Log("%s: took %s", name, took.Round(time.Second))
	return nil
}

// inProcess builds one store, measures all in it, and removes it.
func (r *Result) inProcess(ctx context.Context) (err error) {
	c := &r.Config
	dir, err := os.MkdirTemp(c.Dir, "matchd-bars-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w := &world.World{IDs: c.IDs, Seed: c.Seed}
	var store *snapshot.Store
	for _, p := range []struct {
		name string
		run  func() error
	}{
		{"writing the snapshot", func() (err error) {
			c.Log("writing a snapshot of %s ids", bench.Count(c.IDs))
			store, err = w.Publish(ctx, filepath.Join(dir, "store"))
			return err
		}},
		{"lookups", func() (err error) {
			r.Lookup, err = c.lookup(store.Dir()).Run(ctx)
			return err
		}},
		{"allocations", func() (err error) {
			r.Allocations, err = c.allocations(ctx, w, store)
			return err
		}},
		{"opening", func() (err error) {
			r.Opening, err = opening.Run(ctx, c.opening(store))
			return err
		}},
	} {
		if err := r.part(p.name, p.run); err != nil {
			return err
		}
	}
	return nil
}

// overTheWire measures the daemon beside others, where the machine can.
func (r *Result) overTheWire(ctx context.Context) error {
	if r.Config.WireIDs == 0 {
		r.NoWire = "nothing was to be measured over the wire"
		return nil
	}
	return r.part("over the wire", func() (err error) {
		r.Wire, err = r.Config.wire().Run(ctx)
		if errors.Is(err, errors.ErrUnsupported) {
			r.NoWire, err = err.Error(), nil
		}
		return err
	})
}
