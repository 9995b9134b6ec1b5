package quality

// sets joins numbers from 0 into sets: a union-find with path halving, where
// the smaller root wins.
type sets []uint32

func newSets(n int) sets {
	s := make(sets, n)
	for i := range s {
		s[i] = uint32(i)
	}
	return s
}

func (s sets) find(i uint32) uint32 {
	for s[i] != i {
		s[i] = s[s[i]]
		i = s[i]
	}
	return i
}

func (s sets) join(a, b uint32) {
	a, b = s.find(a), s.find(b)
	s[max(a, b)] = min(a, b)
}
