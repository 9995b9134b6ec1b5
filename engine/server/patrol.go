package server

import (
	"net"
	"slices"
	"time"

	"github.com/valyala/fasthttp"
)

// wait is what a connection waits for, if anything.
type wait uint64

const (
	waitRequest wait = iota // the rest of a request; of a new connection, the first one
	waitIdle                // the next request
	waitAnswer              // room for the rest of an answer
	atWork                  // nothing of the caller's: the handler runs, for as long as it takes

	waits  = atWork // those that end
	states = atWork + 1
)

// cutOff is the bit of conn.waiting that the patrol sets, and nobody clears.
const cutOff = 1 << 63

// begin notes that the connection waits anew, and reports whether it was cut
// off before. Only the connection's own goroutine calls it, so what it waits
// for stays between the two halves; the addition keeps cutOff.
func (c *conn) begin(w wait) (cut bool) {
	return c.waiting.Add(uint64(states+w-c.waitsFor()))&cutOff != 0
}

func (c *conn) waitsFor() wait { return wait(c.waiting.Load() % uint64(states)) }

// beginWork notes that a request's handler runs. It reports whether the
// connection was cut off while the last of the request came in: then nothing
// more can be read from it, and the answer has to say that it closes.
func beginWork(ctx *fasthttp.RequestCtx) (cut bool) {
	c, ok := ctx.Conn().(*conn)
	return ok && c.begin(atWork)
}

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

// patience is how long each wait may take.
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

// inspect looks at every connection once. None is cut off early, and none
// while its handler runs: a deadline stays, so the next read would fail.
func (l *listener) inspect(p patience, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		at := c.waiting.Load()
		w := wait(at % uint64(states))
		switch {
		case at != c.seen:
			c.seen, c.since = at, now
		case w == atWork || now.Sub(c.since) < p[w] || c.closed.Load():
		case !c.waiting.CompareAndSwap(at, at|cutOff): // the wait is over
		case w == waitAnswer:
			_ = c.socket.SetWriteDeadline(longAgo)
		case at&cutOff == 0:
			_ = c.socket.SetReadDeadline(longAgo)
		default:
			// It was cut off and still waits: within a read, TLS answers what
			// it is asked, and the caller does not take it.
			_ = c.socket.SetDeadline(longAgo)
		}
	}
}

var longAgo = time.Unix(1, 0)
