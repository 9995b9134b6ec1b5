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
	long := time.Unix(1_700_000_000, 0)
	if err := os.Chtimes(filepath.Join(store.Dir(), snapshotsName, a.Name), long, long); err != nil {
		t.Fatal(err)
	}
	list, err := store.Snapshots()
	if err != nil || !slices.Equal(list, []string{a.Name, other.Name, b.Name}) {
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

// A snapshot may have files beside its own: it opens with them, they are kept
// as long as it is, and a build that makes it again brings its own.
func TestFilesBeside(t *testing.T) {
	store := newStore(t)
	put := func(text string) Current {
		draft, err := store.Begin()
		if err != nil {
			t.Fatal(err)
		}
		d := sampleDicts(t)
		m, hash := writeSnapshot(t, OS{}, draft.Dir(), sampleMeta(1, 1, 1), d, samplePersons(t, d, 20))
		for _, name := range []string{ReportJSON, ReportHTML, QuarantineJSON} {
			overwrite(t, filepath.Join(draft.Dir(), name), []byte(name+text))
		}
		cur, err := draft.Publish(m, hash)
		if err = errors.Join(err, draft.Close()); err != nil {
			t.Fatal(err)
		}
		return cur
	}
	for _, text := range []string{"first", "second"} {
		cur := put(text)
		current(t, store)
		files := readDir(t, filepath.Join(store.Dir(), snapshotsName, cur.Name))
		for _, name := range []string{ReportJSON, ReportHTML, QuarantineJSON} {
			if got := string(files[name]); got != name+text {
				t.Errorf("%s holds %q after the %s build", name, got, text)
			}
		}
	}
}
