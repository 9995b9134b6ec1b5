package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Config is a load on one server.
type Config struct {
	// Network is "tcp" or "unix"; Address is as for net.Dial.
	Network, Address string
	Connections      int
	// Pipeline is how many requests go out together on a connection, in one
	// write where the socket takes it; the next ones go when all of them are
	// answered. 0 is 1. Closed loop only.
	Pipeline int
	// Requests are sent in turn, round and round, each whole. They are only
	// read.
	Requests [][]byte
	// Next returns the length of the first whole response at the start of b, 0
	// while it is not whole. An error ends the run. HTTP, RESP and Memcached
	// are such functions.
	Next func(b []byte) (n int, err error)
	// CPU is the core that the client is pinned to; -1 is none.
	CPU int
	// Grace is how long after the time of a run what is still owed is waited
	// for, and how long connecting may take. 0 is 10 s.
	Grace time.Duration
}

// maxRequests bounds an open loop: it keeps 8 bytes for each.
const maxRequests = 1 << 28

// Closed sends as fast as answers come, for the time d, and waits for those
// still owed. The server ends it early by closing a connection, by an answer
// that Next refuses, or by one more than was asked for.
func (c Config) Closed(ctx context.Context, d time.Duration) (Result, error) {
	if err := c.check(d); err != nil {
		return Result{}, err
	}
	return c.run(ctx, plan{d: d})
}

// Open sends rate requests a second for the time d, evenly spaced. One whose
// time has come while no connection is free is sent when one is, and counts
// from its intended time all the same. A server that is so far behind that
// Grace after d answers are still owed is an error.
func (c Config) Open(ctx context.Context, rate float64, d time.Duration) (Result, error) {
	if err := c.check(d); err != nil {
		return Result{}, err
	}
	n := math.Round(rate * d.Seconds())
	switch {
	case c.Pipeline > 1:
		return Result{}, errors.New("load: an open loop has no pipeline: leave it unset")
	case !(n >= 1 && n <= maxRequests): // so that NaN is refused
		return Result{}, fmt.Errorf("load: %g requests a second for %s: from 1 to %d requests in all are possible", rate, d, maxRequests)
	}
	return c.run(ctx, plan{d: d, open: true, n: int(n)})
}

// OpenAt is Open with requests at the given times since its start, ascending.
func (c Config) OpenAt(ctx context.Context, times []time.Duration) (Result, error) {
	switch n := len(times); {
	case n == 0 || n > maxRequests:
		return Result{}, fmt.Errorf("load: %d requests: from 1 to %d in all are possible", n, maxRequests)
	case !slices.IsSorted(times) || times[0] < 0:
		return Result{}, errors.New("load: the times of requests do not ascend from 0")
	case c.Pipeline > 1:
		return Result{}, errors.New("load: an open loop has no pipeline: leave it unset")
	}
	d := times[len(times)-1] + 1
	if err := c.check(d); err != nil {
		return Result{}, err
	}
	return c.run(ctx, plan{d: d, open: true, n: len(times), times: times})
}

func (c Config) check(d time.Duration) error {
	switch {
	case c.Network != "tcp" && c.Network != "unix":
		return fmt.Errorf("load: the network is %q: it must be tcp or unix", c.Network)
	case c.Connections < 1 || c.Pipeline < 0:
		return fmt.Errorf("load: %d connections with %d requests in a pipeline: there must be at least one", c.Connections, c.Pipeline)
	case len(c.Requests) == 0 || c.Next == nil:
		return errors.New("load: Requests and Next must be set")
	case d <= 0 || c.Grace < 0:
		return fmt.Errorf("load: a run of %s, with %s to wait after it: a time must not be negative, nor the first one 0", d, c.Grace)
	}
	for i, r := range c.Requests {
		if len(r) == 0 {
			return fmt.Errorf("load: request %d is empty", i)
		}
	}
	return nil
}

// grace is Grace, or its default.
func (c Config) grace() time.Duration {
	if c.Grace == 0 {
		return 10 * time.Second
	}
	return c.Grace
}

// plan says when requests are due. Times are since the start of the run.
type plan struct {
	d    time.Duration
	open bool
	n    int // requests of an open loop
	// times are those of an open loop that are not even; nil are even ones.
	times []time.Duration
}

// done reports whether no more is to be sent after the first sent requests.
func (p plan) done(sent int, now time.Duration) bool {
	if p.open {
		return sent == p.n
	}
	return now >= p.d
}

// due is the intended time of request i of an open loop.
func (p plan) due(i int) time.Duration {
	if p.times != nil {
		return p.times[i]
	}
	return dueAt(i, p.n, p.d)
}

// dueAt spreads n requests evenly over d.
func dueAt(i, n int, d time.Duration) time.Duration {
	return time.Duration(float64(i) / float64(n) * float64(d))
}
