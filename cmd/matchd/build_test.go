package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
	"unicode"

	"github.com/matchd/matchd/snapshot/build"
	"github.com/matchd/matchd/snapshot/build/report"
	"github.com/matchd/matchd/snapshot/build/source"
)

// built is what a test reads of the report of a build.
type built struct {
	Snapshot string           `json:"snapshot"`
	AsOf     string           `json:"as_of"`
	Cuts     map[string]int64 `json:"cut_links"`
	Read     struct {
		Profiles int64 `json:"profile_rows"`
		Links    int64 `json:"link_rows"`
	} `json:"read"`
	Lineage *struct {
		Previous string `json:"previous"`
		Kept     int64  `json:"kept"`
	} `json:"lineage"`
	Counts struct {
		Persons int64 `json:"persons"`
	} `json:"counts"`
	Onboarding struct {
		Header report.Header `json:"header"`
	} `json:"onboarding"`
}

// buildArgs is the command line of a build of a generated world.
func buildArgs(data, store string, more ...string) []string {
	return append([]string{"build", "--config", filepath.Join(data, "onboard.yaml"), "--store", store}, more...)
}

// world makes the files of some customers.
func world(t *testing.T, customers int) (data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	succeed(t, "gen", "--out", data, "--customers", fmt.Sprint(customers), "--seed", "3")
	return data
}

// A limit that is none, and anything that cannot be meant, is wrong usage, said
// before anything is read or made.
func TestBuildRefusesLimits(t *testing.T) {
	data := world(t, 100)
	store := filepath.Join(t.TempDir(), "store")
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{exitUsage, "limit of zero", []string{"--memory", "0"}},
		{exitUsage, "limit of zero", []string{"--memory=0GiB"}},
		{exitUsage, "6GiB", []string{"--memory=-1GiB"}},
		{exitUsage, "6GiB", []string{"--memory", "plenty"}},
		{exitUsage, "give 64MiB or more", []string{"--memory", "63MiB"}},
		{exitUsage, "0 to 100", []string{"--max-bad-rows", "-1"}},
		{exitUsage, "0 to 100", []string{"--max-bad-rows", "100.5"}},
		{exitUsage, "0 to 100", []string{"--max-bad-rows", "NaN"}},
		{exitUsage, "invalid argument", []string{"--max-bad-rows", "few"}},
		{exitUsage, "workers", []string{"--workers", "-1"}},
		{exitUsage, "keep", []string{"--keep", "-1"}},
		{exitUsage, "power of two", []string{"--shards", "3"}},
		{exitUsage, "--as-of", []string{"--as-of", "last week"}},
		{exitUsage, "names no snapshot", []string{"--previous="}},
		{exitUsage, "only the name of a snapshot", []string{"onboard.yaml"}},
		{exitUsage, "at most 1", []string{"--previous", "one", "another"}},
		{exitFailed, "make the folder first", []string{"--tmp", filepath.Join(data, "none")}},
		{exitFailed, "no folder", []string{"--tmp", filepath.Join(data, "truth.csv")}},
		{exitFailed, "--key", []string{"--key", filepath.Join(data, "none")}},
		{exitFailed, "--previous", []string{"--previous=20260101T000000Z-0123456789ab"}},
	} {
		code, out, errOut := command(t, buildArgs(data, store, c.args...)...)
		if code != c.code || !strings.Contains(errOut, c.says) || out != "" {
			t.Errorf("%q: exit code %d, want %d; it does not say %q:\n%s%s", c.args, code, c.code, c.says, out, errOut)
		}
		if _, err := os.Stat(store); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%q made the store", c.args)
		}
	}
	code, _, errOut := command(t, "build", "--config", filepath.Join(data, "none.yaml"), "--store", store)
	if code != exitFailed || !strings.Contains(errOut, "--config") {
		t.Errorf("without a config: exit code %d, %s", code, errOut)
	}
}

