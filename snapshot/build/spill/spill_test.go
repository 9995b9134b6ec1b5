package spill

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// folder names a folder below a test's own, for a space to make.
func folder(t testing.TB) (dir string, name func() (string, error)) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "a", "spill")
	return dir, func() (string, error) { return dir, nil }
}

// record is one of so many bytes that says who wrote it.
func record(writer, number uint32, size int) []byte {
	b := make([]byte, max(size, 12))
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint32(b[4:], writer)
	binary.LittleEndian.PutUint32(b[8:], number)
	for i := range b[12:] {
		b[12+i] = byte(writer + number + uint32(i))
	}
	return b
}

// load takes the records of a partition apart; none may go over a chunk's end.
func load(t testing.TB, s *Store, partition int, buf []byte) (records [][]byte, _ []byte) {
	t.Helper()
	chunks, buf, err := s.Load(partition, buf)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range chunks {
		for len(c) > 0 {
			n := int(binary.LittleEndian.Uint32(c))
			if n > len(c) {
				t.Fatalf("a record of %d bytes goes over the end of a chunk with %d left", n, len(c))
			}
			records = append(records, c[:n])
			c = c[n:]
		}
	}
	return records, buf
}

// byWriter sorts records by their writer and keeps the order of each.
func byWriter(list [][]byte) [][]byte {
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(a, b []byte) int { return bytes.Compare(a[4:8], b[4:8]) })
	return out
}

// Stores against a model: a map of lists. Whatever of the budget is left, of
// each writer come the records that it wrote, in order.
func TestStoresAgreeWithAModel(t *testing.T) {
	spilled, held := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		dir = filepath.Join(dir, "spill")
		budget := rapid.SampledFrom([]int64{0, 1, ChunkSize, 3 * ChunkSize, 1 << 30}).Draw(rt, "budget")
		space := NewSpace(func() (string, error) { return dir, nil }, budget)
		const partitions = 3
		type written struct {
			store *Store
			parts [partitions][][]byte
		}
		var stores []*written
		var buf []byte
		check := func() {
			sum := int64(0)
			for _, st := range stores {
				for p := range st.parts {
					got, b := load(t, st.store, p, buf)
					buf = b
					if !slices.EqualFunc(byWriter(got), byWriter(st.parts[p]), bytes.Equal) {
						rt.Fatalf("partition %d: %d records come back, not the %d that were written", p, len(got), len(st.parts[p]))
					}
					size := int64(0)
					for _, r := range st.parts[p] {
						size += int64(len(r))
					}
					if st.store.Size(p) != size {
						rt.Fatalf("partition %d: %d bytes are counted, want %d", p, st.store.Size(p), size)
					}
					sum += size
				}
			}
			if used := space.used.Load(); used < 0 || used > budget {
				rt.Fatalf("%d bytes are in memory, of %d", used, budget)
			}
			if sum > 0 && budget == 0 && space.Spilled() == 0 {
				rt.Fatal("nothing was spilled")
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) {},
			"fill": func(rt *rapid.T) {
				st := &written{store: space.Store(fmt.Sprint("store ", len(stores)), partitions)}
				stores = append(stores, st)
				writers := make([]*Writer, rapid.IntRange(1, 3).Draw(rt, "writers"))
				for i := range writers {
					writers[i] = st.store.Writer()
				}
				for number := range rapid.IntRange(0, 60).Draw(rt, "records") {
					w, p := rapid.IntRange(0, len(writers)-1).Draw(rt, "writer"), rapid.IntRange(0, partitions-1).Draw(rt, "partition")
					size := rapid.SampledFrom([]int{12, 13, 700, ChunkSize / 2, ChunkSize, ChunkSize + 1, 3 * ChunkSize}).Draw(rt, "size")
					b := record(uint32(w), uint32(number), size)
					if err := writers[w].Put(p, b); err != nil {
						rt.Fatal(err)
					}
					st.parts[p] = append(st.parts[p], bytes.Clone(b))
					clear(b) // the writer keeps nothing of the caller's
				}
				for _, w := range writers {
					if err := w.Close(); err != nil {
						rt.Fatal(err)
					}
				}
			},
			"read": func(*rapid.T) { check() },
			"free": func(rt *rapid.T) {
				if len(stores) == 0 {
					rt.Skip()
				}
				st := stores[rapid.IntRange(0, len(stores)-1).Draw(rt, "store")]
				p := rapid.IntRange(0, partitions-1).Draw(rt, "partition")
				st.store.Free(p)
				st.parts[p] = nil
			},
			"drop": func(rt *rapid.T) {
				if len(stores) == 0 {
					rt.Skip()
				}
				i := rapid.IntRange(0, len(stores)-1).Draw(rt, "store")
				if err := stores[i].store.Drop(); err != nil {
					rt.Fatal(err)
				}
				stores[i].parts = [partitions][][]byte{}
			},
		})
		check()
		if space.Spilled() > 0 {
			spilled++
		}
		if space.used.Load() > 0 {
			held++
		}
		for _, st := range stores {
			if err := st.store.Drop(); err != nil {
				rt.Fatal(err)
			}
		}
		if used := space.used.Load(); used != 0 {
			rt.Fatalf("after all stores were dropped %d bytes are held", used)
		}
		if list, err := os.ReadDir(dir); len(list) > 0 {
			rt.Fatalf("after all stores were dropped there are %v, %v", list, err)
		}
		if err := space.Close(); err != nil {
			rt.Fatal(err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			rt.Fatalf("the space leaves its folder: %v", err)
		}
	})
	if !testing.Short() && (spilled < 3 || held < 3) {
		t.Errorf("%d runs spilled, %d held something in memory", spilled, held)
	}
}

