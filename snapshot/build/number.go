package build

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/spill"
)

// numbering gives each identifier a number: its rank among the hashes of all.
// What comes after it works on numbers.
type numbering struct {
	tenants  []config.Tenant
	ranks    []uint32           // of segments, by the number that rows have
	segments []snapshot.Segment // by rank
	oldest   snapshot.Day       // that a profile was seen on

	from *spill.Store // what was read, by partition of the hash
	// nodes are the identifiers of each partition in order of their numbers,
	// with what is said of them; hashes are their hashes and namespaces.
	nodes, hashes *spill.Store
	// half are links whose first end is numbered, by the partition of the
	// second.
	half *spill.Store

	base  []uint32 // by partition: the number of its first identifier; one more
	sizes []int64  // by segment: how many profiles it has
	total Tally
}

// Tally counts what was numbered.
type Tally struct {
	Identifiers int64 // different ones
	Profiles    int64
	Merged      int64 // rows that repeated a customer
}

// errCollision cannot be made to happen without the store's secret.
var errCollision = errors.New("two identifiers have one 128-bit hash: build into a store with another key")

// run numbers all partitions.
func (n *numbering) run(ctx context.Context, s *stage) error {
	n.base = make([]uint32, partitions+1)
	n.sizes = make([]int64, len(n.ranks))
	err := s.each(ctx, partitions, func() (func(int) error, func() error) {
		w := &numberWorker{
			n: n, nodes: n.nodes.Writer(), hashes: n.hashes.Writer(), half: n.half.Writer(), sizes: make([]int64, len(n.ranks)), oldest: n.oldest,
		}
		return w.partition, func() error { return w.close(s) }
	})
	if err != nil {
		return err
	}
	return n.number()
}

// number turns the sizes of partitions in base into their first numbers.
func (n *numbering) number() error {
	total := uint64(0)
	for i, size := range n.base {
		n.base[i] = uint32(total)
		total += uint64(size)
	}
	if total > math.MaxUint32-1 {
		return fmt.Errorf("%d identifiers: at most %d can be built into one store; split the pool", total, uint32(math.MaxUint32-1))
	}
	n.total.Identifiers = int64(total)
	return n.from.Drop()
}

// count is the number of identifiers.
func (n *numbering) count() int { return int(n.base[partitions]) }

// largest returns the numbers of the most segments with the most profiles.
func (n *numbering) largest(most int) []uint32 {
	order := make([]uint32, len(n.sizes))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Or(cmp.Compare(n.sizes[b], n.sizes[a]), cmp.Compare(a, b)) })
	return order[:min(most, len(order))]
}

// Flags of what is said of a node.
const (
	nodeProfile  = 1 << iota // a profile follows
	nodeAncestor             // an ancestor follows
)

// numberWorker numbers one partition after the other.
type numberWorker struct {
	n                   *numbering
	nodes, hashes, half *spill.Writer
	sizes               []int64
	total               Tally
	oldest              snapshot.Day

	buf   []byte
	table []uint32 // of places in found, plus one, by hash
	found []foundID
	rows  []foundRow
	links []foundLink
	order []index.Entry // found identifiers by hash; Addr is the place in found
	rank  []uint32
	out   []byte
}

type foundID struct {
	hash     index.Hash
	value    []byte
	ns       index.NamespaceID
	given    bool // by the input, and not by the previous snapshot alone
	flags    byte
	ancestor ancestor
}

type foundRow struct {
	id  uint32
	row row
}

type foundLink struct {
	id   uint32
	tail []byte
}

func (w *numberWorker) close(s *stage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, size := range w.sizes {
		w.n.sizes[i] += size
	}
	w.n.oldest = min(w.n.oldest, w.oldest)
	w.n.total.Profiles += w.total.Profiles
	w.n.total.Merged += w.total.Merged
	return errors.Join(w.nodes.Close(), w.hashes.Close(), w.half.Close())
}

// partition finds the different identifiers of a partition, sorts them, and
// writes them and their links.
func (w *numberWorker) partition(p int) error {
	if err := w.find(p); err != nil {
		return err
	}
	w.sort()
	w.n.base[p] = uint32(len(w.order))
	if err := w.writeNodes(p); err != nil {
		return err
	}
	for _, l := range w.links {
		tail := decoder{l.tail}
		link := tail.linkTail()
		w.out = appendHalf(w.out[:0], halfLink{
			other: link.other, partition: uint16(p), id: w.rank[l.id], ns: w.found[l.id].ns,
			method: link.method, source: link.source, seen: link.seen,
		})
		if err := w.half.Put(partitionOf(link.other.Hi), w.out); err != nil {
			return err
		}
	}
	w.n.from.Free(p)
	return nil
}

// find reads the records of a partition.
func (w *numberWorker) find(p int) error {
	chunks, buf, err := w.n.from.Load(p, w.buf)
	w.buf = buf
	if err != nil {
		return err
	}
	w.found, w.rows, w.links = w.found[:0], w.rows[:0], w.links[:0]
	w.size(int(w.n.from.Size(p)) / (headSize + 16))
	for _, chunk := range chunks {
		for d := (decoder{chunk}); d.more(); {
			h := d.head()
			id, err := w.lookup(&h)
			if err != nil {
				return err
			}
			switch h.kind {
			case recordLink:
				w.links = append(w.links, foundLink{id, d.bytes(linkTailSize)})
			case recordRow:
				r := d.row()
				for i, s := range r.segments {
					r.segments[i] = w.n.ranks[s]
				}
				w.rows = append(w.rows, foundRow{id, r})
			case recordPrevious:
				w.found[id].flags |= nodeAncestor
				w.found[id].ancestor = d.ancestor()
				continue
			}
			w.found[id].given = true
		}
	}
	return nil
}

