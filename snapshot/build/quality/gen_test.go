package quality

import (
	"encoding/csv"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/matchd/matchd/bench/gen"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot/build/config"
)

// generated makes the files of customers, and returns the options of measuring
// them and the persons of each identifier.
func generated(t testing.TB, customers int) (Options, map[string]string) {
	t.Helper()
	c := gen.DefaultConfig()
	c.Out, c.Customers, c.Seed, c.JunkRows = filepath.Join(t.TempDir(), "data"), customers, 7, 0.02
	if _, err := gen.Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	o := Options{Truth: filepath.Join(c.Out, "truth.csv"), Worst: 3}
	var err error
	if o.Config, err = config.Load(filepath.Join(c.Out, "onboard.yaml")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(o.Truth)
	if err != nil {
		t.Fatal(err)
	}
	list, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	truth := map[string]string{}
	for _, row := range list[1:] {
		truth[row[0]] = row[1]
	}
	return o, truth
}

// grouped lists identifiers by a label, without those that have none.
func grouped(truth map[string]string, label func(id, persons string) string) [][]string {
	by := map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(truth)) {
		if at := label(id, truth[id]); at != "" {
			by[at] = append(by[at], id)
		}
	}
	var out [][]string
	for _, at := range slices.Sorted(maps.Keys(by)) {
		out = append(out, by[at])
	}
	return out
}

// On generated files, persons as they truly are get full marks, everybody alone
// finds nothing, and households together find all, at the cost of precision.
func TestMeasureGenerated(t *testing.T) {
	o, truth := generated(t, 500)
	o.Config.Normalise.Postal = config.PostalNone // so that the truth names every identifier
	due := int64(0)
	household := households(truth)
	for _, c := range []struct {
		name              string
		label             func(id, persons string) string
		precision, recall float64 // -1 is none, 0.5 some
		shared            float64 // recall of shared identifiers
	}{
		{"truth", func(_, persons string) string { return strings.Trim(persons, "|") }, 1, 1, 0},
		{"alone", func(id, _ string) string { return id }, -1, 0, 0},
		{"households", func(id, _ string) string { return household[id] }, 0.5, 1, 1},
	} {
		o.Snapshot = writeSnapshot(t, o.Config, grouped(truth, c.label))
		r, err := Measure(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Snapshot.Close(); err != nil {
			t.Fatal(err)
		}
		u := r.Unshared
		if due == 0 {
			due = u.Due
		}
		precision := float64(u.Precision)
		switch {
		case u.Paired == 0:
			precision = -1
		case u.Found < u.Right && u.Right < u.Paired:
			precision = 0.5
		}
		if precision != c.precision || float64(u.Recall) != c.recall || float64(r.Shared.Recall) != c.shared || u.Due != due || due < 1000 || r.Shared.Due < 100 {
			t.Errorf("%s: unshared %+v, shared %+v", c.name, u, r.Shared)
		}
		if r.Held.Unknown != 0 || r.Held.Unshared != r.Truth.Unshared || r.Input.FalseLinks == 0 || r.Input.AgedLinks == 0 || r.Input.BadRows == 0 || r.Aside.Unshared == 0 {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

// Postal identifiers, which the truth does not name, are of their customers'
// persons: a snapshot of what the truth names misses nothing but their pairs.
func TestPostalGenerated(t *testing.T) {
	o, truth := generated(t, 200)
	o.Snapshot = writeSnapshot(t, o.Config, grouped(truth, func(_, persons string) string { return persons }))
	r, err := Measure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Snapshot.Close(); err != nil {
		t.Fatal(err)
	}
	postal := int64(0)
	for _, n := range r.Namespaces {
		if n.A == index.PostalHash || n.B == index.PostalHash {
			postal += n.Missed
		}
	}
	if m := r.Missed; postal < 200 || m.Pairs != postal || m.Absent != postal || r.Truth.Unshared+r.Truth.Shared <= int64(len(truth)) {
		t.Errorf("%d pairs with a postal identifier missed of %+v; %+v", postal, m, r.Namespaces)
	}
}

// households labels each identifier with one person of those that shared
// identifiers join.
func households(truth map[string]string) map[string]string {
	of := map[string]string{} // by person
	find := func(p string) string {
		for of[p] != "" && of[p] != p {
			p = of[p]
		}
		return p
	}
	for _, persons := range truth {
		list := strings.Split(persons, "|")
		for _, p := range list[1:] {
			a, b := find(list[0]), find(p)
			of[max(a, b)] = min(a, b)
		}
	}
	out := map[string]string{}
	for id, persons := range truth {
		p, _, _ := strings.Cut(persons, "|")
		out[id] = find(p)
	}
	return out
}

// BenchmarkMeasure measures the time and the memory that a measurement holds.
func BenchmarkMeasure(b *testing.B) {
	o, truth := generated(b, 20_000)
	household := households(truth)
	o.Snapshot = writeSnapshot(b, o.Config, grouped(truth, func(id, _ string) string { return household[id] }))
	n := float64(len(truth))
	clear(truth)
	clear(household)
	var g *graph
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	before := heap()
	for b.Loop() {
		in, err := open(&o)
		if err != nil {
			b.Fatal(err)
		}
		if err := in.read(b.Context()); err != nil {
			b.Fatal(err)
		}
		g = newGraph(in)
		if _, err := g.measure(b.Context(), &o); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((heap()-before)/n, "held-B/id")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/id")
	runtime.KeepAlive(g)
	if err := o.Snapshot.Close(); err != nil {
		b.Fatal(err)
	}
}
