// Package index turns identifiers into places: it parses identifiers, hashes
// them under a secret key, and finds them through a filter and a table.
//
// The package holds pure views over bytes that somebody else owns, usually a
// mapped file. It opens no file and reads no clock.
//
// # One hash, four uses
//
// Every identifier has one 128-bit keyed hash. Four disjoint groups of its
// bits choose where things are, so that no choice follows from another:
//
//	Hi 63..64-s    index shard (2^s shards, s at most 12)
//	Hi 63-s..36-s  table line (28 bits, reduced to the number of lines)
//	Hi 23..0       filter line (24 bits, reduced to the number of lines)
//	Lo 62..0       the seven bits of the filter line (9 bits each)
//
// A match is confirmed on all 128 bits: the shard and the line imply the
// upper bits of Hi, the table entry holds the bits between, and the person's
// record holds the low 8 bits of Hi and all of Lo (see [Confirm]). So a lookup
// is compared with each identifier of the record on all 128 bits; only that
// the two parts come from one and the same identifier of that person is not
// checked, which costs a person of n identifiers log2(n) of them.
//
// # Safety
//
// All views are immutable after they are made and may be read from any number
// of goroutines. A view must not be used after the memory under it is
// unmapped; whoever maps the memory counts its readers.
package index
