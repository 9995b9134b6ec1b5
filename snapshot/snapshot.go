package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/matchd/matchd/index"
)

// Memory says what a snapshot is served from.
type Memory string

const (
	// Map serves the mapped files: the kernel's cache is the only copy. All
	// that lookups read is mapped when they begin.
	Map Memory = "map"
	// Copy serves index and hot records from a copy in anonymous memory, in
	// pages of 2 MiB where there are such, that was checked after it was
	// copied; cold blocks stay mapped.
	Copy Memory = "copy"
	// Once maps the files too, and lets go of their pages as they have been
	// checked, verified or iterated over: for a tool that goes through a
	// snapshot larger than its memory, and not for serving.
	Once Memory = "once"
)

// onceStep is after how many bytes [Once] lets go of pages.
const onceStep = 16 << 20

// Snapshot is an open snapshot.
type Snapshot struct {
	Manifest
	Dictionaries

	name       string
	layout     layout
	composed   layout // of records that lie in no file
	manifest   *file
	files      []*file // as in Manifest.Files
	arena      []byte  // what of them was copied
	filters    []*index.Filter
	tables     []*index.Table
	hot        [][]byte
	cold       []coldReader
	indexBits  int
	recordBits int
	tracers    []bool
	private    bool // index and hot records lie in memory that nobody else can change
}

// Open maps the snapshot in dir and checks every byte of it against its
// checksums. hash, if not nil, is the SHA-256 that the manifest must have. It
// works on all cores, in pieces of some 50 microseconds, and lets all others
// run between them, so that a process may serve while it opens.
// Errors wrap [ErrCorrupt], [ErrVersion] or those of the file system.
func Open(dir string, hash HexBytes, m Memory) (*Snapshot, error) {
	return openDir(dir, hash, m, "")
}

// openDir is [Open] for a snapshot that must be made with the key keyID names,
// unless that is empty. It looks before it reads all the rest.
func openDir(dir string, hash HexBytes, m Memory, keyID string) (*Snapshot, error) {
	return open(hash, m, keyID, func(name string) (*file, error) { return openFile(dir, name) })
}

// OpenBytes is [Open] for files that lie in memory, by name.
func OpenBytes(files map[string][]byte, hash HexBytes) (*Snapshot, error) {
	return open(hash, Map, "", func(name string) (*file, error) {
		data, ok := files[name]
		if !ok {
			return nil, corrupt(name, "file", -1, "the file is missing")
		}
		return parseFile(name, data)
	})
}

func open(hash HexBytes, m Memory, keyID string, openFile func(name string) (*file, error)) (_ *Snapshot, err error) {
	if m != Map && m != Copy && m != Once {
		return nil, fmt.Errorf("memory %q is none of %q, %q and %q", m, Map, Copy, Once)
	}
	s := &Snapshot{private: m == Copy}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.manifest, err = openFile(manifestName); err != nil {
		return nil, err
	}
	if err := s.openManifest(hash); err != nil {
		return nil, err
	}
	if keyID != "" && s.KeyID != keyID {
		return nil, fmt.Errorf("it was made with key %s and the store has key %s: put the right one into %s", s.KeyID, keyID, secretName)
	}
	if err := s.openFiles(m, openFile); err != nil {
		return nil, err
	}
	p := pace{}
	defer p.end()
	if err := Guard(func() error { return s.view(&p) }); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Snapshot) openManifest(hash HexBytes) error {
	f := s.manifest
	if f.header.kind != kindManifest || f.header.shards != 1 || f.header.shard != 0 {
		return corrupt(f.name, "header", 0, "it is no manifest")
	}
	w := worker{}
	defer w.end()
	if err := w.check(f); err != nil {
		return err
	}
	return Guard(func() (err error) {
		sum := sha256.Sum256(f.data)
		if hash != nil && !bytes.Equal(sum[:], hash) {
			return corrupt(f.name, "file", -1, "it is not the manifest that CURRENT names")
		}
		s.Manifest, s.Dictionaries, err = parseManifest(f)
		s.name = s.Manifest.Name(sum[:])
		return err
	})
}

