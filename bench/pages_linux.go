package bench

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// smallPages returns n zero words in pages of the smallest size.
func smallPages(n int) ([]uint32, error) {
	b, err := unix.Mmap(-1, 0, 4*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE) // a kernel without huge pages has none to refuse
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), n), nil
}

// free gives the memory back.
func (c *chase) free() {
	_ = unix.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(c.words))), 4*len(c.words)))
	c.words = nil
}
