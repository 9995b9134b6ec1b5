package engine

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/index"
)

// A change of one request may be for several stores, each with a log of its own. It
// is taken by all of them, or refused and in none: what would refuse it is asked of
// every store before the first one takes it, and nothing that could change the
// answer is on its way between, see touching. Only a log that fails can leave it in
// some: then no answer is given, and it may be sent again.

// Delivery is changes of one request, and the stores that are to take them.
type Delivery struct {
	list []event.Event
	to   []addressee
	// several is whether there are other stores that take changes.
	several bool
}

// addressee is a store, and what of a delivery is for it.
type addressee struct {
	store   string
	changes *Changes
	names   *event.Names
	takes   []bool // by the places of the changes

	// Of the changes that are on their way, what the log is to keep, and their places.
	entries []eventlog.Entry
	of      []int
}

// Taken is where a change is in the log of a store.
type Taken struct {
	Store string
	eventlog.Receipt
}

// Delivered is what became of a change.
type Delivered struct {
	// Taken has each store that has it. It is empty where the change is for none, or
	// refused.
	Taken []Taken
	// Err, if not nil, is why it was refused: nothing of it is applied. Store is
	// whose reason that is, where it is for several.
	Err   error
	Store string
}

// Deliver sees for which stores changes are: of those for which wanted says so, the
// ones that know the namespaces of a change, since in another nobody can be meant.
// Where none does, it is for all of them, which refuse it. The error is
// [ErrNoChanges] where no store takes any, or [ErrNotReady] where one that does has
// no snapshot open: what it knows is not known.
func (p *Pools) Deliver(list []event.Event, wanted func(p Pool, e *event.Event) bool) (*Delivery, error) {
	return p.DeliverAmong(p.list, list, wanted)
}

// DeliverAmong is [Pools.Deliver] for some of the stores: of others nothing is asked.
func (p *Pools) DeliverAmong(some []Pool, list []event.Event, wanted func(p Pool, e *event.Event) bool) (*Delivery, error) {
	d := &Delivery{list: list}
	var pools []Pool
	takes := 0
	for _, o := range p.list {
		if o.changes == nil {
			continue
		}
		if takes++; !slices.Contains(some, o) {
			continue
		}
		names := o.changes.bindsTo()
		if names == nil {
			return nil, ErrNotReady
		}
		pools = append(pools, o)
		d.to = append(d.to, addressee{store: o.Name, changes: o.changes, names: names, takes: make([]bool, len(list))})
	}
	if len(d.to) == 0 {
		return nil, ErrNoChanges
	}
	d.several = takes > 1
	for i := range list {
		known := false
		for k := range d.to {
			a := &d.to[k]
			a.takes[i] = wanted(pools[k], &list[i])
			known = known || a.takes[i] && a.knows(&list[i])
		}
		for k := range d.to {
			a := &d.to[k]
			a.takes[i] = a.takes[i] && (!known || a.knows(&list[i]))
		}
	}
	d.to = slices.DeleteFunc(d.to, func(a addressee) bool { return !slices.Contains(a.takes, true) })
	return d, nil
}

// knows reports whether the store has the namespaces of all identifiers in a change.
// What is none is refused when it is bound.
func (a *addressee) knows(e *event.Event) bool {
	for _, text := range [...]string{e.Left, e.Right, e.Identifier, index.CRMPrefix + e.Customer} {
		namespace, _, ok := strings.Cut(text, ":")
		if _, known := a.names.Namespaces.ByName(namespace); ok && !known {
			return false
		}
	}
	return true
}

// Reaches reports whether a store is to take something.
func (d *Delivery) Reaches(store string) bool {
	return slices.ContainsFunc(d.to, func(a addressee) bool { return a.store == store })
}

// shared reports whether a change is for several stores.
func (d *Delivery) shared(i int) bool {
	n := 0
	for k := range d.to {
		if d.to[k].takes[i] {
			n++
		}
	}
	return n > 1
}

// Take has the stores take the changes, of a client. It returns once those that are
// right are on disk, and obeyed by every lookup that begins later; the rest is as of
// [Changes.Take]. No snapshot is adopted between binding them and the disk.
func (d *Delivery) Take(client string) ([]Delivered, error) {
	if slices.ContainsFunc(d.to, func(a addressee) bool { return a.changes.follower != nil }) {
		return nil, ErrFollower
	}
	for k := range d.to {
		a := &d.to[k]
		a.changes.taking.RLock()
		defer a.changes.taking.RUnlock()
		if a.names = a.changes.bindsTo(); a.names == nil {
			return nil, ErrNotReady
		}
	}
	out := make([]Delivered, len(d.list))
	from := 0
	for part, touched := range parts(d.list, d.touching(client)) {
		if err := d.take(client, from, len(part), touched, out); err != nil {
			return nil, err
		}
		from += len(part)
	}
	return out, nil
}

