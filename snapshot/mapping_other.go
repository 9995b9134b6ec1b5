//go:build !unix

package snapshot

import (
	"io"
	"os"
)

// Where there is no mapping, a snapshot is read into memory.

func mapFile(f *os.File, size int) ([]byte, error) {
	b := make([]byte, size)
	_, err := io.ReadFull(io.NewSectionReader(f, 0, int64(size)), b)
	return b, err
}

func anonymous(size int) ([]byte, error) { return make([]byte, size), nil }

func seal([]byte) error { return nil }

func populate([]byte) {}

func release([]byte, int64, int64) {}

func unmap([]byte) error { return nil }
