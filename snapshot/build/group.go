package build

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot/build/spill"
)

// grouping brings the identifiers and links of each connected set together: a
// group holds some sets, whole, and is small enough for the caches.
type grouping struct {
	n *numbering
	c *connecting

	nodes, links *spill.Store // by group
	shift        int
	heirs        bitmap // of previous persons; nil where there is no previous snapshot

	alone int64 // identifiers without links or profile, which are left out
	// crowded are the identifiers that too many people use, by number.
	crowded map[uint32]namedID
	// far are the identifiers that are in another set than a link to them.
	far map[uint32]namedID
}

// namedID is an identifier that can be shown.
type namedID struct {
	ns    index.NamespaceID
	value []byte
}

// Sizes of groups.
const (
	groupBytes = 8 << 20
	minGroups  = 16
	maxGroups  = 1 << 14
)

// groups returns how many groups so many bytes are put into, as a power of
// two.
func groups(bytes int64) (n, shift int) {
	n, shift = minGroups, 32-4
	for int64(n)*groupBytes < bytes && n < maxGroups {
		n, shift = n*2, shift-1
	}
	return n, shift
}

// of returns the group of the set with that root.
func (g *grouping) of(root uint32) int { return int(root * 0x9e3779b1 >> g.shift) }

func (g *grouping) run(ctx context.Context, s *stage) error {
	g.crowded, g.far = map[uint32]namedID{}, map[uint32]namedID{}
	if err := g.sendNodes(ctx, s); err != nil {
		return err
	}
	if err := g.n.nodes.Drop(); err != nil {
		return err
	}
	err := s.each(ctx, partitions, func() (func(int) error, func() error) {
		w := &groupWorker{g: g, out: g.links.Writer()}
		return w.linksOf, func() error { return w.out.Close() }
	})
	return errors.Join(err, g.c.links.Drop())
}

func (g *grouping) sendNodes(ctx context.Context, s *stage) error {
	return s.each(ctx, partitions, func() (func(int) error, func() error) {
		w := &groupWorker{g: g, out: g.nodes.Writer(), crowded: map[uint32]namedID{}, far: map[uint32]namedID{}}
		return w.nodesOf, func() error {
			s.mu.Lock()
			defer s.mu.Unlock()
			maps.Copy(g.crowded, w.crowded)
			maps.Copy(g.far, w.far)
			g.alone += w.alone
			return w.out.Close()
		}
	})
}

type groupWorker struct {
	g       *grouping
	out     *spill.Writer
	buf     []byte
	record  []byte
	crowded map[uint32]namedID
	far     map[uint32]namedID
	alone   int64
}

// nodesOf sends the identifiers of a partition to the groups of their sets.
func (w *groupWorker) nodesOf(p int) error {
	g, c := w.g, w.g.c
	chunks, buf, err := g.n.nodes.Load(p, w.buf)
	w.buf = buf
	if err != nil {
		return err
	}
	number := g.n.base[p]
	for _, chunk := range chunks {
		for d := (decoder{chunk}); d.more(); number++ {
			record := d.b
			n := d.node()
			record = record[:len(record)-len(d.b)]
			if c.crowded.has(number) {
				w.crowded[number] = namedID{n.ns, append([]byte(nil), n.value...)}
				continue
			}
			if n.kind&nodeProfile == 0 && !c.linked.has(number) && !c.named.has(number) {
				w.alone++
				continue
			}
			if c.far != nil && c.far.has(number) {
				w.far[number] = namedID{n.ns, append([]byte(nil), n.value...)}
			}
			root := c.sets.root(number)
			w.record = binary.LittleEndian.AppendUint32(w.record[:0], root)
			w.record = binary.LittleEndian.AppendUint32(w.record, number)
			w.record = append(w.record, record...)
			if err := w.out.Put(g.of(root), w.record); err != nil {
				return err
			}
		}
	}
	g.n.nodes.Free(p)
	return nil
}

// linksOf sends the links of a partition to the groups of their sets. A link
// to a crowded identifier goes where its other end is.
func (w *groupWorker) linksOf(p int) error {
	g, c := w.g, w.g.c
	chunks, buf, err := c.links.Load(p, w.buf)
	w.buf = buf
	if err != nil {
		return err
	}
	for _, chunk := range chunks {
		for d := (decoder{chunk}); d.more(); {
			l := d.link()
			at := l.a
			if c.crowded.has(at) {
				at = l.b
			}
			root := c.sets.root(at)
			w.record = binary.LittleEndian.AppendUint32(w.record[:0], root)
			w.record = append(w.record, byte(c.cut(&l)))
			w.record = appendLink(w.record, &l)
			if err := w.out.Put(g.of(root), w.record); err != nil {
				return err
			}
		}
	}
	c.links.Free(p)
	return nil
}
