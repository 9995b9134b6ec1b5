package engine_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// built publishes the story, as if it contained the log up to a change.
func (l *live) built(t *testing.T, seed, applied uint64) {
	t.Helper()
	c := story().contents(t, seed)
	if applied > 0 {
		c.meta.Applied = map[string]uint64{l.Changes().Log().ID().String(): applied}
	}
	publish(t, l.store, c)
}

// TestFolded passes over what a snapshot contains, and obeys what came later, and
// opt-outs and erasures whatever it contains.
func TestFolded(t *testing.T) {
	l := newLive(t)
	l.take(t, `"id":"a","type":"segment_remove","customer":"acme:ann","segment":"new"`)
	l.answers(t, "acme ann vip")
	l.built(t, 2, 1) // which says otherwise, so that it can be told apart
	reload(t, l.Engine)
	l.answers(t, "acme ann new,vip")
	l.take(t, `"id":"b","type":"segment_remove","customer":"acme:ann","segment":"vip"`)
	l.answers(t, "acme ann new")
	l = l.again(t)
	l.answers(t, "acme ann new")
	l.take(t, annOut)
	l.built(t, 3, 3)
	reload(t, l.Engine)
	l.answers(t, "opted_out")
	l.take(t, annIn)
	l.answers(t, "acme ann new,vip")
	l.take(t, `"id":"c","type":"erase","tenant":"acme","customer":"acme:ann"`)
	l.built(t, 4, 5)
	reload(t, l.Engine)
	l.answers(t, "unknown")
	l.built(t, 5, 0) // an older one
	reload(t, l.Engine)
	l.answers(t, "unknown")
}

// TestFoldedEnd ends what a snapshot took from the log when the log says.
func TestFoldedEnd(t *testing.T) {
	for until, want := range map[string]string{
		"2026-11-21T12:00:00Z": "acme ann vip",     // it is over, and the snapshot may have it from there
		"2026-11-21T12:00:01Z": "acme ann new,vip", // it is not
		"2026-11-21T10:00:00Z": "acme ann new,vip", // it was over when the snapshot was built
	} {
		store := newStore(t)
		c := story().contents(t, 1)
		publish(t, store, c)
		at := &clock{}
		at.set(storyTime)
		e := newEngine(t, engine.Options{Store: store, Now: at.now})
		ok(t, e.OpenChanges(filepath.Join(t.TempDir(), "log")))
		reload(t, e)
		ok(t, e.SetClients([]engine.Client{{Name: "acme", Tenant: "acme", Grants: []engine.Grant{grant("acme")}}}))
		l := &live{Engine: e, store: store}
		l.take(t, `"id":"a","at":"2026-11-21T09:00:00Z","type":"segment_add","customer":"acme:ann","segment":"new","until":"`+until+`"`)
		l.built(t, 2, 1)
		reload(t, e)
		at.set(storyTime.Add(2 * 3600e9))
		if got := toldLive(t, e, "acme", []string{"cookie.a:ann's"}); got != want {
			t.Errorf("until %s: %q, not %q", until, got, want)
		}
	}
}

// TestRewoundLog refuses a snapshot that contains more of the log than there is,
// and goes on with the one before.
func TestRewoundLog(t *testing.T) {
	l := newLive(t)
	l.take(t, annOut)
	l.built(t, 2, 2)
	if _, err := l.Reload(); err == nil || !strings.Contains(err.Error(), "up to change 2, and it ends at 1") {
		t.Errorf("%v", err)
	}
	l.answers(t, "opted_out")
	l.take(t, annIn)
	reload(t, l.Engine)
	l.answers(t, "acme ann new,vip")
}

// TestStoreHasOneLog binds a store to its log for good: another is refused, and
// so is answering without it.
func TestStoreHasOneLog(t *testing.T) {
	l := newLive(t)
	id := l.Changes().Log().ID().String()
	ok(t, l.Close())
	if has, err := l.store.Log(); has != id || err != nil {
		t.Errorf("the store has %q, %v", has, err)
	}
	var other *snapshot.OtherLogError
	e := newEngine(t, engine.Options{Store: l.store})
	if _, err := e.Reload(); !errors.As(err, &other) || other.Given != "" || e.Ready() {
		t.Errorf("without the log: %v", err)
	}
	if err := e.OpenChanges(filepath.Join(t.TempDir(), "another")); !errors.As(err, &other) || other.Given == "" {
		t.Errorf("another log: %v", err)
	}
	if _, err := e.Reload(); err == nil {
		t.Error("another log was taken")
	}
	ok(t, e.OpenChanges(l.log))
	reload(t, e)
	bare := newEngine(t, engine.Options{Store: l.store, WithoutLog: true})
	reload(t, bare)
}
