// Package spill holds records by partition while a build goes from stage to
// stage: in memory as long as a budget lasts, and in files beyond it.
//
// A [Space] is the memory and the folder of one build. A [Store] is what one
// stage leaves for another: records, each in one partition, in no certain
// order. Each goroutine that fills a store has a [Writer] of its own;
// partitions are read when all writers are closed, each by one goroutine at a
// time.
//
// What is written to a file comes back with its checksum compared: a damaged
// spill ends a build, and never makes it publish another person.
package spill

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/zeebo/xxh3"
)

// ChunkSize is how many bytes of one partition move at once, at most.
const ChunkSize = 32 << 10

// Chunks are cut from slabs, which the system gives in huge pages where it has
// some: what goes from stage to stage is written once and read once, and half
// of the time would go into page faults.
const slabSize = 8 << 20

// ErrDamaged says that a file does not hold what was written to it.
var ErrDamaged = errors.New("a spill file was damaged: check the disk of the temporary folder, and build again")

// Space is the memory and the folder of one build. Its methods may be called
// at once.
type Space struct {
	// Create makes a new file, and fails where there is one. It may be set
	// before the first store is filled; tests fail and watch files by it.
	Create func(path string) (File, error)

	dir    func() (string, error)
	budget int64
	used   atomic.Int64 // bytes of chunks in memory
	files  atomic.Int64 // bytes written to files

	mu     sync.Mutex
	free   [][]byte // chunks
	slabs  [][]byte
	stores []*Store
	made   string // the folder, once it is made
}

// NewSpace returns a space that holds up to budget bytes of records in memory
// and writes more to files in the folder that dir names, which it makes when it
// is needed, for its owner alone.
func NewSpace(dir func() (string, error), budget int64) *Space {
	return &Space{Create: create, dir: dir, budget: budget}
}

// File is a spill file; several goroutines write and read it at once.
type File interface {
	io.WriterAt
	io.ReaderAt
	io.Closer
	Name() string
}

func create(path string) (File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// Clear removes a folder that an earlier space may have left.
func Clear(dir string) error { return os.RemoveAll(dir) }

// Spilled returns how many bytes were written to files.
func (s *Space) Spilled() int64 { return s.files.Load() }

// Close gives the memory back and removes all files, and the folder where the
// space made it. Nothing that was loaded may be used after it.
func (s *Space) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, st := range s.stores {
		err = errors.Join(err, st.closeFile())
	}
	for _, slab := range s.slabs {
		err = errors.Join(err, unmapSlab(slab))
	}
	s.stores, s.free, s.slabs = nil, nil, nil
	if s.made != "" {
		err = errors.Join(err, os.RemoveAll(s.made))
	}
	return err
}

// Store makes a store of so many partitions.
func (s *Space) Store(name string, partitions int) *Store {
	st := &Store{space: s, name: name, parts: make([]part, partitions)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stores = append(s.stores, st)
	return st
}

// take returns an empty chunk.
func (s *Space) take() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == 0 {
		slab, err := s.slab(slabSize)
		if err != nil {
			return nil, err
		}
		for at := 0; at < slabSize; at += ChunkSize {
			s.free = append(s.free, slab[at:at:at+ChunkSize])
		}
	}
	n := len(s.free) - 1
	b := s.free[n]
	s.free = s.free[:n]
	return b, nil
}

// slab maps memory, which is the space's.
func (s *Space) slab(size int) ([]byte, error) {
	slab, err := mapSlab(size)
	if err != nil {
		return nil, fmt.Errorf("get %d bytes of memory: %w", size, err)
	}
	s.slabs = append(s.slabs, slab)
	return slab, nil
}

// give takes a chunk back that take returned; other slices are left to the
// collector.
func (s *Space) give(b []byte) {
	if cap(b) != ChunkSize {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, b[:0])
}

// Numbers returns n zeros for as long as the space is open, in huge pages where
// the system has some: arrays that are read all over.
func (s *Space) Numbers(n int) ([]uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slab, err := s.slab(4*n + 4)
	if err != nil {
		return nil, err
	}
	// A mapping begins at a page, and so is aligned.
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(slab))), n), nil
}

// Store holds records by partition.
type Store struct {
	space *Space
	name  string
	parts []part

	mu   sync.Mutex
	file File
	end  int64 // of the file
}

// part is one partition: its chunks in the order in which they came.
type part struct {
	mu     sync.Mutex
	chunks []chunk
	bytes  int64
}

// chunk is in memory, or in the file.
type chunk struct {
	memory []byte
	at     int64
	size   int
	sum    uint64
}

// Len is the number of partitions.
func (s *Store) Len() int { return len(s.parts) }

// Bytes is the size of all records.
func (s *Store) Bytes() (n int64) {
	for i := range s.parts {
		n += s.parts[i].bytes
	}
	return n
}

