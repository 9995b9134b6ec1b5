package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// resident is how much memory of this process is in use, in bytes, but for what
// it maps of files below the folder without: the sum of Rss over its mappings.
func resident(without string) (n int64, err error) {
	if without, err = filepath.Abs(without); err != nil {
		return 0, err
	}
	if without, err = filepath.EvalSymlinks(without); err != nil {
		return 0, err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // only read
	skip := false
	scan := bufio.NewScanner(f)
	for scan.Scan() {
		line := scan.Text()
		if name, value, ok := strings.Cut(line, ":"); !ok || strings.Contains(name, " ") {
			skip = strings.Contains(line, " "+without+"/") // a mapping begins
		} else if name == "Rss" && !skip {
			var kib int64
			if _, err := fmt.Sscanf(value, "%d kB", &kib); err != nil {
				return 0, fmt.Errorf("read /proc/self/smaps: %w", err)
			}
			n += kib << 10
		}
	}
	return n, scan.Err()
}
