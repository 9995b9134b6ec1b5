package bench

import (
	"math/rand/v2"
	"time"
)

// lineWords is a cache line in words of 32 bits.
const lineWords = 16

// chase is memory in which each line names the next one to read: following it
// costs one read of memory a step, which nothing can overlap. It is the limit
// of a lookup that has to wait for memory.
type chase struct {
	words []uint32
	at    uint32
}

// newChase lays one random cycle through all lines (Sattolo's algorithm).
func newChase(bytes int, seed uint64) (*chase, error) {
	words, err := smallPages(bytes / 4)
	if err != nil {
		return nil, err
	}
	lines := len(words) / lineWords
	for i := range lines {
		words[i*lineWords] = uint32(i)
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for i := lines - 1; i > 0; i-- {
		j := random.IntN(i)
		words[i*lineWords], words[j*lineWords] = words[j*lineWords], words[i*lineWords]
	}
	return &chase{words: words}, nil
}

// run follows the cycle for n steps.
func (c *chase) run(n int) {
	at := c.at
	for range n {
		at = c.words[uint(at)*lineWords]
	}
	c.at = at
}

// time returns the nanoseconds of one of n steps.
func (c *chase) time(n int) float64 {
	start := time.Now()
	c.run(n)
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}
