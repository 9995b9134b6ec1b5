package engine

import (
	"context"
	"errors"
	"time"

	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/engine/proof"
	"github.com/matchd/matchd/snapshot"
)

// Times of [Changes.Keep].
const (
	// noteEvery is how soon after a note of erasures the next may come.
	noteEvery = time.Second
	// loudEvery is how often what is overdue is logged.
	loudEvery = time.Hour
	// trimEvery is how often the log is trimmed although the snapshots that are
	// kept are the same.
	trimEvery = 24 * time.Hour
	// keepLate is how long the log keeps changes that all snapshots contain: one
	// that comes so late still loses to a later one, and an id that is sent again
	// is known.
	keepLate = 30 * 24 * time.Hour
)

// keeper is what [Changes.Keep] remembers. It belongs to one goroutine.
type keeper struct {
	kick    chan struct{} // holds one where there is something to note
	loud    time.Time     // when what is overdue was last logged
	trimmed time.Time     // when the log was last trimmed, by the clock
	below   uint64        // and below what
	kept    []string      // the snapshots in the store then
}

// Keep sees to what is to be done about erasures until ctx ends: at once and every
// so often, the rest as [Changes.Tend] does; and soon after each erasure, that it
// is noted. removed, if not nil, is called with the names of snapshots that it has
// removed. It is called once, by the daemon that has the log.
func (c *Changes) Keep(ctx context.Context, every time.Duration, removed func(names []string)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	logged := func(err error) {
		if err != nil && !errors.Is(err, context.Canceled) {
			c.engine.opts.Log.Error("what is to be done about erasures is not done", "error", err)
		}
	}
	logged(c.Tend(ctx, removed))
	for {
		select {
		case <-ctx.Done():
			// So that it is known after a restart what was obeyed before.
			logged(c.noteRefused(true))
			return
		case <-tick.C:
			logged(c.Tend(ctx, removed))
		case <-c.keeper.kick:
			logged(c.note(ctx, false))
			select {
			case <-time.After(noteEvery):
			case <-ctx.Done():
			}
		}
	}
}

// Tend does once what is to be done about erasures: it notes since when they are
// obeyed, looks for the erased in what is served, removes kept snapshots that hold
// one for too long, and trims the log.
func (c *Changes) Tend(ctx context.Context, removed func(names []string)) error {
	if err := c.note(ctx, true); err != nil {
		return err
	}
	return errors.Join(c.retire(ctx, removed), c.trim(ctx))
}

// noteSoon has [Changes.Keep] note something.
func (c *Changes) noteSoon() {
	select {
	case c.keeper.kick <- struct{}{}:
	default:
	}
}

// note notes since when erasures are obeyed, with optOuts up to where opt-outs
// are too, and whether the erased are in what is served.
func (c *Changes) note(ctx context.Context, optOuts bool) error {
	if err := c.noteRefused(optOuts); err != nil {
		return err
	}
	g, pin := c.engine.pin()
	if g == nil {
		return nil
	}
	defer g.pins.release(pin)
	return c.look(ctx, g.Snapshot, g.current)
}

// noteRefused notes since when erasures are obeyed of which no note says so yet.
// Without optOuts it notes nothing where there are opt-outs alone.
func (c *Changes) noteRefused(optOuts bool) error {
	for {
		n := c.ledger.refused()
		if n.UpTo == 0 || len(n.Since) == 0 && !optOuts {
			return nil
		}
		if len(n.Since) > 0 {
			n.Within = int64(c.engine.opts.Retention.EraseWithin / time.Second)
		}
		if err := c.write(&n); err != nil {
			return err
		}
	}
}

func (c *Changes) write(n *proof.Note) error {
	if c.follower != nil { // its log has what its leader says, and nothing else
		c.ledger.mu.Lock()
		defer c.ledger.mu.Unlock()
		c.ledger.note(n.Encode())
		return nil
	}
	_, err := c.log.Note(context.Background(), n.Encode()) // which ends whatever the disk does
	return err
}

// refused is the next note of what is obeyed, with UpTo 0 where there is none.
func (l *ledger) refused() proof.Note {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := proof.Note{Kind: proof.Refused}
	for _, w := range l.waiting {
		if w.obeyed.IsZero() || len(n.Since) == proof.MostInNote {
			break
		}
		n.UpTo = w.seq
		if w.erases {
			n.Since = append(n.Since, proof.Since{Seq: w.seq, At: w.obeyed.UTC()})
		}
	}
	return n
}

// now is the overlay, and up to where it has the log.
func (c *Changes) now() (*overlay.Overlay, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.overlay, c.through
}

// look looks into a snapshot for the erased customers that it was not looked
// into for, and notes what it found.
func (c *Changes) look(ctx context.Context, s *snapshot.Snapshot, named snapshot.Current) error {
	o, through := c.now()
	if o == nil {
		return nil
	}
	called := &proof.Snapshot{Name: named.Name, Manifest: named.Manifest}
	list := c.ledger.after(c.ledger.lookedUpTo(called))
	for len(list) > 0 && list[0].seq <= through && ctx.Err() == nil {
		part := list[:min(len(list), proof.MostInNote)]
		for part[len(part)-1].seq > through {
			part = part[:len(part)-1]
		}
		list = list[len(part):]
		n := proof.Note{
			Kind: proof.Looked, Snapshot: called, Applied: s.Applied[c.log.ID().String()],
			From: c.ledger.lookedUpTo(called) + 1, To: part[len(part)-1].seq,
		}
		for _, e := range part {
			fact, ok := inForce(o, e)
			if !ok {
				n.Lifted = append(n.Lifted, e.seq)
				continue
			}
			there, err := contains(s, e.hash)
			switch {
			case err != nil:
				return err
			case there && fact.Seq <= n.Applied:
				n.Found = append(n.Found, e.seq)
			case there:
				n.Held = append(n.Held, e.seq)
			}
		}
		if err := c.write(&n); err != nil {
			return err
		}
		if len(n.Found) > 0 {
			c.engine.opts.Log.Error("erased customers are in a snapshot that says to contain their erasures", "snapshot", called.Name, "erasures", n.Found)
		}
	}
	return ctx.Err()
}

// inForce returns the fact that an erasure became, unless that was lifted after
// it.
func inForce(o *overlay.Overlay, e erasure) (fact overlay.Erasure, ok bool) {
	entry, ok := o.Get(e.hash)
	if !ok {
		return fact, false
	}
	for f := range entry.Erasures() {
		if string(f.Tenant) == e.tenant {
			return f, f.InForce() && e.at >= f.LiftedAt
		}
	}
	return fact, false
}
