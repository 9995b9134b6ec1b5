package engine

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/engine/persons"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// SetOverlay makes the answers of sessions that begin later obey live changes,
// whatever snapshot is open then; nil is none. Its hashes have to be those of the
// store's identifiers. An engine with a log of changes sets its own.
func (e *Engine) SetOverlay(live *overlay.Overlay) {
	e.reload.Lock() // the generation stays
	defer e.reload.Unlock()
	c := changed{overlay: live}
	if g := e.state.Load().gen; g != nil {
		c = e.beside(g, live)
	}
	e.setChanged(c)
}

// adopt returns what live changes say beside a generation that is to be open.
// Where there is a log of them, it returns with its lock held, but for an error.
func (e *Engine) adopt(g *generation) (changed, error) {
	if e.changes != nil {
		return e.changes.adopt(g)
	}
	return e.beside(g, e.state.Load().overlay), nil
}

// beside adds to an overlay the persons that its links make of a generation's.
func (e *Engine) beside(g *generation, live *overlay.Overlay) changed {
	c := changed{overlay: live}
	if live == nil {
		return c
	}
	var touched []index.Hash
	for entry := range live.All() {
		for range entry.Links() {
			touched = append(touched, entry.Hash)
			break
		}
	}
	c.persons = e.relink(g, c, touched)
	return c
}

// relink returns the persons beside a generation after links of some identifiers
// have changed. What cannot be read is nobody's.
func (e *Engine) relink(g *generation, c changed, touched []index.Hash) *persons.Persons {
	if len(touched) == 0 {
		return c.persons
	}
	before := c.persons
	if before == nil {
		var err error
		before, err = persons.New(persons.World{
			Snapshot: g.Snapshot, Secret: g.secret,
			ReadCold: func(addr uint64, r *snapshot.Record) (*snapshot.ColdPerson, error) { return e.readCold(g, addr, r) },
		})
		if err != nil {
			e.opts.Log.Error("live links are not obeyed", "snapshot", g.name, "error", err)
			return nil
		}
	}
	next, err := before.With(c.overlay, touched)
	if err != nil {
		e.opts.Log.Error("persons that live links touch are unknown until the next snapshot", "snapshot", g.name, "error", err)
	}
	return next
}

// adopt makes of all changes what they say beside a generation. It returns with
// c.mu held, until that and the generation are what the engine answers from, see
// adopted; not so after an error. It holds up nobody while it reads all but the
// last of them.
func (c *Changes) adopt(g *generation) (changed, error) {
	names := c.namesOf(g)
	c.mu.Lock()
	have, before, err := c.overlay, c.gen, c.knows(g)
	c.mu.Unlock()
	if err != nil {
		return changed{}, err
	}
	newest, _, _ := c.log.Last()
	applied, err := contained(&g.Manifest, c.log.ID(), newest)
	if err != nil && c.follower != nil {
		err = fmt.Errorf("%w: %w", ErrBehind, err)
	}
	if err != nil {
		return changed{}, err
	}
	if err := c.goesOn(g); err != nil && c.log.Err() == nil {
		return changed{}, err
	}
	var next changed
	last := uint64(0)
	if have != nil && c.log.Err() != nil {
		// The log cannot be read any more, and what was in it is known.
		if have, err = have.Rebase(applied, 0); err == nil {
			err = g.heedableAs(before)
		}
		if err != nil {
			return changed{}, err
		}
		next = c.engine.beside(g, g.rename(have))
	} else {
		b, made := overlay.NewBuilder(applied), overlay.MadeBy{}
		err := c.scan(0, names, func(seq uint64, change *overlay.Change) {
			last = seq
			b.Add(change)
			made.Add(&change.Event)
		})
		if err != nil {
			return changed{}, err
		}
		o := b.Build()
		if err := g.heedable(&made, o, before); err != nil {
			return changed{}, err
		}
		next = c.engine.beside(g, g.rename(o))
	}
	c.taking.Lock()
	c.mu.Lock()
	c.taking.Unlock() // who comes now waits for c.mu, and is bound by g
	through, _, _ := c.log.Last()
	var list []overlay.Change
	other := error(nil)
	err = c.scan(last, names, func(_ uint64, change *overlay.Change) {
		list = append(list, *change)
		other = cmp.Or(other, g.canHeed(&change.Event))
	})
	if err != nil && c.log.Err() == nil {
		c.mu.Unlock()
		return changed{}, err
	}
	if err != nil && c.overlay != nil && c.overlay.Seq() > next.overlay.Seq() {
		if have, err = c.overlay.Rebase(applied, 0); err != nil { // the log failed on the way
			c.mu.Unlock()
			return changed{}, err
		}
		next, list, other = c.engine.beside(g, g.rename(have)), nil, g.heedableAs(before)
	}
	if err := cmp.Or(other, c.knows(g)); err != nil { // of what came meanwhile
		c.mu.Unlock()
		return changed{}, err
	}
	c.names, c.gen, c.through = names, g, max(c.through, through)
	c.ledger.unstick()
	c.changed = c.engine.change(g, next, list)
	c.redactSoon() // a daemon that was killed may have left something
	return c.changed, nil
}

