package build

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fails builds over a store that has a snapshot, and fails unless the build
// does, with an error that says each of want, and leaves the store untouched.
func fails(t *testing.T, files map[string]string, edit func(*Options), want ...string) (*Report, error) {
	t.Helper()
	o := options(writeInputs(t, small), filepath.Join(t.TempDir(), "store"))
	run(t, o)
	before := tree(t, o.Store)
	o.Config = writeInputs(t, with(files))
	o.AsOf = testAsOf.AddDate(0, 0, 1)
	if edit != nil {
		edit(&o)
	}
	report, err := Run(context.Background(), o)
	if err == nil {
		t.Fatal("the build succeeds")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v does not say %q", err, w)
		}
	}
	sameTree(t, "failed build", before, tree(t, o.Store))
	return report, err
}

func TestBuildRefuses(t *testing.T) {
	replace := func(file, from, to string) map[string]string {
		if !strings.Contains(small[file], from) {
			t.Fatalf("%s has no %q", file, from)
		}
		return map[string]string{file: strings.Replace(small[file], from, to, 1)}
	}
	const header = "customer_id,email\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		edit  func(*Options)
		want  []string
	}{
		{"no config", nil, func(o *Options) { o.Config += "x" }, []string{"onboard.yamlx"}},
		{"a bad config", replace("onboard.yaml", "version: 1", "version: 2"), nil, []string{"version"}},
		{"no as_of", nil, func(o *Options) { o.AsOf = time.Time{} }, []string{"as_of"}},
		{"an as_of before 1970", nil, func(o *Options) { o.AsOf = time.Unix(-1, 0) }, []string{"as_of"}},
		{"another key", nil, func(o *Options) { o.Secret[0] ^= 1 }, []string{"key"}},
		{"a share of bad rows over 1", nil, func(o *Options) { o.MaxBadRows = 1.1 }, []string{"bad rows"}},
		{"a share of bad rows below 0", nil, func(o *Options) { o.MaxBadRows = -0.1 }, []string{"bad rows"}},
		{"a share of bad rows that is no number", nil, func(o *Options) { o.MaxBadRows = math.NaN() }, []string{"bad rows"}},
		{"workers below 0", nil, func(o *Options) { o.Workers = -1 }, []string{"workers"}},
		{"three shards", nil, func(o *Options) { o.Shards = 3 }, []string{"3 shards"}},
		{"shards below 0", nil, func(o *Options) { o.Shards = -1 }, []string{"-1 shards"}},
		{"snapshots to keep below 0", nil, func(o *Options) { o.Keep = -1 }, []string{"keep"}},
		{"a missing file", replace("onboard.yaml", "links.csv", "link.csv"), nil, []string{"link.csv"}},
		{"an empty file", map[string]string{"crm.csv": ""}, nil, []string{"crm.csv:1", "empty"}},
		{"a column missing", map[string]string{"crm.csv": "email\nann@example.com\n"}, nil, []string{"crm.csv:1", "customer_id"}},
		{"no rows at all", map[string]string{"crm.csv": header, "links.csv": "left,right\n"}, nil, []string{"no rows"}},
		{"no good row", map[string]string{"crm.csv": header + "null,a@example.com\n,\n"}, func(o *Options) { o.MaxBadRows = 1 }, []string{"crm.csv", "none of its 2 rows", "line 2", "customer_id"}},
		{"a file of a later time", replace("onboard.yaml", `{path: "crm.csv"}`, `{path: "crm.csv", as_of: 2027-01-01}`), nil, []string{"crm.csv", "2027-01-01"}},
		{"an open quote", map[string]string{"crm.csv": header + "C-1,\"a@example.com\nC-2,b@example.com\n"}, nil, []string{"crm.csv:2", "quote"}},
	} {
		t.Run(c.name, func(t *testing.T) { fails(t, c.files, c.edit, c.want...) })
	}
}

