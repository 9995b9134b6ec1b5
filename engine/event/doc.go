// Package event is the live changes that a running daemon takes: what they say,
// how they are read, and how the log keeps them.
//
// [Parse] reads one change as a client sends it. [Event.Bind] turns the
// identifiers in it into what the snapshot has: canonical texts and keyed
// hashes. A [Bound] is what is kept ([Bound.Append], [Decode]; FORMAT.md) and
// what is applied. Links, segments and consents keep their identifiers, in the
// form in which the snapshot does; opt-outs, opt-ins and erasures keep keyed
// hashes alone.
//
// # Facts
//
// Each change is about one fact: a link, a customer's segment or consent, an
// identifier's or a customer's being used for a tenant. Of two changes of one
// fact the one with the later [Event.At] holds, whatever the order in which they
// arrive; of two of one time the one that denies; package overlay keeps which hold.
//
// Nothing here reads a clock or a file. Errors name fields, never values.
package event
