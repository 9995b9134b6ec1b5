package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A small run measures all parts, judges every bar, prints the page and writes
// the same to the file, with the rounds beside it, and leaves nothing behind.
func TestBenchAll(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs servers and measures them")
	}
	t.Setenv(asCommand, "1")
	work, err := os.MkdirTemp("", "bars") // sockets need short names
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	results := filepath.Join(t.TempDir(), "results")
	file, lines := filepath.Join(results, "bench.md"), filepath.Join(results, "bench.txt")
	out := succeed(t, "bench", "all", "--ids", "20000", "--wire-ids", "20000", "--probes", "4096", "--rounds", "1", "--limit-memory", "1MiB",
		"--duration", "20ms", "--latency-rounds", "1", "--latency-duration", "100ms", "--dir", work, "--out", file, "--bench-out", lines)
	wired := runtime.GOOS == "linux" && runtime.GOMAXPROCS(0) >= 2
	missing := 8
	if wired {
		missing = 3 - 3*installed(1, "redis-server")
	}
	_, table, _ := strings.Cut(out, "\n## The bars\n")
	table, _, _ = strings.Cut(table, "\n## ")
	if n := strings.Count(table, "|\n| "); n != 20 {
		t.Errorf("%d bars in\n%s", n, table)
	}
	if n := strings.Count(table, "| – "); n != missing {
		t.Errorf("%d bars are not measured, not %d:\n%s", n, missing, table)
	}
	for _, want := range []string{"\n| one at a time |", "\n## In process\n", "\n## Opening\n", "\nSkipped: pebble: ", "\nThe run took, in seconds: "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if wired != strings.Contains(out, "\n## Over the wire\n") {
		t.Errorf("over the wire on a machine that can: %t\n%s", wired, out)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != out {
		t.Errorf("the file holds %q: %v", b, err)
	}
	b, err := os.ReadFile(lines)
	for _, want := range []string{"\nBenchmarkLookup/", "\nBenchmarkAllocations/", "\nBenchmarkOpening/"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %q: %v\n%s", want, err, b)
		}
	}
	if wired != strings.Contains(string(b), "\nBenchmarkWire/") {
		t.Errorf("rounds over the wire: %s", b)
	}
	nothingLeft(t, work)
}

func TestBenchAllFlags(t *testing.T) {
	for _, args := range [][]string{{"--ids", "0"}, {"--wire-ids", "-1"}, {"--rounds", "0"}, {"--memory", "once"}, {"--duration", "0s"}, {"--limit-memory", "0"}} {
		if code, _, errOut := command(t, append([]string{"bench", "all"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d, %s", args, code, errOut)
		}
	}
}
