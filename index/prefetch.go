//go:build amd64 || arm64

package index

// prefetch asks for the line of memory that word lies in, and does not wait for
// it: unlike a load, it leaves the processor once its address is translated.
// It faults on nothing: an address that is gone is ignored. Go has this
// instruction, but not outside its runtime.
//
//go:noescape
func prefetch(word *uint64)

// prefetchTwo is prefetch for the line of word and the next one, which may lie
// beyond what is mapped.
//
//go:noescape
func prefetchTwo(word *uint64)

// Prefetch asks for the first three lines of memory of what begins at b: what a
// record takes whose person has one profile and a few identifiers.
//
//go:noescape
func Prefetch(b *byte)
