package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/livetest"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// move makes what a store is once it has moved to another key: its snapshots
// under that, which say what each identifier was called before. Its log is looked
// through up to a number.
func move(t testing.TB, from *snapshot.Store, built []snapshot.Current, secret index.Secret, through uint64) (*snapshot.Store, []snapshot.Current) {
	t.Helper()
	keys := must(from.Keys())(t)
	keys.Former = append(keys.Former, keys.Secret)
	to := must(snapshot.CreateStore(noSync{}, filepath.Join(t.TempDir(), "store"), &secret))(t)
	dir := filepath.Join(to.Dir(), "keys")
	ok(t, os.Mkdir(dir, 0o700))
	for _, former := range keys.Former {
		ok(t, os.WriteFile(filepath.Join(dir, former.ID()+".key"), snapshot.FormatSecret(former), 0o600))
	}
	log := must(from.Log())(t)
	var moved []snapshot.Current
	for _, cur := range built {
		snap := must(from.Open(cur, snapshot.Map))(t)
		c := rekeyed(t, snap, secret, keys)
		c.meta.FormerSeq = map[string]uint64{log: through}
		moved = append(moved, publish(t, to, c))
		ok(t, snap.Close())
	}
	return to, moved
}

// last is the number of the last record of an engine's log.
func last(e *engine.Engine) uint64 {
	seq, _, _ := e.Changes().Log().Last()
	return seq
}

// move has the world in a store that has moved.
func (h *inhabited) move(t testing.TB, secret index.Secret, through uint64) *inhabited {
	t.Helper()
	moved := *h
	moved.store, moved.built = move(t, h.store, h.built, secret, through)
	moved.swaps = 0
	return &moved
}

