package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// command runs a command line and returns its exit code and what it printed.
func command(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// succeed runs a command line that must succeed and returns its output.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errOut := command(t, args...)
	if code != exitDone {
		t.Fatalf("matchd %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errOut)
	}
	return out
}

// madeOnce is the world that tests have copies of, in a folder that TestMain makes.
var madeOnce struct {
	dir  string
	once sync.Once
}

// builtStore returns a small world and a store of it.
func builtStore(t *testing.T) (data, store string) {
	t.Helper()
	from := filepath.Join(madeOnce.dir, "store")
	madeOnce.once.Do(func() {
		made := filepath.Join(madeOnce.dir, "data")
		succeed(t, "gen", "--out", made, "--customers", "2000", "--seed", "3")
		succeed(t, "build", "--config", filepath.Join(made, "onboard.yaml"), "--store", from, "--as-of", "2026-11-01")
	})
	dir := t.TempDir()
	data, store = filepath.Join(dir, "data"), filepath.Join(dir, "store")
	must(t, os.CopyFS(data, os.DirFS(filepath.Join(madeOnce.dir, "data"))))
	copyStore(t, store, from)
	return data, store
}

func TestFilesInAnswersOut(t *testing.T) {
	data, store := builtStore(t)
	if out := succeed(t, "verify", "--store", store); !strings.Contains(out, "is sound") {
		t.Errorf("verify says %q", out)
	}
	var in snapshot.Inspection
	decode(t, succeed(t, "inspect", "--store", store, "--json"), &in)
	if in.Manifest.Counts.Identifiers == 0 || in.Fill < 0.3 || in.FalsePositives > 0.02 {
		t.Errorf("inspection %+v", in)
	}
	if out := succeed(t, "inspect", "--store", store); !strings.Contains(out, "bytes an id") {
		t.Errorf("inspect prints %q", out)
	}
	customer := firstCustomer(t, filepath.Join(data, "crm", "acme-1.csv"))
	var a shownAnswer
	decode(t, succeed(t, "lookup", "--store", store, "--at", "2026-11-01", "--json", "--explain", "crm.acme:"+customer), &a)
	if a.Explanation == nil || !a.Explanation.Found || len(a.Explanation.Profiles) == 0 {
		t.Errorf("explanation of %s: %+v", customer, a.Explanation)
	}
	if out := succeed(t, "lookup", "--store", store, "--explain", "maid:6d92078a-8246-4ba4-ae5b-76104861e7dc", "maid:null"); !strings.Contains(out, "none, unknown") || !strings.Contains(out, "none, invalid") {
		t.Errorf("lookup prints %q", out)
	}
}

// The builder and the truth meet: customers of one true person, and of nobody
// else, are in one person's answer, unless a shared device, a shared inbox or a
// false link joined people.
func TestLookupAgreesWithTruth(t *testing.T) {
	data, store := builtStore(t)
	truth := readCSV(t, filepath.Join(data, "truth.csv"))[1:]
	persons := map[string]string{}
	var ids []string
	for _, row := range truth {
		if strings.HasPrefix(row[0], "crm.acme:") {
			ids = append(ids, row[0])
			persons[row[0]] = row[1]
		}
	}
	s, err := snapshot.OpenStore(store)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Options{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	if _, err := e.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := e.SetClients([]engine.Client{operatorOf(e, "")}); err != nil {
		t.Fatal(err)
	}
	session, err := e.Begin(operator)
	if err != nil {
		t.Fatal(err)
	}
	defer session.End()
	found, together, apart := 0, 0, 0
	byPerson := map[string]string{} // true person to built person
	for _, id := range ids {
		x, err := session.Explain(id)
		if err != nil {
			t.Fatal(err)
		}
		if !x.Found {
			t.Errorf("%s is in the truth and not in the snapshot", id)
			continue
		}
		found++
		if before, ok := byPerson[persons[id]]; ok && before == x.Person {
			together++
		} else if ok {
			apart++
		}
		byPerson[persons[id]] = x.Person
	}
	built := map[string]bool{}
	for _, p := range byPerson {
		built[p] = true
	}
	if found < 2000 || together == 0 {
		t.Fatalf("%d customers found, %d duplicates together", found, together)
	}
	if apart > together/5 {
		t.Errorf("%d duplicates of one person are apart, %d together", apart, together)
	}
	if len(built) < len(byPerson)*3/4 {
		t.Errorf("%d true persons became %d", len(byPerson), len(built))
	}
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{exitDone, "Usage:", []string{"--help"}},
		{exitDone, "bash completion", []string{"completion", "bash"}},
		{exitUsage, "unknown flag", []string{"build", "--nonsense"}},
		{exitUsage, "unknown command", []string{"nonsense"}},
		{exitUsage, "required flag", []string{"build"}},
		{exitUsage, "requires at least 1 arg", []string{"lookup", "--store", missing}},
		{exitUsage, "--as-of", []string{"build", "--store", missing, "--as-of", "yesterday"}},
		{exitUsage, "none of the others", []string{"swap", "--force", "--status"}},
		{exitUsage, "none of the others", []string{"privacy", "certificate", "17", "--events", missing, "--verify", missing}},
		{exitUsage, "customers", []string{"gen", "--out", missing, "--customers", "0"}},
		{exitFailed, "no such file", []string{"build", "--store", missing, "--config", missing}},
		{exitFailed, "no such file", []string{"verify", "--store", missing}},
		{exitFailed, "no such file", []string{"lookup", "--store", missing, "maid:x"}},
	} {
		code, out, errOut := command(t, c.args...)
		if code != c.code || !strings.Contains(out+errOut, c.says) {
			t.Errorf("matchd %s: exit code %d, want %d; it does not say %q:\n%s%s", strings.Join(c.args, " "), code, c.code, c.says, out, errOut)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Errorf("a command that failed made %s", missing)
	}
}

// Too many bad rows publish nothing, and are listed by file and line.
func TestBadRowsFailTheBuild(t *testing.T) {
	data, store := builtStore(t)
	before, err := os.ReadFile(filepath.Join(store, "CURRENT"))
	if err != nil {
		t.Fatal(err)
	}
	code, _, errOut := command(t, "build", "--config", filepath.Join(data, "onboard.yaml"), "--store", store,
		"--as-of", "2026-11-02", "--max-bad-rows", "0.001")
	if code != exitFailed || !strings.Contains(errOut, "bad row: crm/acme-1.csv:") || !strings.Contains(errOut, "nothing was published") {
		t.Errorf("exit code %d:\n%s", code, errOut)
	}
	after, err := os.ReadFile(filepath.Join(store, "CURRENT"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("CURRENT was %q and is %q, %v", before, after, err)
	}
}

func decode(t *testing.T, s string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), into); err != nil {
		t.Fatalf("%v in %q", err, s)
	}
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%s: %d rows, %v", path, len(rows), err)
	}
	return rows
}

func firstCustomer(t *testing.T, path string) string {
	t.Helper()
	rows := readCSV(t, path)
	if rows[0][0] != "customer_id" {
		t.Fatalf("%s begins with column %s", path, rows[0][0])
	}
	return rows[1][0]
}

// The README's table of bars is that of the last full run.
func TestReadmeHasResults(t *testing.T) {
	read := func(path ...string) string {
		b, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	readme, full := read("README.md"), read("bench", "results", "full.md")
	_, rest, ok := strings.Cut(full, "\n| what | bar |")
	bars, _, _ := strings.Cut(rest, "\n\n## ")
	if n := strings.Count(bars, "\n|"); !ok || n < 15 {
		t.Fatalf("the result has %d bars", n)
	}
	if !strings.Contains(readme, bars) || !strings.Contains(readme, "`make bench-full`") {
		t.Error("the README's table is not that of bench/results/full.md, or does not name the command")
	}
}
