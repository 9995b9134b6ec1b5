package build

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/spill"
	"github.com/matchd/matchd/snapshot/resolve"
)

// lineage counts what became of the persons of the previous snapshot.
type lineage struct{ kept, fresh, merged, split int64 }

func (l *lineage) add(o *lineage) {
	l.kept += o.kept
	l.fresh += o.fresh
	l.merged += o.merged
	l.split += o.split
}

// readPrevious adds the identifiers of the previous snapshot to what was read,
// each with the person that it was in.
func readPrevious(ctx context.Context, s *stage, previous *snapshot.Snapshot, ns *index.Namespaces, hasher index.Hasher, to *spill.Store) error {
	known := make([]int, previous.Namespaces.Len()) // its namespaces in ours, or -1
	for i, n := range previous.Namespaces.All() {
		known[i] = -1
		if id, ok := ns.ByName(n.Name); ok && ns.At(id) == n {
			known[i] = int(id)
		}
	}
	return s.each(ctx, previous.RecordShards, func() (func(int) error, func() error) {
		w := to.Writer()
		var record []byte
		return func(shard int) error {
			for p, err := range previous.Persons(shard, hasher) {
				if err != nil {
					return err
				}
				for i := range p.Nodes {
					n := &p.Nodes[i]
					if known[n.Namespace] < 0 {
						continue
					}
					record = appendHead(record[:0], recordPrevious, index.NamespaceID(known[n.Namespace]), n.Hash, n.Value)
					record = appendAncestor(record, ancestor{p.ID, p.Born})
					if err := w.Put(partitionOf(n.Hash.Hi), record); err != nil {
						return err
					}
				}
			}
			return nil
		}, w.Close
	})
}

// inheriting finds the heir of each person of the previous snapshot: of its
// identifiers that are read again, the strongest. Whoever has the heir is the
// same person, however it has grown or what it has lost.
type inheriting struct {
	n     *numbering
	nodes []resolve.Node // by namespace
	space *spill.Space
	heirs bitmap
}

func (h *inheriting) run(ctx context.Context, s *stage) error {
	h.heirs = newBitmap(h.n.count())
	claims := h.space.Store("heirs", partitions)
	err := s.each(ctx, partitions, func() (func(int) error, func() error) {
		w := claims.Writer()
		var buf, record []byte
		return func(p int) error {
			chunks, b, err := h.n.nodes.Load(p, buf)
			buf = b
			if err != nil {
				return err
			}
			number := h.n.base[p]
			for _, chunk := range chunks {
				for d := (decoder{chunk}); d.more(); number++ {
					n := d.node()
					if n.ancestor == nil {
						continue
					}
					record = append(append(record[:0], n.ancestor[:16]...), byte(h.nodes[n.ns].Kind.Weight()))
					record = binary.BigEndian.AppendUint32(record, number)
					if err := w.Put(partitionOf(binary.BigEndian.Uint64(n.ancestor)), record); err != nil {
						return err
					}
				}
			}
			return nil
		}, w.Close
	})
	if err != nil {
		return err
	}
	err = s.each(ctx, partitions, func() (func(int) error, func() error) {
		var buf []byte
		return func(p int) (err error) {
			buf, err = h.choose(claims, p, buf)
			return err
		}, func() error { return nil }
	})
	return errors.Join(err, claims.Drop())
}

// choose marks the first identifier of each previous person.
func (h *inheriting) choose(claims *spill.Store, p int, buf []byte) ([]byte, error) {
	const size = 16 + 1 + 4
	chunks, buf, err := claims.Load(p, buf)
	if err != nil {
		return buf, err
	}
	var list [][]byte
	for _, chunk := range chunks {
		for ; len(chunk) > 0; chunk = chunk[size:] {
			list = append(list, chunk[:size])
		}
	}
	slices.SortFunc(list, bytes.Compare)
	for i, c := range list {
		if i == 0 || !bytes.Equal(c[:16], list[i-1][:16]) {
			h.heirs.set(binary.BigEndian.Uint32(c[17:]))
		}
	}
	claims.Free(p)
	return buf, nil
}

// inherit returns the oldest person whose heir is among members, and counts
// what the person is to those of the previous snapshot.
func (w *personWorker) inherit(nodes []groupNode, members []member) (oldest ancestor, ok bool) {
	heirs, known := int64(0), false
	for _, m := range members {
		n := &nodes[m.node]
		if n.ancestor == nil {
			continue
		}
		known = true
		if !w.r.g.heirs.has(n.number) {
			continue
		}
		d := decoder{n.ancestor}
		a := d.ancestor()
		if heirs++; heirs == 1 || cmp.Or(cmp.Compare(a.born, oldest.born), bytes.Compare(a.id[:], oldest.id[:])) < 0 {
			oldest = a
		}
	}
	l := &w.result.lineage
	switch {
	case heirs > 0:
		l.kept++
		l.merged += heirs - 1
	case known:
		l.split++
	default:
		l.fresh++
	}
	return oldest, heirs > 0
}
