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

// Touch reads the first bytes of the record at addr, and of the line after, so
// that a loop over many has them fetched from memory at once. The sum that it
// returns means nothing.
func (s *Snapshot) Touch(addr uint64) byte {
	shard, at := s.Place(addr)
	hot := s.hot[shard]
	if n := uint64(len(hot)); n > index.LineSize && at < n-index.LineSize {
		return hot[at] + hot[at+index.LineSize]
	}
	return 0
}

// Record copies the record at addr into buf, which it extends where it is too
// short, and decodes the copy: what was checked is what is read, even while
// somebody overwrites the file. It returns buf for the next call. The error
// wraps [ErrCorrupt].
func (s *Snapshot) Record(addr uint64, buf []byte, r *Record) ([]byte, error) {
	shard, at := s.Place(addr)
	hot := s.hot[shard]
	if uint64(len(hot)) < recordHead || at > uint64(len(hot))-recordHead {
		return buf, errRecord
	}
	head := binary.LittleEndian.Uint64(hot[at:])
	check, body := uint32(head), head>>32
	if body > MaxRecord || body > uint64(len(hot))-at-recordHead {
		return buf, errRecord
	}
	buf = append(binary.LittleEndian.AppendUint32(buf[:0], uint32(body)), hot[at+recordHead:at+recordHead+body]...)
	if (place{s.ID, uint32(shard), at}).check(buf) != check {
		return buf, errRecord
	}
	if err := r.parse(buf[4:], &s.layout); err != nil {
		return buf, errRecord
	}
	return buf, nil
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