// view lays the parts over the sections.
func (s *Snapshot) view(p *pace) error {
	s.layout = newLayout(s.Meta, s.Dictionaries)
	s.composed = s.layout.widen()
	s.indexBits, s.recordBits = log2(s.IndexShards), log2(s.RecordShards)
	for _, n := range s.Namespaces.All() {
		s.tracers = append(s.tracers, n.Tracer())
	}
	for _, f := range s.files[:s.IndexShards] {
		filter, table, err := viewIndex(f, s.indexBits)
		if err != nil {
			return err
		}
		s.filters, s.tables = append(s.filters, filter), append(s.tables, table)
		p.step()
	}
	for _, f := range s.files[s.IndexShards:] {
		hot, err := f.hotSection(sectionHot)
		if err != nil {
			return err
		}
		cold, err := newColdReader(f)
		if err != nil {
			return err
		}
		s.hot, s.cold = append(s.hot, hot), append(s.cold, cold)
		p.step()
	}
	return nil
}

// Parameters of an index shard: shard bits and displacement (32 bits each),
// home lines and entries (64 bits each).
const paramsSize = 24

func appendParams(dst []byte, p index.TableParams, entries int) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(p.ShardBits))
	dst = binary.LittleEndian.AppendUint32(dst, p.Displacement)
	dst = binary.LittleEndian.AppendUint64(dst, p.Lines)
	return binary.LittleEndian.AppendUint64(dst, uint64(entries))
}

func parseParams(b []byte) (p index.TableParams, entries uint64, err error) {
	if len(b) != paramsSize {
		return p, 0, fmt.Errorf("%d bytes where %d are due", len(b), paramsSize)
	}
	p.ShardBits = int(binary.LittleEndian.Uint32(b))
	p.Displacement = binary.LittleEndian.Uint32(b[4:])
	p.Lines = binary.LittleEndian.Uint64(b[8:])
	return p, binary.LittleEndian.Uint64(b[16:]), p.Validate()
}

func viewIndex(f *file, shardBits int) (*index.Filter, *index.Table, error) {
	b, err := f.hotSection(sectionParams)
	if err != nil {
		return nil, nil, err
	}
	params, _, err := parseParams(b)
	if err != nil {
		return nil, nil, corrupt(f.name, sectionParams, -1, "%v", err)
	}
	if params.ShardBits != shardBits {
		return nil, nil, corrupt(f.name, sectionParams, -1, "made for %d shard bits, not %d", params.ShardBits, shardBits)
	}
	if b, err = f.hotSection(sectionFilter); err != nil {
		return nil, nil, err
	}
	filter, err := index.OpenFilter(b)
	if err != nil {
		return nil, nil, corrupt(f.name, sectionFilter, -1, "%v", err)
	}
	if b, err = f.hotSection(sectionTable); err != nil {
		return nil, nil, err
	}
	table, err := index.OpenTable(b, params)
	if err != nil {
		return nil, nil, corrupt(f.name, sectionTable, -1, "%v", err)
	}
	return filter, table, nil
}

// Close gives all memory back, in pieces as [Open] works. No reader may be left.
func (s *Snapshot) Close() error {
	var err error
	var p pace
	defer p.end()
	for _, f := range append(s.files, s.manifest) {
		if f != nil {
			err = errors.Join(err, f.close(&p))
		}
	}
	if s.arena != nil {
		err = errors.Join(err, unmapSlowly(s.arena, &p))
	}
	for _, c := range s.cold {
		c.dec.Close()
	}
	s.files, s.manifest, s.cold, s.hot, s.filters, s.tables, s.arena = nil, nil, nil, nil, nil, nil, nil
	return err
}

// Name is the name of the snapshot's folder in a store: the time that it is of,
// and the start of its manifest's hash.
func (s *Snapshot) Name() string { return s.name }

// Outdated reports whether the snapshot has an older revision of the format
// than this build writes, so that building it anew would gain something.
func (s *Snapshot) Outdated() bool { return s.manifest.header.revision < Revision }

// Anonymous reports whether there may be persons without any profile: snapshots
// of revisions before 2 do not say.
func (s *Snapshot) Anonymous() bool { return s.Counts.Anonymous > 0 || s.manifest.header.revision < 2 }

// Bytes is the size of all files together.
func (s *Snapshot) Bytes() int64 {
	n := int64(len(s.manifest.data))
	for _, f := range s.Files {
		n += f.Size
	}
	return n
}
