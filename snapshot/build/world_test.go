package build

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/bench/gen"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// testSecret is the secret of the stores in the tests.
func testSecret() *index.Secret {
	s := new(index.Secret)
	for i := range s {
		s[i] = byte(i)
	}
	return s
}

// testAsOf is the time of the tests' builds; a later build is a month later.
var testAsOf = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// small is the input of a build of few rows.
var small = map[string]string{
	"onboard.yaml": `
version: 1
default_region: FR
namespaces: [cookie.pub]
tenants:
  - name: acme
    profiles: [{path: "crm.csv"}]
links:
  - {path: "links.csv", source: pub, party: second}
`,
	"crm.csv": `customer_id,email,phone,segments,consent_at
C-1,ann@example.com,,vip,2026-01-05
C-2,bob@example.com,+33612345678,vip|churn,2026-02-05
C-3,eve@example.com,+33612345678,,
`,
	"links.csv": `left,right,method,observed_at
maid:6d92078a-8246-4ba4-ae5b-76104861e7dc,crm.acme:C-1,authenticated,2026-09-01
maid:6d92078a-8246-4ba4-ae5b-76104861e7dc,cookie.pub:one,observed,2026-09-02
cookie.pub:two,crm.acme:C-2,inferred,2026-09-03
`,
}

// writeInputs writes files into a new folder and returns the config's path.
func writeInputs(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "onboard.yaml")
}

// with returns small with some files replaced.
func with(files map[string]string) map[string]string {
	out := maps.Clone(small)
	maps.Copy(out, files)
	return out
}

// options are those of a build of one shard on one core.
func options(config, store string) Options {
	return Options{Config: config, Store: store, AsOf: testAsOf, Secret: testSecret(), Workers: 1, Shards: 1}
}

// run builds, which must succeed.
func run(t testing.TB, o Options) *Report {
	t.Helper()
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// openCurrent opens and verifies the current snapshot of a store.
func openCurrent(t testing.TB, dir string) *snapshot.Snapshot {
	t.Helper()
	s, _ := openStore(t, dir)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// openStore opens and verifies the current snapshot of a store; the caller
// closes it.
func openStore(t testing.TB, dir string) (*snapshot.Snapshot, snapshot.Current) {
	t.Helper()
	store, err := snapshot.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	cur, err := store.Current()
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(cur, snapshot.Map)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := store.Secret()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(snapshot.IdentifierHasher(secret)); err != nil {
		t.Fatal(err)
	}
	return s, cur
}

// tree reads all files below dir, of which there must be some, by their path.
func tree(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		out[rel], err = os.ReadFile(path)
		return err
	})
	if err != nil || len(out) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(out), err)
	}
	return out
}

// sameTree fails unless two folders hold the same files.
func sameTree(t testing.TB, what string, a, b map[string][]byte) {
	t.Helper()
	if !slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))) {
		t.Fatalf("%s: files %q and %q", what, slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)))
	}
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			t.Fatalf("%s: %s differs", what, name)
		}
	}
}

// generate makes the files of a world of so many customers.
func generate(t testing.TB, customers int) (config string, sum gen.Summary) {
	t.Helper()
	c := gen.DefaultConfig()
	c.Out, c.Customers, c.Tenants, c.AsOf = filepath.Join(t.TempDir(), "in"), customers, 2, testAsOf
	sum, err := gen.Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(c.Out, "onboard.yaml"), sum
}

// copyTree copies a folder to one that does not exist.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(to, "secret.key"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// leftovers lists what a killed build left in a store.
func leftovers(t testing.TB, store string) (list []string) {
	t.Helper()
	for name := range tree(t, store) {
		if strings.Contains(name, ".draft-") || strings.HasSuffix(name, ".tmp") {
			list = append(list, name)
		}
	}
	return list
}

// currentName opens the store's current snapshot and returns its name, or ""
// where the store has none or was not made yet.
func currentName(t testing.TB, dir string) string {
	t.Helper()
	store, err := snapshot.OpenStore(dir)
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Current(); errors.Is(err, snapshot.ErrNoSnapshot) {
		return ""
	}
	s, cur := openStore(t, dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return cur.Name
}
