//go:build amd64 || arm64

package index

// prefetch asks for the line of memory that word lies in, and does not wait for
// it. A loop with prefetches keeps ten and more reads of memory under way while
// it computes; a loop with loads stops soon after the first that is not in the
// cache. It faults on nothing: an address that is gone is ignored. Go has this
// instruction, but not outside its runtime.
//
//go:noescape
func prefetch(word *uint64)

// Prefetch asks for the first three lines of memory of what begins at b: what a
// record takes whose person has one profile and a few identifiers.
//
//go:noescape
func Prefetch(b *byte)
