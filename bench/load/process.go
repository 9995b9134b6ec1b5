package load

// Memory is what a process has resident, in bytes. The kernel counts it in
// steps of some pages, so that a few hundred KiB are uncertain.
type Memory struct {
	Resident  int64 // the sum of the three
	Anonymous int64 // its own: heap, stacks, copies
	File      int64 // of mapped files, which the kernel can drop and read again
	Shared    int64 // of shared memory
}
