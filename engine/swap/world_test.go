package swap_test

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/swap"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

var secret = index.Secret{4, 2}

// noSync is the machine's file system without its syncs.
type noSync struct{ snapshot.OS }

func (noSync) SyncDir(string) error { return nil }

func (noSync) Create(name string, perm os.FileMode) (snapshot.File, error) {
	f, err := snapshot.OS{}.Create(name, perm)
	return noSyncFile{f}, err
}

type noSyncFile struct{ snapshot.File }

func (noSyncFile) Sync() error { return nil }

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// person is somebody by number, with identifiers of cookie.a or maid-like
// namespaces, each "namespace:value", and segments of one profile.
type person struct {
	id       byte2
	ids      []string
	segments []uint32 // ascending
}

type byte2 uint16

func (b byte2) person() (id snapshot.PersonID) {
	id[0], id[1] = byte(b>>8), byte(b)
	return id
}

var (
	spaces = []index.Namespace{{Name: "cookie.a"}, {Name: "cookie.b"}, {Name: "crm.acme"}}
	codes  = []string{"new", "old", "vip"}
)

func hashOf(key index.Secret, id string) index.Hash {
	return snapshot.IdentifierHasher(key).Sum([]byte(id))
}

// open writes a snapshot of persons and opens it.
func open(t testing.TB, key index.Secret, persons []person) swap.Side {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "draft")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	meta := snapshot.Meta{
		ID: snapshot.ID{1}, KeyID: key.ID(), AsOf: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), LinkMaxAge: 13,
		IndexShards: 2, RecordShards: 4,
	}
	dicts := snapshot.Dictionaries{
		Namespaces: must(index.NewNamespaces(spaces))(t),
		Sources:    []snapshot.Source{{Name: "s"}}, Tenants: []snapshot.Tenant{{Name: "acme", ConsentMaxAge: 36}},
	}
	for _, code := range codes {
		dicts.Segments = append(dicts.Segments, snapshot.Segment{Code: code})
	}
	list := make([]*snapshot.Person, 0, len(persons))
	for _, p := range persons {
		out := &snapshot.Person{ID: p.id.person(), Profiles: []snapshot.Profile{{Customer: []byte("c"), Segments: p.segments}}}
		for _, id := range p.ids {
			space, value, _ := bytes.Cut([]byte(id), []byte(":"))
			ns, ok := dicts.Namespaces.ByName(string(space))
			if !ok {
				t.Fatalf("no namespace %s", space)
			}
			out.Nodes = append(out.Nodes, snapshot.Node{Hash: hashOf(key, id), Namespace: ns, Value: value})
		}
		list = append(list, out)
	}
	slices.SortFunc(list, func(a, b *snapshot.Person) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	w := must(snapshot.NewWriter(noSync{}, dir, meta, dicts))(t)
	_, hash, err := w.WriteAll(t.Context(), func(shard int) iter.Seq[*snapshot.Person] {
		return func(yield func(*snapshot.Person) bool) {
			for _, p := range list {
				if snapshot.RecordShard(p.ID, meta.RecordShards) == shard && !yield(p) {
					return
				}
			}
		}
	})
	s := must(snapshot.Open(dir, must(hash, err)(t), snapshot.Map))(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return swap.Side{Snapshot: s, Hasher: snapshot.IdentifierHasher(key)}
}

// crowd is so many persons, each with a customer id and a cookie of each kind,
// and in the segment old.
func crowd(n int) []person {
	out := make([]person, n)
	for i := range out {
		out[i] = person{byte2(i + 1), []string{
			fmt.Sprintf("crm.acme:%d", i), fmt.Sprintf("cookie.a:%d", i), fmt.Sprintf("cookie.b:%d", i),
		}, []uint32{1}}
	}
	return out
}
