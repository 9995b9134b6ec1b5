// Package faultvfs is for tests of disks that fail: what of a file layer's
// operations fails, and writes that are short, beside Pebble's errorfs, which
// injects errors.
package faultvfs

import (
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// Alters reports whether an operation changes files.
func Alters(op errorfs.Op) bool {
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpLink, errorfs.OpRemove, errorfs.OpRemoveAll, errorfs.OpRename, errorfs.OpReuseForWrite,
		errorfs.OpMkdirAll:
		return true
	}
	return Writes(op) || Syncs(op)
}

// Writes reports whether an operation writes into a file.
func Writes(op errorfs.Op) bool {
	return op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileWriteAt
}

// Syncs reports whether an operation is an fsync of a file or folder.
func Syncs(op errorfs.Op) bool {
	return op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
}

// ErrShort stands, where it is injected into a layer under one of [Short], for a
// write of half of the bytes.
var ErrShort = errors.New("a short write")

// Short makes of each [ErrShort] of a layer's writes one that tells of half of the
// bytes, and of no error.
func Short(fs vfs.FS) vfs.FS { return short{fs} }

type short struct{ vfs.FS }

func (s short) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.Create(name, c)
	return shortFile{f}, err
}

func (s short) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := s.FS.OpenReadWrite(name, c, o...)
	return shortFile{f}, err
}

type shortFile struct{ vfs.File }

func (f shortFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return half(p, n, err)
}

func (f shortFile) WriteAt(p []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(p, at)
	return half(p, n, err)
}

func half(p []byte, n int, err error) (int, error) {
	if errors.Is(err, ErrShort) {
		return len(p) / 2, nil
	}
	return n, err
}
