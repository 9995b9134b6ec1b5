package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/matchd/matchd/index"
)

// Writer writes a snapshot folder, in this order: every record shard (shards
// may be written at once), every index shard (likewise), the manifest. It
// keeps the hot records of the shards that are being written, and no entries
// of the index: those are the caller's to store between the two.
type Writer struct {
	fs     FS
	dir    string
	meta   Meta
	dicts  Dictionaries
	layout layout

	recordBits, indexBits int
	encoders              *plainEncoders

	mu      sync.Mutex // of what follows
	records []FileInfo
	indexes []FileInfo
	tally   tally
	indexed int64
	lineage *Lineage
}

// NewWriter begins a snapshot in dir, which must exist and be empty.
func NewWriter(fs FS, dir string, meta Meta, d Dictionaries) (*Writer, error) {
	if err := meta.Validate(); err != nil {
		return nil, err
	}
	if err := checkBidStreams(d.Tenants); err != nil {
		return nil, err
	}
	w := &Writer{
		fs: fs, dir: dir, meta: meta, dicts: d,
		layout:     newLayout(meta, d),
		recordBits: log2(meta.RecordShards),
		indexBits:  log2(meta.IndexShards),
		encoders:   newPlainEncoders(),
		records:    make([]FileInfo, meta.RecordShards),
		indexes:    make([]FileInfo, meta.IndexShards),
	}
	w.tally = newTally(&w.layout)
	return w, nil
}

func log2(n int) int { return parentBits(n) }

// RecordShard returns the shard of a person where there are n, a power of two.
func RecordShard(id PersonID, n int) int {
	return int((uint16(id[0])<<8 | uint16(id[1])) >> (16 - log2(n)))
}

// SetLineage says what became of the persons of the previous snapshot, before
// Finish. Without one there was none.
func (w *Writer) SetLineage(l Lineage) { w.lineage = &l }

// SetRenamed says which identifiers have other hashes than those by which they
// are opted out or erased, before Finish; see [Dictionaries].
func (w *Writer) SetRenamed(list []Renamed) { w.dicts.Renamed = list }

// WriteRecords writes record shard number shard from its persons, which must
// come in ascending order of their ids, and keeps nothing of a person. It hands
// each identifier's entry to entry, with the index shard that it belongs to; an
// error of it ends the writing.
func (w *Writer) WriteRecords(shard int, persons iter.Seq[*Person], entry func(indexShard int, e index.Entry) error) error {
	name := recordName(shard)
	f, err := newFileWriter(w.fs, filepath.Join(w.dir, name), name,
		header{kind: kindRecords, snapshot: w.meta.ID, shard: uint32(shard), shards: uint32(w.meta.RecordShards)}, nil)
	if err != nil {
		return err
	}
	s := shardWriter{
		w: w, shard: uint32(shard), entry: entry, tally: newTally(&w.layout),
		cold: coldWriter{f: f, id: w.meta.ID, shard: uint32(shard), shared: w.encoders},
	}
	f.section(sectionCold)
	for p := range persons {
		if err := s.add(p); err != nil {
			f.abandon()
			return fmt.Errorf("write %s: person %v: %w", name, p.ID, err)
		}
	}
	if err := s.cold.flush(); err != nil {
		f.abandon()
		return fmt.Errorf("write %s: %w", name, err)
	}
	f.section(sectionHot)
	for _, part := range s.hot.parts {
		f.write(part)
	}
	info, err := f.finish()
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records[shard] = info
	w.tally.add(&s.tally)
	return nil
}

// shardWriter gathers one record shard: cold blocks go to the file as they
// fill up, hot records stay until the end of the cold ones.
type shardWriter struct {
	w     *Writer
	shard uint32
	entry func(indexShard int, e index.Entry) error
	last  PersonID
	cold  coldWriter
	hot   partsBuffer
	tally tally
}

func (s *shardWriter) add(p *Person) error {
	w := s.w
	if s.tally.Persons > 0 && bytes.Compare(s.last[:], p.ID[:]) >= 0 {
		return errors.New("persons are not in order")
	}
	if RecordShard(p.ID, w.meta.RecordShards) != int(s.shard) {
		return errors.New("the person belongs to another shard")
	}
	if err := w.layout.validate(p, w.meta.Oldest); err != nil {
		return err
	}
	s.last = p.ID
	ref, err := s.cold.add(p)
	if err != nil {
		return err
	}
	part, at := s.hot.next()
	if *part, err = appendRecord(*part, p, &w.layout, place{w.meta.ID, s.shard, at}, ref); err != nil {
		return err
	}
	addr := at/recordAlign<<w.recordBits | uint64(s.shard)
	for i := range p.Nodes {
		h := p.Nodes[i].Hash
		if err := s.entry(index.Shard(h, w.indexBits), index.Entry{Hash: h, Addr: addr}); err != nil {
			return err
		}
	}
	s.tally.count(p)
	return nil
}

