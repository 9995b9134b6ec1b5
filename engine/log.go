package engine

import (
	"context"
	"time"

	"github.com/matchd/matchd/engine/eventlog"
)

// Log is the log of a store's live changes, as the engine and its server use
// it: numbered, chained, on disk before it is acknowledged. [eventlog.Log] is
// the one that there is, and says what each method does; one that is replicated
// by a quorum may take its place.
type Log interface {
	ID() eventlog.ID
	// First and Last are where the whole chain begins and ends.
	First() (uint64, error)
	Last() (seq uint64, at time.Time, hash eventlog.Hash)
	// Append returns once the entries are on disk and applied.
	Append(ctx context.Context, entries []eventlog.Entry) ([]eventlog.Receipt, error)
	// Note appends a record of the daemon's own.
	Note(ctx context.Context, body []byte) (eventlog.Receipt, error)
	Scan(after uint64, f func(eventlog.Record) error) error
	// Export is Scan for who keeps the records elsewhere.
	Export(after uint64, begin func(eventlog.Extent) error, f func(*eventlog.Sealed) error) error
	// Wait returns once there is a record after the one numbered after.
	Wait(ctx context.Context, after uint64) error
	Redact(ctx context.Context, seqs []uint64) error
	Trim(ctx context.Context, below uint64, keep func(eventlog.Record) bool) error
	// Err is nil, or why nothing more is taken.
	Err() error
	Close() error
}

var _ Log = (*eventlog.Log)(nil)
