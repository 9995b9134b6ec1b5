package snapshot

import "golang.org/x/sys/unix"

// adviseHuge asks for pages of 2 MiB, which spare a random read most of its
// address translation. It is advice: a kernel that has none goes without.
func adviseHuge(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }

// populate maps the pages under b, which begins at a page, before they are read:
// a goroutine that reads one from disk in a fault keeps its core from all
// others, and one in a system call does not. Kernels before 5.14 cannot, and
// what cannot be read shows when it is.
func populate(b []byte) { _ = unix.Madvise(b, unix.MADV_POPULATE_READ) }
