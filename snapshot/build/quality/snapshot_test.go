package quality

import (
	"bytes"
	"context"
	"encoding/binary"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"pgregory.net/rapid"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
)

// memFS is a file system in memory, for what a writer does to one.
type memFS struct {
	mu    sync.Mutex
	files map[string]*memFile
}

type memFile struct{ bytes.Buffer }

func (*memFile) Sync() error  { return nil }
func (*memFile) Close() error { return nil }

func (*memFS) MkdirAll(string, os.FileMode) error { return nil }
func (*memFS) Rename(string, string) error        { return nil }
func (*memFS) RemoveAll(string) error             { return nil }
func (*memFS) SyncDir(string) error               { return nil }

func (m *memFS) Create(name string, _ os.FileMode) (snapshot.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := &memFile{}
	m.files[name] = f
	return f, nil
}

// writeSnapshot writes a snapshot of the persons, with no links in it, in turn
// to two record shards.
func writeSnapshot(t rapid.TB, cfg *config.Config, persons [][]string) *snapshot.Snapshot {
	t.Helper()
	ns, err := cfg.NamespaceTable()
	if err != nil {
		t.Fatal(err)
	}
	asOf := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	day, _ := snapshot.DayOf(asOf)
	fs := &memFS{files: map[string]*memFile{}}
	w, err := snapshot.NewWriter(fs, "s", snapshot.Meta{
		ID: snapshot.ID{1}, KeyID: "key", AsOf: asOf, Oldest: day, LinkMaxAge: 13, IndexShards: 1, RecordShards: 2,
	}, snapshot.Dictionaries{Namespaces: ns, Sources: cfg.Sources(), Tenants: cfg.SnapshotTenants()})
	if err != nil {
		t.Fatal(err)
	}
	hasher := snapshot.IdentifierHasher(index.Secret{})
	shards := make([][]*snapshot.Person, 2)
	for i, list := range persons {
		p := &snapshot.Person{ID: snapshot.PersonID{byte(i%2) << 7}, Born: 1}
		binary.BigEndian.PutUint32(p.ID[4:], uint32(i))
		for _, text := range list {
			key, space, err := ns.AppendKey(nil, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			p.Nodes = append(p.Nodes, snapshot.Node{Hash: hasher.Sum(key), Namespace: space, Value: ns.Value(space, key), Seen: day})
		}
		shards[i%2] = append(shards[i%2], p)
	}
	if _, _, err := w.WriteAll(context.Background(), func(shard int) iter.Seq[*snapshot.Person] { return slices.Values(shards[shard]) }); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for name, f := range fs.files {
		files[filepath.Base(name)] = f.Bytes()
	}
	s, err := snapshot.OpenBytes(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
