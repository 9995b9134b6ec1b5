package build

import (
	"bytes"
	"encoding/csv"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot"
)

// shuffled copies the inputs of a generated world with the rows of each file
// in another order, and the files under other names in another order.
func shuffled(t *testing.T, config string, seed uint64) string {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	from, to := filepath.Dir(config), t.TempDir()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	for name, data := range tree(t, from) {
		if !strings.HasSuffix(name, ".csv") || name == "truth.csv" {
			continue
		}
		lines := strings.SplitAfter(string(data), "\n")
		rows := lines[1 : len(lines)-1]
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		other := strings.Join(lines, "")
		if len(rows) > 10 && other == string(data) {
			t.Fatalf("%s was not shuffled", name)
		}
		path := string(rune('z'-moved)) + "-" + strings.ReplaceAll(name, "/", "-")
		if !bytes.Contains(text, []byte(`"`+name+`"`)) {
			t.Fatalf("the config does not name %s", name)
		}
		text = bytes.ReplaceAll(text, []byte(`"`+name+`"`), []byte(`"`+path+`"`))
		if err := os.WriteFile(filepath.Join(to, path), []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		moved++
	}
	if moved < 8 {
		t.Fatalf("%d files were shuffled", moved)
	}
	return writeConfig(t, filepath.Join(to, "onboard.yaml"), reversed(t, string(text)))
}

// contradict adds rows to a profile file that say of every fifth customer
// something else than the row before does: other segments, or another consent.
func contradict(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	segments, at := slices.Index(rows[0], "segments"), slices.Index(rows[0], "consent_at")
	if segments < 0 || at < 0 {
		t.Fatalf("the columns are %q", rows[0])
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	for i := 1; i < len(rows); i += 5 {
		row := slices.Clone(rows[i])
		if i%2 == 0 {
			row[segments] = "vip|zebra"
		} else {
			row[at] = "2026-10-0" + strconv.Itoa(1+i%9)
		}
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	if err := os.WriteFile(path, append(data, out.Bytes()...), 0o600); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func writeConfig(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// reversed turns the lists of a generated config round: the declared
// namespaces, the profiles of a tenant, the links.
func reversed(t *testing.T, text string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	kind := func(s string) string {
		for _, prefix := range []string{"  - cookie.", "      - {path", "  - {path"} {
			if strings.HasPrefix(s, prefix) {
				return prefix
			}
		}
		return ""
	}
	var out []string
	turned := 0
	for i := 0; i < len(lines); {
		n := 1
		for kind(lines[i]) != "" && i+n < len(lines) && kind(lines[i+n]) == kind(lines[i]) {
			n++
		}
		for k := range n {
			out = append(out, lines[i+n-1-k])
		}
		if n > 1 {
			turned++
		}
		i += n
	}
	if turned < 4 {
		t.Fatalf("%d lists were turned round in\n%s", turned, text)
	}
	return strings.Join(out, "\n") + "\n"
}

// The same rows make the same bytes, of the snapshot and of what stands beside
// it, whatever the order of rows and files, their names, the number of cores,
// the memory, and where spill files go: in a first build, and in a second one
// that has it as its previous.
func TestShuffledInputsAreByteIdentical(t *testing.T) {
	config, _ := generate(t, 1500)
	contradict(t, filepath.Join(filepath.Dir(config), "crm", "acme-1.csv"))
	appendTo(t, config, "resolution: {max_identifiers: 8, max_customers_per_device: 2, max_customers_per_contact: 2, max_connected: 25}\n")
	const none, little, plenty = 0, 2 << 20, 1 << 40
	for _, shards := range []int{1, 4} {
		if testing.Short() && shards == 1 {
			continue
		}
		var first map[string][]byte
		for i, c := range []struct {
			what    string
			config  string
			workers int
			procs   int
			memory  int64
			tmp     bool
		}{
			{"as it is", config, 1, 1, plenty, false},
			{"as it is, 2 cores, no memory", config, 2, 2, none, true},
			{"shuffled", shuffled(t, config, 1), 1, 2, none, false},
			{"shuffled, 2 cores, little memory", shuffled(t, config, 2), 2, 2, little, false},
			{"shuffled, 5 workers, little memory", shuffled(t, config, 3), 5, 1, little, true},
		} {
			if testing.Short() && i > 0 && c.procs == 1 {
				continue
			}
			procs := runtime.GOMAXPROCS(c.procs)
			o := options(c.config, filepath.Join(t.TempDir(), "store"))
			o.Workers, o.Shards, o.MaxBadRows = c.workers, shards, 0.05
			o.newSpace = new(spillDisk).newSpace(c.memory)
			if c.tmp {
				o.Tmp = t.TempDir()
			}
			report := run(t, o)
			o.AsOf, o.Previous = testAsOf.AddDate(0, 7, 0), Current
			again := run(t, o)
			runtime.GOMAXPROCS(procs)
			emptyDir(t, c.what, o.Tmp)
			if spilled, all := report.Spilled, int64(3<<20); (c.memory == plenty) != (spilled == 0) || c.memory == none && spilled < all || c.memory == little && spilled >= all {
				t.Fatalf("%s: %d bytes were spilled", c.what, spilled)
			}
			files := tree(t, o.Store)
			if i > 0 {
				sameTree(t, c.what, first, files)
				continue
			}
			first = files
			if report.Counts.Persons < 800 || report.Counts.Spares == 0 || report.Merged == 0 || report.Read.Bad == 0 || len(report.Cuts) < 6 || again.Lineage.Kept < 800 {
				t.Fatalf("the world is too simple: %+v, %+v", report, again.Lineage)
			}
			for _, name := range []string{snapshot.ReportJSON, snapshot.ReportHTML, snapshot.QuarantineJSON} {
				if len(files[filepath.Join("snapshots", report.Snapshot, name)]) < 1000 {
					t.Fatalf("%s is too short", name)
				}
			}
		}
	}
}

// Whatever counts is in the snapshot's id: a row more, a row twice, another
// word in a row, another time, another setting of the config.
func TestOtherInputsAreAnotherSnapshot(t *testing.T) {
	seen := map[string]string{}
	build := func(what string, files map[string]string, edit func(*Options)) {
		t.Helper()
		o := options(writeInputs(t, with(files)), filepath.Join(t.TempDir(), "store"))
		if edit != nil {
			edit(&o)
		}
		name := run(t, o).Snapshot
		if other, ok := seen[name]; ok {
			t.Errorf("%s makes the same snapshot as %s", what, other)
		}
		seen[name] = what
	}
	edit := func(file, from, to string) map[string]string {
		t.Helper()
		if !strings.Contains(small[file], from) {
			t.Fatalf("%s has no %q", file, from)
		}
		return map[string]string{file: strings.Replace(small[file], from, to, 1)}
	}
	build("the small world", nil, nil)
	build("another time", nil, func(o *Options) { o.AsOf = o.AsOf.AddDate(0, 0, 1) })
	build("another key", nil, func(o *Options) { o.Secret[0] ^= 1 })
	build("more shards", nil, func(o *Options) { o.Shards = 2 })
	build("a row more", edit("crm.csv", "C-3,", "C-4,zoe@example.com,,,\nC-3,"), nil)
	build("a row twice", edit("crm.csv", "C-3,", "C-3,eve@example.com,+33612345678,,\nC-3,"), nil)
	build("another email", edit("crm.csv", "ann@", "anna@"), nil)
	build("another phone", edit("crm.csv", "+33612345678", "+33612345679"), nil)
	build("another segment", edit("crm.csv", ",vip,", ",gold,"), nil)
	build("another consent", edit("crm.csv", "2026-01-05", "2026-01-06"), nil)
	build("a consent less", edit("crm.csv", "2026-01-05", ""), nil)
	build("another customer", edit("crm.csv", "C-3", "c-3"), nil)
	build("another method", edit("links.csv", "inferred", "observed"), nil)
	build("another day", edit("links.csv", "2026-09-03", "2026-09-04"), nil)
	build("another cookie", edit("links.csv", "pub:two", "pub:Two"), nil)
	build("another source", edit("onboard.yaml", "source: pub", "source: sub"), nil)
	build("another party", edit("onboard.yaml", "party: second", "party: third"), nil)
	build("another basis", edit("onboard.yaml", "- name: acme", "- name: acme\n    legal_basis: contract"), nil)
	build("a previous snapshot", nil, func(o *Options) {
		before := *o
		before.AsOf = o.AsOf.AddDate(0, -1, 0)
		run(t, before)
		o.Previous = Current
	})
	build("anonymous persons", edit("onboard.yaml", "version: 1", "version: 1\nkeep_anonymous: true"), nil)
}
