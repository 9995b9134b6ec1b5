package swap

import (
	"sync/atomic"

	"github.com/matchd/matchd/index"
)

// RecentSize is how many recent lookups are kept.
const RecentSize = 8192

// unsampled is the mask under which one lookup in 1,024 is kept.
const unsampled = 1<<10 - 1

// Recent is a sample of recent lookups, as keyed hashes: one in 1,024.
type Recent struct {
	mask  uint64 // of the hash bits that must be zero
	next  atomic.Uint64
	slots [RecentSize]struct{ hi, lo atomic.Uint64 }
}

// NewRecent returns an empty sample.
func NewRecent() *Recent { return &Recent{mask: unsampled} }

// KeepAll makes every lookup be kept, for tests; it must not race with See.
func (r *Recent) KeepAll() { r.mask = 0 }

// Salt is what [Recent.See] is given: it makes other identifiers be sampled in
// each second, and no identifier twice in one.
func Salt(second int64) uint64 { return uint64(second) * 0x9E3779B97F4A7C15 >> 32 }

// See keeps a lookup where it is in the sample, which is seldom.
func (r *Recent) See(h index.Hash, salt uint64) {
	if (h.Lo^salt)&r.mask == 0 {
		r.Keep(h)
	}
}

// Keep keeps a lookup in place of the oldest. Two that write one slot at once
// can leave half of each there: a hash that nobody has, and that compares as
// somebody unknown to both snapshots.
func (r *Recent) Keep(h index.Hash) {
	s := &r.slots[(r.next.Add(1)-1)%RecentSize]
	s.hi.Store(h.Hi)
	s.lo.Store(h.Lo)
}

// All returns what is kept, in no order that means anything.
func (r *Recent) All() []index.Hash {
	out := make([]index.Hash, min(r.next.Load(), RecentSize))
	for i := range out {
		out[i] = index.Hash{Hi: r.slots[i].hi.Load(), Lo: r.slots[i].lo.Load()}
	}
	return out
}

// Reset forgets all: after a swap to another key, the hashes are nobody's.
func (r *Recent) Reset() { r.next.Store(0) }
