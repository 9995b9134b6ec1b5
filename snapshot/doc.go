// Package snapshot is the file format of an ID graph: one immutable, versioned
// build of it. FORMAT.md, beside this file, gives every byte.
//
// A [Writer] makes a snapshot folder, [Store.Publish] makes it the current one
// of a store, [Open] maps it and checks every byte, and [Snapshot.Verify]
// checks besides that its parts agree with one another.
//
// # Safety
//
// A [Snapshot] is immutable and may be used from any number of goroutines, up
// to [Snapshot.Close]; whoever shares it counts its readers. A file that
// shrinks under its mapping makes reads fault: code that reads a snapshot runs
// under [Guard] or sets debug.SetPanicOnFault itself, unless the snapshot lies in
// private memory. What [Snapshot.Record] decodes is valid up to Close.
//
// Files are written once and never again: nothing here writes to, truncates
// or replaces in place a file that a reader may have mapped.
package snapshot
