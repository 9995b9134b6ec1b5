package snapshot

import (
	"encoding/binary"
	"fmt"

	"github.com/matchd/matchd/index"
)

// Shard returns the index shard of an identifier.
func (s *Snapshot) Shard(h index.Hash) int { return index.Shard(h, s.indexBits) }

// Filter returns the filter of an index shard.
func (s *Snapshot) Filter(shard int) *index.Filter { return s.filters[shard] }

// Table returns the table of an index shard.
func (s *Snapshot) Table(shard int) *index.Table { return s.tables[shard] }

// Tracer reports whether links from identifiers of the namespace age out.
func (s *Snapshot) Tracer(id index.NamespaceID) bool { return s.tracers[id] }

// Place splits the address that a table gives into the record shard and the
// offset of the record in its hot section.
func (s *Snapshot) Place(addr uint64) (shard int, offset uint64) {
	return int(addr & (1<<s.recordBits - 1)), addr >> s.recordBits * recordAlign
}

// errRecord is a hot record that is not what was written.
var errRecord = fmt.Errorf("%w: a hot record does not pass its check", ErrCorrupt)

// Prefetch has the record at addr brought into the cache, as far as most
// records go, and does not wait for it.
func (s *Snapshot) Prefetch(addr uint64) {
	shard, at := s.Place(addr)
	if hot := s.hot[shard]; at < uint64(len(hot)) {
		index.Prefetch(&hot[at])
	}
}

// Private reports whether index and hot records lie in memory that nobody else
// can change or take away, so that reading them cannot fault.
func (s *Snapshot) Private() bool { return s.private }

// Record decodes the record at addr. Served from private memory, which was
// checked when it was filled, r lies there. Otherwise it lies in buf, which is
// extended where it is too short and returned for the next call: the record is
// copied and the copy checked, so that what was checked is what is read, even
// while somebody overwrites the file. The error wraps [ErrCorrupt].
func (s *Snapshot) Record(addr uint64, buf []byte, r *Record) ([]byte, error) {
	if !s.private {
		return s.checkedRecord(addr, buf, r)
	}
	packed, err := s.Packed(addr)
	if err != nil {
		return buf, err
	}
	return buf, s.Unpack(packed, r)
}

// Find decodes into r the record that has an identifier, confirmed, and returns its
// address and the identifier's place in it, which is below zero where no record has
// it. buf is as of [Snapshot.Record]. Where the snapshot is not private it may
// fault, see [Guard].
func (s *Snapshot) Find(h index.Hash, buf []byte, r *Record) (addr uint64, at int, _ []byte, err error) {
	shard := s.Shard(h)
	if !s.Filter(shard).MayContain(h) {
		return 0, -1, buf, nil
	}
	t := s.Table(shard)
	for c := t.Seek(h); ; {
		addr, ok := t.Next(h, &c)
		if !ok {
			return 0, -1, buf, nil
		}
		if buf, err = s.Record(addr, buf, r); err != nil {
			return 0, -1, buf, err
		}
		if at := r.Find(h); at >= 0 {
			return addr, at, buf, nil
		}
	}
}

func (s *Snapshot) checkedRecord(addr uint64, buf []byte, r *Record) ([]byte, error) {
	packed, err := s.Packed(addr)
	if err != nil {
		return buf, err
	}
	shard, at := s.Place(addr)
	check := binary.LittleEndian.Uint32(s.hot[shard][at:])
	buf = append(binary.LittleEndian.AppendUint32(buf[:0], uint32(len(packed))), packed...)
	if (place{s.ID, uint32(shard), at}).check(buf) != check {
		return buf, errRecord
	}
	return buf, s.Unpack(buf[4:], r)
}

// Packed returns the body of the record at addr as it lies in the snapshot,
// unchecked: for tools that hold records elsewhere, and read them by
// [Snapshot.Unpack]. The error wraps [ErrCorrupt].
func (s *Snapshot) Packed(addr uint64) ([]byte, error) {
	shard, at := s.Place(addr)
	hot := s.hot[shard]
	if uint64(len(hot)) < recordHead || at > uint64(len(hot))-recordHead {
		return nil, errRecord
	}
	size := uint64(binary.LittleEndian.Uint32(hot[at+4:]))
	if size > MaxRecord || size > uint64(len(hot))-at-recordHead {
		return nil, errRecord
	}
	return hot[at+recordHead:][:size:size], nil
}

// Unpack decodes what [Snapshot.Packed] returned; r lies in it. The error
// wraps [ErrCorrupt].
func (s *Snapshot) Unpack(packed []byte, r *Record) error {
	if err := r.parse(packed, &s.layout); err != nil {
		return errRecord
	}
	return nil
}

// ColdBlock names a cold block, as a key of a cache.
type ColdBlock struct {
	Shard uint32
	Block uint32
}

// ColdBlockOf returns the cold block that holds the cold part of the record
// at addr.
func (s *Snapshot) ColdBlockOf(addr uint64, r *Record) ColdBlock {
	shard, _ := s.Place(addr)
	return ColdBlock{uint32(shard), r.cold.block}
}

// ReadCold decompresses a cold block.
func (s *Snapshot) ReadCold(b ColdBlock) ([]byte, error) {
	return s.readCold(b, &coldBuffers{})
}

func (s *Snapshot) readCold(b ColdBlock, into *coldBuffers) ([]byte, error) {
	raw, err := s.cold[b.Shard].read(place{s.ID, b.Shard, uint64(b.Block)}, into)
	if err != nil {
		return nil, corrupt(recordName(int(b.Shard)), sectionCold, -1, "%v", err)
	}
	return raw, nil
}

// Cold decodes the cold part of r, which lies in block.
func (s *Snapshot) Cold(block []byte, r *Record) (*ColdPerson, error) {
	p := &ColdPerson{}
	if err := p.parse(block, r.cold.offset, r.ID, r.nodes, &s.layout); err != nil {
		return nil, fmt.Errorf("%w: cold part of a person: %w", ErrCorrupt, err)
	}
	return p, nil
}
