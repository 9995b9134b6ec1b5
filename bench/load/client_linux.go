package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// client is a run under way. One goroutine has it, on a thread of its own.
type client struct {
	Config
	plan
	conns  []conn
	free   queue // connections that nothing is under way on
	poll   int   // the epoll instance
	events []unix.EpollEvent

	start   time.Time
	checked time.Duration // when the limits were last looked at
	sent    int           // requests
	blocked time.Duration // until when no connection was free
	result  Result
}

// run does a run on a thread of its own.
func (c Config) run(ctx context.Context, p plan) (r Result, err error) {
	c.Pipeline = max(c.Pipeline, 1)
	done := make(chan struct{})
	go func() {
		defer close(done) // after what else is deferred
		if c.CPU >= 0 {
			var unpin func() error
			if unpin, err = pin(c.CPU); err != nil {
				return
			}
			defer func() { err = errors.Join(err, unpin()) }()
		}
		r, err = c.measure(ctx, p)
	}()
	<-done
	if err != nil {
		return Result{}, fmt.Errorf("load %s %s: %w", c.Network, c.Address, err)
	}
	return r, nil
}

func (c Config) measure(ctx context.Context, p plan) (_ Result, err error) {
	l := &client{Config: c, plan: p, poll: -1, blocked: -1}
	l.result = Result{Latency: newHistogram(), Late: newHistogram(), plan: p}
	if p.open {
		l.result.latencies = make([]time.Duration, p.n)
		for i := range l.result.latencies {
			l.result.latencies[i] = -1 // touches the memory too, before time counts
		}
	}
	defer l.close()
	if err := l.connect(ctx); err != nil {
		return Result{}, err
	}
	l.start = time.Now()
	if err := l.loop(ctx); err != nil {
		return Result{}, err
	}
	l.result.Start = l.start
	return l.result, nil
}

// now is the time since the start of the run.
func (l *client) now() time.Duration { return time.Since(l.start) }

// loop sends what is due and takes what has come, until all is answered.
func (l *client) loop(ctx context.Context) error {
	now := l.now()
	for !l.done(l.sent, now) || l.result.Requests < l.sent {
		sent := l.sent
		if err := l.send(now); err != nil {
			return err
		}
		n, err := pollNow(l.poll, l.events)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("poll: %w", err)
		}
		for _, e := range l.events[:max(n, 0)] {
			if err := l.handle(e); err != nil {
				return err
			}
		}
		was := now
		now = l.now()
		if n <= 0 && l.sent == sent {
			l.result.Idle += now - was
		}
		if err := l.limits(ctx, now); err != nil {
			return err
		}
	}
	return nil
}

// limits ends a run that was cancelled, or whose answers do not come.
func (l *client) limits(ctx context.Context, now time.Duration) error {
	if now-l.checked < time.Millisecond {
		return nil
	}
	l.checked = now
	if now > l.d+l.grace() {
		owed := l.sent - l.result.Requests
		return fmt.Errorf("%d answers are owed, and %d requests not yet sent, %s after the end", owed, max(l.n-l.sent, 0), l.grace())
	}
	return ctx.Err()
}

// send sends what is due on connections that are free.
func (l *client) send(now time.Duration) error {
	for !l.free.empty() && !l.done(l.sent, now) {
		if l.open && l.due(l.sent) > now {
			return nil
		}
		c := &l.conns[l.free.pop()]
		c.first, c.owed = l.sent, l.Pipeline
		c.out = c.out[:0]
		for range l.Pipeline {
			c.out = append(c.out, l.Requests[l.sent%len(l.Requests)]...)
			l.sent++
		}
		c.unsent = c.out
		now = l.now()
		c.from = now
		if l.open {
			c.from = l.due(c.first)
			if c.from <= l.blocked {
				l.result.Waited++
			} else {
				record(l.result.Late, now-c.from)
			}
		}
		if err := l.write(c); err != nil {
			return err
		}
	}
	return nil
}

// handle does what a connection is ready for. What falls due meanwhile does
// not wait for the other connections that are ready.
func (l *client) handle(e unix.EpollEvent) error {
	c := &l.conns[e.Fd]
	if e.Events&unix.EPOLLOUT != 0 && len(c.unsent) > 0 {
		if err := l.write(c); err != nil {
			return err
		}
	}
	if e.Events&^unix.EPOLLOUT != 0 {
		if err := l.read(c, e.Events); err != nil {
			return err
		}
	}
	return l.send(l.now())
}

// answers counts the whole responses that a connection has, of which the last
// byte came at now.
func (l *client) answers(c *conn, now time.Duration) error {
	at := 0
	for c.owed > 0 && at < c.have {
		n, err := l.Next(c.in[at:c.have])
		if err != nil {
			return fmt.Errorf("answer to request %d: %w", c.first, err)
		}
		if n == 0 {
			break
		}
		at += n
		l.result.Bytes += int64(n)
		l.result.Requests++
		l.result.Elapsed = now
		record(l.result.Latency, now-c.from)
		if l.open {
			l.result.latencies[c.first] = now - c.from
		}
		c.first++
		if c.owed--; c.owed == 0 {
			if l.free.empty() {
				l.blocked = now
			}
			l.free.push(int(c.index))
		}
	}
	if at > 0 {
		c.have = copy(c.in, c.in[at:c.have])
	}
	if c.owed == 0 && c.have > 0 {
		return fmt.Errorf("%d bytes came that no request asked for", c.have)
	}
	return nil
}
