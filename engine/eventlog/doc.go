// Package eventlog keeps live changes: bodies that it knows nothing of, numbered
// from 1, chained by hashes, on disk before they are acknowledged. FORMAT.md
// has it byte by byte.
//
// # What is promised
//
// What [Log.Append] took is on disk, whole, and was handed to Options.Applied,
// in order, when it returns. It is there after the process is killed and after a
// power cut, or [Open] says that it is not: a record that was acknowledged is
// never skipped in silence, and no number is ever used for another record.
//
// [Open] reads and checks the whole log before it changes anything:
//
//   - A log whose last commit is gone lost its end: HEAD, a small file beside the
//     store, tells. It is opened; [Log.Torn] and the logger say what is lost,
//     and a record of kind [Gap] says it for good.
//   - Any other damage refuses it, with the place: a record that is changed,
//     missing or out of order, more missing at the end than a commit, a file that
//     is missing or cannot be read, a HEAD of another log.
//
// HEAD is written after each commit and not synced, so after a power cut it may
// lag. A last commit that is damaged on disk at the same time is then lost unseen;
// one that is damaged where HEAD did not lag is not. Damage of the last commit of
// a log that was closed, or whose write-ahead log was written on since, cannot
// come from a crash, and is refused too.
//
// # When the disk fails
//
// The first error of a write, an fsync or any other change ends writing until
// the log is opened again: appends return [ErrFailed] with the cause, those
// under way too, and what became of these is known only then. Nothing is tried
// again on the files. Scans go on. The process is never ended.
//
// # Notes
//
// [Log.Note] appends what the process that has the log open says of it, such as
// since when it obeys a record. The log knows no more of it than of an entry.
//
// # Forgetting
//
// [Log.Redact] drops what a record holds and keeps its place in the chain, which
// covers a salted hash of it; [Log.Trim] drops old records. Either is durable
// when it returns, and [Log.Purge] says when the bytes are in no file any more.
//
// # Replicas
//
// A log that is opened with Options.Replica is another one's, its leader's: it has
// the leader's id and records as they are, which come by [Log.Export] there,
// [Checker] on the way and [Log.Import] here, and takes no other. What the leader
// trims, the replica drops by [Log.Rebase], and so a replica may begin with a log
// that was trimmed long ago. What the leader redacts later it does not learn: who
// has it open redacts in it likewise. Opened without Options.Replica, it is a log
// like any other, and goes on where it is; then its leader's must not be used.
//
// # Concurrency
//
// A folder is open once at a time. All methods of [Log] may be called by any
// number of goroutines. One goroutine writes: appends that wait go into one
// commit and get their answers together, in the order of the commits, from
// another goroutine. Options.Applied and the keep function of [Log.Trim] hold
// these up, and must not call Append, Note, Redact, Trim, Purge or Close.
// [Log.Scan] sees the log as it was when it was called, and holds up nothing but
// Close and the end of [Log.Purge]; its function must not call methods of the log,
// which may wait for a Close that waits for it.
package eventlog
