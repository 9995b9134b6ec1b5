package build

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/spill"
)

// spillDisk is what the spill files of a build lie on: it counts what is done
// to them and can fail it.
type spillDisk struct {
	// before, if not nil, is called before each operation with its number, from
	// 1, and a name; it may fail the operation.
	before func(step int, what string) error
	// written is given what was written, at the name of its file.
	written func(name string, b []byte)

	mu    sync.Mutex
	step  int
	files map[string]bool // names of all files that were made
}

func (d *spillDisk) do(format string, args ...any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.step++
	if d.before == nil {
		return nil
	}
	return d.before(d.step, fmt.Sprintf(format, args...))
}

type spillFile struct {
	*os.File
	d *spillDisk
}

func (f *spillFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.d.do("write %s", f.Name()); err != nil {
		half, _ := f.File.WriteAt(b[:len(b)/2], at) // as a full disk does
		return half, err
	}
	if f.d.written != nil {
		f.d.mu.Lock()
		f.d.written(filepath.Base(f.Name()), b)
		f.d.mu.Unlock()
	}
	return f.File.WriteAt(b, at)
}

// newSpace is for Options.newSpace: a space that holds so many bytes in memory
// and the rest on the disk.
func (d *spillDisk) newSpace(budget int64) func(func() (string, error), int64) *spill.Space {
	return func(dir func() (string, error), _ int64) *spill.Space {
		s := spill.NewSpace(dir, budget)
		create := s.Create
		s.Create = func(path string) (spill.File, error) {
			if err := d.do("create %s", path); err != nil {
				return nil, &os.PathError{Op: "open", Path: path, Err: err}
			}
			f, err := create(path)
			if err != nil {
				return nil, err
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.files == nil {
				d.files = map[string]bool{}
			}
			d.files[filepath.Base(path)] = true
			return &spillFile{f.(*os.File), d}, nil
		}
		return s
	}
}

// spillAll makes a build put everything between its stages into files.
func spillAll(o *Options) *spillDisk {
	d := &spillDisk{}
	o.newSpace = d.newSpace(0)
	return d
}

// gathered makes one short write of all that goes into report.html, so that
// tests that stop a build at each of its steps need not go through hundreds of
// them, each with a page to hash. No reader of a snapshot opens the page.
type gathered struct{ snapshot.FS }

type gatheredFile struct {
	snapshot.File
	buf bytes.Buffer
}

func (g gathered) Create(name string, perm os.FileMode) (snapshot.File, error) {
	f, err := g.FS.Create(name, perm)
	if err != nil || !strings.HasSuffix(name, snapshot.ReportHTML) {
		return f, err
	}
	return &gatheredFile{File: f}, nil
}

func (f *gatheredFile) Write(b []byte) (int, error) { return f.buf.Write(b) }

func (f *gatheredFile) Sync() error {
	if _, err := f.File.Write(f.buf.Bytes()[:64]); err != nil {
		return err
	}
	return f.File.Sync()
}

// emptyDir fails unless a folder is empty or was never made.
func emptyDir(t testing.TB, what, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if len(list) > 0 {
		t.Fatalf("%s leaves %v in %s", what, list, dir)
	}
}
