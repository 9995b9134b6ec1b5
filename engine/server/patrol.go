package server

import (
	"net"
	"slices"
	"time"

	"github.com/valyala/fasthttp"
)

// wait is what a connection waits for.
type wait uint64

const (
	waitRequest wait = iota // the rest of a request; of a new connection, the first one
	waitIdle                // the next request
	waitAnswer              // room for the rest of an answer
	waits
)

// begin notes that the connection waits anew. Only the connection's own
// goroutine calls it, so nothing is lost between the two halves.
func (c *conn) begin(w wait) {
	c.waiting.Store((c.waiting.Load()/uint64(waits)+1)*uint64(waits) + uint64(w))
}

func (c *conn) waitsFor() wait { return wait(c.waiting.Load() % uint64(waits)) }

// follow is a fasthttp.Server.ConnState: it notes where a request begins and
// where it is over.
func follow(nc net.Conn, state fasthttp.ConnState) {
	c, ok := nc.(*conn)
	switch {
	case ok && state == fasthttp.StateActive:
		c.begin(waitRequest)
	case ok && state == fasthttp.StateIdle:
		c.begin(waitIdle)
	}
}

// patience is how long a connection may wait.
type patience [waits]time.Duration

func (l Limits) patience() patience {
	return patience{waitRequest: l.ReadTimeout, waitIdle: l.IdleTimeout, waitAnswer: l.WriteTimeout}
}

// tick is how often connections are looked at. A wait is cut off at most two
// ticks late, a quarter of the shortest patience: one until it is first seen
// and one after it has run out.
func (p patience) tick() time.Duration {
	return min(max(slices.Min(p[:])/8, time.Millisecond), 250*time.Millisecond)
}

// patrol cuts off connections that wait too long, until done is closed. The
// timeouts of fasthttp cost three deadlines a request, each with a look at the
// clock and at a timer; a connection only counts its waits, and the patrol
// notes when it first saw each.
func (l *listener) patrol(p patience, done <-chan struct{}) {
	t := time.NewTicker(p.tick())
	defer t.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-t.C:
			l.inspect(p, now)
		}
	}
}

// inspect looks at every connection once. None is cut off early.
func (l *listener) inspect(p patience, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		switch at := c.waiting.Load(); {
		case at != c.seen:
			c.seen, c.since = at, now
		case now.Sub(c.since) < p[wait(at%uint64(waits))], c.closed.Load():
		case wait(at%uint64(waits)) == waitAnswer:
			_ = c.Conn.SetWriteDeadline(longAgo)
		default:
			_ = c.Conn.SetReadDeadline(longAgo)
		}
	}
}

var longAgo = time.Unix(1, 0)
