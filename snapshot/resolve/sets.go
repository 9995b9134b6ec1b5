package resolve

// Sets is a union-find structure over nodes counted from 0: an entry is the
// node's parent, and 0 below stands for itself, so that the zero value of each
// entry is a set of its own.
type Sets []uint32

// Reset makes each node a set of its own.
func (s Sets) Reset() { clear(s) }

// Find returns the smallest node of the set that node is in.
func (s Sets) Find(node uint32) uint32 {
	for s[node] != 0 {
		parent := s[node] - 1
		if s[parent] != 0 {
			s[node] = s[parent] // halve the path
		}
		node = parent
	}
	return node
}

// Join unites the sets of a and b, and reports whether they were two.
func (s Sets) Join(a, b uint32) bool {
	a, b = s.Find(a), s.Find(b)
	if a == b {
		return false
	}
	if a > b {
		a, b = b, a
	}
	s[b] = a + 1
	return true
}
