package engine

import (
	"math/rand/v2"
	"sync/atomic"
)

// pinShards is how many counters share the pins of a generation, so that
// cores seldom meet on one line.
const pinShards = 16

// pins counts the readers of a generation. Each counter begins with one pin
// of the owner's; a counter at zero stays there, so that nobody can come back
// to what has been given up.
type pins struct {
	counters [pinShards]struct {
		n atomic.Int64
		_ [120]byte
	}
	left atomic.Int32 // counters above zero
	last func()       // runs once, when the last pin goes
}

func newPins(last func()) *pins {
	p := &pins{last: last}
	p.left.Store(pinShards)
	for i := range p.counters {
		p.counters[i].n.Store(1)
	}
	return p
}

// acquire adds a pin and returns where, or false once the owner and all
// readers of that counter have gone.
func (p *pins) acquire() (shard uint32, ok bool) {
	shard = rand.Uint32() % pinShards
	c := &p.counters[shard].n
	for n := c.Load(); n > 0; n = c.Load() {
		if c.CompareAndSwap(n, n+1) {
			return shard, true
		}
	}
	return 0, false
}

// release takes the pin back that acquire added.
func (p *pins) release(shard uint32) {
	switch n := p.counters[shard].n.Add(-1); {
	case n < 0:
		panic("engine: a pin was released twice")
	case n == 0 && p.left.Add(-1) == 0:
		p.last()
	}
}

// retire takes the owner's pins back. It is called once.
func (p *pins) retire() {
	for i := range uint32(pinShards) {
		p.release(i)
	}
}
