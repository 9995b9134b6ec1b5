//go:build !unix

package buildbench

import "time"

var started = time.Now()

// userTime is about the processor time that this process has taken.
func userTime() time.Duration { return time.Since(started) }
