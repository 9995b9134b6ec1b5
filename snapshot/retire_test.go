package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/matchd/matchd/index"
)

// hourly publishes n snapshots, an hour apart.
func hourly(t *testing.T, store *Store, n int) (names []string) {
	t.Helper()
	for i := range n {
		m := sampleMeta(byte(i), 1, 1)
		m.AsOf = m.AsOf.Add(time.Duration(i) * time.Hour)
		m.Applied = map[string]uint64{"log": uint64(i)}
		names = append(names, publish(t, store, m, 3).Name)
	}
	return names
}

// inStore are the names in the folder of snapshots, hidden ones too.
func inStore(t *testing.T, store *Store) (names []string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(store.Dir(), snapshotsName))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}

// TestRetire removes what it is told to, and what is left hidden, but nothing
// that a daemon needs.
func TestRetire(t *testing.T) {
	store := newStore(t)
	names := hourly(t, store, 6)
	named := func(i int) Current {
		c, err := store.Named(names[i])
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err := errors.Join(store.Pin(named(1)), store.NoteServed(named(3)), store.NoteServed(named(2))); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{draftPrefix + "new", draftPrefix + names[0], retiredPrefix + "0"} {
		overwriteIn(t, filepath.Join(store.Dir(), snapshotsName, left))
	}
	if _, hidden, err := store.Holds(nil); !hidden || err != nil {
		t.Errorf("nothing is hidden: %v", err)
	}
	gone, err := store.Retire(append(slices.Clone(names), "20200101T000000Z-0123456789ab")...)
	want := []string{names[0], names[3], names[4], "20200101T000000Z-0123456789ab"}
	if err != nil || !slices.Equal(gone, want) {
		t.Errorf("%q are gone, and not %q: %v", gone, want, err)
	}
	if got := inStore(t, store); !slices.Equal(got, []string{names[1], names[2], names[5]}) {
		t.Errorf("left are %q", got)
	}
	kept, hidden, err := store.Holds(names)
	if err != nil || hidden || !slices.Equal(kept, []string{names[1], names[2], names[5]}) {
		t.Errorf("it holds %q, hidden %t: %v", kept, hidden, err)
	}
	if _, err := store.Retire("../secret.key"); err == nil {
		t.Error("a name that leads out of the store")
	}
}

// overwriteIn makes a folder with a file.
func overwriteIn(t *testing.T, dir string) {
	t.Helper()
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "file"), []byte("personal"), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// TestRetireBesideABuild leaves the store to a build that is under way.
func TestRetireBesideABuild(t *testing.T) {
	store := newStore(t)
	names := hourly(t, store, 3)
	draft, err := store.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Retire(names[0]); !errors.Is(err, ErrLocked) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(draft.Dir()); err != nil {
		t.Error(err)
	}
	if err := draft.Close(); err != nil {
		t.Fatal(err)
	}
	if gone, err := store.Retire(names[0]); err != nil || len(gone) != 1 {
		t.Errorf("%q: %v", gone, err)
	}
}

// mortal is a file system that does n changes more and then none.
type mortal struct {
	OS
	n   *int
	ops *[]string
}

var errDead = errors.New("killed")

func (m mortal) do(what string, f func() error) error {
	if *m.n--; *m.n < 0 {
		return errDead
	}
	*m.ops = append(*m.ops, what)
	return f()
}

func (m mortal) Rename(from, to string) error {
	return m.do("rename", func() error { return m.OS.Rename(from, to) })
}

func (m mortal) RemoveAll(name string) error {
	return m.do("remove", func() error { return m.OS.RemoveAll(name) })
}

func (m mortal) SyncDir(dir string) error {
	return m.do("sync", func() error { return m.OS.SyncDir(dir) })
}

// TestRetireKilled is killed before each of its steps: no half of a snapshot is
// ever listed, and the next try, or build, leaves nothing of what was to go.
func TestRetireKilled(t *testing.T) {
	for build := range 2 {
		for steps := 0; ; steps++ {
			store := newStore(t)
			names := hourly(t, store, 4)
			n, ops := steps, []string{}
			dying := &Store{fs: mortal{n: &n, ops: &ops}, dir: store.dir}
			gone, err := dying.Retire(names[0], names[1])
			list, listErr := store.Snapshots()
			if listErr != nil {
				t.Fatal(listErr)
			}
			for _, name := range list {
				c, err := store.Named(name)
				if err == nil {
					var s *Snapshot
					if s, err = store.Open(c, Map); err == nil {
						err = s.Close()
					}
				}
				if err != nil {
					t.Errorf("%d steps: %s is listed: %v", steps, name, err)
				}
			}
			if err == nil {
				if len(gone) != 2 || ops[len(ops)-1] != "sync" {
					t.Errorf("%q after %q", gone, ops)
				}
				break
			}
			if build == 1 {
				draft, err := store.Begin()
				if err = errors.Join(err, draft.Close()); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := store.Retire(names[0], names[1]); err != nil {
				t.Fatal(err)
			}
			if got := inStore(t, store); !slices.Equal(got, names[2:]) {
				t.Errorf("%d steps: %q are left", steps, got)
			}
		}
	}
}

// TestReadManifest reads what a snapshot says to contain of a log, without the
// rest of it, and refuses a manifest that is damaged.
func TestReadManifest(t *testing.T) {
	store := newStore(t)
	names := hourly(t, store, 2)
	c, err := store.Named(names[1])
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(store.Dir(), snapshotsName, c.Name)
	if err := os.Remove(filepath.Join(dir, "index-0000")); err != nil {
		t.Fatal(err)
	}
	if m, err := store.ReadManifest(c); err != nil || m.Applied["log"] != 1 {
		t.Errorf("%v: %v", m.Applied, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(filepath.Join(dir, manifestName), b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := store.ReadManifest(c); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v", err)
	}
}

// TestContains finds each identifier of a snapshot, and no other.
func TestContains(t *testing.T) {
	store, cur, _ := sampleStore(t, 50)
	s, err := store.Open(cur, Map)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, p := range samplePersons(t, sampleDicts(t), 50) {
		for _, n := range p.Nodes {
			if there, err := s.Contains(n.Hash); !there || err != nil {
				t.Errorf("%v: %t, %v", n.Hash, there, err)
			}
			other := index.Hash{Hi: n.Hash.Hi, Lo: n.Hash.Lo ^ 1}
			if there, err := s.Contains(other); there || err != nil {
				t.Errorf("%v: %t, %v", other, there, err)
			}
		}
	}
}
