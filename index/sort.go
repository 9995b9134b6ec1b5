package index

import (
	"math/bits"
	"slices"
)

// sortFew is up to how many entries are sorted by insertion.
const sortFew = 24

// SortEntries sorts entries by hash, in place: by the first eight bits of Hi in
// which they differ, and then each part of them in the same way.
// Source: McIlroy, Bostic and McIlroy, "Engineering Radix Sort" (1993), its
// American flag sort.
func SortEntries(entries []Entry) {
	if len(entries) <= sortFew {
		insertionSort(entries)
		return
	}
	differ := uint64(0)
	for i := range entries {
		differ |= entries[0].Hash.Hi ^ entries[i].Hash.Hi
	}
	if differ == 0 { // no keyed hash gets here
		slices.SortFunc(entries, func(a, b Entry) int { return a.Hash.Compare(b.Hash) })
		return
	}
	shift := max(0, bits.Len64(differ)-8)
	var next, end [256]int
	for i := range entries {
		end[byte(entries[i].Hash.Hi>>shift)]++
	}
	for i, sum := 0, 0; i < 256; i++ {
		next[i] = sum
		sum += end[i]
		end[i] = sum
	}
	for part := range next {
		for next[part] < end[part] {
			// Carry what is out of place to its part until something belongs here.
			e := entries[next[part]]
			for to := int(byte(e.Hash.Hi >> shift)); to != part; to = int(byte(e.Hash.Hi >> shift)) {
				entries[next[to]], e = e, entries[next[to]]
				next[to]++
			}
			entries[next[part]] = e
			next[part]++
		}
	}
	start := 0
	for _, stop := range end {
		SortEntries(entries[start:stop])
		start = stop
	}
}

func insertionSort(entries []Entry) {
	for i := 1; i < len(entries); i++ {
		e, k := entries[i], i
		for ; k > 0 && e.Hash.Less(entries[k-1].Hash); k-- {
			entries[k] = entries[k-1]
		}
		entries[k] = e
	}
}
