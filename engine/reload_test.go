package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// corruptFile flips one bit in the middle of a snapshot's file.
func corruptFile(t testing.TB, store *snapshot.Store, c snapshot.Current, file string) (restore func()) {
	t.Helper()
	name := filepath.Join(store.Dir(), "snapshots", c.Name, file)
	sound := must(os.ReadFile(name))(t)
	bad := append([]byte(nil), sound...)
	bad[70] ^= 1
	overwrite(t, name, bad)
	return func() { overwrite(t, name, sound) }
}

func TestReloadRefusesWhatIsCorrupt(t *testing.T) {
	p := story()
	c := engine.Client{Name: "a", Grants: []engine.Grant{grant("acme")}}
	for _, memory := range []snapshot.Memory{snapshot.Map, snapshot.Copy} {
		for _, file := range []string{"manifest", "index-0000", "records-0000"} {
			store, at := newStore(t), &clock{}
			at.set(p.asOf)
			e := newEngine(t, engine.Options{Store: store, Now: at.now, Memory: memory})
			ok(t, e.SetClients([]engine.Client{c}))
			first := publish(t, store, p.contents(t, 1))
			reload(t, e)
			second := publish(t, store, p.contents(t, 2))
			restore := corruptFile(t, store, second, file)
			changed, err := e.Reload()
			if changed || !errors.Is(err, snapshot.ErrCorrupt) || !strings.Contains(err.Error(), file) {
				t.Errorf("%s of %s: changed %t, %v", memory, file, changed, err)
			}
			if s := e.Stats(); s.Refused != 1 || s.Swaps != 1 || s.LastRefusal != err.Error() {
				t.Errorf("stats after a refusal: %+v", s)
			}
			if got, _ := ask(t, e, c, "cookie.a:bob's"); got.Reason != engine.Matched || e.Info().Snapshot != first.Name {
				t.Errorf("after a refusal, %s answers %+v", e.Info().Snapshot, got)
			}
			restore()
			reload(t, e)
			if s := e.Stats(); s.Refused != 1 || s.Swaps != 2 || s.LastRefusal != "" || e.Info().Snapshot != second.Name {
				t.Errorf("stats after the repair: %+v, serving %s", s, e.Info().Snapshot)
			}
			if n := served(t, store, first); n > 0 {
				eventually(t, "the first one is unmapped", func() bool { return served(t, store, first) == 0 })
			}
		}
	}
}

// TestRefusedSnapshotLeavesNothingMapped opens a bad snapshot many times.
func TestRefusedSnapshotLeavesNothingMapped(t *testing.T) {
	store := newStore(t)
	e := newEngine(t, engine.Options{Store: store, Memory: snapshot.Copy})
	cur := publish(t, store, story().contents(t, 1))
	corruptFile(t, store, cur, "records-0000")
	before := sealedBytes(t)
	for range 20 {
		if _, err := e.Reload(); err == nil {
			t.Fatal("a corrupt snapshot was opened")
		}
	}
	if n, sealed := served(t, store, cur), sealedBytes(t); n > 0 || sealed > before {
		t.Errorf("%d files are still mapped, and %d bytes more than before", n, sealed-before)
	}
}

func TestReloadOfTheSameIsNoSwap(t *testing.T) {
	e, store, _ := open(t, story())
	opened := e.Info().Opened
	for range 3 {
		if changed, err := e.Reload(); changed || err != nil {
			t.Errorf("changed %t, %v", changed, err)
		}
	}
	if s := e.Stats(); s.Swaps != 1 || e.Info().Opened != opened {
		t.Errorf("%+v", s)
	}
	// The same name with another manifest is another snapshot, and refused.
	cur := must(store.Current())(t)
	cur.Manifest[0]++
	point(t, store, cur)
	if changed, err := e.Reload(); changed || !errors.Is(err, snapshot.ErrCorrupt) {
		t.Errorf("another manifest of that name: changed %t, %v", changed, err)
	}
}

