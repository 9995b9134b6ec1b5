package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What is mapped of files below the folder is not counted, all else is.
func TestResidentLeavesOut(t *testing.T) {
	const size = 64 << 20
	dir, other := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "data")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	data, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(data, []byte{0}) != size { // it is read
		t.Fatal("the file is not what was written")
	}
	with, err := resident(other)
	if err != nil {
		t.Fatal(err)
	}
	without, err := resident(dir)
	if err != nil {
		t.Fatal(err)
	}
	if with < size || with-without < size/2 {
		t.Errorf("%d bytes are resident, %d without a file of %d", with, without, size)
	}
	if err := unix.Munmap(data); err != nil {
		t.Fatal(err)
	}
}
