package overlay

import (
	"iter"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Entry is all facts that hang on one identifier. It lies in its overlay.
type Entry struct {
	// Hash is the keyed hash of the identifier.
	Hash  index.Hash
	items []byte
	in    *Overlay
}

// Fact is what every fact has.
type Fact struct {
	// At is when the change was made that holds, in Unix nanoseconds.
	At int64
	// Seq is the sequence number of the change that made the fact what it is.
	Seq uint64
}

// Link is a link of the identifier to another, or that there is none.
type Link struct {
	Fact
	Other  index.Hash
	Linked bool
	// Method is that of a link; it is zero where Linked is false.
	Method snapshot.Method
}

// Segment is a segment that the customer is in, or is not.
type Segment struct {
	Fact
	Code  []byte
	Added bool
	// Until is the first second, in Unix seconds, in which the fact says nothing
	// any more and the snapshot's word counts again; 0 is never.
	Until int64
}

// InForce reports whether the fact says anything at a time in Unix seconds.
func (s Segment) InForce(now int64) bool { return s.Until == 0 || now < s.Until }

// Consent is the consent of the customer. It replaces what the snapshot says of
// it, also once it has expired.
type Consent struct {
	Fact
	Granted bool
	// Purposes are those granted: none where Granted is false.
	Purposes snapshot.Purposes
	// Until is the first second, in Unix seconds, in which the consent is
	// expired; 0 is never.
	Until int64
}

// OptOut says whether the identifier may be used for a tenant, as far as that
// goes: Denied is false where an opt-in came last.
type OptOut struct {
	Fact
	Tenant []byte // or [event.All]
	Denied bool
}

// Erasure tells when the customer was erased last for a tenant, in Fact.At, and
// when that was lifted last, both in Unix nanoseconds and 0 for never. Seq is
// that of whichever change came last in the log.
type Erasure struct {
	Fact
	Tenant   []byte // or [event.All]
	LiftedAt int64
}

// InForce reports whether the customer is erased.
func (e Erasure) InForce() bool { return e.At != 0 && e.At >= e.LiftedAt }

// Contact says that an erasure of a customer named a contact identifier of it:
// for whom the customer is erased, the contact is withheld. On the customer,
// Other is the contact's hash; on the contact it is the customer's.
type Contact struct {
	Seq   uint64
	Other index.Hash
}

// each calls f for each item of a kind, until it returns false. Items of what
// the snapshot has are passed over.
func (e Entry) each(k kind, f func(item) bool) {
	for rest := e.items; len(rest) > 0; {
		var i item
		if i, rest = first(rest); i.kind == k && !(k.named() && i.seq() <= e.in.applied) && !f(i) || i.kind > k {
			return
		}
	}
}

// Text is the identifier's canonical text, or empty where no link, segment or
// consent hangs on it.
func (e Entry) Text() []byte {
	if len(e.items) > 0 && kind(e.items[0]) == kindText {
		i, _ := first(e.items)
		return i.key
	}
	return nil
}

func (i item) fact() Fact { return Fact{At: i.at(), Seq: i.seq()} }

// Links are the links that are not folded, ascending by the other's hash.
func (e Entry) Links() iter.Seq[Link] {
	return func(yield func(Link) bool) {
		e.each(kindLink, func(i item) bool {
			return yield(Link{i.fact(), i.hash(), i.flags()&1 != 0, snapshot.Method(i.flags() >> 1)})
		})
	}
}

// Segments are the segments that are not folded, ascending by code, those
// whose time is over among them.
func (e Entry) Segments() iter.Seq[Segment] {
	return func(yield func(Segment) bool) {
		e.each(kindSegment, func(i item) bool {
			return yield(Segment{i.fact(), i.key, i.flags() != 0, i.until()})
		})
	}
}

// Ended are the segments that the snapshot has the customer in by a change alone,
// or may have, although the time of the change is over at a time in Unix seconds:
// those that were added, are folded, and had not ended when the snapshot was
// built.
func (e Entry) Ended(built, now int64) iter.Seq[Segment] {
	return func(yield func(Segment) bool) {
		for rest := e.items; len(rest) > 0; {
			var i item
			if i, rest = first(rest); i.kind != kindSegment || i.seq() > e.in.applied || i.flags() == 0 {
				continue
			}
			s := Segment{i.fact(), i.key, true, i.until()}
			if s.InForce(built) && !s.InForce(now) && !yield(s) {
				return
			}
		}
	}
}

// Consent is the customer's consent, and false where there is none that is not
// folded.
func (e Entry) Consent() (c Consent, ok bool) {
	e.each(kindConsent, func(i item) bool {
		c = Consent{i.fact(), i.flags()&1 != 0, snapshot.Purposes(i.flags() >> 1), i.until()}
		ok = true
		return false
	})
	return c, ok
}

// OptOuts are the opt-outs and opt-ins, ascending by tenant.
func (e Entry) OptOuts() iter.Seq[OptOut] {
	return func(yield func(OptOut) bool) {
		e.each(kindOptOut, func(i item) bool { return yield(OptOut{i.fact(), i.key, i.flags() == 0}) })
	}
}

// Erasures are those of the customer, ascending by tenant.
func (e Entry) Erasures() iter.Seq[Erasure] {
	return func(yield func(Erasure) bool) {
		e.each(kindErasure, func(i item) bool { return yield(Erasure{i.fact(), i.key, i.until()}) })
	}
}

// Contacts are the contact identifiers that the erasures of the customer named,
// ascending by hash.
func (e Entry) Contacts() iter.Seq[Contact] { return e.contacts(kindContact) }

// ContactOf are the customers whose erasures named the identifier, ascending by
// hash.
func (e Entry) ContactOf() iter.Seq[Contact] { return e.contacts(kindContactOf) }

func (e Entry) contacts(k kind) iter.Seq[Contact] {
	return func(yield func(Contact) bool) {
		e.each(k, func(i item) bool { return yield(Contact{i.seq(), i.hash()}) })
	}
}

// concerns reports whether what a fact says of one tenant, or all, is said of
// another.
func concerns(of []byte, tenant string) bool { return string(of) == tenant || string(of) == event.All }

// OptedOut reports whether the identifier is opted out for a tenant.
func (e Entry) OptedOut(tenant string) bool {
	for o := range e.OptOuts() {
		if o.Denied && concerns(o.Tenant, tenant) {
			return true
		}
	}
	return false
}

// Erased reports whether the identifier is a customer that is erased for a
// tenant.
func (e Entry) Erased(tenant string) bool {
	for x := range e.Erasures() {
		if x.InForce() && concerns(x.Tenant, tenant) {
			return true
		}
	}
	return false
}

// Withheld reports whether the identifier must not be used for a tenant: it is
// opted out, or a customer that is erased, or a contact identifier of one.
func (e Entry) Withheld(tenant string) bool {
	if e.OptedOut(tenant) || e.Erased(tenant) {
		return true
	}
	for c := range e.ContactOf() {
		if e.in.Erased(c.Other, tenant) {
			return true
		}
	}
	return false
}
