package main

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// A small run measures all parts, finds that the daemon's answers are those of
// the package, refuses the greedy client, judges every bar, writes what it
// prints, and leaves nothing behind.
func TestBenchEnrich(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs servers and measures them")
	}
	t.Setenv(asCommand, "1")
	work, err := os.MkdirTemp("", "enrich") // sockets need short names
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	results := filepath.Join(t.TempDir(), "results")
	file, lines := filepath.Join(results, "enrich.md"), filepath.Join(results, "enrich.txt")
	out := succeed(t, "bench", "enrich", "--ids", "3000", "--requests", "300", "--strings", "20", "--rounds", "1", "--duration", "20ms",
		"--latency-rounds", "1", "--latency-duration", "200ms", "--dir", work, "--out", file, "--bench-out", lines)
	wired := runtime.GOOS == "linux" && runtime.GOMAXPROCS(0) >= 2
	times := func(n int) int {
		if wired {
			return n
		}
		return 0
	}
	for _, c := range []struct {
		want  string
		times int
	}{
		{"\n| the whole call, match, ", 2},
		{"\n| the whole call, no match, ", 2},
		{" | – ", 2 - times(2)},
		{" bare fasthttp | ", times(3)},
		{"\n| alone | ", times(1)},
		{"\n| beside a greedy client | ", times(1)},
	} {
		if n := strings.Count(out, c.want); n != c.times {
			t.Errorf("%d times %q, not %d, in\n%s", n, c.want, c.times, out)
		}
	}
	if wired && !regexp.MustCompile(`requests [1-9][0-9,]* were served and [1-9][0-9,]* answered 429`).MatchString(out) {
		t.Errorf("the greedy client is not both served and refused:\n%s", out)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != out {
		t.Errorf("the file holds %q: %v", b, err)
	}
	b, err := os.ReadFile(lines)
	if err != nil || !strings.Contains(string(b), "\nBenchmarkEnrich/") || wired != strings.Contains(string(b), "/echo") {
		t.Errorf("%v: %s", err, b)
	}
	nothingLeft(t, work)
}

func TestBenchEnrichFlags(t *testing.T) {
	for _, args := range [][]string{{"--ids", "0"}, {"--rounds", "0"}, {"--memory", "once"}, {"--duration", "0s"}, {"--limit", "1"}, {"--strings", "0"}} {
		if code, _, errOut := command(t, append([]string{"bench", "enrich"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d, %s", args, code, errOut)
		}
	}
}
