package buildbench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeMode is set where the test binary is to stand for another process, and
// says for which.
const fakeMode = "MATCHD_TEST_BUILDBENCH"

const (
	fakeBuild  = "build"   // counts the rows and reports them
	fakeLosing = "losing"  // a build that leaves a row out
	fakeFailed = "failed"  // a build that fails on the larger data
	fakeEater  = "eater"   // takes memory and time of the processor
	eatenBytes = 256 << 20 // by the eater
	eatenCPU   = 400 * time.Millisecond
)

func TestMain(m *testing.M) {
	mode := os.Getenv(fakeMode)
	switch mode {
	case "":
		os.Exit(m.Run())
	case fakeEater:
		eat()
	default:
		if err := pretend(mode, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// pretend does as matchd build does, as far as it is seen from outside.
func pretend(mode string, args []string) error {
	f := flag.NewFlagSet("build", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	config, store, tmp := f.String("config", "", ""), f.String("store", "", ""), f.String("tmp", "", "")
	memory := f.String("memory", "", "")
	asOf := f.String("as-of", "", "")
	f.Bool("json", false, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	if info, err := os.Stat(*tmp); err != nil || !info.IsDir() || *asOf != AsOf {
		return fmt.Errorf("tmp %q, as of %q: %v", *tmp, *asOf, err)
	}
	if err := os.Mkdir(*store, 0o700); err != nil { // it must be a new one
		return err
	}
	if *memory != Default().Memory {
		return fmt.Errorf("memory %q", *memory)
	}
	if mode == fakeFailed && strings.HasPrefix(filepath.Base(filepath.Dir(*config)), "scale-") {
		return errors.New("it failed")
	}
	lines := func(file string) int {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(*config), file))
		if err != nil {
			panic(err)
		}
		return bytes.Count(b, []byte("\n")) - 1
	}
	links := lines(LinksFile)
	if mode == fakeLosing {
		links--
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"bytes": 4000, "spilled_bytes": 3000,
		"read":   map[string]int{"profile_rows": lines(CustomersFile), "link_rows": links},
		"counts": map[string]int{"identifiers": 400, "persons": 40},
		"stages": map[string]string{"read": "2.5s", "resolve": "1m4s", "write": "700ms"},
	})
}

// eat takes what the test of Usage expects.
func eat() {
	memory := make([]byte, eatenBytes)
	for n := byte(0); userTime() < eatenCPU; n++ {
		for i := 0; i < len(memory); i += 1024 {
			memory[i] += n
		}
	}
}

// small is a run that takes no time.
func small(t *testing.T, mode string) Config {
	t.Helper()
	t.Setenv(fakeMode, mode)
	c := Default()
	c.Customers, c.Links, c.Rounds, c.Scale = 50, 300, 2, []int{200, 600}
	c.Dir = filepath.Join(t.TempDir(), "work")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.Matchd = exe
	return c
}

// Sort and build take turns, then the larger builds come, and nothing is left.
func TestRun(t *testing.T) {
	if _, missing := findSort(t.Context()); missing != "" {
		t.Skip(missing)
	}
	c := small(t, fakeBuild)
	var log []string
	c.Log = func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }
	r, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	log = slices.DeleteFunc(log, func(s string) bool { return strings.HasPrefix(s, "wr") })
	want := []string{
		"round 1 of 2: sort", "round 1 of 2: matchd build, --memory 6GiB", "round 2 of 2: sort", "round 2 of 2: matchd build, --memory 6GiB",
		"matchd build, --memory 6GiB", "matchd build, --memory 6GiB",
	}
	if !slices.Equal(log, want) {
		t.Errorf("log %q", log)
	}
	if len(r.Sort) != 2 || len(r.Builds) != 2 || len(r.Scale) != 2 || len(r.Skipped) != 0 {
		t.Errorf("%d sorts, %d builds, %d of a scale, skipped %q", len(r.Sort), len(r.Builds), len(r.Scale), r.Skipped)
	}
	for _, b := range r.Builds {
		if b.Wall <= 0 || b.CPU <= 0 || b.Bytes != 4000 || b.Spilled != 3000 || b.Identifiers != 400 || b.Persons != 40 || len(b.Stages) != 3 || b.Stages[0].Name != "resolve" {
			t.Errorf("build %+v", b)
		}
	}
	if _, err := os.Stat(c.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
	var tables bytes.Buffer
	r.Markdown(&tables)
	for _, path := range []string{c.Dir, c.Matchd, os.TempDir()} {
		if strings.Contains(tables.String(), path) {
			t.Errorf("the tables hold %q:\n%s", path, tables.String())
		}
	}
}

// What is kept is the input, and a folder that has files is not worked in.
func TestKeep(t *testing.T) {
	c := small(t, fakeBuild)
	c.Keep, c.Scale = true, []int{200}
	if _, err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := filepath.Glob(filepath.Join(c.Dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		list[i], _ = filepath.Rel(c.Dir, list[i])
	}
	want := []string{
		"data/crm.csv", "data/links.csv", "data/onboard.yaml",
		"scale-200/crm.csv", "scale-200/links.csv", "scale-200/onboard.yaml",
	}
	if !slices.Equal(list, want) {
		t.Errorf("kept %q", list)
	}
	if _, err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a folder with files: %v", err)
	}
	if again, _ := filepath.Glob(filepath.Join(c.Dir, "*", "*")); len(again) != len(want) {
		t.Errorf("it now holds %q", again)
	}
}

// Nothing is left, and nothing else removed, when a run ends early.
func TestRunThatFails(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, k := range map[string]struct {
		ctx    context.Context
		mode   string
		says   string
		builds int
	}{
		"rows left out": {t.Context(), fakeLosing, "299 links of 50 and 300", 0},
		"later build":   {t.Context(), fakeFailed, "it failed", 2},
		"cancelled":     {ended, fakeBuild, "canceled", 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := small(t, k.mode)
			if err := os.Mkdir(c.Dir, 0o755); err != nil { // so it is not the run's to remove
				t.Fatal(err)
			}
			r, err := c.Run(k.ctx)
			if err == nil || !strings.Contains(err.Error(), k.says) {
				t.Errorf("error %v", err)
			}
			if r == nil || len(r.Builds) != k.builds {
				t.Errorf("result %+v", r)
			}
			if list, err := os.ReadDir(c.Dir); err != nil || len(list) > 0 {
				t.Errorf("the folder holds %v: %v", list, err)
			}
		})
	}
}

// What cannot be measured is named, and the rest is measured.
func TestSkips(t *testing.T) {
	t.Run("no room", func(t *testing.T) {
		if _, known := freeSpace(t.TempDir()); !known {
			t.Skip("free space is not known here")
		}
		c := small(t, fakeBuild)
		c.Links, c.Scale = 1<<50, []int{200}
		r, err := c.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Builds) != 0 || len(r.Scale) != 1 || len(r.Skipped) != 1 || !strings.Contains(r.Skipped[0], "GB of disk") {
			t.Errorf("%d builds, %d of a scale, skipped %q", len(r.Builds), len(r.Scale), r.Skipped)
		}
	})
	for name, script := range map[string]string{"no sort": "", "another sort": "#!/bin/sh\necho BusyBox\n"} {
		t.Run(name, func(t *testing.T) {
			c := small(t, fakeBuild)
			path := t.TempDir()
			if script != "" {
				if err := os.WriteFile(filepath.Join(path, "sort"), []byte(script), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", path)
			r, err := c.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var tables bytes.Buffer
			r.Markdown(&tables)
			if len(r.Sort) != 0 || len(r.Builds) != 2 || !strings.Contains(tables.String(), "\n- sort: "+strings.TrimPrefix(r.Skipped[0], "sort: ")) {
				t.Errorf("%d sorts, %d builds:\n%s", len(r.Sort), len(r.Builds), tables.String())
			}
		})
	}
}

// The time of the processor and the peak of memory are those of the process.
func TestUsage(t *testing.T) {
	t.Setenv(fakeMode, fakeEater)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	u, _, err := runProcess(t.Context(), nil, exe)
	if err != nil {
		t.Fatal(err)
	}
	if u.CPU < eatenCPU || u.CPU > 100*eatenCPU {
		t.Errorf("%v of the processor", u.CPU)
	}
	// Another unit would be off by a factor of 1024. A child's peak is never below
	// what its parent holds as it starts, which is much under the race detector.
	if known := u.Peak != 0; known && (u.Peak < eatenBytes || u.Peak > 32*eatenBytes) {
		t.Errorf("a peak of %d bytes", u.Peak)
	}
}

func TestValidate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no customers":  func(c *Config) { c.Customers = 0 },
		"too many":      func(c *Config) { c.Customers = maxCustomers + 1 },
		"no links":      func(c *Config) { c.Links = 0 },
		"rounds":        func(c *Config) { c.Rounds = -1 },
		"no scale":      func(c *Config) { c.Scale = []int{1000, 0} },
		"too much":      func(c *Config) { c.Scale = []int{maxCustomers * 7} },
		"nothing to do": func(c *Config) { c.Rounds, c.Scale = 0, nil },
	} {
		c := Default()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		if change(&c); c.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