// namesOf are the names of a generation that changes are bound to.
func (c *Changes) namesOf(g *generation) *event.Names {
	names := &event.Names{Namespaces: g.Namespaces, Hasher: g.hasher, Key: c.key, Former: c.former, Normalised: g.Normalised}
	if values := c.engine.opts.Values; values != nil {
		names.CheckKey, names.CheckText = values(g.Namespaces)
	}
	for _, t := range g.Tenants {
		names.Tenants = append(names.Tenants, t.Name)
	}
	return names
}

// scan calls f with the changes of the log after a number, in order.
func (c *Changes) scan(after uint64, names *event.Names, f func(seq uint64, change *overlay.Change)) error {
	err := c.log.Scan(after, func(r eventlog.Record) error {
		change, ok, err := c.change(&r, names)
		if ok {
			f(r.Seq, &change)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("live changes: %w", err)
	}
	return nil
}

// change reads a record. ok is false where there is nothing to apply: the entry
// was redacted, or the store has no such namespace any more.
func (c *Changes) change(r *eventlog.Record, names *event.Names) (change overlay.Change, ok bool, err error) {
	if !whole(r) {
		return change, false, nil
	}
	b, err := event.Decode(r.Body)
	if err != nil {
		return change, false, fmt.Errorf("record %d: %w", r.Seq, err)
	}
	change, err = overlay.NewChange(r.Seq, b, names)
	if errors.Is(err, overlay.ErrKey) {
		return change, false, fmt.Errorf("record %d: %w", r.Seq, err)
	}
	return change, err == nil, nil
}

// change returns what is said after a group of changes.
func (e *Engine) change(g *generation, c changed, list []overlay.Change) changed {
	if len(list) == 0 {
		return c
	}
	var touched []index.Hash
	for i := range list {
		switch list[i].Event.Type {
		case event.Link, event.Unlink:
			left, right := list[i].Ends()
			touched = append(touched, left, right)
		case event.Erase: // which cuts links
			if c.persons.Len() > 0 {
				touched = append(touched, list[i].Event.Hash)
			}
		}
	}
	next := changed{overlay: g.renameNamed(c.overlay.With(list), list), persons: c.persons}
	next.persons = e.relink(g, next, touched)
	return next
}

// adopted ends what [Changes.adopt] began, once the engine answers by it.
func (c *Changes) adopted() {
	c.ledger.obeyed(c.engine.opts.Now(), c.through)
	c.mu.Unlock()
	c.noteSoon() // of what is served now
}

// applied makes answers obey what is on disk.
func (c *Changes) applied(records []eventlog.Record) {
	for i := range records {
		c.ledger.arrive(&records[i])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.through = max(c.through, records[len(records)-1].Seq)
	if c.names == nil {
		return // the first snapshot's overlay is made of the whole log
	}
	var list []overlay.Change
	for i := range records {
		change, ok, err := c.change(&records[i], c.names)
		if err == nil && ok {
			err = c.heeded(records[i].Seq, &change.Event)
		}
		if err != nil {
			c.engine.opts.Log.Error("a live change cannot be applied", "error", err) // it was bound a moment ago
			c.ledger.stick(records[i].Time)
		}
		if ok {
			list = append(list, change)
		}
	}
	pin, ok := c.gen.pins.acquire()
	if !ok {
		return // nobody asks any more
	}
	defer c.gen.pins.release(pin)
	c.changed = c.engine.change(c.gen, c.changed, list)
	c.engine.setChanged(c.changed)
	c.ledger.obeyed(c.engine.opts.Now(), c.through)
}
