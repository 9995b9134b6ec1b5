package snapshot

import (
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// How blocks are compressed is chosen by the first dictBlocks of them. A
// dictionary's history is as many bytes of the first.
const (
	dictBlocks  = 64
	dictHistory = 16 << 10
)

// coldSlack is by how much a faster way to compress may be worse than the best
// one and still be taken, in percent.
const coldSlack = 3

// coldWriter compresses the cold parts of one record shard in blocks and
// writes them, in the section that is begun.
type coldWriter struct {
	f      *fileWriter
	id     ID
	shard  uint32
	shared *plainEncoders

	raw        []byte   // the block that is being filled
	waiting    [][]byte // blocks that wait for the choice of enc
	enc        *zstd.Encoder
	dict       []byte
	compressed []byte
	blocks     uint32 // that are full
	offset     uint64 // of the next one in the section
	idx        []byte
}

// add appends a person and says where it will be.
func (w *coldWriter) add(p *Person) (coldRef, error) {
	ref := coldRef{block: w.blocks, offset: uint32(len(w.raw))}
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
	w.blocks++
	if w.enc != nil {
		w.write(w.raw)
		w.raw = w.raw[:0]
		return w.f.err
	}
	w.waiting = append(w.waiting, w.raw)
	w.raw = nil
	if len(w.waiting) == dictBlocks {
		return w.choose()
	}
	return nil
}

// write compresses a block and writes it.
func (w *coldWriter) write(raw []byte) {
	w.compressed = w.enc.EncodeAll(raw, w.compressed[:0])
	at := uint64(len(w.idx) / coldEntrySize)
	w.idx = binary.LittleEndian.AppendUint64(w.idx, w.offset)
	w.idx = binary.LittleEndian.AppendUint32(w.idx, uint32(len(raw)))
	w.idx = binary.LittleEndian.AppendUint32(w.idx, place{w.id, w.shard, at}.check(w.compressed))
	w.offset += uint64(len(w.compressed))
	w.f.write(w.compressed)
}

// choose takes the way to compress by the blocks that wait, and writes them.
// Hashes do not compress, so that the fastest way often is as good as the
// others; where identifiers are text, it is not. A dictionary counts with its
// own size.
func (w *coldWriter) choose() error {
	type way struct {
		dict    []byte
		encoder func() (*zstd.Encoder, error)
	}
	ways := []way{{encoder: w.shared.fastest}, {encoder: w.shared.usual}}
	if dict := trainDict(w.waiting); dict != nil {
		ways = append(ways, way{dict, func() (*zstd.Encoder, error) { return newEncoder(1, zstd.WithEncoderDict(dict)) }})
	}
	encoders, sizes := make([]*zstd.Encoder, len(ways)), make([]int, len(ways))
	for i, o := range ways {
		var err error
		if encoders[i], err = o.encoder(); err != nil {
			return err
		}
		sizes[i] = len(o.dict)
		for _, b := range w.waiting {
			w.compressed = encoders[i].EncodeAll(b, w.compressed[:0])
			sizes[i] += len(w.compressed)
		}
	}
	best := slices.Min(sizes)
	i := slices.IndexFunc(sizes, func(n int) bool { return n*100 <= best*(100+coldSlack) })
	w.enc, w.dict = encoders[i], ways[i].dict
	for _, b := range w.waiting {
		w.write(b)
	}
	w.waiting = nil
	return w.f.err
}

// plainEncoders are the ways that need no dictionary, which all shards of a snapshot
// share: an encoder has more memory than most shards have text. What one gives does
// not depend on what it was given before.
type plainEncoders struct{ fastest, usual func() (*zstd.Encoder, error) }

func newPlainEncoders() *plainEncoders {
	return &plainEncoders{
		fastest: sync.OnceValues(func() (*zstd.Encoder, error) {
			return newEncoder(runtime.GOMAXPROCS(0), zstd.WithNoEntropyCompression(true))
		}),
		usual: sync.OnceValues(func() (*zstd.Encoder, error) { return newEncoder(runtime.GOMAXPROCS(0)) }),
	}
}

// newEncoder makes an encoder that some goroutines use at once.
func newEncoder(goroutines int, more ...zstd.EOption) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, append([]zstd.EOption{
		zstd.WithEncoderConcurrency(goroutines),
		zstd.WithEncoderCRC(false), // each block has a check of ours
		zstd.WithEncoderLevel(zstd.SpeedFastest),
	}, more...)...)
}

// trainDict returns a dictionary for blocks, or nil where none can be made.
// zstd.BuildDict over a fixed history gives the same bytes each time.
func trainDict(blocks [][]byte) []byte {
	if len(blocks) < 2 {
		return nil
	}
	history := blocks[0][:min(len(blocks[0]), dictHistory)]
	dict, err := zstd.BuildDict(zstd.BuildDictOptions{
		ID: 1, Contents: blocks[1:], History: history, Offsets: [3]int{1, 4, 8}, Level: zstd.SpeedFastest,
	})
	if err != nil {
		return nil // too little, or nothing that repeats
	}
	return dict
}

// flush writes what is left, and the sections after the blocks.
func (w *coldWriter) flush() error {
	if len(w.raw) > 0 {
		if err := w.endBlock(); err != nil {
			return err
		}
	}
	if w.enc == nil && len(w.waiting) > 0 {
		if err := w.choose(); err != nil {
			return err
		}
	}
	w.f.section(sectionColdIndex)
	w.f.write(w.idx)
	w.f.section(sectionDict)
	w.f.write(w.dict)
	return w.f.err
}
