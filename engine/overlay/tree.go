package overlay

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/matchd/matchd/index"
)

// A bucket is its number of entries (2 bytes), a head of 20 bytes for each,
// ascending by hash (Hi, Lo, and where the entry ends; Lo counts first), and the
// entries. An empty bucket is nil.
const (
	countSize = 2
	headSize  = 20
)

const (
	pageBits    = 4
	pageBuckets = 1 << pageBits
	minBits     = 5 // of the number of buckets
	maxBits     = 32
	// bucketFill is how many entries a bucket has on average before the number
	// of buckets doubles: its word of the filter then has eight bits an entry.
	bucketFill = 8
)

type page [pageBuckets][]byte

// tree finds entries by hash: the top bits of Lo choose the bucket, because Lo
// is all that a record of a snapshot has of its identifiers, but for a byte.
type tree struct {
	bits    int
	pages   []*page         // nil where all buckets are empty
	filter  []atomic.Uint64 // by bucket
	entries int
	bytes   int // of buckets
}

func newTree(bits int) tree {
	return tree{bits: bits, pages: make([]*page, 1<<(bits-pageBits)), filter: make([]atomic.Uint64, 1<<bits)}
}

// filterMask is what is set for an entry in the word of its bucket.
func filterMask(h index.Hash) uint64 {
	return 1<<(h.Lo&63) | 1<<(h.Lo>>6&63) | 1<<(h.Lo>>12&63) | 1<<(h.Lo>>18&63)
}

func (t *tree) bucketOf(h index.Hash) uint64 { return h.Lo >> (64 - t.bits) }

// get returns the entry of h, or nil.
func (t *tree) get(h index.Hash) []byte {
	i, mask := t.bucketOf(h), filterMask(h)
	if t.filter[i].Load()&mask != mask {
		return nil
	}
	return t.read(i, h)
}

func (t *tree) read(i uint64, h index.Hash) []byte {
	p := t.pages[i>>pageBits]
	if p == nil {
		return nil
	}
	b := p[i&(pageBuckets-1)]
	if at, ok := search(b, h); ok {
		return entryAt(b, at)
	}
	return nil
}

// Prefetch has what [Overlay.Get] of h reads brought into the cache, as far as
// most entries go, and does not wait for it: for those who ask by several
// identifiers at once.
func (t *tree) Prefetch(h index.Hash) {
	i, mask := t.bucketOf(h), filterMask(h)
	if t.filter[i].Load()&mask != mask {
		return
	}
	p := t.pages[i>>pageBits]
	if p == nil {
		return
	}
	b := p[i&(pageBuckets-1)]
	if len(b) == 0 {
		return
	}
	index.Prefetch(&b[0])
	// Hashes are even: how much of the bucket's share of them lies before h
	// tells how much of its bytes does.
	heads := countSize + headSize*bucketFill
	if data := len(b) - heads; data > 0 {
		before := int(h.Lo << t.bits >> 32 * uint64(data) >> 32)
		index.Prefetch(&b[heads+max(0, before-index.LineSize)])
	}
}

func count(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	return int(binary.LittleEndian.Uint16(b))
}

func headAt(b []byte, i int) []byte { return b[countSize+headSize*i:][:headSize] }

func hashAt(b []byte, i int) index.Hash {
	head := headAt(b, i)
	return index.Hash{Hi: binary.LittleEndian.Uint64(head), Lo: binary.LittleEndian.Uint64(head[8:])}
}

func endAt(b []byte, i int) int { return int(binary.LittleEndian.Uint32(headAt(b, i)[16:])) }

func startAt(b []byte, i int) int {
	if i == 0 {
		return 0
	}
	return endAt(b, i-1)
}

// entryAt is entry i of a bucket.
func entryAt(b []byte, i int) []byte {
	data := b[countSize+headSize*count(b):]
	to := endAt(b, i)
	return data[startAt(b, i):to:to]
}

// order is that of entries: by Lo, then by Hi.
func order(a, b index.Hash) int {
	return cmp.Or(cmp.Compare(a.Lo, b.Lo), cmp.Compare(a.Hi, b.Hi))
}

// confirmed returns the entry, and its hash, of which a record holds lo and hi,
// or nil.
func (t *tree) confirmed(lo uint64, hi byte) (index.Hash, []byte) {
	h := index.Hash{Lo: lo}
	i, mask := t.bucketOf(h), filterMask(h)
	if t.filter[i].Load()&mask != mask {
		return h, nil
	}
	p := t.pages[i>>pageBits]
	if p == nil {
		return h, nil
	}
	b := p[i&(pageBuckets-1)]
	for at, n := 0, count(b); at < n; at++ {
		if x := hashAt(b, at); x.Lo == lo && byte(x.Hi) == hi {
			return x, entryAt(b, at)
		}
	}
	return h, nil
}

// search returns the place of the entry of h in a bucket, or where it would
// stand.
func search(b []byte, h index.Hash) (int, bool) {
	n := count(b)
	for i := range n {
		if x := hashAt(b, i); order(x, h) >= 0 {
			return i, x == h
		}
	}
	return n, false
}

func appendHead(dst []byte, h index.Hash, end int) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, h.Hi)
	dst = binary.LittleEndian.AppendUint64(dst, h.Lo)
	return binary.LittleEndian.AppendUint32(dst, uint32(end))
}

// replaced appends to dst the bucket b with the entry of h set, or removed where
// it is empty.
func replaced(dst, b []byte, h index.Hash, entry []byte) []byte {
	at, there := search(b, h)
	n, from, to := count(b), 0, 0
	if n > 0 {
		from = startAt(b, at)
		to = from
	}
	after := at
	if there {
		to = endAt(b, at)
		after++
	}
	m := at + n - after
	if len(entry) > 0 {
		m++
	}
	if m == 0 {
		return dst
	}
	dst = binary.LittleEndian.AppendUint16(dst, uint16(m))
	if at > 0 {
		dst = append(dst, b[countSize:countSize+headSize*at]...)
	}
	if len(entry) > 0 {
		dst = appendHead(dst, h, from+len(entry))
	}
	for i := after; i < n; i++ {
		dst = appendHead(dst, hashAt(b, i), endAt(b, i)-to+from+len(entry))
	}
	if n == 0 {
		return append(dst, entry...)
	}
	data := b[countSize+headSize*n:]
	return append(append(append(dst, data[:from]...), entry...), data[to:]...)
}

// part returns entries from up to to of a bucket as one of their own.
func part(b []byte, from, to int) []byte {
	if from == to {
		return nil
	}
	base := startAt(b, from)
	dst := make([]byte, 0, countSize+headSize*(to-from)+endAt(b, to-1)-base)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(to-from))
	for i := from; i < to; i++ {
		dst = appendHead(dst, hashAt(b, i), endAt(b, i)-base)
	}
	data := b[countSize+headSize*count(b):]
	return append(dst, data[base:endAt(b, to-1)]...)
}

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
	mask := filterMask(h)
	if len(entry) > 0 && d.filter[i].Load()&mask != mask {
		d.filter[i].Or(mask)
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

// fill sets a bucket of a tree that nobody else has.
func (t *tree) fill(i uint64, b []byte) {
	if len(b) == 0 {
		return
	}
	p := t.pages[i>>pageBits]
	if p == nil {
		p = new(page)
		t.pages[i>>pageBits] = p
	}
	p[i&(pageBuckets-1)] = b
	mask := uint64(0)
	for e := range count(b) {
		mask |= filterMask(hashAt(b, e))
	}
	t.filter[i].Store(mask)
	t.entries += count(b)
	t.bytes += len(b)
}
