package snapshot

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/matchd/matchd/index"
)

// overwrite replaces a file of a store, as no part of matchd does.
func overwrite(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// newStore makes an empty store under the sample secret.
func newStore(t testing.TB) *Store {
	t.Helper()
	secret := sampleSecret()
	s, err := CreateStore(OS{}, filepath.Join(t.TempDir(), "store"), &secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// publish publishes a snapshot of n persons.
func publish(t testing.TB, store *Store, m Meta, n int) Current {
	t.Helper()
	draft, err := store.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := draft.Close(); err != nil {
			t.Error(err)
		}
	}()
	d := sampleDicts(t)
	manifest, hash := writeSnapshot(t, OS{}, draft.Dir(), m, d, samplePersons(t, d, n))
	cur, err := draft.Publish(manifest, hash)
	if err != nil {
		t.Fatal(err)
	}
	return cur
}

// sampleStore is a store with one snapshot of n persons, and its files.
func sampleStore(t testing.TB, n int) (*Store, Current, map[string][]byte) {
	t.Helper()
	store := newStore(t)
	cur := publish(t, store, sampleMeta(1, 2, 2), n)
	return store, cur, readDir(t, filepath.Join(store.Dir(), snapshotsName, cur.Name))
}

// readDir reads all files of a folder, of which there must be some.
func readDir(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil || len(list) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(list), err)
	}
	files := map[string][]byte{}
	for _, e := range list {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// current opens the store's current snapshot and returns its name.
func current(t testing.TB, store *Store) string {
	t.Helper()
	cur, err := store.Current()
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(cur, Map)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return cur.Name
}

func TestSecretFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	secret := sampleSecret()
	good := FormatSecret(secret)
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadSecret(path); err != nil || got != secret {
		t.Errorf("a secret is read as %x (%v)", got, err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSecret(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
		if _, err := OpenStore(filepath.Dir(path)); err == nil {
			t.Error("a folder without a secret is opened as a store")
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "x", string(good[:len(good)-2]), string(good) + "\n", "other" + string(good), strings.Replace(string(good), " 1 ", " 2 ", 1), strings.Replace(string(good), "0", "g", 1)} {
		overwrite(t, path, []byte(bad))
		_, err := ReadSecret(path)
		if err == nil {
			t.Errorf("%q is read as a key", bad)
		} else if strings.Contains(err.Error(), "0001020304") {
			t.Errorf("the error %v shows the key", err)
		}
	}
}

func TestCreateStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "store")
	first, err := CreateStore(OS{}, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := first.Secret()
	if err != nil || made == [32]byte{} {
		t.Fatalf("the new store's secret is %x (%v)", made, err)
	}
	info, err := os.Stat(filepath.Join(dir, secretName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the secret's mode is %v (%v)", info.Mode(), err)
	}
	if _, err := first.Current(); !errors.Is(err, ErrNoSnapshot) {
		t.Errorf("a new store's current snapshot: %v", err)
	}
	again, err := CreateStore(OS{}, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := again.Secret(); err != nil || same != made {
		t.Errorf("opened again, the secret is %x (%v)", same, err)
	}
	other := sampleSecret()
	if _, err := CreateStore(OS{}, dir, &other); err == nil || !strings.Contains(err.Error(), made.ID()) || !strings.Contains(err.Error(), other.ID()) {
		t.Errorf("another key: %v", err)
	}
}

// Of builds that make a store at once, those that are not refused have one
// key, the store's.
func TestStoreIsMadeOnce(t *testing.T) {
	for range 20 {
		dir := filepath.Join(t.TempDir(), "store")
		var wg sync.WaitGroup
		secrets, errs := make([]index.Secret, 8), make([]error, 8)
		for i := range secrets {
			wg.Go(func() {
				s, err := CreateStore(OS{}, dir, nil)
				if err == nil {
					secrets[i], err = s.Secret()
				}
				errs[i] = err
			})
		}
		wg.Wait()
		s, err := OpenStore(dir)
		if err != nil {
			t.Fatal(err, errs)
		}
		want, err := s.Secret()
		if err != nil {
			t.Fatal(err)
		}
		made := 0
		for i := range secrets {
			if errs[i] == nil {
				made++
				if secrets[i] != want {
					t.Fatalf("a build has key %s, the store %s", secrets[i].ID(), want.ID())
				}
			}
		}
		if made == 0 {
			t.Fatalf("all were refused: %v", errs)
		}
	}
}

// A store whose key is lost is not given a new one, which would make its
// snapshots unreadable for good.
func TestLostSecretIsNotReplaced(t *testing.T) {
	for name, current := range map[string]func([]byte) []byte{
		"sound":   func(b []byte) []byte { return b },
		"damaged": func(b []byte) []byte { return b[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			store, _, _ := sampleStore(t, 5)
			if err := os.Remove(filepath.Join(store.Dir(), secretName)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(store.Dir(), currentName)
			line, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, path, current(line))
			if _, err := CreateStore(OS{}, store.Dir(), nil); err == nil {
				t.Error("a new key was made")
			}
			if _, err := os.Stat(filepath.Join(store.Dir(), secretName)); err == nil {
				t.Error("there is a new key")
			}
		})
	}
}

func TestSnapshotOfAnotherKeyIsRefused(t *testing.T) {
	store, cur, _ := sampleStore(t, 5)
	other := sampleSecret()
	other[0] ^= 1
	if err := os.WriteFile(filepath.Join(store.Dir(), secretName), FormatSecret(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(cur, Map); err == nil || !strings.Contains(err.Error(), other.ID()) {
		t.Errorf("opened under another key: %v", err)
	}
}

// A second build at once is refused, and has not touched what the first does.
func TestSecondBuildIsRefused(t *testing.T) {
	store, _, _ := sampleStore(t, 5)
	draft, err := store.Begin()
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, filepath.Join(draft.Dir(), "x"), []byte("the first build's"))
	other, err := OpenStore(store.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Begin(); err == nil || !strings.Contains(err.Error(), "another build") {
		t.Fatalf("a second build: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(draft.Dir(), "x")); err != nil || !bytes.Equal(b, []byte("the first build's")) {
		t.Fatalf("the first build's file holds %q (%v)", b, err)
	}
	if err := draft.Close(); err != nil {
		t.Fatal(err)
	}
	if draft, err = other.Begin(); err != nil {
		t.Fatalf("after the first build's end: %v", err)
	}
	if err := draft.Close(); err != nil {
		t.Fatal(err)
	}
}

// A snapshot is found by its name, whether it is current or not, if its
// manifest is the one that it is named for.
func TestNamed(t *testing.T) {
	store := newStore(t)
	first := publish(t, store, sampleMeta(1, 1, 1), 5)
	second := sampleMeta(2, 1, 1)
	publish(t, store, second, 6)
	got, err := store.Named(first.Name)
	if err != nil || got.Name != first.Name || !bytes.Equal(got.Manifest, first.Manifest) {
		t.Fatalf("%+v (%v), want %+v", got, err, first)
	}
	s, err := store.Open(got, Map)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Named("20261101T060000Z-0123456789ab"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a snapshot that is not there: %v", err)
	}
	for _, bad := range []string{"", "x", "../" + first.Name, first.Name + "/..", draftPrefix + "new"} {
		if _, err := store.Named(bad); err == nil || errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	path := filepath.Join(store.Dir(), snapshotsName, first.Name, manifestName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[headerSize+10] ^= 1
	overwrite(t, path, b)
	if _, err := store.Named(first.Name); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another manifest under the name: %v", err)
	}
}

// The folder for temporary files is its owner's alone, and goes with the
// draft, also with that of a build that was killed.
func TestSpillDir(t *testing.T) {
	store := newStore(t)
	var dir string
	for round := range 2 {
		draft, err := store.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); dir != "" && !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("what a killed build left is there: %v", err)
		}
		for range 2 {
			if dir, err = draft.SpillDir(); err != nil {
				t.Fatal(err)
			}
			overwrite(t, filepath.Join(dir, "x"), []byte("spilled"))
		}
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("its mode is %v (%v)", info.Mode(), err)
		}
		if round == 0 {
			if err := draft.lock.Close(); err != nil { // as if killed
				t.Fatal(err)
			}
			continue
		}
		if err := draft.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it is there after the draft's end: %v", err)
		}
	}
}
