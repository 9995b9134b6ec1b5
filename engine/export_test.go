package engine

import (
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/snapshot"
)

// WaitCache waits until the cache has taken in what was put into it.
func (e *Engine) WaitCache() { e.cold.Wait() }

// InternalID is the person's id that no client sees.
func (a *Answer) InternalID() snapshot.PersonID { return a.person }

// Fault reports whether the answer is for want of sound memory.
func (a *Answer) Fault() bool { return a.fault }

// Records is how many records the answers in the batch took, decoys too.
func (b *Batch) Records() int { return b.records }

// KeepAll makes every lookup one of the sample of recent ones.
func (e *Engine) KeepAll() { e.recent.KeepAll() }

// ChangesIn has the log of live changes in a file layer.
func (o *Options) ChangesIn(fs vfs.FS) { o.changes.FS = fs }

// Fits is what a follower asks of each record before it takes it.
func (c *Changes) Fits(r eventlog.Record) error { return c.fits(r) }

// AfterScans has f called after each scan of the log from its start on: the first
// one of a snapshot that is adopted, and those for what is to be redacted. It is to
// be called before there is a snapshot.
func (e *Engine) AfterScans(f func()) { e.changes.log = &scanned{e.changes.log, f} }

type scanned struct {
	Log
	done func()
}

func (l *scanned) Scan(after uint64, f func(eventlog.Record) error) error {
	err := l.Log.Scan(after, f)
	if after == 0 {
		l.done()
	}
	return err
}
