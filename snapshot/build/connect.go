package build

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/spill"
	"github.com/matchd/matchd/snapshot/resolve"
)

// bitmap is a set of numbers, to which several goroutines may add.
type bitmap []uint32

func newBitmap(n int) bitmap { return make(bitmap, n/32+1) }

func (b bitmap) set(i uint32) {
	if word := &b[i/32]; atomic.LoadUint32(word)&(1<<(i%32)) == 0 {
		atomic.OrUint32(word, 1<<(i%32))
	}
}

func (b bitmap) has(i uint32) bool { return b[i/32]&(1<<(i%32)) != 0 }

// forest is a union-find structure that several goroutines join at once: an
// entry is one more than the node's parent, which has a smaller number, and 0
// for a root. Whatever the order of joining, the root of a set is its smallest
// node. See Anderson and Woll, "Wait-free parallel algorithms for the
// union-find problem" (1991).
type forest []uint32

// find returns the root of a node's set, and shortens the way to it.
func (f forest) find(node uint32) uint32 {
	for {
		parent := atomic.LoadUint32(&f[node])
		if parent == 0 {
			return node
		}
		above := atomic.LoadUint32(&f[parent-1])
		if above == 0 {
			return parent - 1
		}
		atomic.CompareAndSwapUint32(&f[node], parent, above)
		node = above - 1
	}
}

// join makes one set of two.
func (f forest) join(a, b uint32) {
	for {
		a, b = f.find(a), f.find(b)
		if a == b {
			return
		}
		if a > b {
			a, b = b, a
		}
		if atomic.CompareAndSwapUint32(&f[b], 0, a+1) {
			return
		}
	}
}

// flatten makes every node's entry one more than its root, that of the root
// included: then root is the way to it, and nothing can be joined any more. A
// parent has a smaller number, so that it is done before its children.
func (f forest) flatten() {
	for i, parent := range f {
		if parent == 0 {
			f[i] = uint32(i) + 1
		} else {
			f[i] = f[parent-1]
		}
	}
}

// root returns the root of a node's set in a forest that is flat.
func (f forest) root(node uint32) uint32 { return f[node] - 1 }

// connecting finds the connected sets, before any rule but that on crowded
// identifiers, whose links connect nothing.
type connecting struct {
	n       *numbering
	space   *spill.Space
	links   *spill.Store // sorted, see merging
	crowded bitmap
	largest int // a set

	sets   forest
	linked bitmap // the identifiers with a link that connects
	named  bitmap // those with a link to a crowded one, which is to be reported
	// weak are, for identifiers of sets that were too large, how many of the
	// strongest methods connect; nil where there were none.
	weak []uint8
	// far are the second ends of links that were too weak, where those lie in
	// another set than the first; nil where there are none.
	far bitmap
}

func (c *connecting) run(ctx context.Context, s *stage) error {
	n := c.n.count()
	sets, err := c.space.Numbers(n)
	if err != nil {
		return err
	}
	c.sets, c.linked, c.named = sets, newBitmap(n), newBitmap(n)
	if err := c.join(ctx, s, c.add); err != nil {
		return err
	}
	for methods := uint8(snapshot.Inferred); ; methods-- {
		large := c.tooLarge()
		if len(large) == 0 {
			c.sets.flatten()
			return c.findFar(ctx, s)
		}
		if methods == 0 {
			return errTooConnected(large, c.largest)
		}
		if err := c.loosen(ctx, s, large, methods); err != nil {
			return err
		}
	}
}

func errTooConnected(large map[uint32]int, limit int) error {
	most := 0
	for _, n := range large {
		most = max(most, n)
	}
	return fmt.Errorf("%d identifiers hang together by authenticated links alone, more than max_connected, %d: look for a value that a source gives to everybody, and leave that source out or lower its method", most, limit)
}

