package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"
)

// openFiles opens and checks all files but the manifest.
func (s *Snapshot) openFiles(m Memory, openFile func(name string) (*file, error)) error {
	if len(s.Files) != s.IndexShards+s.RecordShards {
		return corrupt(manifestName, sectionMeta, -1, "it names %d files for %d shards", len(s.Files), s.IndexShards+s.RecordShards)
	}
	s.files = make([]*file, len(s.Files))
	err := s.eachFile(func(w *worker, i int) error {
		w.pace.step()
		err := s.openOne(i, openFile)
		if f := s.files[i]; f != nil && m != Copy {
			f.closeSource() // rather than keep one open for every file
		}
		return err
	})
	if err != nil {
		return err
	}
	if m == Copy {
		if err := s.makeArena(); err != nil {
			return err
		}
	}
	err = s.eachFile(func(w *worker, i int) error {
		f := s.files[i]
		if m == Once {
			f.once = onceStep
		}
		w.keep = m == Map
		return w.check(f)
	})
	if err != nil || s.arena == nil {
		return err
	}
	return s.sealArena()
}

// eachFile calls f for each file, on all cores, until one call fails.
func (s *Snapshot) eachFile(f func(w *worker, i int) error) error {
	var next atomic.Int64
	g := errgroup.Group{}
	for range min(runtime.GOMAXPROCS(0), len(s.files)) {
		g.Go(func() error {
			w := worker{}
			defer w.end()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(s.files) {
					return nil
				}
				if err := f(&w, i); err != nil {
					next.Store(int64(len(s.files)))
					return err
				}
			}
		})
	}
	return g.Wait()
}

// openOne opens a file and looks whether it is the one that the manifest names.
func (s *Snapshot) openOne(i int, openFile func(name string) (*file, error)) error {
	want := s.manifest.header
	want.kind, want.shard, want.shards = kindIndex, uint32(i), uint32(s.IndexShards)
	name, hot := indexName(i), []string{sectionParams, sectionFilter, sectionTable}
	if i >= s.IndexShards {
		want.kind, want.shard, want.shards = kindRecords, uint32(i-s.IndexShards), uint32(s.RecordShards)
		name, hot = recordName(i-s.IndexShards), []string{sectionHot}
	}
	info := s.Files[i]
	if info.Name != name {
		return corrupt(manifestName, sectionMeta, -1, "file %d is named %q, not %q", i, info.Name, name)
	}
	f, err := openFile(name)
	if err != nil {
		return err
	}
	s.files[i] = f
	if f.header != want {
		return corrupt(name, "header", 0, "it belongs to another snapshot or place")
	}
	if int64(len(f.data)) != info.Size || !bytes.Equal(f.root[:], info.Root) {
		return corrupt(name, "toc", f.end, "it is not the file that the manifest names")
	}
	return f.setHot(hot...)
}

// makeArena makes one piece of memory for the hot parts of all files, so that
// small shards waste no large pages: the index first, then the records.
func (s *Snapshot) makeArena() error {
	size := int64(0)
	for _, f := range s.files {
		if f.mapped {
			size += alignUp(f.hot.len(), sectionAlign)
		}
	}
	if size == 0 {
		return nil
	}
	arena, err := anonymous(int(size))
	if err != nil {
		return fmt.Errorf("%d bytes of memory for a copy: %w", size, err)
	}
	s.arena = arena
	for _, f := range s.files {
		if f.mapped {
			n := f.hot.len()
			f.copied = arena[:n:n]
			arena = arena[alignUp(n, sectionAlign):]
		}
	}
	return nil
}

// sealArena makes the arena read-only.
func (s *Snapshot) sealArena() error {
	var p pace
	defer p.end()
	for at := 0; at < len(s.arena); at += pieceSize {
		if err := seal(s.arena[at:min(at+pieceSize, len(s.arena))]); err != nil {
			return fmt.Errorf("make a copy read-only: %w", err)
		}
		p.step()
	}
	return nil
}

