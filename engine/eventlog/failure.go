package eventlog

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
)

var (
	// ErrFailed says that writing has ended, until the log is opened anew: a
	// write or an fsync failed. What it wraps says which.
	ErrFailed = errors.New("the event log has failed: once the disk is sound and has space, restart")
	// ErrClosed says that the log is closed.
	ErrClosed = errors.New("the event log is closed")
	// ErrTokenReused says that an entry's token is that of another entry.
	ErrTokenReused = errors.New("the id is that of another change")
	// ErrCorrupt says that the log on disk is not as it was written.
	ErrCorrupt = errors.New("the event log is damaged")
)

// failure remembers the first thing that went wrong. It is also what Pebble
// logs to: where Pebble would end the process, the log fails instead.
type failure struct {
	log   *slog.Logger
	cause atomic.Pointer[error]
}

// fail notes a cause, if it is the first.
func (f *failure) fail(err error) {
	if f.cause.CompareAndSwap(nil, &err) {
		f.log.Error("the event log has failed; reads go on, changes are refused until a restart", "error", err)
	}
}

// err is nil, or wraps ErrFailed and the cause.
func (f *failure) err() error {
	if cause := f.cause.Load(); cause != nil {
		return fmt.Errorf("%w: %w", ErrFailed, *cause)
	}
	return nil
}

// Infof implements [pebble.Logger].
func (f *failure) Infof(string, ...any) {}

// Errorf implements [pebble.Logger].
func (f *failure) Errorf(format string, args ...any) {
	f.log.Warn("the event log's store", "message", fmt.Sprintf(format, args...))
}

// Fatalf implements [pebble.Logger]. It returns: Pebble's callers of it do no
// more than to return an error, or what is looked at afterwards.
func (f *failure) Fatalf(format string, args ...any) { f.fail(fmt.Errorf(format, args...)) }
