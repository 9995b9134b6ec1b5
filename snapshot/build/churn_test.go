package build

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// churn replaces a share of the rows of a world's link files: the device that a
// row names is another one from then on, or its link is somebody else's. As
// many profile rows of the first tenant lose their email.
func churn(t *testing.T, config string, share float64, seed uint64) (changed, rows int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	for name, data := range tree(t, filepath.Dir(config)) {
		if name == "crm/acme-1.csv" {
			forgetEmails(t, filepath.Join(filepath.Dir(config), name), r, share)
		}
		if !strings.HasPrefix(name, "partners/") && !strings.HasPrefix(name, "site/") {
			continue
		}
		lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
		for i := range lines[1:] {
			rows++
			if r.Float64() >= share {
				continue
			}
			fields := strings.Split(lines[i+1], ",")
			if r.IntN(3) == 0 { // it links somebody else from then on
				fields[0], _, _ = strings.Cut(lines[1+r.IntN(len(lines)-1)], ",")
				lines[i+1] = strings.Join(fields, ",")
				changed++
				continue
			}
			for at := range 2 {
				if space, _, _ := strings.Cut(fields[at], ":"); strings.HasPrefix(space, "cookie.") {
					fields[at] = fmt.Sprintf("%s:%016x", space, r.Uint64())
				} else if space == "maid" {
					fields[at] = fmt.Sprintf("maid:%08x-0000-4000-8000-%012x", r.Uint32(), r.Uint64()>>16)
				} else {
					continue
				}
				changed++
				break
			}
			lines[i+1] = strings.Join(fields, ",")
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(config), name), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return changed, rows
}

// forgetEmails takes the email out of a share of the rows of a profile file.
func forgetEmails(t *testing.T, path string, r *rand.Rand, share float64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := csv.NewReader(bytes.NewReader(data))
	read.FieldsPerRecord = -1
	rows, err := read.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(rows[0], "email")
	for _, row := range rows[1:] {
		if at < len(row) && r.Float64() < share {
			row[at] = ""
		}
	}
	var out bytes.Buffer
	if err := csv.NewWriter(&out).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// With 5 % of the links churned between two builds, at least 99 % of the
// persons, found by their customers, keep their ids and births; so in a chain.
func TestPersonsKeepTheirIDsUnderChurn(t *testing.T) {
	t.Parallel()
	config, _ := generate(t, 3000)
	o := options(config, filepath.Join(t.TempDir(), "store"))
	o.MaxBadRows, o.Workers, o.Shards, o.Previous = 0.05, 2, 4, Current
	run(t, o)
	before, _ := people(t, o.Store)
	steps := 3
	if testing.Short() {
		steps = 1
	}
	for step := range steps {
		changed, rows := churn(t, config, 0.05, uint64(step))
		if changed*100 < rows*4 {
			t.Fatalf("%d of %d rows were churned", changed, rows)
		}
		o.AsOf = testAsOf.AddDate(0, 0, step+1)
		run(t, o)
		now, m := people(t, o.Store)
		at := map[string]*built{}
		for _, p := range now {
			for _, id := range p.ids {
				if strings.HasPrefix(id, "crm.") {
					at[id] = p
				}
			}
		}
		kept, total := 0, 0
		for _, p := range before {
			i := slices.IndexFunc(p.ids, func(id string) bool { return strings.HasPrefix(id, "crm.") })
			if i < 0 || at[p.ids[i]] == nil {
				continue
			}
			if total++; at[p.ids[i]].id == p.id && at[p.ids[i]].born == p.born {
				kept++
			}
		}
		if total < 2500 || kept*100 < total*99 {
			t.Errorf("build %d: %d of %d persons keep their ids; %+v", step, kept, total, m.Lineage)
		}
		before = now
	}
}
