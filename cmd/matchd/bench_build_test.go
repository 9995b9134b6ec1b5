package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// asCommand is set where the test binary is to be matchd, as a process of its
// own.
const asCommand = "MATCHD_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) == "" {
		os.Exit(inFolder(m))
	}
	main()
}

// inFolder runs the tests with a folder for what they share.
func inFolder(m *testing.M) int {
	var err error
	if madeOnce.dir, err = os.MkdirTemp("", "matchd"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(madeOnce.dir)
	return m.Run()
}

// A small run measures sort, the build and the larger builds, prints the tables
// and writes the same to the file.
func TestBenchBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures")
	}
	t.Setenv(asCommand, "1")
	dir := t.TempDir()
	file := filepath.Join(dir, "results", "build.md")
	out := succeed(t, "bench", "build", "--customers", "2000", "--links", "10000", "--rounds", "2",
		"--scale", "20000", "--memory", "1GiB", "--dir", filepath.Join(dir, "work"), "--out", file)
	for _, want := range []string{"| `matchd build --memory 1GiB` of all |", "2,000 customers", "Stages of the best round: ", "| 3,210, 16,050 |", "--scale 20000 --memory 1GiB\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != out {
		t.Errorf("the file holds %q: %v", b, err)
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 {
		t.Errorf("left: %v, %v", list, err)
	}
}

func TestBenchBuildFlags(t *testing.T) {
	for _, args := range [][]string{{"--customers", "0"}, {"--scale", "-3"}, {"--rounds", "0", "--scale", "0"}, {"--scale", "many"}, {"--memory", "0"}} {
		if code, _, errOut := command(t, append([]string{"bench", "build"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d, %s", args, code, errOut)
		}
	}
}
