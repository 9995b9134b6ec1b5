package build

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// stage runs the parts of a stage on all cores.
type stage struct {
	workers int
	done    *atomic.Int64 // parts, for progress
	mu      sync.Mutex
}

// each makes a worker for each of its goroutines, before any of them begins,
// calls part with one part after the other, and finish at the end. Parts are
// taken in order. finish is called whatever happens.
func (s *stage) each(ctx context.Context, parts int, worker func() (part func(int) error, finish func() error)) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	type made struct {
		part   func(int) error
		finish func() error
	}
	workers := make([]made, min(s.workers, parts))
	for i := range workers {
		workers[i].part, workers[i].finish = worker()
	}
	for _, w := range workers {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= parts {
					return w.finish()
				}
				err := ctx.Err()
				if err == nil {
					err = w.part(i)
				}
				if err != nil {
					return errors.Join(err, w.finish())
				}
				s.done.Add(1)
			}
		})
	}
	return g.Wait()
}

// block is how many records are worked on at once where they read all over the
// memory: what they will read is touched beforehand, so that the reads do not
// wait for one another.
const block = 64
