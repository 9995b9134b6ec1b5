//go:build unix

package snapshot

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapFile maps size bytes of f, which the mapping outlives.
func mapFile(f *os.File, size int) ([]byte, error) {
	p, err := unix.MmapPtr(int(f.Fd()), 0, nil, uintptr(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), size), nil
}

// hugePage is the size of large pages on most machines.
const hugePage = 2 << 20

// anonymous returns size zero bytes outside the collector's heap. They begin at
// a large page; what does not fill one at the end lies in small ones.
func anonymous(size int) ([]byte, error) {
	size = int(alignUp(int64(size), int64(os.Getpagesize())))
	whole := uintptr(size) + hugePage
	p, err := unix.MmapPtr(-1, 0, nil, whole, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	before := -uintptr(p) & (hugePage - 1)
	start := unsafe.Add(p, before)
	if before > 0 {
		err = unix.MunmapPtr(p, before)
	}
	if after := hugePage - before; after > 0 && err == nil {
		err = unix.MunmapPtr(unsafe.Add(start, size), after)
	}
	if err != nil {
		return nil, err
	}
	b := unsafe.Slice((*byte)(start), size)
	adviseHuge(b)
	return b, nil
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
func unmap(b []byte) error {
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
}
