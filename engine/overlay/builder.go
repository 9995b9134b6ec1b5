package overlay

import (
	"encoding/binary"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/index"
)

// Facts wait in runs, by the top bits of their hash, so that those of one run
// are put into a part of the tree that fits into a cache.
const (
	runBits = 8
	runSize = 128 << 10 // bytes
)

// Builder makes an overlay from many changes faster than [Overlay.With] does,
// as at the start of a daemon, which replays its log.
type Builder struct {
	m       merger
	applied uint64
	seq     uint64
	waiting [1 << runBits][]byte
	cuts    map[index.Hash]int64 // when customers were erased last
}

// NewBuilder begins an overlay beside a snapshot that contains the log up to a
// sequence number.
func NewBuilder(applied uint64) *Builder {
	b := &Builder{applied: applied, cuts: map[index.Hash]int64{}}
	empty := newTree(minBits)
	b.m.draft = empty.edit()
	b.m.reuse = true
	return b
}

// Add adds a change; see [Overlay.With] for their order. It keeps no reference
// to it.
func (b *Builder) Add(c *Change) {
	b.seq = max(b.seq, c.Seq)
	switch e := &c.Event; {
	case e.Type == event.Erase || len(e.Former) > 0:
		// What it cuts, or what hangs on former hashes, has to be there.
		b.flush()
		b.m.apply(c)
		if at := cutAt(b.m.get(c.left)); at > 0 {
			b.cuts[c.left] = at
		}
	case c.keeps() || len(b.cuts) == 0 || e.At > max(b.cuts[c.left], b.cuts[c.right]):
		b.m.facts(c, b.wait)
	}
}

// wait puts a fact into the run of its hash.
func (b *Builder) wait(f *fact) {
	run := &b.waiting[f.hash.Lo>>(64-runBits)]
	if len(*run) > runSize {
		b.drain(run)
	}
	w := append(words(*run, f.hash.Hi, f.hash.Lo), byte(f.kind))
	w = append(binary.AppendUvarint(w, uint64(len(f.key))), f.key...)
	w = append(w, f.value...)
	*run = append(binary.AppendUvarint(w, uint64(len(f.text))), f.text...)
}

// drain joins the facts of a run, in the order in which they came.
func (b *Builder) drain(run *[]byte) {
	for r := *run; len(r) > 0; {
		f := fact{
			hash: index.Hash{Hi: binary.LittleEndian.Uint64(r), Lo: binary.LittleEndian.Uint64(r[8:])},
			kind: kind(r[16]),
		}
		f.key, r = counted(r[17:])
		f.value, r = r[:valueSizes[f.kind]], r[valueSizes[f.kind]:]
		f.text, r = counted(r)
		b.m.join(&f)
	}
	*run = (*run)[:0]
}

// counted splits off bytes that their number stands before.
func counted(b []byte) (of, rest []byte) {
	n, size := binary.Uvarint(b)
	return b[size:][:n], b[size+int(n):]
}

func (b *Builder) flush() {
	for i := range b.waiting {
		b.drain(&b.waiting[i])
	}
}

// Build returns the overlay. The builder must not be used any more.
func (b *Builder) Build() *Overlay {
	b.flush()
	for _, p := range b.m.pages {
		if p == nil {
			continue
		}
		for i, bucket := range p {
			if cap(bucket) > len(bucket) {
				p[i] = exact(bucket)
			}
		}
	}
	o := &Overlay{tree: b.m.tree, applied: b.applied, seq: b.seq}
	*b = Builder{}
	return o
}
