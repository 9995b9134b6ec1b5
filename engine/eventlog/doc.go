// Package eventlog is a durable log of live changes: what [Log.Append] has
// acknowledged is there after kill -9 and after a power cut, in its order, and
// nobody can take one out or change one unseen.
//
// Entries are bytes to it; what they mean is the caller's business. They lie in
// Pebble (format newest, checksums over everything), and each record carries a
// hash over the one before it (FORMAT.md). [Open] checks the whole chain. Beside
// the store lies a small file, HEAD, that says how far the log went: Pebble
// takes damage of its last records for a write that never ended, and forgets
// them.
//
// # Failing
//
// A write or an fsync that fails ends writing until the log is opened anew: what
// a disk says after it has failed once is worth nothing. [Log.Append] then
// returns [ErrFailed], and so does [Log.Scan]. The process goes on.
//
// # Who may do what
//
// All methods may be called by many goroutines at once. One goroutine of the log
// writes: what is appended at once goes to disk together. One process may have a
// log open.
package eventlog
