package snapshot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Publishing makes a snapshot current; publishing the same again changes
// nothing, and an older one may be made current again.
func TestPublish(t *testing.T) {
	store := newStore(t)
	first := sampleMeta(1, 1, 1)
	a := publish(t, store, first, 20)
	if got := current(t, store); got != a.Name {
		t.Fatalf("current is %s, want %s", got, a.Name)
	}
	again := publish(t, store, first, 20)
	if again.Name != a.Name || again.Manifest.String() != a.Manifest.String() {
		t.Fatalf("published again it is %+v, not %+v", again, a)
	}
	second := sampleMeta(2, 1, 1)
	second.AsOf = second.AsOf.Add(time.Hour)
	b := publish(t, store, second, 30)
	if got := current(t, store); got != b.Name {
		t.Fatalf("current is %s, want %s", got, b.Name)
	}
	publish(t, store, first, 20)
	if got := current(t, store); got != a.Name {
		t.Fatalf("current is %s, want %s", got, a.Name)
	}
	// Other bytes under the same id, as another version of matchd may write
	// them, have a name of their own and leave what is current where it is.
	other := publish(t, store, first, 21)
	if other.Name == a.Name {
		t.Fatalf("two snapshots have the name %s", a.Name)
	}
	if _, err := store.Open(a, Map); err != nil {
		t.Fatalf("the one before: %v", err)
	}
	list, err := store.Snapshots()
	if err != nil || !slices.Equal(list, slices.Sorted(slices.Values([]string{a.Name, b.Name, other.Name}))) {
		t.Fatalf("snapshots are %q, %v", list, err)
	}
}

// A folder of the snapshot's name that is damaged is replaced.
func TestPublishRepairs(t *testing.T) {
	store, cur, files := sampleStore(t, 50)
	dir := filepath.Join(store.Dir(), snapshotsName, cur.Name)
	for what, harm := range map[string]func() error{
		"flipped": func() error {
			b := slices.Clone(files["index-0000"])
			b[100] ^= 1
			return os.WriteFile(filepath.Join(dir, "index-0000"), b, 0o644)
		},
		"cut":     func() error { return os.Truncate(filepath.Join(dir, "records-0001"), 64) },
		"missing": func() error { return os.Remove(filepath.Join(dir, manifestName)) },
		"empty":   func() error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)) },
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Open(cur, Map); err == nil {
			t.Fatalf("%s: the damage does not show", what)
		}
		publish(t, store, sampleMeta(1, 2, 2), 50)
		current(t, store)
		for name, data := range readDir(t, dir) {
			if string(data) != string(files[name]) {
				t.Errorf("%s: %s was not repaired", what, name)
			}
		}
		if list, err := os.ReadDir(filepath.Join(store.Dir(), snapshotsName)); err != nil || len(list) != 1 {
			t.Errorf("%s: left are %v, %v", what, list, err)
		}
	}
}

// Prune keeps the newest, and always the current one; what is no snapshot it
// does not touch.
func TestPrune(t *testing.T) {
	for _, c := range []struct {
		keep, current int
		want          []int
	}{
		{1, 4, []int{4}}, {1, 0, []int{0}}, {2, 0, []int{0, 4}}, {2, 4, []int{3, 4}}, {3, 2, []int{2, 3, 4}}, {9, 1, []int{0, 1, 2, 3, 4}}, {0, 3, []int{3}},
	} {
		t.Run(fmt.Sprint("keep ", c.keep, " current ", c.current), func(t *testing.T) {
			store := newStore(t)
			var names []string
			build := func(i int) {
				m := sampleMeta(byte(i), 1, 1)
				m.AsOf = m.AsOf.Add(time.Duration(i) * time.Hour)
				names = append(names, publish(t, store, m, 3).Name)
			}
			for i := range 5 {
				build(i)
			}
			build(c.current)
			if err := os.Mkdir(filepath.Join(store.Dir(), snapshotsName, "notes"), 0o755); err != nil {
				t.Fatal(err)
			}
			draft, err := store.Begin()
			if err != nil {
				t.Fatal(err)
			}
			pruned, err := draft.Prune(c.keep)
			if err = errors.Join(err, draft.Close()); err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, i := range c.want {
				want = append(want, names[i])
			}
			left, err := store.Snapshots()
			if err != nil || !slices.Equal(left, want) || len(pruned)+len(left) != 5 {
				t.Errorf("left are %q, pruned %q (%v), want %q left", left, pruned, err, want)
			}
			current(t, store)
			if _, err := os.Stat(filepath.Join(store.Dir(), snapshotsName, "notes")); err != nil {
				t.Error(err)
			}
		})
	}
}