// size makes an empty table for about n identifiers.
func (w *numberWorker) size(n int) {
	size := 1024
	for size < 2*n {
		size *= 2
	}
	w.table = slices.Grow(w.table[:0], size)[:size]
	clear(w.table)
}

// lookup returns the place of an identifier in found, and adds a new one.
func (w *numberWorker) lookup(h *head) (uint32, error) {
	if 2*len(w.found) >= len(w.table) {
		w.size(len(w.table))
		for i := range w.found {
			w.table[w.slot(w.found[i].hash)] = uint32(i + 1)
		}
	}
	slot := w.slot(h.hash)
	if at := w.table[slot]; at > 0 {
		if f := &w.found[at-1]; f.ns != h.ns || !bytes.Equal(f.value, h.value) {
			return 0, errCollision
		}
		return at - 1, nil
	}
	w.found = append(w.found, foundID{hash: h.hash, ns: h.ns, value: h.value})
	w.table[slot] = uint32(len(w.found))
	return uint32(len(w.found) - 1), nil
}

// slot returns where a hash is in the table, or would be.
func (w *numberWorker) slot(h index.Hash) int {
	mask := len(w.table) - 1
	slot := int(h.Lo) & mask
	for w.table[slot] > 0 && w.found[w.table[slot]-1].hash != h {
		slot = (slot + 1) & mask
	}
	return slot
}

// sort ranks the identifiers that the input gives, by their hash.
func (w *numberWorker) sort() {
	w.order = w.order[:0]
	for i := range w.found {
		if w.found[i].given {
			w.order = append(w.order, index.Entry{Hash: w.found[i].hash, Addr: uint64(i)})
		}
	}
	index.SortEntries(w.order)
	w.rank = slices.Grow(w.rank[:0], len(w.found))[:len(w.found)]
	for i := range w.order {
		w.rank[w.order[i].Addr] = uint32(i)
	}
	slices.SortFunc(w.rows, func(a, b foundRow) int { return cmp.Compare(w.rank[a.id], w.rank[b.id]) })
}

// writeNodes writes the identifiers of a partition in order.
func (w *numberWorker) writeNodes(p int) error {
	rows, group := w.rows, []row(nil)
	for i := range w.order {
		f := &w.found[w.order[i].Addr]
		flags := f.flags
		group = group[:0]
		for len(rows) > 0 && w.rank[rows[0].id] == uint32(i) {
			group = append(group, rows[0].row)
			rows = rows[1:]
		}
		if len(group) > 0 {
			flags |= nodeProfile
		}
		w.out = appendHead(w.out[:0], flags, f.ns, f.hash, f.value)
		if len(group) > 0 {
			q := mergeRows(group, w.n.tenants)
			for _, s := range q.segments {
				w.sizes[s]++
			}
			w.oldest = min(w.oldest, q.seen)
			w.total.Profiles++
			w.total.Merged += int64(len(group) - 1)
			start := len(w.out)
			w.out = appendProfile(append(w.out, 0, 0, 0, 0), &q)
			binary.LittleEndian.PutUint32(w.out[start:], uint32(len(w.out)-start-4))
		}
		if flags&nodeAncestor != 0 {
			w.out = appendAncestor(w.out, f.ancestor)
		}
		if err := w.nodes.Put(p, w.out); err != nil {
			return err
		}
		w.out = binary.LittleEndian.AppendUint16(appendHash(w.out[:0], f.hash), uint16(f.ns))
		if err := w.hashes.Put(p, w.out); err != nil {
			return err
		}
	}
	return nil
}

// node is an identifier as the numbering leaves it. What is said of it is
// still encoded.
type node struct {
	head              // its kind is its flags
	profile, ancestor []byte
}

func (d *decoder) node() (n node) {
	n.head = d.head()
	if n.kind&nodeProfile != 0 {
		n.profile = d.bytes(int(d.u32()))
	}
	if n.kind&nodeAncestor != 0 {
		n.ancestor = d.bytes(ancestorSize)
	}
	return n
}

// halfLink is a link of which one end is numbered within its partition.
type halfLink struct {
	other     index.Hash
	partition uint16
	id        uint32
	ns        index.NamespaceID
	method    snapshot.Method
	source    uint16
	seen      snapshot.Day
}

func appendHalf(dst []byte, l halfLink) []byte {
	dst = appendHash(dst, l.other)
	dst = binary.LittleEndian.AppendUint16(dst, l.partition)
	dst = binary.LittleEndian.AppendUint32(dst, l.id)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(l.ns))
	dst = append(dst, byte(l.method))
	dst = binary.LittleEndian.AppendUint16(dst, l.source)
	return binary.LittleEndian.AppendUint16(dst, uint16(l.seen))
}

func (d *decoder) half() halfLink {
	return halfLink{
		other: d.hash(), partition: d.u16(), id: d.u32(), ns: index.NamespaceID(d.u16()),
		method: snapshot.Method(d.u8()), source: d.u16(), seen: snapshot.Day(d.u16()),
	}
}
