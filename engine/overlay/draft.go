package overlay

import (
	"slices"

	"github.com/matchd/matchd/index"
)

// A draft is a tree that is being changed by one goroutine.
type draft struct {
	tree
	own []bool // pages that no other tree has
	// reuse says that buckets of own pages are nobody else's either, and may be
	// written to again.
	reuse   bool
	scratch []byte
}

// edit begins a draft of the tree after t, which stays as it is.
func (t *tree) edit() draft {
	d := draft{tree: *t, own: make([]bool, len(t.pages))}
	d.pages = slices.Clone(t.pages)
	return d
}

// set sets the entry of h, or removes it where it is empty. It keeps no
// reference to entry.
func (d *draft) set(h index.Hash, entry []byte) {
	i := d.bucketOf(h)
	p := d.pages[i>>pageBits]
	if !d.own[i>>pageBits] {
		next := new(page)
		if p != nil {
			*next = *p
		}
		p = next
		d.pages[i>>pageBits], d.own[i>>pageBits] = p, true
	}
	slot := &p[i&(pageBuckets-1)]
	before, size := count(*slot), len(*slot)
	d.scratch = replaced(d.scratch[:0], *slot, h, entry)
	if d.reuse && cap(*slot) >= len(d.scratch) {
		*slot = append((*slot)[:0], d.scratch...)
	} else {
		*slot = d.fresh()
	}
	if len(entry) > 0 {
		d.note(i, h)
	}
	d.bytes += len(*slot) - size
	d.entries += count(*slot) - before
	if d.entries > bucketFill<<d.bits && d.bits < maxBits {
		d.grow()
	}
}

// fresh is a copy of what was put together, with room behind it where the
// bucket is likely to be written to again.
func (d *draft) fresh() []byte {
	if len(d.scratch) == 0 {
		return nil
	}
	if d.reuse {
		return append(slices.Grow([]byte(nil), len(d.scratch)+len(d.scratch)/4), d.scratch...)
	}
	return exact(d.scratch)
}

// grow doubles the number of buckets: each is split in two.
func (d *draft) grow() {
	next := newTree(d.bits + 1)
	for i := range uint64(1) << d.bits {
		p := d.pages[i>>pageBits]
		if p == nil {
			continue
		}
		b := p[i&(pageBuckets-1)]
		n, half := count(b), 0
		for half < n && next.bucketOf(hashAt(b, half)) == 2*i {
			half++
		}
		next.fill(2*i, part(b, 0, half))
		next.fill(2*i+1, part(b, half, n))
	}
	d.tree = next
	d.own = make([]bool, len(next.pages))
	for i, p := range next.pages {
		d.own[i] = p != nil
	}
}
