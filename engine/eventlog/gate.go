package eventlog

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// gate is the file layer that the store writes through. The first error of an
// operation that changes files shuts it: nothing is changed after that, as
// nobody can know what a failed write or fsync left behind. Reads go on.
//
// The store ends the process, or panics with its locks held, where an error
// concerns its write-ahead log. So it is not told of those: once the gate is
// shut, writes to it go nowhere, and whoever commits asks err before anything
// is acknowledged. It gets all other errors.
type gate struct {
	vfs.FS
	mu    sync.Mutex
	cause error
	shut  chan struct{} // closed with the first error
}

func newGate(fs vfs.FS) *gate { return &gate{FS: fs, shut: make(chan struct{})} }

// Unwrap keeps the store from looking through.
func (g *gate) Unwrap() vfs.FS { return nil }

// err is why the gate is shut, or nil.
func (g *gate) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cause
}

// fail shuts the gate, if it is not.
func (g *gate) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause == nil {
		g.cause = err
		close(g.shut)
	}
}

// pause is how long what changes files waits at a gate that is shut: the store
// tries again and again.
const pause = 20 * time.Millisecond

// change does what changes files, unless the gate is shut.
func (g *gate) change(f func() error) error {
	if err := g.err(); err != nil {
		time.Sleep(pause)
		return err
	}
	err := f()
	if err != nil {
		g.fail(err)
	}
	return err
}

// logged is change for the write-ahead log, which is not told of errors.
func (g *gate) logged(f func() error) {
	if g.err() == nil {
		if err := f(); err != nil {
			g.fail(err)
		}
	}
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// create returns what open makes, or for the write-ahead log a file that goes
// nowhere.
func (g *gate) create(name string, open func() (vfs.File, error)) (f vfs.File, err error) {
	if isLog(name) {
		f = nowhere{}
		g.logged(func() error {
			o, err := open()
			if err == nil {
				f = o
			}
			return err
		})
		return &gateLog{gateFile{f, g}}, nil
	}
	if err := g.change(func() error { f, err = open(); return err }); err != nil {
		return nil, err
	}
	return &gateFile{f, g}, nil
}

// Create makes a file. One that says which others count, a marker, comes after
// those are durable: the store makes it and syncs the folder once, and would
// have a file system keep the order.
func (g *gate) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(g.PathBase(name), "marker.") {
		if err := syncDir(g, g.PathDir(name)); err != nil {
			return nil, err
		}
	}
	return g.create(name, func() (vfs.File, error) { return g.FS.Create(name, c) })
}

func (g *gate) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return g.create(name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, opts...) })
}

func (g *gate) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.create(to, func() (vfs.File, error) { return g.FS.ReuseForWrite(from, to, c) })
}

// OpenDir opens a folder to sync. The write-ahead log's is no other than the
// store's, and so is not told of errors.
func (g *gate) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &gateLog{gateFile{f, g}}, nil
}

func (g *gate) Link(from, to string) error {
	return g.change(func() error { return g.FS.Link(from, to) })
}

func (g *gate) Rename(from, to string) error {
	return g.change(func() error { return g.FS.Rename(from, to) })
}

func (g *gate) MkdirAll(dir string, perm fs.FileMode) error {
	return g.change(func() error { return g.FS.MkdirAll(dir, perm) })
}

// Remove fails without harm where there is nothing to remove.
func (g *gate) Remove(name string) (err error) {
	failed := g.change(func() error {
		if err = g.FS.Remove(name); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return cmp.Or(failed, err)
}

func (g *gate) RemoveAll(name string) error {
	return g.change(func() error { return g.FS.RemoveAll(name) })
}

// gateFile is a file that is written.
type gateFile struct {
	vfs.File
	gate *gate
}

// whole makes an error of a write that was short without one.
func whole(n, want int, err error) error {
	if err == nil && n < want {
		return io.ErrShortWrite
	}
	return err
}

func (f *gateFile) Write(p []byte) (n int, err error) {
	want := len(p)
	err = f.gate.change(func() error { n, err = f.File.Write(p); return whole(n, want, err) })
	return n, err
}

func (f *gateFile) WriteAt(p []byte, at int64) (n int, err error) {
	want := len(p)
	err = f.gate.change(func() error { n, err = f.File.WriteAt(p, at); return whole(n, want, err) })
	return n, err
}

// Preallocate is a hint, which some file systems do not take.
func (f *gateFile) Preallocate(at, n int64) error {
	if err := f.gate.err(); err != nil {
		return err
	}
	return f.File.Preallocate(at, n)
}

func (f *gateFile) Sync() error { return f.gate.change(f.File.Sync) }

func (f *gateFile) SyncData() error { return f.gate.change(f.File.SyncData) }

func (f *gateFile) SyncTo(n int64) (full bool, err error) {
	err = f.gate.change(func() error { full, err = f.File.SyncTo(n); return err })
	return full, err
}

// Close closes the file whatever happened.
func (f *gateFile) Close() error {
	err := f.File.Close()
	if err != nil {
		f.gate.fail(err)
	}
	return err
}

// gateLog is a file or folder whose errors the gate alone learns.
type gateLog struct{ gateFile }

func (f *gateLog) Write(p []byte) (int, error) {
	want := len(p)
	f.gate.logged(func() error { n, err := f.File.Write(p); return whole(n, want, err) })
	return want, nil
}

func (f *gateLog) Sync() error {
	f.gate.logged(f.File.Sync)
	return nil
}

func (f *gateLog) SyncData() error {
	f.gate.logged(f.File.SyncData)
	return nil
}

func (f *gateLog) SyncTo(n int64) (full bool, err error) {
	f.gate.logged(func() error { full, err = f.File.SyncTo(n); return err })
	return full, nil
}

func (f *gateLog) Close() error {
	_ = f.gateFile.Close()
	return nil
}

// nowhere is a file that could not be made.
type nowhere struct{ vfs.File }

func (nowhere) Stat() (vfs.FileInfo, error) { return nil, fs.ErrNotExist }
func (nowhere) Close() error                { return nil }
func (nowhere) Fd() uintptr                 { return vfs.InvalidFd }
