package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/matchd/matchd/index"
)

// Writer writes a snapshot folder, in this order: every record shard (shards
// may be written at once), every index shard (likewise), the manifest.
type Writer struct {
	fs     FS
	dir    string
	meta   Meta
	dicts  Dictionaries
	layout layout

	recordBits, indexBits int

	mu      sync.Mutex
	entries [][]index.Entry // by index shard
	records []FileInfo
	indexes []FileInfo
	counts  Counts
}

// NewWriter begins a snapshot in dir, which must exist and be empty.
func NewWriter(fs FS, dir string, meta Meta, d Dictionaries) (*Writer, error) {
	if err := meta.Validate(); err != nil {
		return nil, err
	}
	return &Writer{
		fs: fs, dir: dir, meta: meta, dicts: d,
		layout:     newLayout(meta, d),
		recordBits: log2(meta.RecordShards),
		indexBits:  log2(meta.IndexShards),
		entries:    make([][]index.Entry, meta.IndexShards),
		records:    make([]FileInfo, meta.RecordShards),
		indexes:    make([]FileInfo, meta.IndexShards),
		counts:     Counts{ByNamespace: map[string]int64{}, ByTenant: map[string]int64{}},
	}, nil
}

func log2(n int) int { return parentBits(n) }

// RecordShard returns the shard of a person where there are n, a power of two.
func RecordShard(id PersonID, n int) int {
	return int((uint16(id[0])<<8 | uint16(id[1])) >> (16 - log2(n)))
}

// WriteRecords writes record shard number shard from its persons, which must
// come in ascending order of their ids. It keeps nothing of a person.
func (w *Writer) WriteRecords(shard int, persons iter.Seq[*Person]) error {
	name := recordName(shard)
	f, err := newFileWriter(w.fs, filepath.Join(w.dir, name), name,
		header{kind: kindRecords, snapshot: w.meta.ID, shard: uint32(shard), shards: uint32(w.meta.RecordShards)}, nil)
	if err != nil {
		return err
	}
	s := shardWriter{w: w, shard: uint32(shard), counts: Counts{ByNamespace: map[string]int64{}, ByTenant: map[string]int64{}}}
	for p := range persons {
		if err := s.add(p); err != nil {
			f.abandon()
			return fmt.Errorf("write %s: person %v: %w", name, p.ID, err)
		}
	}
	if err := s.cold.flush(f, w.meta.ID, s.shard); err != nil {
		f.abandon()
		return fmt.Errorf("write %s: %w", name, err)
	}
	f.section(sectionHot)
	f.write(s.hot)
	info, err := f.finish()
	if err != nil {
		return err
	}
	w.take(shard, info, &s)
	return nil
}

// take adds what a record shard gave to the whole.
func (w *Writer) take(shard int, info FileInfo, s *shardWriter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records[shard] = info
	for _, e := range s.entries {
		i := index.Shard(e.Hash, w.indexBits)
		w.entries[i] = append(w.entries[i], e)
	}
	w.counts.add(&s.counts)
}

// shardWriter gathers one record shard.
type shardWriter struct {
	w       *Writer
	shard   uint32
	last    PersonID
	cold    coldWriter
	hot     []byte
	entries []index.Entry
	counts  Counts
}

