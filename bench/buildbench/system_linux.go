package buildbench

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// peakResident is the most memory that a process had resident, in bytes.
func peakResident(s *os.ProcessState) int64 {
	u, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return u.Maxrss << 10
}

// freeSpace is how many bytes can be written below dir.
func freeSpace(dir string) (n int64, known bool) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, false
	}
	return int64(fs.Bavail) * fs.Bsize, true
}

// cachedBytes is how much of a file the system holds in memory.
func cachedBytes(path string) (n int64, known bool) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer func() { _ = f.Close() }() // only looked at
	var all unix.CachestatRange      // a length of 0 is to the end
	var stat unix.Cachestat_t
	if err := unix.Cachestat(uint(f.Fd()), &all, &stat, 0); err != nil {
		return 0, false // a kernel before 6.5
	}
	return int64(stat.Cache) * int64(os.Getpagesize()), true
}

// settle waits until what was written so far is on disk, so that one case does
// not write what another one left.
func settle() { unix.Sync() }
