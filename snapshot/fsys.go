package snapshot

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// FS is what publishing does to a file system. The order of its calls is the
// protocol that makes publishing atomic; tests stop it after any of them and
// forget whatever was not synced.
type FS interface {
	MkdirAll(dir string, perm os.FileMode) error
	// Create makes a new file and fails where there is one.
	Create(name string, perm os.FileMode) (File, error)
	Rename(from, to string) error
	RemoveAll(name string) error
	// SyncDir makes the names in dir durable.
	SyncDir(dir string) error
}

// File is a file that is being written.
type File interface {
	io.Writer
	// Sync makes what was written durable.
	Sync() error
	Close() error
}

// OS is the file system of the machine.
type OS struct{}

// MkdirAll implements [FS].
func (OS) MkdirAll(dir string, perm os.FileMode) error { return os.MkdirAll(dir, perm) }

// Create implements [FS].
func (OS) Create(name string, perm os.FileMode) (File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
}

// Rename implements [FS].
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// RemoveAll implements [FS].
func (OS) RemoveAll(name string) error { return os.RemoveAll(name) }

// SyncDir implements [FS].
func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeFile writes a whole small file and makes it and its name durable, by
// way of a temporary name: a reader sees the old file or the new one.
func writeFile(fs FS, name string, data []byte, perm os.FileMode) error {
	tmp := name + ".tmp"
	if err := fs.RemoveAll(tmp); err != nil {
		return err
	}
	f, err := fs.Create(tmp, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(tmp, name); err != nil {
		return err
	}
	return fs.SyncDir(filepath.Dir(name))
}
