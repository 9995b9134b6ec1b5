//go:build unix

package snapshot

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps size bytes of f, which the mapping outlives.
func mapFile(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
}

// anonymous returns size zero bytes outside the collector's heap.
func anonymous(size int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err == nil {
		adviseHuge(b)
	}
	return b, err
}

// seal makes memory from anonymous read-only.
func seal(b []byte) error { return unix.Mprotect(b, unix.PROT_READ) }

// release lets go of the pages under data[from:to], which begins where a
// mapping of a file does. They are read again from the file when they are next
// used.
func release(data []byte, from, to int64) {
	page := int64(os.Getpagesize())
	// It is advice: where it cannot be taken, the pages stay.
	_ = unix.Madvise(data[from/page*page:min(alignUp(to, page), int64(len(data)))], unix.MADV_DONTNEED)
}

// unmap gives back what mapFile or anonymous returned.
func unmap(b []byte) error { return unix.Munmap(b) }
