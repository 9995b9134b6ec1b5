package engine_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// rules are what the keys of the story's identifiers are made by, where it
// matters.
type rules struct {
	compare index.Compare // of the namespace dev.h
	email   string
}

var hexed = rules{index.Hex, "uid2/1"}

// publish publishes the story by rules.
func (r rules) publish(t *testing.T, store *snapshot.Store, seed uint64) {
	t.Helper()
	p := story()
	for i := range p.spaces {
		if p.spaces[i].Name == "dev.h" {
			p.spaces[i].Compare = r.compare
		}
	}
	c := p.contents(t, seed)
	c.meta.Normalised = map[string]string{index.EmailSHA256: r.email}
	publish(t, store, c)
}

func ruledBy(t *testing.T, r rules) *live {
	store := newStore(t)
	r.publish(t, store, 1)
	return openLive(t, store, filepath.Join(t.TempDir(), "log"))
}

// swaps checks that a snapshot by rules is served, or refused for a namespace.
func (l *live) swaps(t *testing.T, r rules, seed uint64, refused string) {
	t.Helper()
	r.publish(t, l.store, seed)
	serving := l.Info().Snapshot
	_, err := l.Reload()
	var is *snapshot.OtherRulesError
	switch {
	case refused == "":
		ok(t, err)
	case !errors.As(err, &is) || is.Namespace != refused || !strings.Contains(err.Error(), "build one") || l.Info().Snapshot != serving:
		t.Errorf("by %v: %v, and not refused for %s", r, err, refused)
	}
}

const (
	devOut  = `"id":"1","type":"opt_out","tenant":"acme","identifier":"dev.h:AB12"`
	devIn   = `"id":"2","type":"opt_in","tenant":"acme","identifier":"dev.h:ab12","at":"2026-11-21T10:00:01Z"`
	mailOut = `"id":"3","type":"opt_out","tenant":"acme","identifier":"email_sha256:abababababababababababababababababababababababababababababababab"`
)

// TestOtherKeyRules refuses a snapshot in which those who opted out or were erased
// would have other hashes than the log knows, by whatever way it comes, for as long
// as they are withheld.
func TestOtherKeyRules(t *testing.T) {
	exact, plain := rules{index.Exact, "uid2/1"}, rules{index.Hex, "plain/1"}
	l := ruledBy(t, exact)
	l.swaps(t, hexed, 2, "") // nobody opted out
	allTaken(t, l.take(t, devOut))
	l.swaps(t, plain, 3, "") // which is not about emails
	l.swaps(t, exact, 4, "dev.h")
	list := must(l.store.Snapshots())(t)
	if err := l.Pin(list[0]); err == nil {
		t.Error("a rollback to what was built by other rules")
	}
	ok(t, l.Close())
	e := newEngine(t, engine.Options{Store: l.store})
	ok(t, e.OpenChanges(l.log))
	if _, err := e.Reload(); err == nil || e.Ready() {
		t.Errorf("it is served after a restart: %v", err)
	}
	ok(t, e.Close())
	hexed.publish(t, l.store, 5)
	l = openLive(t, l.store, l.log)
	allTaken(t, l.take(t, devIn))
	l.swaps(t, exact, 6, "")
	l.swaps(t, hexed, 7, "")
	allTaken(t, l.take(t, mailOut))
	l.swaps(t, plain, 8, index.EmailSHA256)
	l.swaps(t, exact, 9, "")
}

// TestOtherKeyRulesOfAnErasure is about the contacts of who is erased.
func TestOtherKeyRulesOfAnErasure(t *testing.T) {
	l := ruledBy(t, hexed)
	allTaken(t, l.take(t, `"id":"1","type":"erase","tenant":"acme","customer":"acme:ann"`))
	l.swaps(t, rules{index.Hex, "plain/1"}, 2, index.EmailSHA256)
	l.swaps(t, rules{index.Exact, "uid2/1"}, 3, "") // no device was erased
}

// TestUnsaidKeyRules takes an opt-out of before the log said its rule to be by
// those of the snapshot that is served.
func TestUnsaidKeyRules(t *testing.T) {
	l := ruledBy(t, hexed)
	key := must(l.store.Secret())(t)
	n := event.Names{Namespaces: must(index.NewNamespaces(story().spaces))(t), Hasher: snapshot.IdentifierHasher(key), Key: key.ID(), Tenants: []string{"acme"}}
	b := must(events(t, devOut)[0].Bind(&n, "shop", storyTime))(t)
	b.Normalised = ""
	must(l.Changes().Log().Append(context.Background(), []eventlog.Entry{{Body: b.Append(nil)}}))(t)
	l.swaps(t, rules{index.Exact, "uid2/1"}, 2, "dev.h")
	l.swaps(t, rules{index.Hex, "plain/1"}, 3, "")
}

