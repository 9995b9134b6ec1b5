package quality

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot/build/config"
)

// The counts of small random worlds are those of a model that looks at every
// pair. One world in thirty has what is rarest, so worlds are drawn until
// everything was seen.
func TestMeasureAgreesWithEveryPair(t *testing.T) {
	dir := t.TempDir()
	due, wrong, missed, aside, sharing := int64(0), int64(0), int64(0), int64(0), int64(0)
	agrees := func(t *rapid.T) {
		d := drawWorld(t)
		got := d.measure(t, dir)
		want := d.world.expected()
		checkWorst(t, &d.world, got)
		got.sort()
		// What the model does not say.
		got.Snapshot, got.AsOf = "", want.AsOf
		want.Input.BadRows = d.badRows
		got.Input.ProfileRows, got.Input.LinkRows = 0, 0
		for i := range got.Mixed {
			got.Mixed[i].Examples = nil
		}
		for i := range got.Torn {
			got.Torn[i].Examples = nil
		}
		if g, w := asJSON(t, got), asJSON(t, want); g != w {
			t.Fatalf("world %+v\n got %s\nwant %s", d.world, g, w)
		}
		due, wrong, missed = due+want.Unshared.Due, wrong+want.Wrong.Pairs, missed+want.Missed.Pairs
		aside, sharing = aside+want.Aside.Unshared, sharing+want.Wrong.BySharing*want.Missed.BySharing
	}
	all := func() bool { return due > 0 && wrong > 0 && missed > 0 && aside > 0 && sharing > 0 }
	for round := 0; round == 0 || round < 50 && !all() && !t.Failed(); round++ {
		rapid.Check(t, agrees)
	}
	if !all() {
		t.Errorf("the worlds have %d pairs due, %d wrong, %d missed, %d aside, %d by sharing: they test nothing", due, wrong, missed, aside, sharing)
	}
}

func asJSON(t rapid.TB, r *Report) string {
	t.Helper()
	r.Namespaces, r.Mixed, r.Torn = slices.Clip(r.Namespaces), slices.Clip(r.Mixed), slices.Clip(r.Torn)
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("null", "[]").Replace(string(b))
}

// checkWorst checks the order of the lists, and that examples are of different
// parts as long as there are any.
func checkWorst(t rapid.TB, w *world, r *Report) {
	t.Helper()
	if !slices.IsSortedFunc(r.Mixed, func(x, y Mixed) int { return int(y.Wrong - x.Wrong) }) ||
		!slices.IsSortedFunc(r.Torn, func(x, y Torn) int { return int(y.Missed - x.Missed) }) {
		t.Fatalf("not the worst first: %+v %+v", r.Mixed, r.Torn)
	}
	for _, m := range r.Mixed {
		persons := map[string]bool{}
		at := slices.IndexFunc(w.persons, func(p []string) bool { return slices.Contains(p, m.Examples[0]) })
		for _, id := range m.Examples {
			if at < 0 || !slices.Contains(w.persons[at], id) || len(w.owners(id)) != 1 {
				t.Fatalf("example %s of %+v", id, m)
			}
			persons[w.owners(id)[0]] = true
		}
		unshared := int(m.Identifiers - m.Shared - m.Unknown)
		if len(m.Examples) != min(examples, unshared) || len(persons) != min(examples, int(m.Persons)) {
			t.Fatalf("examples of %d persons: %+v", len(persons), m)
		}
	}
	for _, x := range r.Torn {
		pieces := map[int]bool{}
		for _, id := range x.Examples {
			if !slices.Equal(w.owners(id), []string{x.Person}) {
				t.Fatalf("example %s of %+v", id, x)
			}
			pieces[slices.IndexFunc(w.persons, func(p []string) bool { return slices.Contains(p, id) })] = true
		}
		if len(x.Examples) != min(examples, int(x.Identifiers)) || len(pieces) != min(examples, int(x.Pieces+min(x.Absent, 1))) {
			t.Fatalf("examples of %d pieces: %+v", len(pieces), x)
		}
	}
}

