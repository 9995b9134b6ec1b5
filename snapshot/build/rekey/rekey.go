package rekey

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"

	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
	"github.com/matchd/matchd/snapshot/build/fold"
)

// Options say what to move.
type Options struct {
	// Store is the store, that nobody may be building into.
	Store *snapshot.Store
	// FS is what the snapshot is written through; nil is the machine's.
	FS snapshot.FS
	// Log is the folder of the store's log of live changes, which nobody may have
	// open. A store that has a log is not moved without it.
	Log string
	// Key is the new key; nil is one by chance.
	Key *index.Secret
	// Memory is how many bytes what is between the stages may take; beyond, it
	// goes into files in the store. 0 is [build.DefaultMemory].
	Memory int64
	// Workers is how many cores to use; 0 is all.
	Workers int
	// Progress, if not nil, is told how far it is, by one goroutine at a time.
	Progress func(build.Progress)
}

// Report is what came of a move.
type Report struct {
	// Completed says that no move was begun: one that was killed was brought to
	// its end. What it wrote is not counted then.
	Completed bool `json:"completed_earlier"`
	// From and To are the ids of the keys. From is empty where it is gone.
	From string `json:"former_key,omitempty"`
	To   string `json:"key"`
	// Snapshot is the current one, empty where the store has none.
	Snapshot string `json:"snapshot,omitempty"`
	// Identifiers are those that were written, Renamed those of them that opt-outs
	// and erasures concern under former keys.
	Identifiers int64 `json:"identifiers"`
	Renamed     int64 `json:"renamed"`
	// Removed are the snapshots under other keys that went.
	Removed []string `json:"removed"`
	// FormerKeys are the ids of the keys that the store keeps beside its own, for
	// what is known by them alone.
	FormerKeys []string `json:"former_keys"`
}

// Run moves a store to another key, or brings a move that was killed to its end.
// On error the store has the key that it had, or the new one and what is left to
// do is for the next Run.
func Run(ctx context.Context, o Options) (r *Report, err error) {
	if o.FS == nil {
		o.FS = snapshot.OS{}
	}
	o.Workers = cmp.Or(o.Workers, runtime.GOMAXPROCS(0))
	o.Memory = cmp.Or(o.Memory, build.DefaultMemory)
	if o.Progress == nil {
		o.Progress = func(build.Progress) {}
	}
	log, err := openLog(o.Store, o.Log)
	if err != nil {
		return nil, err
	}
	if log != nil { // open to the end, so that no daemon takes changes meanwhile
		defer func() { err = errors.Join(err, log.Close()) }()
	}
	move, err := o.Store.BeginMove()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, move.Close()) }()
	m := mover{Options: o, move: move}
	if m.keys, err = o.Store.Keys(); err != nil {
		return nil, err
	}
	o.Progress(build.Progress{Stage: "log"})
	if m.held, err = readHeld(log, m.keys, o.Key); err != nil {
		return nil, err
	}
	return m.run(ctx)
}

// openLog opens the store's log; nil where it has none. A store that has none yet,
// as a copy from before it had one, is given the one that is named.
func openLog(store *snapshot.Store, dir string) (*eventlog.Log, error) {
	id, err := store.Log()
	switch {
	case err != nil:
		return nil, err
	case id == "" && dir == "":
		return nil, nil
	case dir == "":
		return nil, &snapshot.OtherLogError{Store: store.Dir(), Has: id}
	}
	if err := fold.Exists(dir); err != nil {
		return nil, err
	}
	log, err := eventlog.Open(dir, eventlog.Options{})
	if errors.Is(err, eventlog.ErrInUse) {
		return nil, fmt.Errorf("%w: a daemon has it open: stop it", err)
	}
	if err != nil {
		return nil, err
	}
	if got := log.ID().String(); id != "" && got != id {
		return nil, errors.Join(&snapshot.OtherLogError{Store: store.Dir(), Has: id, Given: got}, log.Close())
	}
	return log, nil
}

// mover moves one store.
type mover struct {
	Options
	move   *snapshot.Move
	keys   snapshot.Keys // before
	held   held
	report Report
}

func (m *mover) run(ctx context.Context) (*Report, error) {
	m.report.Completed = m.move.Unfinished
	if !m.move.Unfinished {
		if err := m.switchOver(ctx); err != nil {
			return nil, err
		}
	}
	if m.report.To = m.move.To.ID(); m.move.From != m.move.To {
		m.report.From = m.move.From.ID()
	}
	m.Progress(build.Progress{Stage: "settle"})
	settled, err := m.move.Settle(m.held.keys)
	if err != nil {
		return nil, fmt.Errorf("the store has the key %s now, and something is left to do, for which run it again: %w", m.report.To, err)
	}
	m.report.Removed, m.report.FormerKeys = settled.Removed, settled.Former
	cur, err := m.Store.Current()
	if errors.Is(err, snapshot.ErrNoSnapshot) {
		return &m.report, nil
	}
	m.report.Snapshot = cur.Name
	return &m.report, err
}

// switchOver gives the store its new key, by a snapshot under it if there is one.
func (m *mover) switchOver(ctx context.Context) error {
	to := m.Key
	if to == nil {
		to = new(index.Secret)
		_, _ = rand.Read(to[:]) // never fails
	}
	cur, err := m.Store.Current()
	none := errors.Is(err, snapshot.ErrNoSnapshot)
	if err != nil && !none {
		return err
	}
	var old *snapshot.Snapshot
	if !none {
		if old, err = m.Store.Open(cur, snapshot.Once); err != nil {
			return err
		}
		defer func() { _ = old.Close() }() // read
	}
	if err := m.checkLog(old); err != nil {
		return err
	}
	if m.held.log != "" {
		if err := m.Store.SetLog(m.held.log); err != nil {
			return err
		}
	}
	if err := m.move.Prepare(*to, m.keys, m.held.keys); err != nil || none {
		return err
	}
	manifest, hash, err := m.rewrite(ctx, old)
	if err != nil {
		return err
	}
	if err := m.copyBeside(cur); err != nil {
		return err
	}
	m.Progress(build.Progress{Stage: "verify"})
	if err := m.verify(hash); err != nil {
		return fmt.Errorf("what was written does not verify, and the store keeps its key: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.Progress(build.Progress{Stage: "publish"})
	if _, err := m.move.Publish(manifest, hash); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// checkLog refuses a log that ends before what the snapshot was made with of it: what
// was taken after its end may be missing.
func (m *mover) checkLog(s *snapshot.Snapshot) error {
	if s == nil || m.held.log == "" {
		return nil
	}
	if seq := s.Knows(m.held.log); seq > m.held.seq {
		return fmt.Errorf("%w: the store's snapshot was made with it up to %d, and it ends at %d: put the newest copy of the log in its place", build.ErrLiveRewound, seq, m.held.seq)
	}
	return nil
}

func (m *mover) verify(hash snapshot.HexBytes) (err error) {
	s, err := snapshot.Open(m.move.Dir(), hash, snapshot.Once)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Verify(snapshot.IdentifierHasher(m.move.To))
}