// worker checks files, one after the other.
type worker struct {
	pace pace
	// keep leaves what lookups read mapped. Otherwise it is not seen in the
	// mapping again, and its pages are given back when they have been checked.
	keep  bool
	ahead int64  // up to where the file has been read or mapped
	edge  []byte // a chunk that the copy has a part of
}

func (w *worker) end() { w.pace.end() }

// aheadSize is how much is mapped or copied at once.
const aheadSize = 8 * ChunkSize

// check fills the copy, if there is one, compares every chunk with its
// checksum, in the copy as far as that has it, and looks that the padding is
// zero.
func (w *worker) check(f *file) error {
	defer f.closeSource()
	w.ahead = 0
	return Guard(func() error {
		behind := int64(0)
		for i, sum := range f.sums {
			from, to := f.chunk(i)
			b, err := w.read(f, span{from, to})
			if err != nil {
				return f.readFailed(i, err)
			}
			if xxh3.Hash(b) != sum {
				return f.badChunk(i)
			}
			w.pace.step()
			if to-behind >= pieceSize {
				w.letGo(f, span{behind, to})
				behind = to
			}
		}
		err := f.checkPadding()
		w.letGo(f, span{behind, f.end})
		return err
	})
}

// read returns a chunk: from the copy, which it fills, or else from the mapping.
func (w *worker) read(f *file, at span) ([]byte, error) {
	if f.copied != nil && at.from < f.hot.to && at.to > f.hot.from {
		if f.hot.holds(at) {
			return w.copy(f, at)
		}
		return w.copyEdge(f, at)
	}
	if f.mapped && at.from >= w.ahead {
		w.ahead = min(at.from+aheadSize, f.end)
		if f.copied != nil && at.from < f.hot.from {
			w.ahead = min(w.ahead, f.hot.from) // what is copied has its turn
		}
		populate(f.data[at.from:w.ahead])
		w.pace.step()
	}
	return f.data[at.from:at.to], nil
}

// copy returns a chunk of which the copy has all.
func (w *worker) copy(f *file, at span) (b []byte, err error) {
	if at.to > w.ahead {
		w.ahead = min(at.from+aheadSize, f.hot.to)
		_, err = f.src.ReadAt(f.copied[at.from-f.hot.from:w.ahead-f.hot.from], at.from)
		w.pace.step()
	}
	return f.copied[at.from-f.hot.from : at.to-f.hot.from], err
}

// copyEdge returns a chunk of which the copy has a part, which it puts there.
func (w *worker) copyEdge(f *file, at span) ([]byte, error) {
	if w.edge == nil {
		w.edge = make([]byte, ChunkSize)
	}
	b := w.edge[:at.to-at.from]
	if _, err := f.src.ReadAt(b, at.from); err != nil {
		return nil, err
	}
	part := span{max(at.from, f.hot.from), min(at.to, f.hot.to)}
	copy(f.copied[part.from-f.hot.from:], b[part.from-at.from:part.to-at.from])
	return b, nil
}

// letGo gives back the pages of a part of the mapping but for what lookups
// read there. Cold blocks are mapped again when somebody asks for them.
func (w *worker) letGo(f *file, part span) {
	if !f.mapped {
		return
	}
	stay := span{f.end, f.end}
	if w.keep && f.hot.len() > 0 {
		stay = span{f.hot.from / ChunkSize * ChunkSize, alignUp(f.hot.to, ChunkSize)}
	}
	around := max(0, part.from-mappedAround)
	for _, p := range []span{{around, min(part.to, stay.from)}, {max(around, stay.to), part.to}} {
		if p.len() > 0 {
			release(f.data, p.from, p.to)
			w.pace.step()
		}
	}
}

// readFailed is the error of a chunk that could not be read.
func (f *file) readFailed(i int, err error) error {
	if errors.Is(err, io.EOF) {
		from, _ := f.chunk(i)
		return corrupt(f.name, "file", from, "it shrank while it was opened")
	}
	return fmt.Errorf("read %s: %w", f.name, err)
}