// TestStates walks through an engine's life: nothing open, open, closed.
func TestStates(t *testing.T) {
	store := newStore(t)
	e := must(engine.New(engine.Options{Store: store}))(t)
	ok(t, e.SetClients([]engine.Client{{Name: "a", Grants: []engine.Grant{grant("acme")}}}))
	empty := func(when string) {
		t.Helper()
		for _, name := range []string{"a", "nobody"} {
			if _, err := e.Begin(name); !errors.Is(err, engine.ErrNotReady) {
				t.Errorf("%s: Begin: %v", when, err)
			}
		}
		if e.Ready() || e.Info().Snapshot != "" || e.Tenants() != nil {
			t.Errorf("%s: ready %t, %+v", when, e.Ready(), e.Info())
		}
	}
	empty("before the first snapshot")
	if _, err := e.Reload(); !errors.Is(err, snapshot.ErrNoSnapshot) {
		t.Errorf("reload of an empty store: %v", err)
	}
	publish(t, store, story().contents(t, 1))
	reload(t, e)
	begin(t, e, "a").End()
	if info := e.Info(); !e.Ready() || info.Bytes == 0 || info.Manifest.Counts.Persons != 3 || len(e.Tenants()) != 2 {
		t.Errorf("open: %+v", info)
	}
	ok(t, e.Close())
	empty("after Close")
	if changed, err := e.Reload(); changed || err == nil {
		t.Errorf("reload after Close: changed %t, %v", changed, err)
	}
	ok(t, e.SetClients([]engine.Client{{Name: "a"}}))
	empty("after Close and SetClients")
	ok(t, e.Close())
}

// TestCloseWaitsForSessions runs in a bubble, which knows when a goroutine
// can only wait.
func TestCloseWaitsForSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := story()
		store := newStore(t)
		e := must(engine.New(engine.Options{Store: store, Now: func() time.Time { return p.asOf }}))(t)
		ok(t, e.SetClients([]engine.Client{everything(p)}))
		publish(t, store, p.contents(t, 1))
		reload(t, e)
		s := begin(t, e, "everything")
		done := false
		go func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			done = true
		}()
		synctest.Wait()
		if done {
			t.Fatal("Close has not waited")
		}
		if _, err := e.Begin("everything"); !errors.Is(err, engine.ErrNotReady) {
			t.Errorf("Begin while closing: %v", err)
		}
		var b engine.Batch
		s.Match(&b, [][]byte{[]byte("cookie.a:ann's")})
		l, err := s.Identifiers("acme", "ann")
		if !b.Answers[0].Matched() || err != nil || len(l.Identifiers) != 4 {
			t.Errorf("a session while closing: %+v, %+v, %v", b.Answers[0], l, err)
		}
		s.End()
		synctest.Wait()
		if !done {
			t.Error("Close waits for nothing")
		}
	})
}

// TestWatch says how often the engine tries: once for each content of
// CURRENT, and never again for one that was refused, until there was another.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := story()
		store := newStore(t)
		e := must(engine.New(engine.Options{Store: store, Now: func() time.Time { return p.asOf }}))(t)
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			e.Watch(ctx, time.Second)
		}()
		expect := func(when string, swaps, refused uint64, serving snapshot.Current) {
			t.Helper()
			time.Sleep(10 * time.Second) // ten looks at CURRENT
			synctest.Wait()
			if s := e.Stats(); s.Swaps != swaps || s.Refused != refused || e.Info().Snapshot != serving.Name {
				t.Errorf("%s: %d swaps, %d refusals, serving %q; want %d, %d, %q", when, s.Swaps, s.Refused, e.Info().Snapshot, swaps, refused, serving.Name)
			}
		}
		expect("an empty store", 0, 0, snapshot.Current{})
		good := publish(t, store, p.contents(t, 1))
		expect("the first", 1, 0, good)
		bad := publish(t, store, p.contents(t, 2))
		restore := corruptFile(t, store, bad, "records-0000")
		point(t, store, good)
		expect("the same", 1, 0, good)
		point(t, store, bad)
		expect("a bad one", 1, 1, good)
		other := publish(t, store, p.contents(t, 3))
		expect("another", 2, 1, other)
		restore()
		point(t, store, bad)
		expect("the bad one, repaired", 3, 1, bad)
		ok(t, os.WriteFile(filepath.Join(store.Dir(), "CURRENT"), []byte("nonsense\n"), 0o644))
		expect("a bad CURRENT", 3, 2, bad)
		point(t, store, good)
		expect("a good one", 4, 2, good)
		ok(t, store.SetLog(strings.Repeat("ab", 16))) // by another daemon, to which people tell that they opt out
		expect("a log that is not open", 4, 2, snapshot.Current{})
		if e.Ready() || !e.Withdrawn() {
			t.Error("it goes on without the store's log")
		}
		ok(t, os.Remove(filepath.Join(store.Dir(), "LOG")))
		expect("a log that was given up", 5, 2, good)
		if e.Withdrawn() {
			t.Error("it is withdrawn for good")
		}
		cancel()
		<-stopped
		ok(t, e.Close())
	})
}
