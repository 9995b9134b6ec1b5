package server

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/eventlog/feed"
)

var (
	problemFeedStore  = &problem{status: 400, detail: "store is the name of one of the stores that the config lists, of which there are several"}
	problemFeedFailed = &problem{status: 503, detail: "the log of live changes cannot be read until the daemon is restarted", header: retryLater}
)

// feed serves GET /v1/events: the records of a store's log after a number. After
// the last one, the answer waits for another. It is written into q.out as a whole, so
// that the caller has the time of any answer to take it.
func (s *Server) feed(ctx *fasthttp.RequestCtx, q *request) *problem {
	after, wait, p := feedQuery(ctx.QueryArgs())
	if p != nil {
		return p
	}
	pool, p := s.feedStore(string(ctx.QueryArgs().Peek("store")))
	if p != nil {
		return p
	}
	if !q.paid { // it may be answered anew, see serve
		if p := q.caller.spend(1, ctx.Time()); p != nil {
			return p
		}
		q.paid = true
	}
	changes := pool.Changes()
	if changes == nil {
		return problemNoLog
	}
	log := changes.Log()
	if changes.Err() != nil {
		return problemFeedFailed
	}
	if last, _, _ := log.Last(); wait > 0 && last == after { // who has come further learns it at once
		held, cancel := context.WithTimeout(s.held, wait)
		err := log.Wait(held, after)
		cancel()
		switch {
		case s.held.Err() != nil && err != nil:
			return problemDraining
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			return problemFeedFailed
		}
	}
	if p := s.auditFeed(q, pool.Name, after); p != nil {
		return p
	}
	err := q.appendFeed(feed.Header{Store: pool.Name, Key: changes.Key(), Log: log.ID()}, log, after)
	if err != nil {
		if s.faults.pass(time.Now()) && !errors.Is(err, eventlog.ErrClosed) {
			s.log.Error("the log of live changes cannot be read", "store", pool.Name, "error", err)
		}
		return problemFeedFailed
	}
	return nil
}

// feedQuery reads the query, which has to be sound: a follower that is not
// understood must not be sent another part of the log.
func feedQuery(args *fasthttp.Args) (after uint64, wait time.Duration, p *problem) {
	given := map[string]int{}
	for name := range args.All() {
		given[string(name)]++
	}
	for name, n := range given {
		if n > 1 || !slices.Contains([]string{"after", "wait", "store"}, name) {
			return 0, 0, badRequest("the query has after, and may have wait and store, once each")
		}
	}
	after, err := strconv.ParseUint(string(args.Peek("after")), 10, 64)
	if err != nil {
		return 0, 0, badRequest("after is the number of a record, or 0")
	}
	if given["wait"] > 0 {
		n, err := strconv.ParseUint(string(args.Peek("wait")), 10, 8)
		if wait = time.Duration(n) * time.Second; err != nil || wait > feed.MaxWait {
			return 0, 0, badRequest("wait is a number of seconds from 0 to %d", feed.MaxWait/time.Second)
		}
	}
	return after, wait, nil
}

// feedStore finds the store that is named, or the only one.
func (s *Server) feedStore(name string) (p engine.Pool, _ *problem) {
	all := s.pools.All()
	if len(all) == 1 && name == "" {
		return all[0], nil
	}
	i := slices.IndexFunc(all, func(p engine.Pool) bool { return p.Name == name })
	if i < 0 {
		return p, problemFeedStore
	}
	return all[i], nil
}

// errFull ends an answer that is large enough.
var errFull = errors.New("the answer is full")

// appendFeed writes the header and records after a number into q.out.
func (q *request) appendFeed(h feed.Header, log engine.Log, after uint64) error {
	q.out = q.out[:0]
	err := log.Export(after, func(e eventlog.Extent) error {
		h.Extent = e
		q.out = h.Append(q.out)
		return nil
	}, func(r *eventlog.Sealed) error {
		q.out = feed.AppendRecord(q.out, r)
		if len(q.out) >= feed.MaxAnswer {
			return errFull
		}
		return nil
	})
	if errors.Is(err, errFull) {
		return nil
	}
	return err
}

// feedReaders are those who read logs, so that the audit log has a line for each
// time that one begins, and each hour that one goes on, not for each answer.
type feedReaders struct {
	mu    sync.Mutex
	noted map[[2]string]feedNote // by client and store
}

// feedNote is what the audit log has: that all after a record is read.
type feedNote struct {
	after uint64
	at    time.Time
}

const noteFeedEvery = time.Hour

// covers reports whether the audit log says already that a client reads what is
// after a record, and does not say it for long.
func (f *feedReaders) covers(client, store string, after uint64, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, ok := f.noted[[2]string{client, store}]
	return ok && n.after <= after && now.Sub(n.at) < noteFeedEvery
}

func (f *feedReaders) note(client, store string, n feedNote) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.noted == nil {
		f.noted = map[[2]string]feedNote{}
	}
	f.noted[[2]string{client, store}] = n
}

// auditFeed notes that a client reads a log, before it is told anything.
func (s *Server) auditFeed(q *request, store string, after uint64) *problem {
	now := time.Now()
	if s.readers.covers(q.caller.name, store, after, now) {
		return nil
	}
	p := s.auditAdministered(audit.Entry{
		Actor: q.caller.name, Action: audit.AdminEvents, Subject: store,
		Detail: map[string]string{"after": strconv.FormatUint(after, 10)},
	})
	if p == nil {
		s.readers.note(q.caller.name, store, feedNote{after, now})
	}
	return p
}
