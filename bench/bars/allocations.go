package bars

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// Allocations is what an engine's call allocates once it is warm.
type Allocations struct {
	Memory snapshot.Memory `json:"memory"`
	Draw   world.Draw      `json:"draw"`
	// Batch is how many identifiers a call asks for.
	Batch int `json:"batch"`
	Calls int `json:"calls"`
	// ACall is how many objects, all that the process did meanwhile included.
	ACall float64 `json:"allocations_a_call"`
}

// Of the calls whose allocations are counted.
const (
	single, batch = 1, 256
	// leastCalls are enough to tell an allocation in each call from the few
	// that the runtime makes by itself.
	leastCalls = 1000
)

// The draws of bars.
var (
	mixDraw  = world.Draw{Hits: 0.2}
	hitDraw  = world.Draw{Hits: 1}
	missDraw = world.Draw{Hits: 0}
)

// allocations counts what lookups allocate in all kinds of memory.
func (c Config) allocations(ctx context.Context, w *world.World, store *snapshot.Store) (list []Allocations, err error) {
	c.Log("counting allocations")
	for _, m := range c.memories() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		more, err := c.allocationsIn(m, w, store)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

func (c Config) allocationsIn(m snapshot.Memory, w *world.World, store *snapshot.Store) (list []Allocations, err error) {
	now, all := w.AsOf(), []string{engine.All}
	e, err := engine.New(engine.Options{Store: store, Memory: m, Now: func() time.Time { return now }})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	client := engine.Client{Name: "bench", Grants: []engine.Grant{{Tenant: world.Tenant, Segments: all, Namespaces: all, Customers: true}}}
	if err := e.SetClients([]engine.Client{client}); err != nil {
		return nil, err
	}
	if _, err := e.Reload(); err != nil {
		return nil, err
	}
	for _, d := range []world.Draw{mixDraw, hitDraw, missDraw} {
		ids := w.Draw(d, c.Probes, c.Seed+1)
		for _, size := range []int{single, batch} {
			a := Allocations{Memory: m, Draw: d, Batch: size, Calls: max(leastCalls, len(ids)/size)}
			if a.ACall, err = allocated(e, client.Name, ids, size, a.Calls); err != nil {
				return nil, err
			}
			list = append(list, a)
		}
	}
	return list, nil
}

// allocated returns how many objects one of n calls of an engine allocates,
// from the client's name to the end of the session, after as many to warm up.
func allocated(e *engine.Engine, client string, ids [][]byte, size, n int) (float64, error) {
	var b engine.Batch
	calls := func() error {
		for i := range n {
			at := i * size % (len(ids) - size + 1)
			s, err := e.Begin(client)
			if err != nil {
				return err
			}
			err = s.Match(&b, ids[at:at+size])
			s.End()
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := calls(); err != nil {
		return 0, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := calls()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n), err
}
