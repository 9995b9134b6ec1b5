package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options say how a log is opened.
type Options struct {
	// FS is the file system; nil is that of the machine.
	FS vfs.FS
	// Now is the clock that records take their time from; nil is the system's.
	Now func() time.Time
	// Log is told what went wrong; nil is nobody.
	Log *slog.Logger
	// Replay, if not nil, is called by Open for each record, in order. Where it
	// returns an error, that is Open's.
	Replay func(*Record) error
	// Applied, if not nil, is called for the records of each group once they are
	// on disk and before Append returns, by one goroutine and in order.
	Applied func([]Record)
}

func (o Options) filled() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Replay == nil {
		o.Replay = func(*Record) error { return nil }
	}
	if o.Applied == nil {
		o.Applied = func([]Record) {}
	}
	return o
}

// Torn is a tail that was lost: the records from From to To, which were
// acknowledged. From is 0 where none was.
type Torn struct{ From, To uint64 }

// Log is an open log.
type Log struct {
	failure
	opts  Options
	id    ID
	torn  Torn
	fs    vfs.FS
	store string // the folder of db
	db    *pebble.DB
	head  *headFile

	work   chan *request
	closed chan struct{} // to stop the writer
	done   chan struct{} // once it has stopped
	once   sync.Once

	mu   sync.Mutex
	last Receipt       // of the newest record on disk
	more chan struct{} // closed when there is another one

	time  int64 // of the last record written, by the writer alone
	group group
}

// ID names the log.
func (l *Log) ID() ID { return l.id }

// Torn says what Open found to be lost.
func (l *Log) Torn() Torn { return l.torn }

// Err is nil, or wraps [ErrFailed] and says why nothing is written any more.
func (l *Log) Err() error { return l.failure.err() }

// Last is the receipt of the newest record on disk; its Seq is 0 where there is
// none.
func (l *Log) Last() Receipt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Wait returns once there is a record after a number, or ctx ends.
func (l *Log) Wait(ctx context.Context, after uint64) error {
	for {
		l.mu.Lock()
		last, more := l.last.Seq, l.more
		l.mu.Unlock()
		if last > after {
			return nil
		}
		select {
		case <-more:
		case <-l.closed:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// advance makes r the newest record.
func (l *Log) advance(r *Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = Receipt{l.id, r.Seq, r.Time, r.Hash}
	close(l.more)
	l.more = make(chan struct{})
}

// Scan calls f with the records after a number, in order, up to the newest that
// is on disk as it begins. An error of f ends it and is returned.
func (l *Log) Scan(after uint64, f func(*Record) error) (err error) {
	last := l.Last().Seq
	if last <= after {
		return l.Err()
	}
	if err := l.Err(); err != nil {
		return err
	}
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: entryAt(after + 1), UpperBound: entryAt(last + 1)})
	if err != nil {
		return err
	}
	defer func() {
		if closed := it.Close(); err == nil && closed != nil {
			err = corruptIf(closed)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		var r Record
		seq, err := seqOf(it.Key())
		if err == nil {
			err = r.decode(seq, it.Value())
		}
		if err != nil {
			return fmt.Errorf("%w: after record %d: %w", ErrCorrupt, after, err)
		}
		if err := f(&r); err != nil {
			return err
		}
		after = seq
	}
	return nil
}

// Close writes what was handed to Append, and closes the log. A log that has
// failed is not waited for longer than a second.
func (l *Log) Close() error {
	l.once.Do(func() { close(l.closed) })
	<-l.done
	if l.Err() != nil {
		return l.abandon()
	}
	return errors.Join(l.db.Close(), l.head.close())
}

// abandon closes what can be closed of a log that has failed: Pebble may wait
// for what never comes.
func (l *Log) abandon() error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = l.closeStore() // it complains about what failed before
	}()
	select {
	case <-ended:
	case <-time.After(time.Second):
	}
	_ = l.head.f.Close()
	return l.Err()
}
