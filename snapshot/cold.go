package snapshot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/klauspost/compress/zstd"

	"github.com/matchd/matchd/index"
)

// Sizes of cold blocks, in bytes before compression.
const (
	coldBlockSize = 16 << 10
	maxColdBlock  = 64 << 20
	coldEntrySize = 16
)

// Training of a dictionary: it sees this many blocks, and its history is as
// many bytes of the first of them.
const (
	dictBlocks  = 64
	dictHistory = 16 << 10
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

// parseCold decodes the cold part of the person at offset of a block.
func parseCold(block []byte, offset uint32, id PersonID, nodes int, l *layout) (*ColdPerson, error) {
	if uint64(offset) > uint64(len(block)) {
		return nil, errShort
	}
	c := cursor{b: block[offset:]}
	if !bytes.Equal(c.bytes(16), id[:]) {
		return nil, errors.New("it is another person's")
	}
	if n := c.uvarint(MaxRecord); c.err == nil && n != uint64(nodes) {
		return nil, errors.New("it has another number of identifiers than the hot record")
	}
	p := &ColdPerson{}
	for range nodes {
		ns := c.uvarint(uint64(l.namespaces - 1))
		value := c.bytes(c.uvarint(index.MaxValue))
		if c.err != nil {
			return nil, c.err
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
			return nil, errShort
		}
		p.Links = append(p.Links, k)
	}
	return p, c.err
}

// coldWriter gathers the cold parts of one record shard into blocks.
type coldWriter struct {
	raw    []byte   // the block that is being filled
	blocks [][]byte // compressed, but for those that wait for a dictionary
	sizes  []int    // of blocks, before compression
	dict   []byte
	enc    *zstd.Encoder
}

// add appends a person and says where it will be.
func (w *coldWriter) add(p *Person) (coldRef, error) {
	ref := coldRef{block: uint32(len(w.blocks)), offset: uint32(len(w.raw))}
	w.raw = appendCold(w.raw, p)
	if len(w.raw) > maxColdBlock {
		return ref, errors.New("the person has too many identifiers or links for one block")
	}
	if len(w.raw) >= coldBlockSize {
		return ref, w.endBlock()
	}
	return ref, nil
}

func (w *coldWriter) endBlock() error {
	if len(w.raw) == 0 {
		return nil
	}
	w.sizes = append(w.sizes, len(w.raw))
	block := w.raw
	if w.enc != nil {
		block = w.enc.EncodeAll(w.raw, nil)
		w.raw = w.raw[:0]
	} else {
		w.raw = nil
	}
	w.blocks = append(w.blocks, block)
	if w.enc == nil && len(w.blocks) == dictBlocks {
		return w.train()
	}
	return nil
}

// train makes a dictionary of the blocks so far, keeps it if it saves more
// than its own size, and compresses them.
func (w *coldWriter) train() error {
	plain, err := newEncoder(nil)
	if err != nil {
		return err
	}
	without, withoutSize := compressAll(plain, w.blocks)
	if dict := trainDict(w.blocks); dict != nil {
		enc, err := newEncoder(dict)
		if err != nil {
			return err
		}
		if with, withSize := compressAll(enc, w.blocks); withSize+len(dict) < withoutSize {
			w.blocks, w.dict, w.enc = with, dict, enc
			return nil
		}
	}
	w.blocks, w.enc = without, plain
	return nil
}

func newEncoder(dict []byte) (*zstd.Encoder, error) {
	opts := []zstd.EOption{
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), // each block has a check of ours
		zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithLowerEncoderMem(true),
	}
	if dict != nil {
		opts = append(opts, zstd.WithEncoderDict(dict))
	}
	return zstd.NewWriter(nil, opts...)
}

// trainDict returns a dictionary for blocks, or nil where none can be made.
// zstd.BuildDict over a fixed history gives the same bytes each time.
func trainDict(blocks [][]byte) []byte {
	if len(blocks) < 2 {
		return nil
	}
	history := blocks[0][:min(len(blocks[0]), dictHistory)]
	dict, err := zstd.BuildDict(zstd.BuildDictOptions{
		ID: 1, Contents: blocks[1:], History: history, Offsets: [3]int{1, 4, 8}, Level: zstd.SpeedDefault,
	})
	if err != nil {
		return nil // too little, or nothing that repeats
	}
	return dict
}

func compressAll(enc *zstd.Encoder, blocks [][]byte) (out [][]byte, size int) {
	for _, b := range blocks {
		c := enc.EncodeAll(b, nil)
		out = append(out, c)
		size += len(c)
	}
	return out, size
}

// flush writes the sections of the cold part.
func (w *coldWriter) flush(f *fileWriter, id ID, shard uint32) error {
	if err := w.endBlock(); err != nil {
		return err
	}
	if w.enc == nil {
		if err := w.train(); err != nil {
			return err
		}
	}
	f.section(sectionCold)
	var idx []byte
	offset := uint64(0)
	for i, b := range w.blocks {
		check := place{id, shard, uint64(i)}.check(b)
		idx = binary.LittleEndian.AppendUint64(idx, offset)
		idx = binary.LittleEndian.AppendUint32(idx, uint32(w.sizes[i]))
		idx = binary.LittleEndian.AppendUint32(idx, check)
		f.write(b)
		offset += uint64(len(b))
	}
	f.section(sectionColdIndex)
	f.write(idx)
	f.section(sectionDict)
	f.write(w.dict)
	return f.err
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

// read decompresses a block, after its check.
func (r *coldReader) read(pl place) ([]byte, error) {
	i := pl.at
	if i >= uint64(r.len()) {
		return nil, fmt.Errorf("block %d of %d", i, r.len())
	}
	entry := r.idx[i*coldEntrySize:]
	from, to := binary.LittleEndian.Uint64(entry), uint64(len(r.blocks))
	if next := entry[coldEntrySize:]; len(next) > 0 {
		to = binary.LittleEndian.Uint64(next)
	}
	size := binary.LittleEndian.Uint32(entry[8:])
	if from > to || to > uint64(len(r.blocks)) || size > math.MaxInt32 || size > 2*maxColdBlock {
		return nil, fmt.Errorf("block %d lies outside of its section", i)
	}
	compressed := bytes.Clone(r.blocks[from:to]) // what is checked is what is decoded
	if pl.check(compressed) != binary.LittleEndian.Uint32(entry[12:]) {
		return nil, fmt.Errorf("check of block %d", i)
	}
	raw, err := r.dec.DecodeAll(compressed, make([]byte, 0, size))
	if err != nil {
		return nil, fmt.Errorf("block %d does not decompress: %w", i, err)
	}
	if len(raw) != int(size) {
		return nil, fmt.Errorf("block %d has %d bytes where %d are due", i, len(raw), size)
	}
	return raw, nil
}
