package bench

import "slices"

// median returns the middle of rounds, 0 of none.
func median(rounds []float64) float64 {
	if len(rounds) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(rounds))
	return s[len(s)/2]
}
