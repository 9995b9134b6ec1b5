package build

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/spill"
)

// numberWorker numbers one partition after the other.
type numberWorker struct {
	n                   *numbering
	nodes, hashes, half *spill.Writer
	sizes               []int64
	total               Tally
	oldest              snapshot.Day

	buf     []byte
	keys    []index.Entry // the records by hash; Addr is the chunk and the offset in it
	touched byte          // see touch
	out     []byte

	// Of one identifier:
	id    head
	given bool // by the input, and not by the previous snapshot alone
	old   []byte
	rows  []row
	links []linkTail
	live  liveProfile
	hides tenantSet // whom it is withheld from

	found []withheldID
	did   LiveReport
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
	w.n.found = append(w.n.found, w.found...)
	w.n.did.add(&w.did)
	return errors.Join(w.nodes.Close(), w.hashes.Close(), w.half.Close())
}

// partition sorts the records of a partition by their identifiers, and writes
// each that the input gives with all that is said of it.
func (w *numberWorker) partition(p int) error {
	chunks, buf, err := w.n.from.Load(p, w.buf)
	w.buf = buf
	if err != nil {
		return err
	}
	w.keys = w.keys[:0]
	for i, chunk := range chunks {
		for d := (decoder{chunk}); d.more(); {
			at := uint64(len(chunk) - len(d.b))
			w.keys = append(w.keys, index.Entry{Hash: d.skipRecord(), Addr: uint64(i)<<32 | at})
		}
	}
	index.SortEntries(w.keys)
	number := uint32(0)
	ahead := 0
	for keys := w.keys; len(keys) > 0; {
		n := 1
		for n < len(keys) && keys[n].Hash == keys[0].Hash {
			n++
		}
		if at := len(w.keys) - len(keys); at >= ahead {
			ahead = at + block
			w.touched += touch(chunks, keys[:min(block, len(keys))])
		}
		if err := w.gather(chunks, keys[:n]); err != nil {
			return err
		}
		if w.given {
			if len(w.hides) > 0 {
				w.found = append(w.found, withheldID{p, number, joinTenants(w.hides, len(w.n.tenants))})
			}
			if err := w.write(p, number); err != nil {
				return err
			}
			number++
		}
		keys = keys[n:]
	}
	w.n.base[p] = number
	w.n.from.Free(p)
	return nil
}

// touch reads the first bytes of the records that keys lead to, see
// numberWorker.keys: they lie all over the partition, and reads that do not
// depend on one another need not wait for one another. What it returns means
// nothing.
func touch(chunks [][]byte, keys []index.Entry) (sum byte) {
	const line = 64
	for i := range keys {
		record := chunks[keys[i].Addr>>32][uint32(keys[i].Addr):]
		sum += record[0] + record[min(line, len(record)-1)]
	}
	return sum
}

// skipRecord goes over a record and returns the hash of its identifier.
func (d *decoder) skipRecord() index.Hash {
	h := d.head()
	switch h.kind {
	case recordLink:
		d.bytes(linkTailSize)
	case recordRow:
		d.bytes(int(d.u32()))
	case recordPrevious:
		d.bytes(ancestorSize)
	case recordSegment:
		d.bytes(liveSegmentSize)
	case recordConsent:
		d.bytes(liveConsentSize)
	case recordWithheld:
		d.bytes(tenantSize)
	}
	return h.hash
}

// gather reads the records of one identifier.
func (w *numberWorker) gather(chunks [][]byte, keys []index.Entry) error {
	w.given, w.old, w.rows, w.links = false, nil, w.rows[:0], w.links[:0]
	w.live, w.hides = liveProfile{segments: w.live.segments[:0]}, nil
	named := false
	for i := range keys {
		d := decoder{chunks[keys[i].Addr>>32][uint32(keys[i].Addr):]}
		h := d.head()
		if h.kind == recordWithheld {
			w.hides = append(w.hides, d.u16())
			continue
		}
		if !named {
			w.id, named = h, true
		} else if h.ns != w.id.ns || !bytes.Equal(h.value, w.id.value) {
			return errCollision
		}
		w.given = w.given || h.kind < recordPrevious
		switch h.kind {
		case recordLink:
			w.links = append(w.links, d.linkTail())
		case recordRow:
			d.u32()
			r := d.row()
			for i, s := range r.segments {
				r.segments[i] = w.n.ranks[s]
			}
			w.rows = append(w.rows, r)
		case recordPrevious:
			w.old = d.bytes(ancestorSize)
		case recordSegment:
			s := d.liveSegment()
			s.segment = w.n.ranks[s.segment]
			w.live.segments = append(w.live.segments, s)
		case recordConsent:
			w.live.consent = d.liveConsent()
		}
	}
	return nil
}

// write writes the identifier with that number within its partition, and the
// links of which it is the first end.
func (w *numberWorker) write(p int, number uint32) error {
	flags := byte(0)
	if len(w.rows) > 0 {
		flags |= nodeProfile
	}
	if w.old != nil {
		flags |= nodeAncestor
	}
	w.out = appendHead(w.out[:0], flags, w.id.ns, w.id.hash, w.id.value)
	if len(w.rows) > 0 {
		w.profile()
	}
	w.out = append(w.out, w.old...)
	if err := w.nodes.Put(p, w.out); err != nil {
		return err
	}
	w.out = binary.LittleEndian.AppendUint16(appendHash(w.out[:0], w.id.hash), uint16(w.id.ns))
	if err := w.hashes.Put(p, w.out); err != nil {
		return err
	}
	for i := range w.links {
		l := &w.links[i]
		w.out = appendHalf(w.out[:0], halfLink{
			other: l.other, partition: uint16(p), id: number, ns: w.id.ns, method: l.method, source: l.source, seen: l.seen,
		})
		if err := w.half.Put(partitionOf(l.other.Hi), w.out); err != nil {
			return err
		}
	}
	return nil
}

// profile appends what the rows of a customer come to, after its length.
func (w *numberWorker) profile() {
	q := mergeRows(w.rows, w.n.tenants)
	segments, consents := w.live.alter(&q, w.rows[0].asOf, w.n.asOf, &w.n.tenants[q.tenant])
	w.did.Segments += segments
	w.did.Consents += consents
	for _, s := range q.segments {
		w.sizes[s]++
	}
	w.oldest = min(w.oldest, q.seen)
	w.total.Profiles++
	w.total.Merged += int64(len(w.rows) - 1)
	start := len(w.out)
	w.out = appendProfile(append(w.out, 0, 0, 0, 0), &q)
	binary.LittleEndian.PutUint32(w.out[start:], uint32(len(w.out)-start-4))
}
