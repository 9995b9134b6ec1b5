package build

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/spill"
	"github.com/matchd/matchd/snapshot/resolve"
)

// joining numbers the second ends of links.
type joining struct {
	n     *numbering
	nodes []resolve.Node // by namespace: what its identifiers are to the resolver
	// links are links between numbers, by the partition of their first.
	links *spill.Store
}

// numberedLink is a link between two numbers. Where one end is used by the
// other, see resolve.Crowded, the used one is first, and otherwise the smaller
// one: links between the same two are always the same way round.
type numberedLink struct {
	a, b   uint32
	method snapshot.Method
	source uint16
	seen   snapshot.Day
	// crowd is one more than the class of b as a user of a, or 0, and
	// crowdOnDevice where a is a device.
	crowd uint32
}

func appendNumbered(dst []byte, l *numberedLink) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, l.a)
	dst = binary.LittleEndian.AppendUint32(dst, l.b)
	dst = append(dst, byte(l.method))
	dst = binary.LittleEndian.AppendUint16(dst, l.source)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(l.seen))
	return binary.LittleEndian.AppendUint32(dst, l.crowd)
}

func (d *decoder) numbered() numberedLink {
	return numberedLink{
		a: d.u32(), b: d.u32(), method: snapshot.Method(d.u8()), source: d.u16(), seen: snapshot.Day(d.u16()), crowd: d.u32(),
	}
}

func (j *joining) run(ctx context.Context, s *stage) error {
	err := s.each(ctx, partitions, func() (func(int) error, func() error) {
		w := &joinWorker{j: j, out: j.links.Writer()}
		return w.partition, func() error {
			s.mu.Lock()
			defer s.mu.Unlock()
			j.n.did.CutContacts += w.cut
			return w.out.Close()
		}
	})
	if err != nil {
		return err
	}
	return errors.Join(j.n.half.Drop(), j.n.hashes.Drop())
}

type joinWorker struct {
	j      *joining
	out    *spill.Writer
	buf    [2][]byte
	hashes []byte // of the partition, hashSize each
	dir    []uint32
	shift  int
	record []byte
	cut    int64 // links of identifiers that are withheld
}

// hashSize is the length of a record of numbering.hashes.
const hashSize = 16 + 2

func (w *joinWorker) partition(p int) error {
	if err := w.load(p); err != nil {
		return err
	}
	n := w.j.n
	chunks, buf, err := n.half.Load(p, w.buf[1])
	w.buf[1] = buf
	if err != nil {
		return err
	}
	for _, chunk := range chunks {
		for d := (decoder{chunk}); d.more(); {
			h := d.half()
			at, ok := w.lookup(h.other)
			if !ok {
				return fmt.Errorf("partition %d: a link to an identifier that was not read", p)
			}
			l := numberedLink{a: n.base[h.partition] + h.id, b: n.base[p] + at, method: h.method, source: h.source, seen: h.seen}
			if len(n.withheld) > 0 && w.j.drops(l.a, l.b, w.j.nodes[h.ns], w.j.nodes[w.namespace(at)]) {
				w.cut++
				continue
			}
			to := w.orient(&l, int(h.partition), p, h.ns, w.namespace(at))
			w.record = appendNumbered(w.record[:0], &l)
			if err := w.out.Put(to, w.record); err != nil {
				return err
			}
		}
	}
	n.half.Free(p)
	n.hashes.Free(p)
	return nil
}

// orient turns a link the way that it is counted, and returns the partition
// of its first end.
func (w *joinWorker) orient(l *numberedLink, partA, partB int, a, b index.NamespaceID) int {
	x, y := w.j.nodes[a], w.j.nodes[b]
	usedIsA, ok := resolve.Crowded(x, y)
	if !ok {
		usedIsA = l.a < l.b
	}
	if !usedIsA {
		l.a, l.b = l.b, l.a
		partA, x, y = partB, y, x
	}
	if ok || x.Kind == resolve.Device && y.Kind == resolve.Device {
		l.crowd = y.Class() + 1
		if x.Kind == resolve.Device {
			l.crowd |= crowdOnDevice
		}
	}
	return partA
}

// crowdOnDevice is above all classes.
const crowdOnDevice = 1 << 31

// load reads the hashes of a partition and makes a directory of them by the
// bits after those of the partition: hashes are spread evenly, so that each of
// its entries leads to one or two.
func (w *joinWorker) load(p int) error {
	chunks, buf, err := w.j.n.hashes.Load(p, w.buf[0])
	w.buf[0] = buf
	if err != nil {
		return err
	}
	w.hashes = w.hashes[:0]
	for _, chunk := range chunks {
		w.hashes = append(w.hashes, chunk...)
	}
	n := len(w.hashes) / hashSize
	w.shift = 64
	for 1<<(64-w.shift) < n {
		w.shift--
	}
	size := 1<<(64-w.shift) + 1
	w.dir = slices.Grow(w.dir[:0], size)[:size]
	next := 0
	for i := range n {
		for at := w.bucket(binary.LittleEndian.Uint64(w.hashes[i*hashSize:])); next <= at; next++ {
			w.dir[next] = uint32(i)
		}
	}
	for ; next < size; next++ {
		w.dir[next] = uint32(n)
	}
	return nil
}

func (w *joinWorker) bucket(hi uint64) int { return int(hi << partitionBits >> w.shift) }

// lookup returns the place of a hash in its partition.
func (w *joinWorker) lookup(h index.Hash) (uint32, bool) {
	at := w.bucket(h.Hi)
	for i := w.dir[at]; i < w.dir[at+1]; i++ {
		if hashAt(w.hashes[i*hashSize:]) == h {
			return i, true
		}
	}
	return 0, false
}

func (w *joinWorker) namespace(at uint32) index.NamespaceID {
	return index.NamespaceID(binary.LittleEndian.Uint16(w.hashes[at*hashSize+16:]))
}