// Writers of several goroutines fill one store at once, some of it in memory
// and some in the file, and others read what they wrote.
func TestWritersAtOnce(t *testing.T) {
	const writers, records, partitions = 8, 3000, 4
	_, name := folder(t)
	space := NewSpace(name, 20*ChunkSize)
	st := space.Store("rows", partitions)
	var wg sync.WaitGroup
	for w := range uint32(writers) {
		wg.Go(func() {
			out := st.Writer()
			for n := range uint32(records) {
				if err := out.Put(int(n)%partitions, record(w, n, int(n%1000))); err != nil {
					t.Error(err)
				}
			}
			if err := out.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if space.Spilled() == 0 || space.used.Load() == 0 {
		t.Fatalf("%d bytes spilled, %d held: both were to be tried", space.Spilled(), space.used.Load())
	}
	for p := range partitions {
		wg.Go(func() {
			next := [writers]uint32{}
			list, _ := load(t, st, p, nil)
			for _, r := range list {
				w, n := binary.LittleEndian.Uint32(r[4:]), binary.LittleEndian.Uint32(r[8:])
				if want := next[w]*partitions + uint32(p); n != want || !bytes.Equal(r, record(w, n, int(n%1000))) {
					t.Errorf("partition %d: record %d of writer %d, want %d", p, n, w, want)
					return
				}
				next[w]++
			}
			for w, n := range next {
				if n != records/partitions {
					t.Errorf("partition %d: %d records of writer %d", p, n, w)
				}
			}
			st.Free(p)
		})
	}
	wg.Wait()
	if used := space.used.Load(); used != 0 {
		t.Errorf("%d bytes are held after all was freed", used)
	}
	if err := space.Close(); err != nil {
		t.Fatal(err)
	}
}

// Each damaged byte of a spill file is found, and so is a missing tail.
func TestDamageIsFound(t *testing.T) {
	dir, name := folder(t)
	space := NewSpace(name, 0)
	st := space.Store("rows", 2)
	w := st.Writer()
	for n := range uint32(40) {
		if err := w.Put(int(n%2), record(0, n, 20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "rows")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := func(data []byte) error {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err0 := st.Load(0, nil)
		_, _, err1 := st.Load(1, nil)
		return errors.Join(err0, err1)
	}
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		if err := read(bad); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "rows") || !strings.Contains(err.Error(), "offset") {
			t.Fatalf("a bit at %d: %v", at, err)
		}
	}
	if err := read(good[:len(good)-1]); err == nil || !strings.Contains(err.Error(), "rows") {
		t.Errorf("a missing tail: %v", err)
	}
	if err := read(good); err != nil {
		t.Error(err)
	}
	if err := space.Close(); err != nil {
		t.Fatal(err)
	}
}

// Files are readable by their owner alone, lie in a folder that is too, and go
// with the space; a space that spills nothing makes no folder.
func TestFolder(t *testing.T) {
	dir, name := folder(t)
	space := NewSpace(name, 1<<20)
	fill := func(st *Store) {
		w := st.Writer()
		if err := errors.Join(w.Put(0, record(0, 0, 100)), w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	fill(space.Store("held", 1))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a space that spills nothing: %v", err)
	}
	space.budget = 0
	fill(space.Store("spilled", 1))
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "spilled"): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if err := space.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rows"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Clear(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Clear: %v", err)
	}
	if err := Clear(dir); err != nil {
		t.Errorf("nothing to clear: %v", err)
	}
}

// full is a file that takes no more bytes.
type full struct{ *os.File }

func (full) WriteAt([]byte, int64) (int, error) { return 0, syscall.ENOSPC }

// What cannot be written is an error that says which file, from Put where a
// chunk is full and from Close otherwise; the space still closes.
func TestFullDisk(t *testing.T) {
	for name, fail := range map[string]func(*Space){
		"write": func(s *Space) {
			make := s.Create
			s.Create = func(path string) (File, error) {
				f, err := make(path)
				if err != nil {
					return nil, err
				}
				return full{f.(*os.File)}, nil
			}
		},
		"create": func(s *Space) { s.Create = func(string) (File, error) { return nil, syscall.ENOSPC } },
		"folder": func(s *Space) { s.dir = func() (string, error) { return "", syscall.ENOSPC } },
	} {
		t.Run(name, func(t *testing.T) {
			dir, at := folder(t)
			space := NewSpace(at, 0)
			fail(space)
			st := space.Store("half links", 1)
			w := st.Writer()
			if err := w.Put(0, record(0, 0, 100)); err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{w.Put(0, record(0, 1, ChunkSize)), w.Close()} {
				if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "half links") {
					t.Errorf("error %v", err)
				}
			}
			if err := st.Drop(); err != nil {
				t.Error(err)
			}
			if used := space.used.Load(); used != 0 {
				t.Errorf("%d bytes are held", used)
			}
			if err := space.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}