// partsBuffer is a long buffer that grows without being copied.
type partsBuffer struct {
	parts  [][]byte
	before uint64 // bytes of all parts but the last
}

const partSize = 1 << 20

// next returns the part to append to, and the offset at which that begins.
func (b *partsBuffer) next() (part *[]byte, at uint64) {
	n := len(b.parts)
	switch {
	case n == 0:
		b.parts = append(b.parts, nil)
		n++
	case len(b.parts[n-1]) >= partSize:
		b.before += uint64(len(b.parts[n-1]))
		b.parts = append(b.parts, make([]byte, 0, partSize+partSize/16))
		n++
	}
	last := &b.parts[n-1]
	return last, b.before + uint64(len(*last))
}

// WriteIndex writes index shard number shard from all its entries, after all
// record shards. It sorts them in place.
func (w *Writer) WriteIndex(shard int, entries []index.Entry) error {
	name := indexName(shard)
	index.SortEntries(entries)
	if n := len(entries); n > 0 && (index.Shard(entries[0].Hash, w.indexBits) != shard || index.Shard(entries[n-1].Hash, w.indexBits) != shard) {
		return fmt.Errorf("write %s: an entry belongs to another shard", name)
	}
	table, params, err := index.BuildTable(entries, w.indexBits)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f, err := newFileWriter(w.fs, filepath.Join(w.dir, name), name,
		header{kind: kindIndex, snapshot: w.meta.ID, shard: uint32(shard), shards: uint32(w.meta.IndexShards)}, nil)
	if err != nil {
		return err
	}
	f.section(sectionParams)
	f.write(appendParams(nil, params, len(entries)))
	f.section(sectionFilter)
	f.write(index.BuildFilter(entries))
	f.section(sectionTable)
	f.write(table)
	info, err := f.finish()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.indexes[shard] = info
	w.indexed += int64(len(entries))
	return err
}

// Finish writes the manifest, makes the folder durable, and returns the
// manifest and its hash, which is what a store's CURRENT carries.
func (w *Writer) Finish() (Manifest, HexBytes, error) {
	m := Manifest{Meta: w.meta, Counts: w.tally.counts(&w.dicts), Lineage: w.lineage, Files: append(slices.Clone(w.indexes), w.records...)}
	for i, f := range m.Files {
		if f.Size == 0 {
			return m, nil, fmt.Errorf("file %d of the snapshot was not written", i)
		}
	}
	if w.indexed != m.Counts.Identifiers {
		return m, nil, fmt.Errorf("the records hold %d identifiers and the index %d", m.Counts.Identifiers, w.indexed)
	}
	if err := m.checkLineage(); err != nil {
		return m, nil, err
	}
	hash, err := writeManifest(w.fs, filepath.Join(w.dir, manifestName), m, w.dicts)
	if err != nil {
		return m, nil, err
	}
	return m, hash, w.fs.SyncDir(w.dir)
}

// WriteAll writes a whole snapshot whose entries (24 bytes an identifier) fit
// into memory, on all cores, from the persons of each record shard.
func (w *Writer) WriteAll(ctx context.Context, persons func(shard int) iter.Seq[*Person]) (Manifest, HexBytes, error) {
	var mu sync.Mutex
	entries := make([][]index.Entry, w.meta.IndexShards)
	err := eachShard(ctx, w.meta.RecordShards, func(shard int) error {
		own := make([][]index.Entry, len(entries))
		err := w.WriteRecords(shard, persons(shard), func(i int, e index.Entry) error {
			own[i] = append(own[i], e)
			return nil
		})
		mu.Lock()
		defer mu.Unlock()
		for i := range own {
			entries[i] = append(entries[i], own[i]...)
		}
		return err
	})
	if err != nil {
		return Manifest{}, nil, err
	}
	err = eachShard(ctx, w.meta.IndexShards, func(shard int) error {
		err := w.WriteIndex(shard, entries[shard])
		entries[shard] = nil
		return err
	})
	if err != nil {
		return Manifest{}, nil, err
	}
	return w.Finish()
}

// eachShard calls f for each of n shards, as many at once as there are cores.
func eachShard(ctx context.Context, n int, f func(shard int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for shard := range n {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return f(shard)
		})
	}
	return g.Wait()
}

func indexName(shard int) string  { return fmt.Sprintf("index-%04d", shard) }
func recordName(shard int) string { return fmt.Sprintf("records-%04d", shard) }
