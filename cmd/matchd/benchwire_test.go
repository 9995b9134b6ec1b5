package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/bench/wire"
)

// A small run starts all that is installed, finds that they give the same
// answers, measures every case, prints it, and leaves nothing behind.
func TestBenchWire(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs servers and measures them")
	}
	if runtime.GOOS != "linux" || runtime.GOMAXPROCS(0) < 2 {
		t.Skip("it takes Linux and two cores")
	}
	t.Setenv(asCommand, "1")
	work, err := os.MkdirTemp("", "wire") // sockets need short names
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	file := filepath.Join(t.TempDir(), "results", "wire.md")
	args := []string{
		"bench", "wire", "--ids", "20000", "--draws", "20000", "--rounds", "1", "--duration", "20ms",
		"--latency-rounds", "1", "--latency-duration", "100ms", "--dir", work, "--out", file,
	}
	out := succeed(t, args...)
	for _, c := range []struct {
		want  string
		times int
	}{
		{"\n| matchd, GET |", 5},
		{"\n| bare fasthttp, GET |", 5},
		{"\n| matchd, GET, 16 in a pipeline |", 1},
		{"\n| bare fasthttp, POST of 100 |", 3},
		{"\n| matchd, during a swap |", 1},
		{"\nmatchd allocates ", 2},
		{"\n| matchd map |", 1},
		{"\n| matchd copy |", 1},
		{"\n| Redis, GET |", installed(5, "redis-server")},
		{"\n| Redis, MGET of 100 |", installed(3, "redis-server")},
		{"\nSkipped: Redis: ", 1 - installed(1, "redis-server")},
		{"\n| memcached, get of 100 |", installed(2, "memcached")},
		{"\nSkipped: memcached: ", 1 - installed(1, "memcached")},
	} {
		if n := strings.Count(out, c.want); n != c.times {
			t.Errorf("%d times %q, not %d, in\n%s", n, c.want, c.times, out)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != out {
		t.Errorf("the file holds %q: %v", b, err)
	}
	nothingLeft(t, work)
	out = succeed(t, "bench", "wire", "--ids", "2000", "--draws", "1000", "--rounds", "1", "--duration", "10ms",
		"--latency-rounds", "0", "--redis", "", "--memcached", "not-installed-at-all", "--dir", work, "--format", "bench")
	if strings.Contains(out, "Redis") || strings.Contains(out, "memcached") || strings.Contains(out, "latency") || strings.Count(out, "/bare_fasthttp/") != 9 {
		t.Errorf("without stores and latency it prints\n%s", out)
	}
}

// A run that is interrupted ends its servers and removes its data.
func TestBenchWireInterrupted(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOMAXPROCS(0) < 2 {
		t.Skip("it takes Linux and two cores")
	}
	t.Setenv(asCommand, "1")
	work, err := os.MkdirTemp("", "wire")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	c := wire.Default()
	c.IDs, c.Draws, c.Duration, c.Dir, c.Redis, c.Memcached = 2000, 1000, 10*time.Millisecond, work, "", ""
	if c.Matchd, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	measuring := false
	c.Log = func(format string, _ ...any) {
		if strings.HasPrefix(format, "round") {
			measuring = true
			if children(t) == 0 {
				t.Error("no servers are seen")
			}
			interrupt()
		}
	}
	if r, err := c.Run(ctx); !errors.Is(err, context.Canceled) || r != nil || !measuring {
		t.Errorf("%v, %v", r, err)
	}
	nothingLeft(t, work)
}

// nothingLeft fails where a folder is not empty or a child process is there.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
		t.Errorf("left: %v, %v", list, err)
	}
	if n := children(t); n > 0 {
		t.Errorf("%d processes are left", n)
	}
}

// children counts the processes that this one has started.
func children(t *testing.T) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, _ := os.ReadFile(f) // it may have ended
		if strings.Contains(string(b), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
			n++
		}
	}
	return n
}

// installed is n where a program is on the path.
func installed(n int, program string) int {
	if _, err := exec.LookPath(program); err != nil {
		return 0
	}
	return n
}

func TestBenchWireFlags(t *testing.T) {
	for _, args := range [][]string{{"--ids", "0"}, {"--rounds", "0"}, {"--memory", "once"}, {"--format", "html"}, {"--duration", "0s"}} {
		if code, _, errOut := command(t, append([]string{"bench", "wire"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d, %s", args, code, errOut)
		}
	}
}
