package engine

import (
	"errors"
	"fmt"

	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/snapshot"
)

// bind makes a log the store's, unless another is.
func bind(store *snapshot.Store, id eventlog.ID) error { return store.SetLog(id.String()) }

// heeds refuses to answer from a store whose log of live changes is not open:
// who opted out or was erased would be answered.
func (e *Engine) heeds() error {
	if e.changes != nil || e.opts.WithoutLog {
		return nil
	}
	id, err := e.opts.Store.Log()
	if err == nil && id != "" {
		err = &snapshot.OtherLogError{Store: e.opts.Store.Dir(), Has: id}
	}
	return err
}

// withdraw ends answering from a store that was given a log of live changes since it
// was opened, and returns why. Nil is of one that is heeded, or whose log cannot be
// told at the moment.
func (e *Engine) withdraw() error {
	err := e.heeds()
	var unheeded *snapshot.OtherLogError
	e.withdrawn.Store(errors.As(err, &unheeded))
	if unheeded == nil {
		return nil
	}
	e.reload.Lock()
	defer e.reload.Unlock()
	if e.serveNothing() {
		e.opts.Log.Error("answers nothing any more, until it is started with the folder of the log, or with a follower's", "error", err)
	}
	return err
}

// Withdrawn reports whether the engine answers nothing because the store was given a
// log of live changes that it has not open.
func (e *Engine) Withdrawn() bool { return e.withdrawn.Load() }

// contained is up to where a snapshot contains a log that ends at a record. Where
// it was made with more than there is, what was accepted is missing in the log.
func contained(m *snapshot.Manifest, id eventlog.ID, last uint64) (uint64, error) {
	if seq := m.Knows(id.String()); seq > last {
		return 0, fmt.Errorf("live changes: the snapshot was made with the log up to change %d, and it ends at %d: it was rewound, and the newest copy has to be put in its place; or it follows another, and has not caught up", seq, last)
	}
	return m.Applied[id.String()], nil
}
