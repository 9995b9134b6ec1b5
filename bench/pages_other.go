//go:build !linux

package bench

// smallPages returns n zero words, in pages of whatever size there is.
func smallPages(n int) ([]uint32, error) { return make([]uint32, n), nil }

func (c *chase) free() { c.words = nil }