// The previous snapshot is none, the current one or one that is named, after a
// space or an equals sign.
func TestBuildPrevious(t *testing.T) {
	data, store := world(t, 300), filepath.Join(t.TempDir(), "store")
	day := 0
	run := func(more ...string) (r built) {
		t.Helper()
		day++
		decode(t, succeed(t, buildArgs(data, store, append(more, "--json", "--as-of", fmt.Sprintf("2026-11-%02d", day))...)...), &r)
		return r
	}
	first := run("--previous") // of an empty store
	if first.Lineage != nil {
		t.Errorf("the first build has %+v", first.Lineage)
	}
	if second := run(); second.Lineage != nil {
		t.Errorf("without --previous: %+v", second.Lineage)
	}
	last := run()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--previous"}, last.Snapshot},
		{[]string{"--previous=current"}, ""},
		{[]string{"--previous", first.Snapshot}, first.Snapshot},
		{[]string{"--previous=" + first.Snapshot}, first.Snapshot},
	} {
		if c.want == "" {
			c.want = last.Snapshot
		}
		r := run(append(c.args, "--keep", "0")...)
		if r.Lineage == nil || r.Lineage.Previous != c.want || r.Lineage.Kept != r.Counts.Persons {
			t.Errorf("%q: lineage %+v of %d persons, want it of %s", c.args, r.Lineage, r.Counts.Persons, c.want)
		}
		last = r
	}
	if out := succeed(t, "inspect", "--store", store); !strings.Contains(out, count(last.Counts.Persons)+" kept, 0 new") || !strings.Contains(out, "since "+first.Snapshot) {
		t.Errorf("inspect prints no lineage:\n%s", out)
	}
	code, _, errOut := command(t, buildArgs(data, store, "--previous=nobody")...)
	if code != exitFailed || !strings.Contains(errOut, first.Snapshot) {
		t.Errorf("exit code %d, and the snapshots that there are do not stand in %s", code, errOut)
	}
}

// With --json, standard output is one object, and standard error one a line:
// progress and all that is said about rows.
func TestBuildJSON(t *testing.T) {
	data, store := world(t, 2000), filepath.Join(t.TempDir(), "store")
	code, out, errOut := command(t, buildArgs(data, store, "--json", "--as-of", "2026-11-01")...)
	if code != exitDone {
		t.Fatal(code, errOut)
	}
	var r built
	decode(t, out, &r) // and nothing after it
	if r.Snapshot == "" || r.AsOf != "2026-11-01T00:00:00Z" || r.Onboarding.Header != (report.Header{Snapshot: r.Snapshot, AsOf: r.AsOf, Version: version()}) {
		t.Errorf("report %+v", r)
	}
	stages, notices := readStderr(t, errOut)
	end := fmt.Sprintf(`"done":true,"seconds":[0-9.e-]+,"rows":%d,`, r.Read.Profiles+r.Read.Links)
	if !regexp.MustCompile(end).MatchString(errOut) {
		t.Errorf("no %s in\n%s", end, errOut)
	}
	if len(stages) < 5 || stages[0] != "read" || stages[len(stages)-1] != "publish" {
		t.Errorf("stages %q", stages)
	}
	bad := 0
	for _, n := range notices {
		if n.BadRow != nil && n.BadRow.File != "" && n.BadRow.Line > 1 && n.BadRow.Reason != "" {
			bad++
		}
		if n.Error != "" {
			t.Errorf("error %q", n.Error)
		}
	}
	if bad < 5 || bad != len(notices) {
		t.Errorf("%d bad rows in\n%s", bad, errOut)
	}

	for says, args := range map[string][]string{
		"--max-bad-rows":        {"--max-bad-rows", "0"},
		"no such file":          {"--config", "none"},
		"make the folder first": {"--tmp", filepath.Join(data, "none")},
	} {
		code, out, errOut = command(t, buildArgs(data, store, append(args, "--json")...)...)
		_, notices = readStderr(t, errOut)
		if last := notices[len(notices)-1]; code != exitFailed || out != "" || !strings.Contains(last.Error, says) {
			t.Errorf("%q: exit code %d, %q, %+v", args, code, out, last)
		}
	}
}

