package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A small run judges every bar, writes what it prints, and leaves nothing behind.
func TestBenchLive(t *testing.T) {
	work, results := t.TempDir(), filepath.Join(t.TempDir(), "results")
	file, lines := filepath.Join(results, "live.md"), filepath.Join(results, "live.txt")
	out := succeed(t, "bench", "live", "--ids", "3000", "--entries", "300", "--probes", "300", "--rounds", "1", "--dir", work, "--out", file, "--bench-out", lines)
	if strings.Count(out, "times as long as without live changes") != 4 || !strings.Contains(out, " 0 not measured") {
		t.Error(out)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != out {
		t.Errorf("the file holds %q: %v", b, err)
	}
	if b, err := os.ReadFile(lines); err != nil || strings.Count(string(b), "\nBenchmarkLive/") != 18 {
		t.Errorf("%v: %s", err, b)
	}
	nothingLeft(t, work)
}

func TestBenchLiveFlags(t *testing.T) {
	for _, args := range [][]string{{"--ids", "0"}, {"--entries", "0"}, {"--ids", "300", "--entries", "51"}, {"--probes", "1"}, {"--rounds", "0"}, {"--memory", "tape"}} {
		if code, _, errOut := command(t, append([]string{"bench", "live"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d, %s", args, code, errOut)
		}
	}
}
