package snapshot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/matchd/matchd/index"
)

// Sizes of cold blocks, in bytes before compression.
const (
	coldBlockSize = 16 << 10
	maxColdBlock  = 64 << 20
	coldEntrySize = 16
)

// coldRef is where the cold part of a person lies: the block, and the offset
// within it after decompression.
type coldRef struct{ block, offset uint32 }

// coldIdentifier is an identifier as a cold block holds it.
type coldIdentifier struct {
	Namespace index.NamespaceID
	Value     []byte
}

// appendCold encodes the cold part of a person.
func appendCold(dst []byte, p *Person) []byte {
	dst = append(dst, p.ID[:]...)
	dst = appendUvarint(dst, uint64(len(p.Nodes)))
	for i := range p.Nodes {
		n := &p.Nodes[i]
		dst = appendUvarint(dst, uint64(n.Namespace))
		dst = append(appendUvarint(dst, uint64(len(n.Value))), n.Value...)
	}
	dst = appendUvarint(dst, uint64(len(p.Links)))
	for i := range p.Links {
		l := &p.Links[i]
		dst = appendUvarint(dst, uint64(l.A))
		dst = appendUvarint(dst, uint64(l.B))
		dst = append(dst, byte(l.Method))
		dst = appendUvarint(dst, uint64(l.Source))
		dst = appendUvarint(dst, uint64(l.First))
		dst = appendUvarint(dst, uint64(l.Last-l.First))
	}
	return dst
}

// ColdPerson is the decoded cold part of a person: every identifier, in the
// order of its nodes, and every link. Its values lie in the decoded block.
type ColdPerson struct {
	Identifiers []coldIdentifier
	Links       []Link
}

// parse decodes the cold part of the person at offset of a block into p, whose
// memory it uses again.
func (p *ColdPerson) parse(block []byte, offset uint32, id PersonID, nodes int, l *layout) error {
	if uint64(offset) > uint64(len(block)) {
		return errShort
	}
	c := cursor{b: block[offset:]}
	if !bytes.Equal(c.bytes(16), id[:]) {
		return errors.New("it is another person's")
	}
	if n := c.uvarint(MaxRecord); c.err == nil && n != uint64(nodes) {
		return errors.New("it has another number of identifiers than the hot record")
	}
	p.Identifiers, p.Links = p.Identifiers[:0], p.Links[:0]
	for range nodes {
		ns := c.uvarint(uint64(l.namespaces - 1))
		value := c.bytes(c.uvarint(index.MaxValue))
		if c.err != nil {
			return c.err
		}
		p.Identifiers = append(p.Identifiers, coldIdentifier{index.NamespaceID(ns), value})
	}
	for range c.uvarint(MaxRecord) {
		k := Link{
			A:      uint32(c.uvarint(uint64(nodes - 1))),
			B:      uint32(c.uvarint(uint64(nodes - 1))),
			Method: Method(c.byte()),
			Source: uint16(c.uvarint(uint64(max(l.sources, 1) - 1))),
			First:  Day(c.uvarint(uint64(MaxDay))),
		}
		k.Last = k.First + Day(c.uvarint(uint64(MaxDay-k.First)))
		if c.err != nil || k.A >= k.B || k.Method >= methods {
			return errShort
		}
		p.Links = append(p.Links, k)
	}
	return c.err
}

// coldReader reads the blocks of one record shard.
type coldReader struct {
	blocks, idx []byte
	dec         *zstd.Decoder
}

func newColdReader(f *file) (r coldReader, err error) {
	if r.blocks, err = f.section(sectionCold); err != nil {
		return r, err
	}
	if r.idx, err = f.section(sectionColdIndex); err != nil {
		return r, err
	}
	if len(r.idx)%coldEntrySize != 0 {
		return r, corrupt(f.name, sectionColdIndex, -1, "%d bytes are not a whole number of entries", len(r.idx))
	}
	dict, err := f.section(sectionDict)
	if err != nil {
		return r, err
	}
	opts := []zstd.DOption{
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.IgnoreChecksum(true),
		zstd.WithDecoderMaxMemory(2 * maxColdBlock),
	}
	if len(dict) > 0 {
		opts = append(opts, zstd.WithDecoderDicts(bytes.Clone(dict)))
	}
	if r.dec, err = zstd.NewReader(nil, opts...); err != nil {
		return r, corrupt(f.name, sectionDict, -1, "%v", err)
	}
	return r, nil
}

func (r *coldReader) len() int { return len(r.idx) / coldEntrySize }

// bounds returns where block i lies in the section, and its size before
// compression and check.
func (r *coldReader) bounds(i uint64) (from, to uint64, size, check uint32, err error) {
	if i >= uint64(r.len()) {
		return 0, 0, 0, 0, fmt.Errorf("block %d of %d", i, r.len())
	}
	entry := r.idx[i*coldEntrySize:]
	from, to = binary.LittleEndian.Uint64(entry), uint64(len(r.blocks))
	if next := entry[coldEntrySize:]; len(next) > 0 {
		to = binary.LittleEndian.Uint64(next)
	}
	size, check = binary.LittleEndian.Uint32(entry[8:]), binary.LittleEndian.Uint32(entry[12:])
	if from > to || to > uint64(len(r.blocks)) || size > math.MaxInt32 || size > 2*maxColdBlock {
		return 0, 0, 0, 0, fmt.Errorf("block %d lies outside of its section", i)
	}
	return from, to, size, check, nil
}

// coldBuffers are what a block is read into.
type coldBuffers struct{ compressed, raw []byte }

// read decompresses a block into b, after its check, and returns it.
func (r *coldReader) read(pl place, b *coldBuffers) ([]byte, error) {
	from, to, size, check, err := r.bounds(pl.at)
	if err != nil {
		return nil, err
	}
	b.compressed = append(b.compressed[:0], r.blocks[from:to]...) // what is checked is what is decoded
	if pl.check(b.compressed) != check {
		return nil, fmt.Errorf("check of block %d", pl.at)
	}
	raw, err := r.dec.DecodeAll(b.compressed, slices.Grow(b.raw[:0], int(size)))
	if err != nil {
		return nil, fmt.Errorf("block %d does not decompress: %w", pl.at, err)
	}
	b.raw = raw
	if len(raw) != int(size) {
		return nil, fmt.Errorf("block %d has %d bytes where %d are due", pl.at, len(raw), size)
	}
	return raw, nil
}
