package index

import (
	"errors"
	"fmt"

	"github.com/bits-and-blooms/bloom/v3"
)

// Shape of the filter: ten bits an identifier and seven probes in one line
// give about 1 % false positives.
const (
	filterBitsPerID = 10
	filterProbes    = 7
	filterLineShift = 9 // 512 bits a line
)

// Filter says of most absent identifiers that they are absent, after reading
// one line. It is a bloom/v3 filter whose probes for one identifier all lie in
// the line that the identifier's hash chooses.
type Filter struct {
	bloom *bloom.BloomFilter
	words []uint64 // that bloom lies over
	lines uint64
}

// OpenFilter views a filter in data, which must be a whole number of lines,
// aligned to eight bytes. It keeps data.
func OpenFilter(data []byte) (*Filter, error) {
	words, err := wordsOf(data)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	if len(words)/wordsPerLine > 1<<filterLineBits {
		return nil, errors.New("filter: too many lines")
	}
	return filterOf(words), nil
}

func filterOf(words []uint64) *Filter {
	return &Filter{
		words: words,
		bloom: bloom.FromWithM(words, uint(len(words)*64), filterProbes),
		lines: uint64(len(words) / wordsPerLine),
	}
}

// BuildFilter makes the filter of a shard that holds entries. The result does
// not depend on their order.
func BuildFilter(entries []Entry) []byte {
	lines := min(max(1, (len(entries)*filterBitsPerID+511)/512), 1<<filterLineBits)
	words := make([]uint64, lines*wordsPerLine)
	for i := range entries {
		h := entries[i].Hash
		line := words[filterLine(h, uint64(lines))*wordsPerLine:][:wordsPerLine]
		for range filterProbes {
			bit := h.Lo & (1<<filterLineShift - 1)
			line[bit/64] |= 1 << (bit % 64) // as BitSet.Set does
			h.Lo >>= filterLineShift
		}
	}
	return bytesOf(words)
}

// MayContain reports whether the identifier with hash h may be in the shard:
// false is certain, true is wrong for about one absent identifier in a hundred.
func (f *Filter) MayContain(h Hash) bool {
	var at [filterProbes]uint64
	f.locate(h, &at)
	return f.bloom.TestLocations(at[:])
}

// Prefetch has the line that h chooses brought into the cache, and does not
// wait for it.
func (f *Filter) Prefetch(h Hash) { prefetch(&f.words[filterLine(h, f.lines)*wordsPerLine]) }

// Size is the filter's size in bytes.
func (f *Filter) Size() int { return int(f.lines) * LineSize }

func (f *Filter) locate(h Hash, at *[filterProbes]uint64) {
	line := filterLine(h, f.lines) << filterLineShift
	for i := range at {
		at[i] = line | h.Lo>>(filterLineShift*i)&(1<<filterLineShift-1)
	}
}
