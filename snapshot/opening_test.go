package snapshot

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"unsafe"
)

// address is where a slice lies.
func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// All that lookups read lies in one arena: the index before the records,
// nothing twice, nothing wasted, each where a line begins.
func TestArenaHoldsWhatLookupsRead(t *testing.T) {
	store, cur, files := sampleStore(t, 60_000)
	s, err := store.Open(cur, Copy)
	if err != nil {
		t.Fatal(err)
	}
	at, hot := address(s.arena), int64(0)
	for _, f := range s.files {
		if !f.mapped {
			t.Skip("files are read into memory here")
		}
		if address(f.copied) != at {
			t.Fatalf("%s lies at %#x, not at %#x", f.name, address(f.copied), at)
		}
		if !bytes.Equal(f.copied, files[f.name][f.hot.from:f.hot.to]) {
			t.Fatalf("%s: the copy is another", f.name)
		}
		at += uintptr(alignUp(f.hot.len(), sectionAlign))
		hot += f.hot.len()
		for _, e := range f.toc {
			b, err := f.section(e.tag)
			if err != nil {
				t.Fatal(err)
			}
			in := len(b) > 0 && address(b) >= address(s.arena) && address(b) < at
			read := e.tag == sectionParams || e.tag == sectionFilter || e.tag == sectionTable || e.tag == sectionHot
			if in != read && len(b) > 0 || in && address(b)%sectionAlign != 0 {
				t.Errorf("%s, section %s at %#x: in the arena is %t", f.name, e.tag, address(b), in)
			}
		}
	}
	page := int64(os.Getpagesize())
	if most := hot + int64(len(s.files))*sectionAlign + page; int64(len(s.arena)) > most {
		t.Errorf("the arena has %d bytes for %d", len(s.arena), hot)
	}
	if len(s.arena) > pieceSize && address(s.arena)%pieceSize != 0 {
		t.Errorf("the arena begins at %#x, which is no large page", address(s.arena))
	}
	for _, i := range []int{0, len(s.arena) / 2, len(s.arena) - 1} {
		if err := Guard(func() error { s.arena[i]++; return nil }); !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d of the copy can be written: %v", i, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A file that changes after its tail was read, and before it is checked, is
// refused, whatever it is to be served from.
func TestFileThatChangesWhileItIsOpenedIsRefused(t *testing.T) {
	flip := func(at func(f *file) int64) func(f *file, data []byte) error {
		return func(f *file, data []byte) error {
			data = bytes.Clone(data)
			data[at(f)] ^= 1
			file, err := os.OpenFile(f.src.Name(), os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = file.WriteAt(data, 0)
			return errors.Join(err, file.Close())
		}
	}
	changes := map[string]func(f *file, data []byte) error{
		"first byte":              flip(func(*file) int64 { return 0 }),
		"before what is read":     flip(func(f *file) int64 { return f.hot.from - 1 }),
		"first that is read":      flip(func(f *file) int64 { return f.hot.from }),
		"amid what is read":       flip(func(f *file) int64 { return (f.hot.from + f.hot.to) / 2 }),
		"last that is read":       flip(func(f *file) int64 { return f.hot.to - 1 }),
		"last below the toc":      flip(func(f *file) int64 { return f.end - 1 }),
		"cut to nothing":          func(f *file, _ []byte) error { return os.Truncate(f.src.Name(), 0) },
		"cut amid what is read":   func(f *file, _ []byte) error { return os.Truncate(f.src.Name(), (f.hot.from+f.hot.to)/2) },
		"cut before what is read": func(f *file, _ []byte) error { return os.Truncate(f.src.Name(), f.hot.from/2) },
	}
	store, cur, files := sampleStore(t, 20_000)
	for _, name := range []string{"index-0001", "records-0001"} {
		dir := filepath.Join(store.Dir(), snapshotsName, cur.Name)
		for what, change := range changes {
			for _, m := range []Memory{Map, Copy, Once} {
				if err := checkChanged(t, dir, name, m, func(f *file) error { return change(f, files[name]) }); !errors.Is(err, ErrCorrupt) {
					t.Errorf("memory %s, %s changed (%s): %v", m, name, what, err)
				}
				overwrite(t, filepath.Join(dir, name), files[name])
				if err := checkChanged(t, dir, name, m, func(*file) error { return nil }); err != nil {
					t.Fatalf("memory %s, %s as it was: %v", m, name, err)
				}
			}
		}
		for _, m := range []Memory{Map, Copy, Once} {
			remove := func(f *file) error { return os.Remove(f.src.Name()) }
			if err := checkChanged(t, dir, name, m, remove); err != nil {
				t.Errorf("memory %s, %s removed while it is opened: %v", m, name, err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What is checked is the copy: what was damaged on its way into it is refused,
// though the mapping has the file as it was written.
func TestTheCopyIsWhatIsChecked(t *testing.T) {
	store, cur, files := sampleStore(t, 20_000)
	dir := filepath.Join(store.Dir(), snapshotsName, cur.Name)
	for _, name := range []string{"index-0001", "records-0001"} {
		for _, place := range []func(f *file) int64{
			func(f *file) int64 { return f.hot.from },
			func(f *file) int64 { return (f.hot.from + f.hot.to) / 2 },
			func(f *file) int64 { return f.hot.to - 1 },
		} {
			err := checkChanged(t, dir, name, Copy, func(f *file) (err error) {
				data := bytes.Clone(files[name])
				data[place(f)] ^= 1
				other := filepath.Join(dir, "other")
				if err := os.WriteFile(other, data, 0o600); err != nil {
					return err
				}
				f.closeSource()
				f.src, err = os.Open(other)
				return err
			})
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: a copy with a damaged byte is served: %v", name, err)
			}
		}
	}
}

// checkChanged opens a file, has it changed, and checks it.
func checkChanged(t *testing.T, dir, name string, m Memory, change func(*file) error) error {
	t.Helper()
	f, err := openFile(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	if !f.mapped {
		t.Skip("files are read into memory here")
	}
	hot := []string{sectionParams, sectionFilter, sectionTable}
	if _, err := f.find(sectionHot); err == nil {
		hot = []string{sectionHot}
	}
	if err := f.setHot(hot...); err != nil {
		t.Fatal(err)
	}
	s := Snapshot{files: []*file{f}}
	if m == Copy {
		if err := s.makeArena(); err != nil {
			t.Fatal(err)
		}
	}
	if err := change(f); err != nil {
		t.Fatal(err)
	}
	w := worker{keep: m == Map}
	defer w.end()
	err = w.check(f)
	if f.src != nil {
		t.Errorf("%s stays open after it was checked", name)
	}
	return errors.Join(err, s.Close())
}
