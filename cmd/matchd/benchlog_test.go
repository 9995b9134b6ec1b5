package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A small run measures all parts, judges every bar, writes what it prints, and
// leaves nothing behind.
func TestBenchLog(t *testing.T) {
	work, results := t.TempDir(), filepath.Join(t.TempDir(), "results")
	file, lines := filepath.Join(results, "log.md"), filepath.Join(results, "log.txt")
	out := succeed(t, "bench", "log", "--writers", "1,3", "--rounds", "1", "--duration", "5ms", "--replayed", "1000", "--dir", work, "--out", file, "--bench-out", lines)
	if strings.Count(out, "times Pebble's synchronous writes") != 2 || strings.Contains(out, " – ") || !strings.Contains(out, " 0 not measured") {
		t.Error(out)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != out {
		t.Errorf("the file holds %q: %v", b, err)
	}
	if b, err := os.ReadFile(lines); err != nil || strings.Count(string(b), "\nBenchmarkLog/") != 7 {
		t.Errorf("%v: %s", err, b)
	}
	nothingLeft(t, work)
}

func TestBenchLogFlags(t *testing.T) {
	for _, args := range [][]string{{"--writers", "0"}, {"--rounds", "0"}, {"--body", "1"}, {"--duration", "0s"}, {"--replayed", "0"}} {
		if code, _, errOut := command(t, append([]string{"bench", "log"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d, %s", args, code, errOut)
		}
	}
}
