// Package rekey moves a store to another key: it writes the current snapshot anew
// under that key, and has the store switch to it.
//
// Persons, their ids, links and profiles stay as they are; the hashes of
// identifiers are others. What opt-outs and erasures hang on cannot be hashed
// anew, since the log of live changes has their hashes alone: the snapshot says
// which of its identifiers these are, and the store keeps the keys.
package rekey