// TestOptedOutWhileSwapped refuses the snapshot as well where the opt-out comes
// while it is being adopted, after the log was read for the first time; and where
// it is on its way then, bound by the rules of before.
func TestOptedOutWhileSwapped(t *testing.T) {
	for _, onItsWay := range []bool{false, true} {
		var armed, held atomic.Bool // the next scan, and the next look at the clock
		var scans atomic.Int64
		bound, scanned := make(chan struct{}), make(chan struct{})
		now := func() time.Time {
			if held.CompareAndSwap(true, false) {
				close(bound)
				<-scanned
			}
			return storyTime
		}
		store := newStore(t)
		e := newEngine(t, engine.Options{Store: store, Now: now})
		ok(t, e.OpenChanges(filepath.Join(t.TempDir(), "log")))
		l := &live{Engine: e, store: store}
		e.AfterScans(func() {
			scans.Add(1)
			if !armed.CompareAndSwap(true, false) {
				return
			}
			if close(scanned); !onItsWay {
				allTaken(t, l.take(t, devOut))
			}
		})
		hexed.publish(t, store, 1)
		reload(t, e)
		awaitScans(t, &scans)
		var taking sync.WaitGroup
		if onItsWay {
			held.Store(true)
			taking.Go(func() { l.take(t, devOut) })
			<-bound
		}
		armed.Store(true)
		l.swaps(t, rules{index.Exact, "uid2/1"}, 2, "dev.h")
		taking.Wait()
		if armed.Load() {
			t.Error("the log was not scanned")
		}
	}
}

// TestFollowedKeyRules has a follower take opt-outs by other rules than those of the
// snapshot that it serves, without which it could not come to what its leader's
// snapshot contains. It does not obey them until it has that.
func TestFollowedKeyRules(t *testing.T) {
	for text, obeyed := range map[string]bool{"": true, "dev.h=hex": true, "dev.h=exact": false, "email_sha256=plain/1": true, "gone=exact": true} {
		store, at := newStore(t), &clock{}
		at.set(storyTime)
		rules{index.Hex, "plain/1"}.publish(t, store, 1)
		e := newEngine(t, engine.Options{Store: store, Now: at.now})
		ok(t, e.OpenChanges(filepath.Join(t.TempDir(), "log")))
		reload(t, e)
		b := event.Bound{Type: event.OptOut, Tenant: "acme", Client: "shop", At: 1, Key: must(store.Secret())(t).ID(), Normalised: text}
		ok(t, e.Changes().Fits(eventlog.Record{Seq: 1, Kind: eventlog.Event, Body: b.Append(nil)}))
		must(e.Changes().Log().Append(context.Background(), []eventlog.Entry{{Body: b.Append(nil)}}))(t)
		at.set(storyTime.Add(time.Minute))
		if got := e.Changes().Unobeyed(); got == 0 != obeyed {
			t.Errorf("%q is not obeyed for %v", text, got)
		}
		if obeyed {
			continue
		}
		rules{index.Exact, "plain/1"}.publish(t, store, 2)
		reload(t, e)
		if got := e.Changes().Unobeyed(); got != 0 {
			t.Errorf("%q is not obeyed for %v by a snapshot of its rules", text, got)
		}
	}
}

// TestKeyRulesOfAFailedLog serves by the same rules alone once the log cannot be
// read any more.
func TestKeyRulesOfAFailedLog(t *testing.T) {
	d := &disk{kinds: func(errorfs.Op) bool { return true }, err: syscall.EIO}
	store, at := newStore(t), &clock{}
	at.set(storyTime)
	o := engine.Options{Store: store, Now: at.now}
	o.ChangesIn(errorfs.Wrap(vfs.NewMem(), d))
	e := newEngine(t, o)
	ok(t, e.OpenChanges("log"))
	hexed.publish(t, store, 1)
	reload(t, e)
	l := &live{Engine: e, store: store}
	d.at = d.count.Load() + 1
	if _, err := e.Changes().Take("shop", events(t, devOut)); !errors.Is(err, eventlog.ErrFailed) {
		t.Fatalf("the log has not failed: %v", err)
	}
	l.swaps(t, rules{index.Exact, "uid2/1"}, 2, "dev.h")
	l.swaps(t, rules{index.Hex, "plain/1"}, 3, index.EmailSHA256)
	l.swaps(t, hexed, 4, "")
}
