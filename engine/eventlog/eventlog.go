package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Errors that callers tell apart.
var (
	// ErrCorrupt is what damage wraps. A log that is damaged is not opened and
	// not changed.
	ErrCorrupt = errors.New("the event log is damaged")
	// ErrFailed is of a log whose disk failed: it takes nothing more until it
	// is opened anew. The cause is wrapped beside it.
	ErrFailed = errors.New("the event log takes nothing more until it is opened again")
	// ErrTokenReused is of an entry whose token stands for other content.
	ErrTokenReused = errors.New("the token stands for other content")
	// ErrInUse is of a log whose lock cannot be had.
	ErrInUse = errors.New("another process may have it open")
	// ErrDiffers is of two logs of which one should be the other's replica.
	ErrDiffers = errors.New("the two event logs differ")
	// ErrReplica is of a replica, which takes nothing but what its leader has.
	ErrReplica = errors.New("the event log is a replica of another one")
	// ErrTrimmed is of a log that was trimmed while it was read in parts.
	ErrTrimmed = errors.New("the event log was trimmed while it was read: read it again from its first record")
	// ErrClosed is of a log that was closed.
	ErrClosed = errors.New("the event log is closed")
	// ErrTooLarge is of an append of which a body, or all together, are larger
	// than the log takes.
	ErrTooLarge = errors.New("too large for the event log")
)

// Options are how a log is opened. All may be zero.
type Options struct {
	// FS is the file layer, the system's if nil.
	FS vfs.FS
	// Now is the clock, time.Now if nil.
	Now func() time.Time
	// Logger is told of what a human has to know, nobody if nil.
	Logger *slog.Logger
	// Replay, if not nil, is called by Open for each record, one at a time and in
	// order, all of them checked. A record's body is valid until Replay returns.
	// Its error ends Open.
	Replay func(Record) error
	// Applied, if not nil, is called with what was appended, once that is on
	// disk and scans have it, and before it is acknowledged; in order, one call
	// at a time. The bodies may be kept, and not changed.
	Applied func([]Record)
	// PurgeAfter is how long after a redaction its bodies may be in files
	// still, see [Log.Purge]. 0 is ten minutes.
	PurgeAfter time.Duration
	// Replica, if not nil, opens the log as a replica of another one: it takes
	// nothing but by [Log.Import] and [Log.Rebase], and a torn end is to be
	// imported again. It is asked for the id of that log where there is no log in
	// the folder yet. Opened without it, the log goes on by itself from where it
	// had come to.
	Replica func() (ID, error)
	// WithoutHead opens a log whose HEAD is missing or damaged, although nobody
	// can know then whether records are missing at its end.
	WithoutHead bool
}

// Torn is the end that a log had lost when it was opened.
type Torn struct {
	// From and To are the first and the last record that is lost. They were
	// acknowledged. To is From - 1 where what was lost is a redaction or a
	// trimming.
	From, To uint64
	// Gap is the record that tells of it; 0 in a replica, where it comes again.
	Gap uint64
}

// position is where the log ends, as readers see it.
type position struct {
	seq  uint64
	hash Hash
	time time.Time
	// changed is closed when there is another position.
	changed chan struct{}
}

// Log is an open log.
type Log struct {
	dir  string
	id   ID
	opts Options
	torn *Torn

	gate  *gate
	watch *watch
	lock  *pebble.Lock
	db    *pebble.DB

	// state is where the last commit ends, on disk or on its way there. It and
	// tokens belong to the goroutine that writes, and head to the one that
	// answers.
	state  state
	tokens tokens
	head   *head

	last atomic.Pointer[position]

	queue  chan *request
	flying chan *group
	quit   chan struct{}
	owed   chan struct{} // something was redacted
	tasks  sync.WaitGroup
	stop   context.CancelFunc // ends a compaction

	// users holds off closing the store; closed is set before it is asked for.
	users  sync.RWMutex
	closed atomic.Bool
	once   sync.Once
	result error
	purges sync.Mutex // one at a time
}

// ID is the log's.
func (l *Log) ID() ID { return l.id }

// Torn is what Open found missing at the end, or nil.
func (l *Log) Torn() *Torn { return l.torn }

// Last is the number, time and hash of the last record that is acknowledged, 0
// of none. The time is zero where the last record was trimmed.
func (l *Log) Last() (seq uint64, at time.Time, hash Hash) {
	p := l.last.Load()
	return p.seq, p.time, p.hash
}

// Err is nil, or why nothing more is taken: [ErrFailed] and its cause, or
// [ErrClosed].
func (l *Log) Err() error {
	if l.closed.Load() {
		return ErrClosed
	}
	return l.failure()
}

// failure is nil, or what failed.
func (l *Log) failure() error {
	if err := l.gate.err(); err != nil {
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return nil
}

// Failed is closed when the log fails.
func (l *Log) Failed() <-chan struct{} { return l.gate.shut }

// Close waits for scans and for what is being written, and closes the log.
// Appends that wait get [ErrClosed]. It may be called more than once.
func (l *Log) Close() error {
	l.once.Do(func() {
		l.closed.Store(true)
		close(l.quit)
		l.stop()
		l.tasks.Wait()
		l.users.Lock()
		defer l.users.Unlock()
		failed := l.failure()
		l.watch.closing.Store(true)
		err := errors.Join(l.head.close(), l.db.Close(), l.lock.Close())
		if failed == nil && err != nil {
			l.result = fmt.Errorf("close event log %s: %w", l.dir, err)
		}
	})
	return l.result
}

// use holds the store open until done is called.
func (l *Log) use() (done func(), err error) {
	l.users.RLock()
	if l.closed.Load() {
		l.users.RUnlock()
		return nil, ErrClosed
	}
	return l.users.RUnlock, nil
}
