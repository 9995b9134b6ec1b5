// Package faultfs has file layers that fail, for tests of what must survive a
// kill or a power cut.
//
// [Steps] calls a function before each operation that changes something, which
// may end the process or fail the operation. [Disk] remembers which bytes and
// names were made durable, and lays out what a power cut would leave.
package faultfs

import (
	"fmt"
	"os"

	"github.com/matchd/matchd/snapshot"
)

// Steps is a file system that counts its operations.
type Steps struct {
	// FS does the operations.
	FS snapshot.FS
	// Before is called before each operation with its number, from 1, and a
	// name. An error fails the operation, which is then not done.
	Before func(step int, name string) error
	// Tear makes of each write two steps, with a half of the bytes each.
	Tear bool

	step int
}

// Count is the number of operations so far.
func (s *Steps) Count() int { return s.step }

func (s *Steps) before(format string, args ...any) error {
	s.step++
	return s.Before(s.step, fmt.Sprintf(format, args...))
}

// MkdirAll implements [snapshot.FS].
func (s *Steps) MkdirAll(dir string, perm os.FileMode) error {
	if err := s.before("mkdir %s", dir); err != nil {
		return err
	}
	return s.FS.MkdirAll(dir, perm)
}

// Create implements [snapshot.FS].
func (s *Steps) Create(name string, perm os.FileMode) (snapshot.File, error) {
	if err := s.before("create %s", name); err != nil {
		return nil, err
	}
	f, err := s.FS.Create(name, perm)
	if err != nil {
		return nil, err
	}
	return &stepFile{s, f, name}, nil
}

// Rename implements [snapshot.FS].
func (s *Steps) Rename(from, to string) error {
	if err := s.before("rename %s to %s", from, to); err != nil {
		return err
	}
	return s.FS.Rename(from, to)
}

// RemoveAll implements [snapshot.FS].
func (s *Steps) RemoveAll(name string) error {
	if err := s.before("remove %s", name); err != nil {
		return err
	}
	return s.FS.RemoveAll(name)
}

// SyncDir implements [snapshot.FS].
func (s *Steps) SyncDir(dir string) error {
	if err := s.before("sync folder %s", dir); err != nil {
		return err
	}
	return s.FS.SyncDir(dir)
}

type stepFile struct {
	s    *Steps
	f    snapshot.File
	name string
}

func (f *stepFile) Write(b []byte) (n int, err error) {
	parts := [][]byte{b}
	if f.s.Tear && len(b) > 1 {
		parts = [][]byte{b[:len(b)/2], b[len(b)/2:]}
	}
	for _, part := range parts {
		if err := f.s.before("write %s", f.name); err != nil {
			return n, err
		}
		m, err := f.f.Write(part)
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

func (f *stepFile) Sync() error {
	if err := f.s.before("sync %s", f.name); err != nil {
		return err
	}
	return f.f.Sync()
}

// Close closes the file even where Before fails the step: a process that
// failed does not hold on to its files.
func (f *stepFile) Close() error {
	err := f.s.before("close %s", f.name)
	if closed := f.f.Close(); err == nil {
		err = closed
	}
	return err
}
