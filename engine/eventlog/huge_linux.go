package eventlog

import "golang.org/x/sys/unix"

// adviseHuge asks for huge pages: the first touch of each page costs, and so does
// finding it again. A system without them says no.
func adviseHuge(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }
