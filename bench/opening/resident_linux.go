package opening

import (
	"fmt"
	"os"
	"strings"
)

// resident is what this process has resident.
func resident() (r Resident) {
	read := func(path string, fields map[string]*int64) {
		b, err := os.ReadFile(path)
		if err != nil {
			return // a kernel that does not tell
		}
		for line := range strings.Lines(string(b)) {
			name, rest, _ := strings.Cut(line, ":")
			if into := fields[name]; into != nil {
				if _, err := fmt.Sscanf(rest, "%d kB", into); err == nil {
					*into <<= 10
				}
			}
		}
	}
	var inMemory int64 // of files that are in memory alone
	read("/proc/self/status", map[string]*int64{"RssAnon": &r.Anonymous, "RssFile": &r.Files, "RssShmem": &inMemory})
	r.Files += inMemory
	read("/proc/self/smaps_rollup", map[string]*int64{"AnonHugePages": &r.Huge})
	return r
}