// join calls add with each link.
func (c *connecting) join(ctx context.Context, s *stage, add func(*link)) error {
	return s.each(ctx, partitions, func() (func(int) error, func() error) {
		var buf []byte
		links := make([]link, 0, block)
		touched := uint32(0)
		flush := func() {
			for i := range links {
				touched += c.sets.touch(links[i].b)
			}
			for i := range links {
				add(&links[i])
			}
			links = links[:0]
		}
		return func(p int) error {
			chunks, b, err := c.links.Load(p, buf)
			buf = b
			if err != nil {
				return err
			}
			for _, chunk := range chunks {
				for d := (decoder{chunk}); d.more(); {
					if links = append(links, d.link()); len(links) == block {
						flush()
					}
				}
			}
			flush()
			return nil
		}, func() error { return nil }
	})
}

// touch reads a node's entry and returns it, which means nothing.
func (f forest) touch(node uint32) uint32 { return atomic.LoadUint32(&f[node]) }

func (c *connecting) add(l *link) {
	switch {
	case c.crowded.has(l.a):
		c.named.set(l.b)
	case c.crowded.has(l.b):
		c.named.set(l.a)
	default:
		c.linked.set(l.a)
		c.linked.set(l.b)
		c.sets.join(l.a, l.b)
	}
}

// cut says why a link connects nothing, if that is so: an end is crowded, or it
// is too weak for the set that it lies in.
func (c *connecting) cut(l *link) resolve.Reason {
	switch {
	case c.crowded.has(l.a) || c.crowded.has(l.b):
		return resolve.TooMany
	case c.weak != nil && c.weak[l.a] > 0 && uint8(l.method) >= c.weak[l.a]:
		return tooConnected
	}
	return resolve.Kept
}

// findFar finds the ends that the grouping parts from their links.
func (c *connecting) findFar(ctx context.Context, s *stage) error {
	if c.weak == nil {
		return nil
	}
	c.far = newBitmap(len(c.sets))
	return c.join(ctx, s, func(l *link) {
		if c.cut(l) == tooConnected && c.sets.root(l.a) != c.sets.root(l.b) {
			c.far.set(l.b)
		}
	})
}

// Sampling of the sets' sizes: one node in sampled is counted, and a set of
// which at least a quarter of what is due was seen is counted in full.
const sampled = 64

// tooLarge returns the sets that are larger than the limit, with their sizes.
// Numbers are ranks of hashes, so that a sample of them is a fair one.
func (c *connecting) tooLarge() map[uint32]int {
	seen := map[uint32]int{}
	step := sampled
	if len(c.sets) < 1<<20 || c.largest < 1000*sampled {
		step = 1
	}
	for i := 0; i < len(c.sets); i += step {
		if i := uint32(i); c.linked.has(i) {
			seen[c.sets.find(i)]++
		}
	}
	large := map[uint32]int{}
	for root, n := range seen {
		if n*step > c.largest/4 {
			large[root] = 0
		}
	}
	if len(large) == 0 {
		return large
	}
	for i := range uint32(len(c.sets)) {
		root := c.sets.find(i)
		if _, ok := large[root]; ok {
			large[root]++
		}
	}
	for root, n := range large {
		if n <= c.largest {
			delete(large, root)
		}
	}
	return large
}

// loosen takes large sets apart and joins them again by so many of the
// strongest methods alone.
func (c *connecting) loosen(ctx context.Context, s *stage, large map[uint32]int, methods uint8) error {
	if c.weak == nil {
		c.weak = make([]uint8, len(c.sets))
	}
	var members []uint32
	for i := range uint32(len(c.sets)) {
		if _, ok := large[c.sets.find(i)]; ok {
			members = append(members, i)
		}
	}
	for _, i := range members {
		c.weak[i] = methods
		c.sets[i] = 0
	}
	return c.join(ctx, s, func(l *link) {
		if c.weak[l.a] == methods && c.cut(l) == resolve.Kept {
			c.sets.join(l.a, l.b)
		}
	})
}
