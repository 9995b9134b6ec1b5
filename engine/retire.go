package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/engine/proof"
	"github.com/matchd/matchd/snapshot"
)

// retire removes the kept snapshots that hold an erased customer for too long,
// and what is left of such; of those that it may not remove it says how long it is
// overdue.
func (c *Changes) retire(ctx context.Context, removed func([]string)) error {
	store := c.engine.opts.Store
	o, _ := c.now()
	if o == nil {
		return nil
	}
	names, err := store.Snapshots()
	if err != nil {
		return err
	}
	var due []string
	owing, opened := map[string]time.Duration{}, false
	for _, name := range names {
		over, err := c.overdue(ctx, o, name, &opened)
		if err != nil {
			return err
		}
		if over > 0 {
			owing[name] = over
			if name != c.engine.Info().Snapshot {
				due = append(due, name)
			}
		}
	}
	gone, err := c.clear(due)
	for _, name := range gone {
		delete(owing, name)
	}
	if len(gone) > 0 {
		c.engine.opts.Log.Warn("removed snapshots that held erased customers", "snapshots", gone, "within", c.engine.opts.Retention.EraseWithin)
		if removed != nil {
			removed(gone)
		}
	}
	c.owe(owing)
	return errors.Join(err, c.noteRemoved(gone))
}

// clear removes snapshots, and what a killed build or removal left. A build that
// is under way is waited for.
func (c *Changes) clear(due []string) (gone []string, err error) {
	_, hidden, err := c.engine.opts.Store.Holds(nil)
	if err != nil || !hidden && len(due) == 0 {
		return nil, err
	}
	gone, err = c.engine.opts.Store.Retire(due...)
	if errors.Is(err, snapshot.ErrLocked) {
		err = nil // the next time
	}
	c.ledger.countRemoved(len(gone))
	return gone, err
}

// owe says how long it is overdue that erased customers are in snapshots.
func (c *Changes) owe(owing map[string]time.Duration) {
	most := time.Duration(0)
	for _, over := range owing {
		most = max(most, over)
	}
	c.ledger.setOverdue(most)
	now := c.engine.opts.Now()
	if most == 0 || now.Sub(c.keeper.loud) < loudEvery {
		return
	}
	c.keeper.loud = now
	for name, over := range owing {
		c.engine.opts.Log.Error("erased customers are in a snapshot that cannot be removed: build anew with the log, and serve that", "snapshot", name, "overdue", over)
	}
}

// overdue is for how long too long a snapshot has held an erased customer, 0 where
// it does not. A snapshot is opened for that, one each time, and only where an
// erasure is due that it was not looked into for. One that cannot be opened holds
// whoever was erased after what it says to contain.
func (c *Changes) overdue(ctx context.Context, o *overlay.Overlay, name string, opened *bool) (time.Duration, error) {
	now, within := c.engine.opts.Now(), c.engine.opts.Retention.EraseWithin
	named, err := c.engine.opts.Store.Named(name)
	called := proof.Snapshot{Name: name, Manifest: named.Manifest}
	if err == nil {
		if list := c.ledger.after(c.ledger.lookedUpTo(&called)); len(list) > 0 && list[0].late(now, within) > 0 {
			if *opened {
				return 0, nil // the next time
			}
			*opened = true
			err = c.lookInto(ctx, named)
		}
	}
	var over time.Duration
	count := func(list []erasure) {
		for _, e := range list {
			if _, ok := inForce(o, e); ok {
				over = max(over, e.late(now, within))
			}
		}
	}
	switch {
	case err == nil:
		count(c.ledger.held(&called))
	case c.log.Err() != nil || ctx.Err() != nil:
		return 0, err
	default:
		applied := uint64(0)
		if m, err := c.engine.opts.Store.ReadManifest(named); err == nil && named.Name != "" {
			applied = m.Applied[c.log.ID().String()]
		}
		c.engine.opts.Log.Warn("a kept snapshot cannot be opened, and counts as holding who was erased since", "snapshot", name, "error", err)
		count(c.ledger.after(applied))
	}
	return over, nil
}

// late is for how long an erasure is accepted for longer than a time.
func (e erasure) late(now time.Time, within time.Duration) time.Duration {
	return now.Sub(time.Unix(0, e.accepted)) - within
}

// lookInto is look for a snapshot that is not served.
func (c *Changes) lookInto(ctx context.Context, named snapshot.Current) error {
	s, err := c.engine.opts.Store.Open(named, snapshot.Once)
	if err != nil {
		return err
	}
	return errors.Join(c.look(ctx, s, named), s.Close())
}

// noteRemoved notes which snapshots that held an erased customer are gone, with
// those that are gone now, whoever removed them. While something is hidden in the
// store it may be one of them.
func (c *Changes) noteRemoved(gone []string) error {
	known := c.ledger.lookedInto()
	names := make([]string, 0, len(known))
	for _, s := range known {
		names = append(names, s.Name)
	}
	kept, hidden, err := c.engine.opts.Store.Holds(names)
	if err != nil || hidden {
		return err
	}
	n := proof.Note{Kind: proof.Removed}
	for _, s := range known {
		if slices.Contains(kept, s.Name) {
			continue
		}
		held := c.ledger.held(&s)
		if len(held) == 0 {
			c.ledger.drop(&s)
			continue
		}
		if n.Erasure == 0 || held[0].seq < n.Erasure {
			n.Erasure = held[0].seq
		}
		n.Removed = append(n.Removed, s)
	}
	for _, name := range gone {
		if !slices.ContainsFunc(known, func(s proof.Snapshot) bool { return s.Name == name }) {
			n.Removed = append(n.Removed, proof.Snapshot{Name: name})
		}
	}
	if len(n.Removed) == 0 {
		return nil
	}
	return c.write(&n)
}