// rekeyed is what a snapshot holds, under another key.
func rekeyed(t testing.TB, s *snapshot.Snapshot, secret index.Secret, before snapshot.Keys) contents {
	t.Helper()
	c := contents{meta: s.Meta, dicts: s.Dictionaries}
	c.meta.KeyID, c.meta.FormerKeys = secret.ID(), before.FormerIDs()
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
				for _, former := range before.IdentifierHashers() {
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
			}
			adds(t, m, list, must(l.takes(t, list))(t))
			l.is(t, m, fmt.Sprintf("round %d, step %d", round, step))
			switch r.IntN(4) {
			case 0:
				through := last(l.Engine)
				ok(t, l.Close())
				h = h.move(t, index.Secret{byte(round), byte(step), 1}, through)
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

// TestMovedWithoutTheKey refuses a snapshot that was made without a key of hashes in
// the log, such as one of before a move, whose key came back with it.
func TestMovedWithoutTheKey(t *testing.T) {
	l := newLive(t)
	l.take(t, annOut)
	cur := must(l.store.Current())(t)
	through := last(l.Engine)
	ok(t, l.Close())
	store, _ := move(t, l.store, []snapshot.Current{cur}, index.Secret{3}, through)
	moved := openLive(t, store, l.log)
	moved.take(t, `"id":"2","type":"erase","tenant":"acme","customer":"acme:bob","at":"2026-11-21T10:00:01Z"`)
	ok(t, moved.Close())
	e := newEngine(t, engine.Options{Store: l.store})
	if err := e.OpenChanges(l.log); !errors.Is(err, overlay.ErrKey) {
		t.Errorf("without the key: %v", err)
	}
	dir := filepath.Join(l.store.Dir(), "keys")
	ok(t, os.Mkdir(dir, 0o700))
	ok(t, os.WriteFile(filepath.Join(dir, index.Secret{3}.ID()+".key"), snapshot.FormatSecret(index.Secret{3}), 0o600))
	e = newEngine(t, engine.Options{Store: l.store})
	ok(t, e.OpenChanges(l.log))
	if _, err := e.Reload(); !errors.Is(err, overlay.ErrKey) || !strings.Contains(err.Error(), index.Secret{3}.ID()) {
		t.Errorf("with the key beside it: %v", err)
	}
}

// TestMovedAndBack goes back to the store of before a move, which takes more
// changes, and then to the one that was moved: that knows nothing of these and is
// refused, as is one whose log ends before it was moved. Beside one that knows all,
// a follower takes no more of them.
func TestMovedAndBack(t *testing.T) {
	l := newLive(t)
	cur := must(l.store.Current())(t)
	early, _ := move(t, l.store, []snapshot.Current{cur}, index.Secret{2}, last(l.Engine))
	ahead, _ := move(t, l.store, []snapshot.Current{cur}, index.Secret{3}, last(l.Engine)+2)
	l.take(t, annOut)
	late, _ := move(t, l.store, []snapshot.Current{cur}, index.Secret{4}, last(l.Engine))
	ok(t, l.Close())
	for _, c := range []struct {
		store *snapshot.Store
		want  string
	}{{early, "up to change 1, and the snapshot was made with the log up to 0"}, {ahead, "made with the log up to change 2, and it ends at 1"}, {late, ""}} {
		e := newEngine(t, engine.Options{Store: c.store})
		ok(t, e.OpenChanges(l.log))
		_, err := e.Reload()
		if c.want == "" {
			ok(t, err)
			for key, fits := range map[index.Secret]bool{must(l.store.Secret())(t): false, {4}: true} {
				b := event.Bound{Type: event.OptOut, Tenant: "acme", Client: "acme", At: 1, Key: key.ID()}
				err := e.Changes().Fits(eventlog.Record{Seq: 2, Kind: eventlog.Event, Body: b.Append(nil)})
				if errors.Is(err, overlay.ErrKey) == fits {
					t.Errorf("one more of key %s: %v", key.ID(), err)
				}
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, not %q", err, c.want)
		}
		ok(t, e.Close())
	}
}

// TestMovedVisitor has one identifier that was opted out under the key of before
// withhold all others of its visitor, as is so of today's key.
func TestMovedVisitor(t *testing.T) {
	l := newLive(t)
	l.take(t, `"id":"1","type":"opt_out","tenant":"acme","identifier":"cookie.a:tablet"`)
	cur := must(l.store.Current())(t)
	through := last(l.Engine)
	ok(t, l.Close())
	store, _ := move(t, l.store, []snapshot.Current{cur}, index.Secret{3}, through)
	l = openLive(t, store, l.log)
	is := func(want engine.Reason) {
		t.Helper()
		s := begin(t, l.Engine, "acme")
		defer s.End()
		var b engine.Batch
		a, err := s.Resolve(&b, [][]byte{[]byte("cookie.a:ann's"), []byte("cookie.a:tablet")})
		if ok(t, err); a.Reason != want {
			t.Errorf("%+v, not %q", a, want)
		}
	}
	is(engine.OptedOut)
	l.take(t, `"id":"2","type":"opt_in","tenant":"acme","identifier":"cookie.a:tablet","at":"2026-11-21T10:00:01Z"`)
	is(engine.Matched)
}

// TestMovedBridge opts an identifier out that no snapshot has, under the key of
// before. Links of after name it: it is no bridge, at once and after a restart,
// until it is let back; nor is a customer whom links alone know, and who was erased.
func TestMovedBridge(t *testing.T) {
	l := newLinked(t)
	l.take(
		t,
		`"id":"1","type":"opt_out","tenant":"*","identifier":"cookie.a:tablet"`,
		`"id":"2","type":"opt_out","tenant":"*","identifier":"cookie.a:old","at":"2026-11-21T09:00:00Z"`,
		`"id":"3","type":"link","left":"cookie.a:old","right":"cookie.a:ann's","at":"2026-11-21T09:00:00Z"`,
		`"id":"4","type":"link","left":"cookie.a:old","right":"cookie.a:older","at":"2026-11-21T09:00:00Z"`,
	)
	cur := must(l.store.Current())(t)
	through := last(l.Engine)
	ok(t, l.Close())
	store, _ := move(t, l.store, []snapshot.Current{cur}, index.Secret{3}, through)
	l = openLive(t, store, l.log)
	l.clients(t)
	is := func(when string, want map[string]string) {
		t.Helper()
		for id, who := range want {
			if got := l.who(t, id); got != who {
				t.Errorf("%s: %s is %q, not %q", when, id, got, who)
			}
		}
	}
	before := map[string]string{"cookie.a:old": "opted_out", "cookie.a:older": "unknown", "cookie.a:tablet": "opted_out"}
	is("moved", before)
	l.take(
		t,
		`"id":"5","type":"link","left":"cookie.a:tablet","right":"cookie.a:ann's","at":"2026-11-21T10:00:00Z"`,
		`"id":"6","type":"link","left":"cookie.a:tablet","right":"cookie.a:phone","at":"2026-11-21T10:00:00Z"`,
	)
	before["cookie.a:phone"] = "unknown"
	is("linked", before)
	l = l.again(t)
	l.clients(t)
	is("after a restart", before)
	l.take(t, `"id":"7","type":"opt_in","tenant":"*","identifier":"cookie.a:tablet","at":"2026-11-21T10:00:01Z"`)
	ann := l.who(t, "cookie.a:ann's")
	back := map[string]string{"cookie.a:old": "opted_out", "cookie.a:older": "unknown", "cookie.a:tablet": ann, "cookie.a:phone": ann}
	is("let back", back)
	l = l.again(t)
	l.clients(t)
	is("let back, after a restart", back)
}
