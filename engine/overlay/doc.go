// Package overlay holds the facts in force that live changes made, by the keyed
// hashes of identifiers and customers, for lookups to read beside a snapshot.
//
// # Use
//
//	b := overlay.NewBuilder(applied)  // the log's start, up to its end
//	b.Add(&change)
//	o := b.Build()
//	...
//	next := o.With(changes)           // one writer, a group of the log at once
//	e, ok := next.Get(hash)           // any number of readers
//
// # Facts
//
// A fact is a pair of identifiers that is linked or not, a customer in a segment
// or not, a customer's consent, an identifier that may be used for a tenant or
// not, a customer that is erased for one or not. [event.All] as a tenant is one
// of its own: what it denies is denied for every tenant, and no other lifts it.
//
// Of two changes of one fact the later [event.Bound.At] holds, and of two of one
// time the one that denies: unlinked, removed, withdrawn, opted out, erased. Of
// two links of one time the weaker method holds; of two of a segment, the
// shorter stay in it or the longer removal; of two consents, what both grant,
// for as long as both do. So any order of changes, and any repetition, comes to
// the same facts.
//
// An erasure cuts: links, segments and consent of the customer that are not
// later than the latest erasure are gone for good, with their texts, whatever
// lifts the erasure afterwards. The engine has none that names a customer who is
// erased, and makes an erasure as late as what was said before it.
//
// # Former keys
//
// Of a store that was moved to another key, opt-outs and erasures of before are
// kept under hashes of the key that it had then, and hang on these. Where somebody
// knows an identifier's hash of today too, [Overlay.Rename] has hang on that all
// that hangs on the former one; so does a change that names both, which holds of
// both.
//
// # What a snapshot has
//
// Facts carry the sequence number of the change that made them what they are.
// Where the snapshot contains the log up to a number ([Overlay.Applied]), links,
// segments and consents up to it are folded: a query passes over them, since the
// snapshot answers. They are kept, so that a delayed change that is older still
// loses to them, until [Overlay.Rebase] drops those older than it is told.
// Opt-outs and erasures are never folded and never dropped.
//
// # Structure
//
// Entries lie in buckets of four to eight, each one run of bytes without a
// pointer; buckets lie in pages, pages in one array. A version shares with the
// one before it what its changes do not touch. One word a bucket is a filter:
// four bits an entry, set and never cleared while the number of buckets stays,
// shared by versions: of a million entries a mebibyte. Another word, of other
// bits, is read of the one in thirty that pass it. So identifiers of which there
// is nothing cost the read of one word.
//
// # Safety
//
// An [Overlay] never changes, and any number of goroutines may read it without
// a lock. Its With and Rebase may run beside readers, but one version has one
// successor at a time. What queries return lies in it and must not be written
// to. A [Builder] belongs to one goroutine. No identifier is in an error.
package overlay
