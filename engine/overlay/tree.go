package overlay

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"github.com/matchd/matchd/index"
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
	finer   []atomic.Uint64 // by bucket, read where filter says that there may be something
	entries int
	bytes   int // of buckets
}

func newTree(bits int) tree {
	return tree{
		bits: bits, pages: make([]*page, 1<<(bits-pageBits)),
		filter: make([]atomic.Uint64, 1<<bits), finer: make([]atomic.Uint64, 1<<bits),
	}
}

// filterMask is what is set in the word of its bucket for an entry whose hash
// has that Lo; of finer, it is that of what is above [finerBits].
func filterMask(lo uint64) uint64 {
	return 1<<(lo&63) | 1<<(lo>>6&63) | 1<<(lo>>12&63) | 1<<(lo>>18&63)
}

const finerBits = 24

// note sets what the filters have of an entry in bucket i.
func (t *tree) note(i uint64, h index.Hash) {
	for _, f := range [...]struct {
		word *atomic.Uint64
		mask uint64
	}{{&t.filter[i], filterMask(h.Lo)}, {&t.finer[i], filterMask(h.Lo >> finerBits)}} {
		if f.word.Load()&f.mask != f.mask {
			f.word.Or(f.mask)
		}
	}
}

// May reports whether something may hang on an identifier whose hash has that
// Lo. Of those on which nothing does, it is true of two in a thousand or fewer.
func (t *tree) May(lo uint64) bool {
	i, mask := lo>>(uint(64-t.bits)&63), filterMask(lo) // the 63 spares a branch
	return t.filter[i].Load()&mask == mask && t.finely(i, lo)
}

// MayAny reports whether May is true of any identifier of a record, by what
// confirms them; see [index.AppendConfirm].
func (t *tree) MayAny(confirms []byte) bool {
	for ; len(confirms) >= index.ConfirmSize; confirms = confirms[index.ConfirmSize:] {
		if t.May(binary.LittleEndian.Uint64(confirms)) {
			return true
		}
	}
	return false
}

// Touch has what May reads brought into the cache, and does not wait for it.
func (t *tree) Touch(lo uint64) {
	index.PrefetchWord((*uint64)(unsafe.Pointer(&t.filter[lo>>(uint(64-t.bits)&63)])))
}

// mostTouched is of how many identifiers TouchAny has something fetched.
const mostTouched = 16

// TouchAny is Touch for MayAny, as far as it goes for most records.
func (t *tree) TouchAny(confirms []byte) {
	for range mostTouched {
		if len(confirms) < index.ConfirmSize {
			return
		}
		t.Touch(binary.LittleEndian.Uint64(confirms))
		confirms = confirms[index.ConfirmSize:]
	}
}

// finely is what the finer filter says.
func (t *tree) finely(i, lo uint64) bool {
	mask := filterMask(lo >> finerBits)
	return t.finer[i].Load()&mask == mask
}

func (t *tree) bucketOf(h index.Hash) uint64 { return h.Lo >> (64 - t.bits) }

// get returns the entry of h, or nil.
func (t *tree) get(h index.Hash) []byte {
	if !t.May(h.Lo) {
		return nil
	}
	return t.read(t.bucketOf(h), h)
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
	i := t.bucketOf(h)
	if !t.May(h.Lo) {
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

// confirmed returns the entry, and its hash, of which a record holds lo and hi,
// or nil.
func (t *tree) confirmed(lo uint64, hi byte) (index.Hash, []byte) {
	h := index.Hash{Lo: lo}
	i := t.bucketOf(h)
	if !t.May(lo) {
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
	for e := range count(b) {
		t.note(i, hashAt(b, e))
	}
	t.entries += count(b)
	t.bytes += len(b)
}