// readStderr reads the objects on standard error: the stages in their order,
// and the notices.
func readStderr(t *testing.T, errOut string) (stages []string, notices []notice) {
	t.Helper()
	strict := func(line string, into any) error {
		dec := json.NewDecoder(strings.NewReader(line))
		dec.DisallowUnknownFields()
		return dec.Decode(into)
	}
	for line := range strings.Lines(errOut) {
		var p progressObject
		var n notice
		if strict(line, &p) == nil && p.Stage != "" {
			if len(stages) == 0 || stages[len(stages)-1] != p.Stage {
				stages = append(stages, p.Stage)
			}
		} else if err := strict(line, &n); err == nil && n != (notice{}) {
			notices = append(notices, n)
		} else {
			t.Errorf("%q is neither progress nor a notice: %v", line, err)
		}
	}
	return stages, notices
}

// What is said of rows is the same as text and as objects, but that text has the
// first ten bad ones.
func TestPrintBad(t *testing.T) {
	r := build.ReadReport{Bad: 1234, BadFields: map[string]int64{"phone": 7, "email": 5000}, Warnings: []string{"b.csv:1: odd"}}
	for line := range 12 {
		r.BadRows = append(r.BadRows, source.BadRow{File: "a.csv", Line: line + 2, Reason: "column right: <junk>"})
	}
	var text, objects strings.Builder
	printBad(&text, &r)
	printBadJSON(&objects, &r)
	const want = `bad row: a.csv:11: column right: <junk>
bad row: and 1,224 more
left out: 5,000 values of column email that cannot be read or are nobody's; their rows are kept
left out: 7 values of column phone that cannot be read or are nobody's; their rows are kept
warning: b.csv:1: odd
`
	if got := text.String(); !strings.HasSuffix(got, want) || strings.Count(got, "\n") != 14 {
		t.Errorf("text:\n%s", got)
	}
	_, notices := readStderr(t, objects.String())
	if len(notices) != 16 {
		t.Fatalf("%d notices in\n%s", len(notices), objects.String())
	}
	if b := notices[11].BadRow; b == nil || *b != (badRow{"a.csv", 13, "column right: <junk>"}) {
		t.Errorf("the last bad row is %+v", b)
	}
	if n := notices[12].MoreBad; n != 1222 {
		t.Errorf("%d bad rows more", n)
	}
	if l := notices[14].LeftOut; l == nil || *l != (badField{"phone", 7}) || notices[15].Warning != "b.csv:1: odd" {
		t.Errorf("the rest is %+v", notices[12:])
	}
}

// What is no terminal gets lines, without a character that steers one.
func TestBuildPlain(t *testing.T) {
	data, store := world(t, 2000), filepath.Join(t.TempDir(), "store")
	_, out, errOut := command(t, buildArgs(data, store, "--as-of", "2026-11-01")...)
	for _, text := range []string{out, errOut} {
		if at := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }); at >= 0 {
			t.Errorf("a control character in %q", text[max(0, at-40):at+1])
		}
	}
	for _, want := range []string{"build: read\n", "build: read: ", " rows, ", "build: publish\n", "bad row: crm/acme-1.csv:", "bad row: and "} {
		if !strings.Contains(errOut, want) {
			t.Errorf("no %q in\n%s", want, errOut)
		}
	}
}

// The text says of people what the report says: no count below the threshold
// that the report withholds.
func TestBuildTextWithholds(t *testing.T) {
	data, store := world(t, 2000), filepath.Join(t.TempDir(), "store")
	var r built
	decode(t, succeed(t, buildArgs(data, store, "--json", "--as-of", "2026-11-01")...), &r)
	text := succeed(t, buildArgs(data, store, "--as-of", "2026-11-01")...)
	small := 0
	for reason, n := range r.Cuts {
		if n < report.Threshold {
			small++
			if !strings.Contains(text, reason+" withheld") || strings.Contains(text, fmt.Sprintf("%s %d", reason, n)) {
				t.Errorf("%d links cut for %s are told in\n%s", n, reason, text)
			}
		}
	}
	if small == 0 {
		t.Errorf("no cause with few cuts to withhold: %v", r.Cuts)
	}
	if !strings.Contains(text, "\nout        "+count(r.Counts.Persons)+" persons") {
		t.Errorf("no count of %d persons in\n%s", r.Counts.Persons, text)
	}
	few := world(t, 30)
	decode(t, succeed(t, buildArgs(few, store, "--json", "--as-of", "2026-11-02", "--max-bad-rows", "50")...), &r)
	text = succeed(t, buildArgs(few, store, "--as-of", "2026-11-02", "--max-bad-rows", "50")...)
	if r.Counts.Persons >= report.Threshold || !strings.Contains(text, "withheld persons") || !strings.Contains(text, "fewer than 50 links") || strings.Contains(text, fmt.Sprint(r.Counts.Persons, " persons")) {
		t.Errorf("%d persons are told in\n%s", r.Counts.Persons, text)
	}
}

