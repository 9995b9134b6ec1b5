package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/matchd/matchd/engine/eventlog"
)

// mostTries is how often in a row a scan tries for a record.
const mostTries = 6

// Log is the log of a daemon, as it was when it was opened. Its methods are those
// of an [eventlog.Log].
type Log struct {
	client *Client
	ctx    context.Context // of whoever opened it
	header Header
}

// Open asks for how far the log reaches. ctx is that of the log's scans too.
func (c *Client) Open(ctx context.Context) (*Log, error) {
	for try := 0; ; try++ {
		a, err := c.get(ctx, 0, 0)
		if err == nil {
			return &Log{c, ctx, a.Header}, nil
		}
		if err := c.tryAgain(ctx, try, err); err != nil {
			return nil, err
		}
	}
}

// tryAgain waits before a further try, or returns an error where none is to be.
func (c *Client) tryAgain(ctx context.Context, try int, err error) error {
	if !passing(err) || try+1 >= mostTries {
		return fmt.Errorf("the stream of live changes: %w", err)
	}
	c.o.Retry(err)
	return c.pause(ctx, try)
}

// ID is the log's.
func (l *Log) ID() eventlog.ID { return l.header.Log }

// Key is the id of the key of the store's hashes.
func (l *Log) Key() string { return l.header.Key }

// First is as [eventlog.Log.First].
func (l *Log) First() (uint64, error) { return l.header.Base.Seq + 1, nil }

// Last is number, time and hash of the last record that there was.
func (l *Log) Last() (seq uint64, at time.Time, hash eventlog.Hash) {
	return l.header.Last, l.header.Time, l.header.Head
}

// Scan calls f for each record after the one numbered after, in order, up to the
// last that there was when the log was opened, and checks each. What may pass is
// tried again a few times; what is damaged wraps [eventlog.ErrCorrupt], another
// log [eventlog.ErrDiffers]. An error of f ends it and is returned.
func (l *Log) Scan(after uint64, f func(eventlog.Record) error) error {
	check, at := eventlog.NewChecker(after, eventlog.Hash{}), after
	for try := 0; at < l.header.Last; try++ {
		a, err := l.client.get(l.ctx, at, 0)
		if err == nil {
			if err := l.still(&a.Header, at); err != nil {
				return fmt.Errorf("the stream of live changes: %w", err)
			}
		}
		if err == nil {
			was := at
			if at, err = l.read(a, check, at, f); err == nil && at == was && a.cut == nil {
				// Nothing is after it: what there was was trimmed.
				if err = check.End(); err == nil {
					return nil
				}
			}
			if at > was {
				try = -1
			}
			var own *callersError
			if errors.As(err, &own) {
				return own.error
			}
			if err == nil && at == was {
				err = a.cut
			}
		}
		if err != nil {
			if err := l.client.tryAgain(l.ctx, max(try, 0), err); err != nil {
				return err
			}
		}
	}
	return nil
}

// still checks that an answer is of the log that was opened, and that what is to be
// read was not trimmed since.
func (l *Log) still(h *Header, at uint64) error {
	switch {
	case h.Log != l.header.Log:
		return fmt.Errorf("%w: the daemon has the log %s now, and had %s", eventlog.ErrDiffers, h.Log, l.header.Log)
	case h.Last < l.header.Last:
		return fmt.Errorf("%w: it ends with record %d now, and had come to record %d", eventlog.ErrDiffers, h.Last, l.header.Last)
	case h.Base.Seq > l.header.Base.Seq && at < h.Base.Seq:
		return eventlog.ErrTrimmed
	}
	return nil
}

// callersError is of the function that a caller gave.
type callersError struct{ error }

// read hands on the records of an answer up to the last, and returns where it
// came to.
func (l *Log) read(a *answer, check *eventlog.Checker, at uint64, f func(eventlog.Record) error) (uint64, error) {
	err := a.read(check, func(s *eventlog.Sealed) error {
		switch {
		case s.Seq > l.header.Last:
			return nil
		case s.Seq == l.header.Last && s.Hash != l.header.Head:
			return fmt.Errorf("%w: record %d is another one by now", eventlog.ErrDiffers, s.Seq)
		}
		if err := f(s.Record); err != nil {
			return &callersError{err}
		}
		at = s.Seq
		return nil
	})
	return at, err
}

// Follow calls f for each answer of the daemon, with its header and the records
// after the one numbered after, in order and checked, as they come; also where
// there is none, and so it is known that none was there. hash is that of the record
// numbered after, or zero where it is not known. It tries again after errors, what
// ever they are, which Options.Retry is told of, until ctx is done or f returns an
// error.
func (c *Client) Follow(ctx context.Context, after uint64, hash eventlog.Hash, f func(*Header, []eventlog.Sealed) error) error {
	check, wait := eventlog.NewChecker(after, hash), time.Duration(0)
	for failed := 0; ; {
		a, err := c.get(ctx, after, wait)
		if err == nil {
			var list []eventlog.Sealed
			err = a.read(check, func(s *eventlog.Sealed) error { list = append(list, *s); return nil })
			if len(list) > 0 {
				s := &list[len(list)-1]
				if after, hash, failed = s.Seq, s.Hash, 0; s.Kept {
					hash = eventlog.Hash{} // the chain does not go on from there
				}
			}
			if err == nil || len(list) > 0 {
				if err := f(&a.Header, list); err != nil {
					return err
				}
			}
			if err == nil {
				err = a.cut
			} else {
				check = eventlog.NewChecker(after, hash)
			}
			wait = c.o.Wait
		}
		if err == nil {
			failed = 0
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.o.Retry(err)
		if err := c.pause(ctx, failed); err != nil {
			return err
		}
		failed++
	}
}
