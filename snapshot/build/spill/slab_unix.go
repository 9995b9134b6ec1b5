//go:build unix

package spill

import "golang.org/x/sys/unix"

// mapSlab returns zeroed memory that the collector knows nothing of.
func mapSlab(size int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil {
		adviseHuge(b)
	}
	return b, err
}

func unmapSlab(b []byte) error { return unix.Munmap(b) }
