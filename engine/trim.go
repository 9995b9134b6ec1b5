package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/engine/proof"
	"github.com/matchd/matchd/snapshot"
)

// trim trims the log of what all snapshots in the store contain. A follower drops
// what its leader drops.
func (c *Changes) trim(ctx context.Context) error {
	if c.follower != nil {
		c.ledger.forget(c.engine.opts.Retention.KeepErasures, c.engine.opts.Now())
		return nil
	}
	names, err := c.engine.opts.Store.Snapshots()
	if err != nil {
		return err
	}
	k, now := &c.keeper, c.engine.opts.Now()
	if slices.Equal(names, k.kept) && now.Sub(k.trimmed) < trimEvery {
		return nil
	}
	first, err := c.log.First()
	if err != nil {
		return err
	}
	below, err := c.late(first, c.firstLacking(names), now)
	if err != nil {
		return err
	}
	if below > first || below == k.below && below > 1 { // time has passed for what was kept
		if err := c.log.Trim(ctx, below, c.keeps(now)); err != nil {
			return err
		}
		c.ledger.forget(c.engine.opts.Retention.KeepErasures, now)
	}
	k.kept, k.trimmed, k.below = names, now, below
	return nil
}

// firstLacking is the number of the first record that some snapshot of the store
// does not contain.
func (c *Changes) firstLacking(names []string) (below uint64) {
	id := c.log.ID().String()
	for i, name := range names {
		var m snapshot.Manifest
		named, err := c.engine.opts.Store.Named(name)
		if err == nil {
			m, err = c.engine.opts.Store.ReadManifest(named)
		}
		if err != nil { // nobody knows what is in it
			return 0
		}
		if n := m.Applied[id] + 1; i == 0 || n < below {
			below = n
		}
	}
	return below
}

// errYoung ends reading at a record that the log keeps whatever it is.
var errYoung = errors.New("young")

// late is the number below which records are as old as [keepLate], up to a
// number: a snapshot that lacks one which is younger, such as a follower's or one
// of a restored store, can still be served.
func (c *Changes) late(first, below uint64, now time.Time) (uint64, error) {
	err := c.log.Scan(first-1, func(r eventlog.Record) error {
		if r.Seq >= below {
			return errYoung
		}
		if r.Time.After(now.Add(-keepLate)) {
			below = r.Seq
			return errYoung
		}
		return nil
	})
	if errors.Is(err, errYoung) {
		err = nil
	}
	return below, err
}

// keeps says what of the records that all snapshots contain the log keeps.
func (c *Changes) keeps(now time.Time) func(eventlog.Record) bool {
	late := now.Add(-keepLate)
	erased := func(r *eventlog.Record) bool { return keptFor(c.engine.opts.Retention.KeepErasures, r.Time, now) }
	noted := c.ledger.notedUpTo()
	holds := c.holds()
	return func(r eventlog.Record) bool {
		switch {
		case r.Kind == eventlog.Note:
			n, err := proof.DecodeNote(r.Body)
			return err != nil || n.UpTo == noted && noted > 0 || n.Concerns() && erased(&r)
		case r.Redacted:
			return r.Time.After(late)
		}
		return keptChange(&r, late, erased) || holds(&r)
	}
}

// keptFor reports whether what is of a time is kept; 0 is for ever.
func keptFor(span time.Duration, at, now time.Time) bool {
	return span == 0 || at.After(now.Add(-span))
}

// keptChange reports whether the log keeps a change that all snapshots contain:
// opt-outs, erasures and what takes them back as long as those, the rest as long
// as another of its fact, made before, may come.
func keptChange(r *eventlog.Record, late time.Time, erased func(*eventlog.Record) bool) bool {
	b, err := event.Decode(r.Body)
	if err != nil {
		return true
	}
	switch b.Type {
	case event.OptOut, event.OptIn, event.Erase:
		return erased(r)
	}
	return r.Time.After(late)
}

// holds tells of a record whether its change is a link, a segment or a consent
// that is in force, or may be: builds begin with the files, and have such from
// the log alone, whatever snapshots contain.
func (c *Changes) holds() func(*eventlog.Record) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, names := c.overlay, c.names
	return func(r *eventlog.Record) bool {
		if o == nil {
			return true
		}
		change, ok, err := c.change(r, names)
		if errors.Is(err, overlay.ErrKey) {
			return false
		}
		return !ok || o.Holds(&change)
	}
}

// goesOn refuses a snapshot that lacks changes which were trimmed from the log.
func (c *Changes) goesOn(g *generation) error {
	first, err := c.log.First()
	if err != nil {
		return err
	}
	if applied := g.Applied[c.log.ID().String()]; applied+1 < first {
		return fmt.Errorf("snapshot %s contains the live changes up to record %d, and the log was trimmed up to %d: build anew with the log", g.name, applied, first-1)
	}
	return nil
}