func (s *shardWriter) add(p *Person) error {
	w := s.w
	if s.counts.Persons > 0 && bytes.Compare(s.last[:], p.ID[:]) >= 0 {
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
	at := uint64(len(s.hot))
	if s.hot, err = appendRecord(s.hot, p, &w.layout, place{w.meta.ID, s.shard, at}, ref); err != nil {
		return err
	}
	addr := at/recordAlign<<w.recordBits | uint64(s.shard)
	for i := range p.Nodes {
		s.entries = append(s.entries, index.Entry{Hash: p.Nodes[i].Hash, Addr: addr})
	}
	s.counts.count(p, &w.dicts)
	return nil
}

// validate refuses what the format cannot hold, so that a mistake of the
// builder shows here and not in an answer.
func (l *layout) validate(p *Person, oldest Day) error {
	if len(p.Nodes) == 0 {
		return errors.New("it has no identifiers")
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if int(n.Parent) >= i && i > 0 || i == 0 && n.Parent != 0 {
			return fmt.Errorf("identifier %d stands before its parent", i)
		}
		if int(n.Namespace) >= l.namespaces || n.Method >= methods || int(n.Source) >= l.sources ||
			n.Seen > l.newest || n.Seen < oldest || len(n.Value) > index.MaxValue {
			return fmt.Errorf("identifier %d is out of range", i)
		}
	}
	for i, s := range p.Spares {
		if s.A >= s.B || int(s.B) >= len(p.Nodes) || s.Method >= methods || s.Seen > l.newest || s.Seen < oldest {
			return fmt.Errorf("spare link %d is out of range", i)
		}
	}
	for i := range p.Links {
		k := &p.Links[i]
		if k.A >= k.B || int(k.B) >= len(p.Nodes) || k.Method >= methods || int(k.Source) >= l.sources || k.First > k.Last {
			return fmt.Errorf("link %d is out of range", i)
		}
	}
	for i := range p.Profiles {
		q := &p.Profiles[i]
		if int(q.Node) >= len(p.Nodes) || int(q.Tenant) >= l.tenants || q.Kind >= kinds || len(q.Customer) > index.MaxValue {
			return fmt.Errorf("profile %d is out of range", i)
		}
		for k, s := range q.Segments {
			if int(s) >= l.segments || k > 0 && s <= q.Segments[k-1] {
				return fmt.Errorf("profile %d: segments are out of range or order", i)
			}
		}
	}
	return nil
}

func (c *Counts) count(p *Person, d *Dictionaries) {
	c.Persons++
	c.Identifiers += int64(len(p.Nodes))
	c.Profiles += int64(len(p.Profiles))
	c.Links += int64(len(p.Links))
	c.Spares += int64(len(p.Spares))
	c.Largest = max(c.Largest, int64(len(p.Nodes)))
	for i := range p.Nodes {
		c.ByNamespace[d.Namespaces.At(p.Nodes[i].Namespace).Name]++
	}
	for i := range p.Profiles {
		c.ByTenant[d.Tenants[p.Profiles[i].Tenant].Name]++
	}
}

func (c *Counts) add(o *Counts) {
	c.Persons += o.Persons
	c.Identifiers += o.Identifiers
	c.Profiles += o.Profiles
	c.Links += o.Links
	c.Spares += o.Spares
	c.Largest = max(c.Largest, o.Largest)
	for k, n := range maps.All(o.ByNamespace) {
		c.ByNamespace[k] += n
	}
	for k, n := range maps.All(o.ByTenant) {
		c.ByTenant[k] += n
	}
}

// WriteIndex writes index shard number shard, after all record shards.
func (w *Writer) WriteIndex(shard int) error {
	entries := w.entries[shard]
	slices.SortFunc(entries, func(a, b index.Entry) int { return a.Hash.Compare(b.Hash) })
	name := indexName(shard)
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
	w.indexes[shard], err = f.finish()
	w.entries[shard] = nil
	return err
}

// Finish writes the manifest, makes the folder durable, and returns the
// manifest and its hash, which is what a store's CURRENT carries.
func (w *Writer) Finish() (Manifest, HexBytes, error) {
	m := Manifest{Meta: w.meta, Counts: w.counts, Files: append(slices.Clone(w.indexes), w.records...)}
	for i, f := range m.Files {
		if f.Size == 0 {
			return m, nil, fmt.Errorf("file %d of the snapshot was not written", i)
		}
	}
	hash, err := writeManifest(w.fs, filepath.Join(w.dir, manifestName), m, w.dicts)
	if err != nil {
		return m, nil, err
	}
	return m, hash, w.fs.SyncDir(w.dir)
}

func indexName(shard int) string  { return fmt.Sprintf("index-%04d", shard) }
func recordName(shard int) string { return fmt.Sprintf("records-%04d", shard) }