// touching returns what appends the customers that a change names, by their hashes
// in each store. Where there are several, it appends what the change is known by too,
// as something that it settles: of two under one id, the later one is asked about when
// the first has landed everywhere.
func (d *Delivery) touching(client string) func([]touch, *event.Event) []touch {
	return func(dst []touch, e *event.Event) []touch {
		for k := range d.to {
			dst = touches(dst, d.to[k].names, e)
		}
		if d.several {
			id := token(client, e)
			dst = append(dst, touch{index.Hash{Hi: binary.LittleEndian.Uint64(id[:]), Lo: binary.LittleEndian.Uint64(id[8:])}, true})
		}
		return dst
	}
}

// take takes n changes of which none erases, or lets back, a customer that another
// one names, here or on its way. It waits for those in one store after the other, in
// the same order always, so that no two wait for each other.
func (d *Delivery) take(client string, from, n int, touched []touch, out []Delivered) error {
	for k := range d.to {
		defer d.to[k].changes.customers.hold(touched)()
	}
	for k := range d.to {
		d.to[k].bind(client, d, from, n, out)
	}
	for k := range d.to {
		if err := d.to[k].ask(d, out); err != nil {
			return err
		}
	}
	for k := range d.to {
		if err := d.to[k].append(d, out); err != nil {
			return err
		}
	}
	return nil
}

// refuse notes why a store refuses a change, unless another has already.
func (a *addressee) refuse(d *Delivery, i int, out []Delivered, err error) {
	if out[i].Err != nil {
		return
	}
	if out[i].Err = err; d.shared(i) {
		out[i].Store = a.store
	}
}

// bind makes what the log is to keep of the changes that are the store's.
func (a *addressee) bind(client string, d *Delivery, from, n int, out []Delivered) {
	a.entries, a.of = a.entries[:0], a.of[:0]
	o, _ := a.changes.now()
	for i := from; i < from+n; i++ {
		if !a.takes[i] {
			continue
		}
		entry, err := a.changes.entry(a.names, o, client, &d.list[i])
		if err != nil {
			a.refuse(d, i, out, err)
			continue
		}
		a.entries, a.of = append(a.entries, entry), append(a.of, i)
	}
}

// errAsked is of a change that is asked about, and would be taken.
var errAsked = errors.New("asked about")

// ask asks the log about the changes that are for other stores too: which are known
// to it, and which it would refuse.
func (a *addressee) ask(d *Delivery, out []Delivered) error {
	var list []eventlog.Entry
	var of []int
	for k, i := range a.of {
		if out[i].Err == nil && d.shared(i) {
			e := &a.entries[k]
			list, of = append(list, eventlog.Entry{Token: e.Token, Digest: e.Digest, Refused: cmp.Or(e.Refused, errAsked)}), append(of, i)
		}
	}
	receipts, err := a.appendTo(list)
	for k, r := range receipts {
		if r.Err != nil && !errors.Is(r.Err, errAsked) {
			a.refuse(d, of[k], out, r.Err)
		}
	}
	return err
}

// append has the log take the changes that no store refuses.
func (a *addressee) append(d *Delivery, out []Delivered) error {
	var list []eventlog.Entry
	var of []int
	erases := false
	for k, i := range a.of {
		if out[i].Err == nil {
			list, of = append(list, a.entries[k]), append(of, i)
			erases = erases || d.list[i].Type == event.Erase
		}
	}
	receipts, err := a.appendTo(list)
	if err != nil {
		return err
	}
	for k, r := range receipts {
		if r.Err != nil {
			a.refuse(d, of[k], out, r.Err)
			continue
		}
		out[of[k]].Taken = append(out[of[k]].Taken, Taken{a.store, r})
	}
	if erases {
		a.changes.redactSoon()
		a.changes.noteSoon()
	}
	return nil
}

func (a *addressee) appendTo(list []eventlog.Entry) ([]eventlog.Receipt, error) {
	if len(list) == 0 {
		return nil, nil
	}
	return a.changes.log.Append(context.Background(), list) // which ends whatever the disk does
}