// The writer refuses what the format cannot hold.
func TestWriterRefuses(t *testing.T) {
	d := sampleDicts(t)
	for what, harm := range map[string]func(p *Person){
		"no identifiers":         func(p *Person) { p.Nodes = nil },
		"a parent after it":      func(p *Person) { p.Nodes[1].Parent = 1 },
		"a root with a parent":   func(p *Person) { p.Nodes[0].Parent = 1 },
		"a namespace":            func(p *Person) { p.Nodes[1].Namespace = 99 },
		"a method":               func(p *Person) { p.Nodes[1].Method = 4 },
		"a source":               func(p *Person) { p.Nodes[1].Source = 3 },
		"a day after as_of":      func(p *Person) { p.Nodes[1].Seen = MaxDay },
		"a day before oldest":    func(p *Person) { p.Nodes[1].Seen = 1 },
		"a value":                func(p *Person) { p.Nodes[1].Value = make([]byte, 513) },
		"a spare to itself":      func(p *Person) { p.Spares = []Spare{{A: 1, B: 1, Seen: p.Nodes[0].Seen}} },
		"a spare to nothing":     func(p *Person) { p.Spares = []Spare{{A: 1, B: 99, Seen: p.Nodes[0].Seen}} },
		"a link the wrong way":   func(p *Person) { p.Links[0].A, p.Links[0].B = 1, 0 },
		"a link's days":          func(p *Person) { p.Links[0].First = p.Links[0].Last + 1 },
		"a profile's identifier": func(p *Person) { p.Profiles[0].Node = 99 },
		"a profile's tenant":     func(p *Person) { p.Profiles[0].Tenant = 2 },
		"a segment":              func(p *Person) { p.Profiles[0].Segments = []uint32{3} },
		"segments out of order":  func(p *Person) { p.Profiles[0].Segments = []uint32{1, 0} },
		"a segment twice":        func(p *Person) { p.Profiles[0].Segments = []uint32{1, 1} },
	} {
		persons := samplePersons(t, d, 20)
		p := persons[slices.IndexFunc(persons, func(p *Person) bool { return len(p.Nodes) > 3 })]
		harm(p)
		w, err := NewWriter(memFS{}, "", sampleMeta(1, 1, 1), d)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteRecords(0, slices.Values([]*Person{p})); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	persons := samplePersons(t, d, 20)
	for what, list := range map[string][]*Person{
		"out of order":  {persons[1], persons[0]},
		"twice":         {persons[0], persons[0]},
		"another shard": {persons[19]},
	} {
		w, err := NewWriter(memFS{}, "", sampleMeta(1, 4, 4), d)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteRecords(0, slices.Values(list)); err == nil {
			t.Errorf("persons %s: accepted", what)
		}
		if _, _, err := w.Finish(); err == nil {
			t.Errorf("persons %s: a snapshot without all its files is finished", what)
		}
	}
}

// Verify sees what checksums cannot: parts that were written wrong.
func TestVerifyRefuses(t *testing.T) {
	files, hash := sampleFiles(t, 1, 1, 100)
	hasher := IdentifierHasher(sampleSecret())
	s := openSample(t, files, hash)
	other := sampleSecret()
	other[0] ^= 1
	if err := s.Verify(IdentifierHasher(other)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("under another key: %v", err)
	}
	for what, edit := range map[string]func(tag string, b []byte){
		"an entry's address": func(tag string, b []byte) {
			if tag == sectionTable {
				b[7] ^= 1
			}
		},
		"an entry's tag": func(tag string, b []byte) {
			if tag == sectionTable {
				b[0] ^= 1
			}
		},
		"an empty filter": func(tag string, b []byte) {
			if tag == sectionFilter {
				clear(b)
			}
		},
		"a record": func(tag string, b []byte) {
			if tag == sectionHot {
				b[recordHead] ^= 1
			}
		},
		"a cold block": func(tag string, b []byte) {
			if tag == sectionCold {
				b[0] ^= 1
			}
		},
		"the number of entries": func(tag string, b []byte) {
			if tag == sectionParams {
				b[16]++
			}
		},
	} {
		bad := reseal(t, files, func(_, tag string, b []byte) []byte { edit(tag, b); return b })
		s, err := OpenBytes(bad, nil)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := s.Verify(hasher); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The manifest's counts are those of what is there, each of them.
func TestVerifyComparesCounts(t *testing.T) {
	files, _ := sampleFiles(t, 1, 1, 100)
	hasher := IdentifierHasher(sampleSecret())
	for what, harm := range map[string]func(c *Counts){
		"nothing":      func(*Counts) {},
		"identifiers":  func(c *Counts) { c.Identifiers++ },
		"persons":      func(c *Counts) { c.Persons++ },
		"profiles":     func(c *Counts) { c.Profiles++ },
		"links":        func(c *Counts) { c.Links++ },
		"spares":       func(c *Counts) { c.Spares++ },
		"largest":      func(c *Counts) { c.Largest++ },
		"by namespace": func(c *Counts) { c.ByNamespace["maid"]++ },
		"by tenant":    func(c *Counts) { c.ByTenant["acme"]-- },
	} {
		s, err := OpenBytes(files, nil)
		if err != nil {
			t.Fatal(err)
		}
		harm(&s.Counts)
		if err := s.Verify(hasher); (err == nil) != (what == "nothing") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Of snapshots of one time, the last ones written stay, whatever their names.
func TestPruneOfOneTime(t *testing.T) {
	store := newStore(t)
	var written []string
	for i := range 6 {
		draft, err := store.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if err := draft.Close(); err != nil {
			t.Fatal(err)
		}
		name := publish(t, store, sampleMeta(1, 1, 1), 3+i).Name
		at := time.Unix(1_700_000_000+int64(i), 0)
		if err := os.Chtimes(filepath.Join(store.Dir(), snapshotsName, name), at, at); err != nil {
			t.Fatal(err)
		}
		written = append(written, name)
	}
	list, err := store.Snapshots()
	if err != nil || !slices.Equal(list, written) {
		t.Fatalf("listed as %q, %v; written as %q", list, err, written)
	}
	draft, err := store.Begin()
	if err != nil {
		t.Fatal(err)
	}
	draft.before = written[0] // as if it had been current before this build
	pruned, err := draft.Prune(3)
	if err = errors.Join(err, draft.Close()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(pruned, written[1:4]) {
		t.Errorf("pruned %q of %q", pruned, written)
	}
}
