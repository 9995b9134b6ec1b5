package engine_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/matchd/matchd/engine/livetest"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// move makes what the world's store is once it has moved to another key: its
// snapshots under that, which say what each identifier was called before.
func (h *inhabited) move(t testing.TB, secret index.Secret) *inhabited {
	t.Helper()
	keys := must(h.store.Keys())(t)
	keys.Former = append(keys.Former, keys.Secret)
	moved := *h
	moved.store = must(snapshot.CreateStore(noSync{}, filepath.Join(t.TempDir(), "store"), &secret))(t)
	dir := filepath.Join(moved.store.Dir(), "keys")
	ok(t, os.Mkdir(dir, 0o700))
	for _, former := range keys.Former {
		ok(t, os.WriteFile(filepath.Join(dir, former.ID()+".key"), snapshot.FormatSecret(former), 0o600))
	}
	moved.built, moved.swaps = nil, 0
	for _, cur := range h.built {
		snap := must(h.store.Open(cur, snapshot.Map))(t)
		c := rekeyed(t, snap, secret, keys.IdentifierHashers())
		moved.built = append(moved.built, publish(t, moved.store, c))
		ok(t, snap.Close())
	}
	return &moved
}

// rekeyed is what a snapshot holds, under another key.
func rekeyed(t testing.TB, s *snapshot.Snapshot, secret index.Secret, before []index.Hasher) contents {
	t.Helper()
	c := contents{meta: s.Meta, dicts: s.Dictionaries}
	c.meta.KeyID = secret.ID()
	renamed := map[snapshot.Renamed]bool{}
	for shard := range s.RecordShards {
		for p, err := range s.Persons(shard, snapshot.IdentifierHasher(secret)) {
			ok(t, err)
			own := *p
			own.Nodes, own.Links, own.Spares, own.Profiles = slices.Clone(p.Nodes), slices.Clone(p.Links), slices.Clone(p.Spares), slices.Clone(p.Profiles)
			for i := range own.Nodes {
				n := &own.Nodes[i]
				n.Value = bytes.Clone(n.Value)
				key := append([]byte(s.Namespaces.At(n.Namespace).Name+":"), n.Value...)
				for _, former := range before {
					renamed[snapshot.Renamed{Old: former.Sum(key), New: n.Hash}] = true
				}
			}
			for i := range own.Profiles {
				own.Profiles[i].Customer = bytes.Clone(own.Profiles[i].Customer)
				own.Profiles[i].Segments = slices.Clone(own.Profiles[i].Segments)
			}
			c.persons = append(c.persons, &own)
		}
	}
	c.dicts.Renamed = slices.SortedFunc(maps.Keys(renamed), snapshot.Renamed.Compare)
	return c
}

// TestMovedIsTheModel moves a store to other keys amid changes: all answers are as
// if it had had one key all the time.
func TestMovedIsTheModel(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	first := newInhabited(t, 8)
	for round := range rounds {
		r := rand.New(rand.NewPCG(uint64(round), 12))
		h, m, g := first, first.world.Model(), first.world.Generator("shop", r)
		h.rebind(t, "")
		fs := vfs.NewMem()
		l := must(h.serve(t, fs, "log"))(t)
		for step := range 12 {
			list := make([]livetest.Change, 1+r.IntN(12))
			for i := range list {
				list[i] = g.Next()
				m.Add(&list[i])
			}
			must(l.takes(t, list))(t)
			l.is(t, m, fmt.Sprintf("round %d, step %d", round, step))
			switch r.IntN(4) {
			case 0:
				ok(t, l.Close())
				h = h.move(t, index.Secret{byte(round), byte(step), 1})
				l = must(h.serve(t, fs, "log"))(t)
			case 1:
				h.swap(t, l.Engine)
			}
			l.is(t, m, fmt.Sprintf("round %d, after step %d", round, step))
			if t.Failed() {
				t.FailNow()
			}
		}
		ok(t, l.Close())
	}
}
