package eventlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// failStop is the file system that a log writes to. Pebble ends or even crashes
// the process at some failures, such as a full disk when it begins a new
// write-ahead log. So it is told of none: the first one is noted, and from then
// on nothing is written any more, whatever Pebble asks for, and every caller
// looks whether the log has failed before it believes that something was
// written. What is on disk stays as it was at the failure, as after kill -9.
type failStop struct {
	vfs.FS
	*failure
}

// failed reports whether to go on without doing anything: something has failed
// before.
func (f *failStop) failed() bool { return f.cause.Load() != nil }

// note notes an error, which is then none. That something is not there is an
// answer and no failure.
func (f *failStop) note(what string, err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f.fail(fmt.Errorf("%s: %w", what, err))
	return nil
}

// opened wraps a file that is written to.
func (f *failStop) opened(what string, open func() (vfs.File, error)) (vfs.File, error) {
	if !f.failed() {
		file, err := open()
		if err == nil {
			return &failStopFile{file, f}, nil
		}
		if err := f.note(what, err); err != nil {
			return nil, err
		}
	}
	return &failStopFile{nowhere{}, f}, nil
}

// do does something to the file system.
func (f *failStop) do(what string, op func() error) error {
	if f.failed() {
		return nil
	}
	return f.note(what, op())
}

func (f *failStop) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.opened("create", func() (vfs.File, error) { return f.FS.Create(name, c) })
}

func (f *failStop) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return f.opened("open", func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, o...) })
}

// ReuseForWrite makes a new file and does not write over the old one, which may
// have been removed.
func (f *failStop) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.Remove(from); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return f.Create(to, c)
}

// OpenDir opens a folder, to sync it.
func (f *failStop) OpenDir(name string) (vfs.File, error) {
	return f.opened("open", func() (vfs.File, error) { return f.FS.OpenDir(name) })
}

func (f *failStop) Link(from, to string) error {
	return f.do("link", func() error { return f.FS.Link(from, to) })
}

func (f *failStop) Remove(name string) error {
	return f.do("remove", func() error { return f.FS.Remove(name) })
}

func (f *failStop) RemoveAll(name string) error {
	return f.do("remove", func() error { return f.FS.RemoveAll(name) })
}

func (f *failStop) Rename(from, to string) error {
	return f.do("rename", func() error { return f.FS.Rename(from, to) })
}

func (f *failStop) Unwrap() vfs.FS { return f.FS }

// failStopFile is an open file. Reading is left alone.
type failStopFile struct {
	vfs.File
	fs *failStop
}

func (f *failStopFile) Write(b []byte) (n int, err error) {
	return len(b), f.fs.do("write", func() error { _, err := f.File.Write(b); return err })
}

func (f *failStopFile) WriteAt(b []byte, at int64) (n int, err error) {
	return len(b), f.fs.do("write", func() error { _, err := f.File.WriteAt(b, at); return err })
}

func (f *failStopFile) Sync() error { return f.fs.do("sync", f.File.Sync) }

func (f *failStopFile) SyncData() error { return f.fs.do("sync", f.File.SyncData) }

func (f *failStopFile) SyncTo(length int64) (full bool, err error) {
	err = f.fs.do("sync", func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

func (f *failStopFile) Preallocate(at, length int64) error {
	return f.fs.do("preallocate", func() error { return f.File.Preallocate(at, length) })
}

// Close closes even what has failed: descriptors are few.
func (f *failStopFile) Close() error { return f.fs.note("close", f.File.Close()) }

// nowhere is a file that could not be opened.
type nowhere struct{}

func (nowhere) Close() error                           { return nil }
func (nowhere) Read([]byte) (int, error)               { return 0, io.EOF }
func (nowhere) ReadAt([]byte, int64) (int, error)      { return 0, io.EOF }
func (nowhere) Write(b []byte) (int, error)            { return len(b), nil }
func (nowhere) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }
func (nowhere) Preallocate(int64, int64) error         { return nil }
func (nowhere) Stat() (vfs.FileInfo, error)            { return nil, fs.ErrNotExist }
func (nowhere) Sync() error                            { return nil }
func (nowhere) SyncTo(int64) (bool, error)             { return true, nil }
func (nowhere) SyncData() error                        { return nil }
func (nowhere) Prefetch(int64, int64) error            { return nil }
func (nowhere) Fd() uintptr                            { return vfs.InvalidFd }
