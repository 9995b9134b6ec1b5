package overlay

import (
	"errors"
	"iter"

	"github.com/matchd/matchd/index"
)

// Overlay is one version of the facts in force.
type Overlay struct {
	tree
	applied uint64
	dropped uint64 // the highest number of a fact that Rebase dropped
	seq     uint64
}

// New returns an overlay without a fact, beside a snapshot that contains the
// log up to a sequence number.
func New(applied uint64) *Overlay { return NewBuilder(applied).Build() }

// Applied is the sequence number up to which the snapshot contains the log.
func (o *Overlay) Applied() uint64 { return o.applied }

// Seq is the highest sequence number among the changes that came in.
func (o *Overlay) Seq() uint64 { return o.seq }

// Len is the number of identifiers that facts hang on, folded ones too.
func (o *Overlay) Len() int { return o.entries }

// Bytes is how much memory the overlay takes, without what the allocator adds.
func (o *Overlay) Bytes() int {
	const slice, pointer = 24, 8
	used := 0
	for _, p := range o.pages {
		if p != nil {
			used++
		}
	}
	return o.bytes + used*pageBuckets*slice + len(o.pages)*pointer + (len(o.filter)+len(o.finer))*8
}

// With returns the version after a group of changes, which come in the order of
// their sequence numbers and after those that came before. What was there once
// may come again: it changes nothing.
func (o *Overlay) With(changes []Change) *Overlay {
	m := merger{draft: o.edit()}
	next := &Overlay{applied: o.applied, dropped: o.dropped, seq: o.seq}
	for i := range changes {
		m.apply(&changes[i])
		next.seq = max(next.seq, changes[i].Seq)
	}
	next.tree = m.tree
	return next
}

// Get returns the entry of an identifier, and false where nothing hangs on it.
// It allocates nothing.
func (o *Overlay) Get(h index.Hash) (Entry, bool) {
	items := o.get(h)
	return Entry{h, items, o}, items != nil
}

// Confirmed is Get by what a record of a snapshot holds to confirm an
// identifier, Lo and the low byte of Hi; see [index.AppendConfirm]. That two
// identifiers of a store agree in these 72 bits is not to be expected; where they
// did, one might be withheld with the other.
func (o *Overlay) Confirmed(lo uint64, hi byte) (Entry, bool) {
	h, items := o.confirmed(lo, hi)
	return Entry{h, items, o}, items != nil
}

// OptedOut is [Entry.OptedOut] of the identifier's entry, if there is one.
func (o *Overlay) OptedOut(h index.Hash, tenant string) bool {
	e, ok := o.Get(h)
	return ok && e.OptedOut(tenant)
}

// Erased is [Entry.Erased] of the customer's entry, if there is one.
func (o *Overlay) Erased(customer index.Hash, tenant string) bool {
	e, ok := o.Get(customer)
	return ok && e.Erased(tenant)
}

// Withheld is [Entry.Withheld] of the identifier's entry, if there is one.
func (o *Overlay) Withheld(h index.Hash, tenant string) bool {
	e, ok := o.Get(h)
	return ok && e.Withheld(tenant)
}

// All returns every entry, ascending by Lo of its hash, then by Hi.
func (o *Overlay) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, p := range o.pages {
			if p == nil {
				continue
			}
			for _, b := range p {
				for i := range count(b) {
					if !yield(Entry{hashAt(b, i), entryAt(b, i), o}) {
						return
					}
				}
			}
		}
	}
}

// ErrDropped says that facts are gone which a snapshot does not have: the
// overlay has to be built anew from the log.
var ErrDropped = errors.New("the snapshot contains less of the log than the facts that were dropped; rebuild the overlay from the log")

// Rebase returns the overlay beside another snapshot, which contains the log up
// to applied. Of the facts that are folded then, it drops those of changes made
// before a time in Unix nanoseconds: a delayed change older than one of them
// will hold. It returns [ErrDropped] where a rebase before dropped what the
// snapshot does not contain.
func (o *Overlay) Rebase(applied uint64, before int64) (*Overlay, error) {
	if applied < o.dropped {
		return nil, ErrDropped
	}
	b := NewBuilder(applied)
	dropped := o.dropped
	for e := range o.All() {
		b.m.entry = keep(b.m.entry[:0], e.items, func(i item) bool {
			if !i.kind.named() || i.seq() > applied || i.at() >= before {
				return true
			}
			dropped = max(dropped, i.seq())
			return false
		})
		if len(b.m.entry) > 0 {
			b.m.set(e.Hash, b.m.entry)
		}
	}
	next := b.Build()
	next.dropped, next.seq = dropped, o.seq
	return next, nil
}