// add takes a chunk over. Beyond the budget it writes all that the partition
// has in memory at once, so that the disk has long runs to write and to read.
func (s *Store) add(partition int, b []byte) error {
	p := &s.parts[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chunks = append(p.chunks, chunk{memory: b, size: len(b)})
	p.bytes += int64(len(b))
	if s.space.used.Add(int64(cap(b))) <= s.space.budget {
		return nil
	}
	if err := s.evict(p); err != nil {
		return fmt.Errorf("write the spill file %s: %w", s.name, err)
	}
	return nil
}

// evict writes the chunks of a partition that are in memory to the file.
func (s *Store) evict(p *part) error {
	total := 0
	for i := range p.chunks {
		total += len(p.chunks[i].memory)
	}
	file, at, err := s.reserve(total)
	if err != nil {
		return err
	}
	for i := range p.chunks {
		c := &p.chunks[i]
		if c.memory == nil {
			continue
		}
		if _, err := file.WriteAt(c.memory, at); err != nil {
			return err
		}
		written := c.memory
		*c = chunk{at: at, size: c.size, sum: xxh3.Hash(written)}
		at += int64(c.size)
		s.space.files.Add(int64(c.size))
		s.space.used.Add(-int64(cap(written)))
		s.space.give(written)
	}
	return nil
}

// reserve makes the file where there is none, and room in it.
func (s *Store) reserve(n int) (File, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		dir, err := s.space.makeDir()
		if err != nil {
			return nil, 0, err
		}
		f, err := s.space.Create(filepath.Join(dir, s.name))
		if err != nil {
			return nil, 0, err
		}
		s.file = f
	}
	at := s.end
	s.end += int64(n)
	return s.file, at, nil
}

func (s *Space) makeDir() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made != "" {
		return s.made, nil
	}
	dir, err := s.dir()
	if err == nil {
		s.made = dir
		err = os.MkdirAll(dir, 0o700)
	}
	return dir, err
}

// Load returns the chunks of a partition, those of one writer in the order in
// which it filled them; no record goes over the end of one. buf is for those
// that are in the file; it is returned, grown. What Load returns is valid until
// the partition is freed, or buf is used again.
func (s *Store) Load(partition int, buf []byte) (chunks [][]byte, _ []byte, err error) {
	p := &s.parts[partition]
	total := 0
	for i := range p.chunks {
		if p.chunks[i].memory == nil {
			total += p.chunks[i].size
		}
	}
	if cap(buf) < total {
		buf = make([]byte, total+total/8)
	}
	buf = buf[:cap(buf)]
	at := 0
	for i := 0; i < len(p.chunks); {
		if b := p.chunks[i].memory; b != nil {
			chunks = append(chunks, b)
			i++
			continue
		}
		n, size := run(p.chunks[i:])
		if chunks, err = s.read(chunks, p.chunks[i:i+n], buf[at:at+size:at+size]); err != nil {
			return nil, buf, err
		}
		i, at = i+n, at+size
	}
	return chunks, buf, nil
}

// run returns how many chunks follow one another in the file, and their size.
func run(chunks []chunk) (n, size int) {
	for n < len(chunks) && chunks[n].memory == nil && chunks[n].at == chunks[0].at+int64(size) {
		size += chunks[n].size
		n++
	}
	return n, size
}

// read reads a run of chunks into buf and appends them to dst.
func (s *Store) read(dst [][]byte, run []chunk, buf []byte) ([][]byte, error) {
	if _, err := s.file.ReadAt(buf, run[0].at); err != nil {
		return nil, fmt.Errorf("read the spill file %s: %w", s.name, err)
	}
	for _, c := range run {
		b := buf[:c.size:c.size]
		if xxh3.Hash(b) != c.sum {
			return nil, fmt.Errorf("spill file %s at offset %d: %w", s.name, c.at, ErrDamaged)
		}
		dst, buf = append(dst, b), buf[c.size:]
	}
	return dst, nil
}

// Size is the size of a partition's records.
func (s *Store) Size(partition int) int64 { return s.parts[partition].bytes }

// Free gives the memory of a partition back. Its records are gone.
func (s *Store) Free(partition int) {
	p := &s.parts[partition]
	for i := range p.chunks {
		if b := p.chunks[i].memory; b != nil {
			s.space.used.Add(-int64(cap(b)))
			s.space.give(b)
		}
	}
	p.chunks, p.bytes = nil, 0
}

// Drop frees all partitions and removes the file.
func (s *Store) Drop() error {
	for i := range s.parts {
		s.Free(i)
	}
	return s.closeFile()
}

func (s *Store) closeFile() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	name := s.file.Name()
	err := errors.Join(s.file.Close(), os.Remove(name))
	s.file, s.end = nil, 0
	return err
}