func TestFew(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 1: "fewer than 50", 49: "fewer than 50", 50: "50", 1234: "1,234"} {
		if got := few(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

// Memory, cores and the folder for temporary files change nothing in a
// snapshot, and nothing is left in that folder.
func TestBuildMemoryAndTmp(t *testing.T) {
	data, store, tmp := world(t, 300), filepath.Join(t.TempDir(), "store"), t.TempDir()
	before := debug.SetMemoryLimit(-1)
	var a, b built
	decode(t, succeed(t, buildArgs(data, store, "--json", "--as-of", "2026-11-01")...), &a)
	decode(t, succeed(t, buildArgs(data, store, "--json", "--as-of", "2026-11-01", "--memory", "64MiB", "--tmp", tmp, "--workers", "1")...), &b)
	if a.Snapshot == "" || a.Snapshot != b.Snapshot {
		t.Errorf("%s and %s", a.Snapshot, b.Snapshot)
	}
	if list, err := os.ReadDir(tmp); err != nil || len(list) > 0 {
		t.Errorf("left in the folder for temporary files: %v, %v", list, err)
	}
	if after := debug.SetMemoryLimit(-1); after != before {
		t.Errorf("the limit of the heap was %d and is %d", before, after)
	}
}

// The heap gets half of the memory, unless GOMEMLIMIT says less.
func TestLimitHeap(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	for _, c := range []struct{ had, memory, want int64 }{
		{math.MaxInt64, 6 << 30, 3 << 30},
		{math.MaxInt64, 0, build.DefaultMemory / 2},
		{1 << 30, 6 << 30, 1 << 30},
	} {
		debug.SetMemoryLimit(c.had)
		restore := limitHeap(c.memory)
		if got := debug.SetMemoryLimit(-1); got != c.want {
			t.Errorf("%+v: the limit is %d", c, got)
		}
		if restore(); debug.SetMemoryLimit(-1) != c.had {
			t.Errorf("%+v: the limit was not put back", c)
		}
	}
}

// A process reads rows from its standard input, and what they are packed in.
func TestBuildFromStdin(t *testing.T) {
	t.Setenv(asCommand, "1")
	dir := t.TempDir()
	config := "version: 1\ntenants:\n  - {name: acme, legal_basis: contract, profiles: [{path: \"-\"}]}\n"
	if err := os.WriteFile(filepath.Join(dir, "onboard.yaml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	var in bytes.Buffer
	z := gzip.NewWriter(&in)
	_, err := io.WriteString(z, "customer_id,email\nC-1,ada@mail.example\nC-2,bob@mail.example\n")
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(in []byte) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), exe, buildArgs(dir, filepath.Join(dir, "store"), "--json", "--as-of", "2026-11-01")...)
		cmd.Stdin = bytes.NewReader(in)
		return cmd.Output()
	}
	out, err := run(in.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var r built
	if decode(t, string(out), &r); r.Counts.Persons != 2 {
		t.Errorf("%d persons of 2", r.Counts.Persons)
	}
	_, err = run(in.Bytes()[:in.Len()-10])
	var failed *exec.ExitError
	if !errors.As(err, &failed) || failed.ExitCode() != exitFailed || !strings.Contains(string(failed.Stderr), "standard input") || !strings.Contains(string(failed.Stderr), "cut off") {
		t.Errorf("half an input: %v", err)
	}
}
