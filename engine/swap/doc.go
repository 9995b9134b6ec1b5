// Package swap judges whether a snapshot may take the place of the one that
// serves: a build of half the input is sound, byte for byte, and wrong.
//
// [Check] compares counts, the sizes of segments and the ids of a sample of
// persons, and asks both snapshots for a sample of recent lookups, which
// [Recent] keeps as keyed hashes. [Bounds] say how far the two may be apart.
// It reads at most [SegmentSample] records and [PersonSample] persons of each,
// so that it takes seconds whatever the size.
//
// # Who owns what
//
// [Recent] is safe for use by any number of goroutines and takes no mutex. Check
// keeps nothing; its caller keeps the snapshots open while it runs.
package swap