// Bad rows are named by file, line and reason, and counted; the build goes on
// up to the limit.
func TestBadRows(t *testing.T) {
	files := map[string]string{
		"crm.csv": "customer_id,email,kind,segments,consent_at,consent_expires_at,consent_purposes\n" +
			"C-1,ann@example.com,,,,,\n" +
			"null,bob@example.com,,,,,\n" +
			"C-3,eve@example.com,friend,,,,\n" +
			"C-4,eve@example.com,,,2099-01-01,,\n" +
			"C-5,eve@example.com,,,2026-01-01,2025-01-01,\n" +
			"C-6,eve@example.com,,,,,sell\n" +
			"C-7,not an email,,,,,\n" +
			"C-8,eve@example.com\n",
		"links.csv": "left,right,method,observed_at\n" +
			"cookie.pub:one,crm.acme:C-1,observed,2026-09-01\n" +
			"cookie.pub:${UID},crm.acme:C-1,observed,2026-09-01\n" +
			"cookie.pub:one,cookie.pub:one,observed,2026-09-01\n" +
			"ann@example.com,crm.acme:C-1,observed,2026-09-01\n" +
			"email:ann@example.com,crm.acme:C-1,observed,2026-09-01\n" +
			"cookie.pub:two,crm.acme:C-1,guessed,2026-09-01\n" +
			"cookie.pub:two,crm.acme:C-1,observed,yesterday\n",
	}
	want := `crm.csv:3: column customer_id
crm.csv:4: column kind
crm.csv:5: column consent_at
crm.csv:6: column consent_expires_at
crm.csv:7: column consent_purposes
crm.csv:9: 2 fields
links.csv:3: column left
links.csv:4: columns left and right
links.csv:5: column left
links.csv:6: column left
links.csv:7: column method
links.csv:8: column observed_at`
	check := func(r ReadReport) {
		t.Helper()
		lines := strings.Split(want, "\n")
		if len(r.BadRows) != len(lines) || r.Bad != int64(len(lines)) {
			t.Fatalf("%d bad rows, %d listed, want %d: %v", r.Bad, len(r.BadRows), len(lines), r.BadRows)
		}
		for i, b := range r.BadRows {
			if !strings.HasPrefix(b.String(), lines[i]) || len(b.String()) < len(lines[i]) {
				t.Errorf("bad row %d is %q, want %q", i, b, lines[i])
			}
		}
		if r.ProfileRows != 2 || r.LinkRows != 1 || r.BadFields["email"] != 1 {
			t.Errorf("%d profile rows, %d link rows, bad fields %v", r.ProfileRows, r.LinkRows, r.BadFields)
		}
		if fmt.Sprint(r.Files) != "[{crm.csv crm.acme 2 6} {links.csv pub 1 6}]" {
			t.Errorf("files: %v", r.Files)
		}
	}
	report, err := fails(t, files, func(o *Options) { o.MaxBadRows = 0.79 }, "12 of 15 rows are bad", "79 %", "nothing was published")
	var bad *TooManyBadRowsError
	if !errors.As(err, &bad) || bad.Bad != 12 || bad.Rows != 15 {
		t.Fatalf("%v", err)
	}
	check(report.Read)
	for _, limit := range []float64{0.8, 1} { // 12 of 15 are 0.8
		o := options(writeInputs(t, with(files)), filepath.Join(t.TempDir(), "store"))
		o.MaxBadRows = limit
		report := run(t, o)
		check(report.Read)
		if report.Counts.Profiles != 2 {
			t.Errorf("%d profiles", report.Counts.Profiles)
		}
	}
	fails(t, files, nil, "are bad")
}

// What can be checked without reading the files is checked before a store is
// made.
func TestNoStoreForBadInputs(t *testing.T) {
	edited := func(from, to string) map[string]string {
		return map[string]string{"onboard.yaml": strings.Replace(small["onboard.yaml"], from, to, 1)}
	}
	for name, c := range map[string]struct {
		files map[string]string
		edit  func(*Options)
	}{
		"options":                {nil, func(o *Options) { o.Keep = -1 }},
		"no config":              {nil, func(o *Options) { o.Config += "x" }},
		"a bad config":           {edited("version: 1", "version: 2"), nil},
		"no as_of":               {nil, func(o *Options) { o.AsOf = time.Time{} }},
		"an as_of before 1970":   {nil, func(o *Options) { o.AsOf = time.Unix(-1, 0) }},
		"an as_of too late":      {nil, func(o *Options) { o.AsOf = time.Date(2150, 1, 1, 0, 0, 0, 0, time.UTC) }},
		"a missing file":         {edited("links.csv", "link.csv"), nil},
		"profiles of the future": {edited(`{path: "crm.csv"}`, `{path: "crm.csv", as_of: 2027-01-01}`), nil},
		"links of the future":    {edited(`{path: "links.csv",`, `{path: "links.csv", as_of: 2027-01-01,`), nil},
	} {
		o := options(writeInputs(t, with(c.files)), filepath.Join(t.TempDir(), "store"))
		if c.edit != nil {
			c.edit(&o)
		}
		if _, err := Run(context.Background(), o); err == nil {
			t.Errorf("%s: the build succeeds", name)
		}
		if _, err := os.Stat(o.Store); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: there is a store (%v)", name, err)
		}
	}
}

// A build that is told to stop leaves the store as it was.
func TestCancelledBuild(t *testing.T) {
	o := options(writeInputs(t, small), filepath.Join(t.TempDir(), "store"))
	run(t, o)
	before := tree(t, o.Store)
	stages := 0
	for stop := 0; ; stop++ {
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		o.AsOf = testAsOf.AddDate(0, 0, 1)
		last := ""
		o.Progress = func(p Progress) {
			if p.Stage == last {
				return
			}
			if last = p.Stage; n == stop {
				cancel()
			}
			n++
		}
		_, err := Run(ctx, o)
		cancel()
		if stop >= n {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if err == nil { // told too late
			if stop < 3 {
				t.Fatalf("stopped in stage %d, the build succeeds", stop)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		sameTree(t, fmt.Sprint("stopped in stage ", stop), before, tree(t, o.Store))
		stages++
	}
	if stages < 3 {
		t.Errorf("stopped in %d stages", stages)
	}
}

// Old snapshots are pruned, and never the current one.
func TestKeep(t *testing.T) {
	o := options(writeInputs(t, small), filepath.Join(t.TempDir(), "store"))
	var names []string
	for month := range 4 {
		o.AsOf = testAsOf.AddDate(0, month, 0)
		names = append(names, run(t, o).Snapshot)
	}
	o.AsOf, o.Keep = testAsOf, 2 // the oldest is made current again
	report := run(t, o)
	if report.Snapshot != names[0] || fmt.Sprint(report.Pruned) != fmt.Sprint(names[1:3]) {
		t.Errorf("snapshot %q, pruned %q of %q", report.Snapshot, report.Pruned, names)
	}
	list, err := os.ReadDir(filepath.Join(o.Store, "snapshots"))
	if err != nil || len(list) != 2 || list[0].Name() != names[0] || list[1].Name() != names[3] {
		t.Errorf("left are %v, %v", list, err)
	}
	openCurrent(t, o.Store)
}

// stride is how many steps lie between two that are tried. What is shown here
// is about files, each step of them, and is not what the race detector looks for.
func stride() int {
	if testing.Short() {
		return 5
	}
	return 1
}
