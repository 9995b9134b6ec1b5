package engine

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
)

// A change that names a customer who is erased would keep the customer's name in
// the log, and no answer would use it. So it is refused. Whether somebody is erased
// is known once all before has landed: what names a customer and what erases or
// lets back the same one are never on their way together.

// ErrErased says that a link, segment or consent names a customer who was erased.
var ErrErased = errors.New("the customer was erased")

var (
	errErasedNow  = fmt.Errorf("%w; an opt_in lets it back", ErrErased)
	errErasedThen = fmt.Errorf("%w, and let back, after the time of this change", ErrErased)
)

// heed says why a change may not be kept, or nil. An erasure it makes count from
// the latest that was taken of the customer before: by the clocks of those who
// send, what is there may be the later one, and its text would stay. An opt-out or
// erasure that came without a time of its own (now) is not earlier than an opt-in
// either; one with a time that is has been taken back already.
func heed(o *overlay.Overlay, names *event.Names, b *event.Bound, now bool) error {
	switch b.Type {
	case event.OptIn:
	case event.OptOut, event.Erase:
		lifted, latest := letBack(o, b)
		if now {
			b.At = max(b.At, lifted)
		}
		if b.Type == event.Erase && b.At >= lifted {
			b.At = max(b.At, latest)
		}
	default:
		for _, text := range [...]string{b.Subject, b.Left, b.Right} {
			if err := unlessErased(o, names, text, b.At); err != nil {
				return err
			}
		}
	}
	return nil
}

// letBack is the time of the last opt-in against a change that takes away, and
// that of the latest link, segment or consent of whom it is about; 0 of none.
func letBack(o *overlay.Overlay, b *event.Bound) (lifted, latest int64) {
	for _, h := range append(b.Former[:len(b.Former):len(b.Former)], b.Hash) {
		e, ok := o.Get(h)
		if !ok {
			continue
		}
		latest = max(latest, e.Latest())
		for x := range e.Erasures() {
			if b.OfCustomer && string(x.Tenant) == b.Tenant {
				lifted = max(lifted, x.LiftedAt)
			}
		}
		for x := range e.OptOuts() {
			if !b.OfCustomer && !x.Denied && string(x.Tenant) == b.Tenant {
				lifted = max(lifted, x.At)
			}
		}
	}
	return lifted, latest
}

// unlessErased says why nothing can be said of a customer as of a time, or nil;
// of what is no customer it says nil. An erasure is for the customer's tenant or
// for all, so that each is one that counts.
func unlessErased(o *overlay.Overlay, names *event.Names, text string, at int64) (then error) {
	for _, h := range customerHashes(names, text) {
		e, ok := o.Get(h)
		if !ok {
			continue
		}
		for x := range e.Erasures() {
			if x.InForce() {
				return errErasedNow
			}
			if x.At >= at {
				then = errErasedThen
			}
		}
	}
	return then
}

// customerHashes are the hashes of an identifier that is a customer's: under the
// key of today, and under those of before, by which erasures may be kept.
func customerHashes(names *event.Names, text string) []index.Hash {
	if !strings.HasPrefix(text, index.CRMPrefix) {
		return nil
	}
	list, err := names.Hashes(text)
	if err != nil {
		return nil
	}
	return list
}

// touch is a customer that a change names. settles is of what erases it or lets it
// back.
type touch struct {
	customer index.Hash
	settles  bool
}

// touches appends the customers that a change names. What is none is refused when
// it is bound.
func touches(dst []touch, names *event.Names, e *event.Event) []touch {
	settles := e.Type == event.Erase || e.Type == event.OptIn
	for _, text := range [...]string{e.Left, e.Right, index.CRMPrefix + e.Customer} {
		if hashes := customerHashes(names, text); len(hashes) > 0 {
			dst = append(dst, touch{hashes[0], settles})
		}
	}
	return dst
}

// parts are the changes, in order, in as few runs as there are without one in
// which a customer is named beside what settles it; with each, what touching
// appended of the customers in it.
func parts(list []event.Event, touching func([]touch, *event.Event) []touch) iter.Seq2[[]event.Event, []touch] {
	return func(yield func([]event.Event, []touch) bool) {
		var some, next []touch
		seen := map[index.Hash]bool{} // whether it is settled
		from := 0
		for i := range list {
			next = touching(next[:0], &list[i])
			for _, t := range next {
				if settled, before := seen[t.customer]; !before || !settled && !t.settles {
					continue
				}
				if !yield(list[from:i], some) {
					return
				}
				from, some = i, nil
				clear(seen)
				break
			}
			for _, t := range next {
				some, seen[t.customer] = append(some, t), t.settles
			}
		}
		if from < len(list) {
			yield(list[from:], some)
		}
	}
}

// customers are those of changes that are on their way.
type customers struct {
	mu    sync.Mutex
	named map[index.Hash]int // by how many, or settled
	freed sync.Cond
}

// settled stands for the one change that settles a customer.
const settled = -1

// hold waits until no change that is on its way settles one of the customers, nor
// names one that is to be settled, and holds off such until done is called. It
// takes all at once, so that no two wait for each other.
func (c *customers) hold(list []touch) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.freed.L = &c.mu
	for !c.free(list) {
		c.freed.Wait()
	}
	if c.named == nil {
		c.named = map[index.Hash]int{}
	}
	for _, t := range list {
		if c.named[t.customer]++; t.settles {
			c.named[t.customer] = settled
		}
	}
	return func() { c.release(list) }
}

func (c *customers) free(list []touch) bool {
	for _, t := range list {
		if n := c.named[t.customer]; n == settled || n > 0 && t.settles {
			return false
		}
	}
	return true
}

func (c *customers) release(list []touch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range list {
		if c.named[t.customer]--; t.settles || c.named[t.customer] == 0 {
			delete(c.named, t.customer)
		}
	}
	c.freed.Broadcast()
}