// What there is nothing of has no share, which JSON shows as null.
func TestRatioOfNothing(t *testing.T) {
	s := Score{Due: 4, Found: 1}
	s.rate()
	if !math.IsNaN(float64(s.Precision)) || s.Recall != 0.25 || !math.IsNaN(float64(s.F1)) || s.Precision >= 0.999 {
		t.Errorf("score %+v", s)
	}
	b, err := json.Marshal(s)
	if err != nil || !strings.Contains(string(b), `"precision":null,"recall":0.25`) {
		t.Errorf("%s, %v", b, err)
	}
	var back Score
	if err := json.Unmarshal(b, &back); err != nil || !math.IsNaN(float64(back.Precision)) || back.Recall != 0.25 {
		t.Errorf("%+v, %v", back, err)
	}
	s = Score{Paired: 1, Due: 1}
	if s.rate(); s.F1 != 0 {
		t.Errorf("score %+v", s)
	}
}

func TestTruthErrors(t *testing.T) {
	ns, err := index.NewNamespaces(index.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	const maid = "maid:6d92078a-8246-4ba4-ae5b-76104861e7dc"
	for in, want := range map[string]string{
		"":                                      "the file is empty; it needs a header row",
		"identifier,person\n":                   "line 1: the header needs the columns identifier and persons",
		"identifier,persons\nx,p\n":             "line 2: column identifier: not an identifier: no colon between namespace and value",
		"identifier,persons\nx:y,p\n":           "line 2: column identifier: not an identifier: unknown namespace, not among those declared",
		"identifier,persons\n" + maid + ",\n":   "line 2: column persons: a name is empty; leave the row out where nobody is known",
		"identifier,persons\n" + maid + ",p|\n": "line 2: column persons: a name is empty; leave the row out where nobody is known",
		"identifier,persons\n" + maid + ",p\n" + strings.Replace(maid, "6d92", "6D92", 1) + ",q\n":   "line 3: column identifier: it is given twice; keep one row, with all its persons",
		"identifier,persons\n" + maid + ",p\n" + strings.Replace(maid, "6d92", "7d92", 1) + ",q,r\n": "line 3: record on line 3: wrong number of fields",
	} {
		if err := newIDs(ns).read(strings.NewReader(in)); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", in, err, want)
		}
	}
	ids := newIDs(ns)
	if err := ids.read(strings.NewReader("identifier,persons\n" + maid + ",q|p|q\n")); err != nil || len(ids.of(0)) != 2 || ids.text(0) != maid {
		t.Errorf("%+v, %v", ids, err)
	}
}

// A snapshot of another config, and an identifier that comes twice, are
// refused: the figures would mean nothing.
func TestSnapshotErrors(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"onboard.yaml": "version: 1\nnamespaces: [cookie.pub]\ntenants: [{name: acme, profiles: [{path: crm.csv}]}]\n",
		"crm.csv":      "customer_id\nC-1\n",
		"truth.csv":    "identifier,persons\ncrm.acme:C-1,p\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(filepath.Join(dir, "onboard.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	snap := writeSnapshot(t, cfg, [][]string{{"crm.acme:C-1"}, {"cookie.pub:x"}})
	o := Options{Config: cfg, Truth: filepath.Join(dir, "truth.csv"), Snapshot: snap}
	in, err := open(&o)
	if err != nil {
		t.Fatal(err)
	}
	p := newPrecision(newGraph(in), &Report{}, in.empty.known.ns)
	if err := p.take([]uint32{0}, 0); err != nil {
		t.Fatal(err)
	}
	if err := p.take([]uint32{0}, 0); err != errTwice {
		t.Errorf("error %v, want %v", err, errTwice)
	}
	cfg.Namespaces[0].Name = "cookie.other"
	if _, err := Measure(t.Context(), o); err == nil || !strings.Contains(err.Error(), "namespace cookie.pub is not as in the config") {
		t.Errorf("error %v", err)
	}
	if err := snap.Close(); err != nil {
		t.Fatal(err)
	}
}
