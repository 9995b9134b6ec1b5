//go:build unix

package buildbench

import (
	"syscall"
	"time"
)

// userTime is the processor time that this process has taken, less the system's.
func userTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano())
}
