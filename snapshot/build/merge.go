package build

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/spill"
	"github.com/matchd/matchd/snapshot/resolve"
)

// merging makes one link of those that differ in nothing but the days on which
// they were observed, and finds the identifiers that too many people use.
type merging struct {
	n     *numbering
	rules resolve.Rules
	from  *spill.Store
	links *spill.Store // by the partition of their first end, sorted

	crowded bitmap // the identifiers that are used by too many
	oldest  snapshot.Day
	total   int64 // links
}

// link is an edge between two numbered identifiers.
type link struct {
	a, b        uint32
	source      uint16
	method      snapshot.Method
	first, last snapshot.Day
	crowd       uint32 // as in numberedLink
}

func (m *merging) run(ctx context.Context, s *stage) error {
	m.crowded = newBitmap(m.n.count())
	err := s.each(ctx, partitions, func() (func(int) error, func() error) {
		w := &mergeWorker{m: m, out: m.links.Writer(), oldest: m.oldest}
		return w.partition, func() error {
			s.mu.Lock()
			defer s.mu.Unlock()
			m.oldest = min(m.oldest, w.oldest)
			m.total += w.total
			return w.out.Close()
		}
	})
	if err != nil {
		return err
	}
	return m.from.Drop()
}

type mergeWorker struct {
	m      *merging
	out    *spill.Writer
	oldest snapshot.Day
	total  int64
	buf    []byte
	keys   []index.Entry // the links to sort: see partition
	links  []link
	crowd  []uint32
	record []byte
}

func (w *mergeWorker) partition(p int) error {
	chunks, buf, err := w.m.from.Load(p, w.buf)
	w.buf = buf
	if err != nil {
		return err
	}
	w.keys, w.links = w.keys[:0], w.links[:0]
	for _, chunk := range chunks {
		for d := (decoder{chunk}); d.more(); {
			l := d.numbered()
			w.keys = append(w.keys, index.Entry{
				Hash: index.Hash{Hi: uint64(l.a)<<32 | uint64(l.b), Lo: uint64(l.method)<<16 | uint64(l.source)},
				Addr: uint64(l.crowd)<<16 | uint64(l.seen),
			})
		}
	}
	w.m.from.Free(p)
	index.SortEntries(w.keys)
	w.mergeLinks()
	w.findCrowds()
	for i := range w.links {
		w.oldest = min(w.oldest, w.links[i].last)
		w.record = appendLink(w.record[:0], &w.links[i])
		if err := w.out.Put(p, w.record); err != nil {
			return err
		}
	}
	w.total += int64(len(w.links))
	return nil
}

// mergeLinks merges sorted links that differ in nothing but their days.
func (w *mergeWorker) mergeLinks() {
	for i := range w.keys {
		k := &w.keys[i]
		seen := snapshot.Day(k.Addr)
		if n := len(w.links); i > 0 && w.keys[i-1].Hash == k.Hash {
			w.links[n-1].first = min(w.links[n-1].first, seen)
			w.links[n-1].last = max(w.links[n-1].last, seen)
			continue
		}
		w.links = append(w.links, link{
			a: uint32(k.Hash.Hi >> 32), b: uint32(k.Hash.Hi), method: snapshot.Method(k.Hash.Lo >> 16), source: uint16(k.Hash.Lo),
			first: seen, last: seen, crowd: uint32(k.Addr >> 16),
		})
	}
}

// findCrowds marks the identifiers of the partition that are used by more of
// one class than the rules allow.
func (w *mergeWorker) findCrowds() {
	for list := w.links; len(list) > 0; {
		n := 1
		for n < len(list) && list[n].a == list[0].a {
			n++
		}
		if w.isCrowd(list[:n]) {
			w.m.crowded.set(list[0].a)
		}
		list = list[n:]
	}
}

// isCrowd looks at all links whose first end is one identifier.
func (w *mergeWorker) isCrowd(links []link) bool {
	if len(links) <= min(w.m.rules.MaxOnDevice, w.m.rules.MaxOnContact) {
		return false
	}
	w.crowd = w.crowd[:0]
	for i := range links {
		if l := &links[i]; l.crowd > 0 && (i == 0 || l.b != links[i-1].b) {
			w.crowd = append(w.crowd, l.crowd)
		}
	}
	slices.Sort(w.crowd)
	same := 0
	for i, c := range w.crowd {
		if same++; i == 0 || c != w.crowd[i-1] {
			same = 1
		}
		if same > w.m.limit(c) {
			return true
		}
	}
	return false
}

// limit is how many users of a class one identifier may have; crowd is as in
// numberedLink. Of links between devices only those are counted here of which
// the identifier is the first end, about half: it takes apart what would hang
// together by a hub, and the resolver counts all.
func (m *merging) limit(crowd uint32) int {
	used, user := resolve.Email, resolve.Kind(((crowd&^crowdOnDevice)-1)>>16)
	if crowd&crowdOnDevice != 0 {
		used = resolve.Device
	}
	return m.rules.Limit(used, user)
}

func appendLink(dst []byte, l *link) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, l.a)
	dst = binary.LittleEndian.AppendUint32(dst, l.b)
	dst = binary.LittleEndian.AppendUint16(dst, l.source)
	dst = append(dst, byte(l.method))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(l.first))
	return binary.LittleEndian.AppendUint16(dst, uint16(l.last))
}

func (d *decoder) link() link {
	return link{
		a: d.u32(), b: d.u32(), source: d.u16(), method: snapshot.Method(d.u8()), first: snapshot.Day(d.u16()), last: snapshot.Day(d.u16()),
	}
}
