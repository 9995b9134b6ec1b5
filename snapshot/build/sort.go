package build

import (
	"slices"

	"golang.org/x/sync/errgroup"
)

// sortedAlone is below how many elements one core sorts alone.
const sortedAlone = 1 << 14

// parallelSort sorts s with several cores: it sorts parts at once and merges
// them pairwise. Elements that compare equal must be equal, or the order would
// depend on the number of workers.
func parallelSort[T any](s []T, workers int, compare func(a, b T) int) {
	if workers < 2 || len(s) < sortedAlone {
		slices.SortFunc(s, compare)
		return
	}
	half := len(s) / 2
	var g errgroup.Group
	g.Go(func() error { parallelSort(s[:half], workers/2, compare); return nil })
	parallelSort(s[half:], workers-workers/2, compare)
	_ = g.Wait() // sorting has no errors
	merge(s, half, compare)
}

// merge merges the sorted parts s[:half] and s[half:].
func merge[T any](s []T, half int, compare func(a, b T) int) {
	left := slices.Clone(s[:half])
	right := s[half:]
	for i := 0; len(left) > 0; i++ {
		// The write at i never overtakes the unread part of the right side.
		if len(right) == 0 || compare(left[0], right[0]) <= 0 {
			s[i], left = left[0], left[1:]
		} else {
			s[i], right = right[0], right[1:]
		}
	}
}
