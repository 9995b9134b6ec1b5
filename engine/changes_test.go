package engine_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// live is an engine that takes changes, over a store with a snapshot of the
// story or, where it is bare, none.
type live struct {
	*engine.Engine
	store *snapshot.Store
	log   string
}

func openLive(t *testing.T, store *snapshot.Store, log string) *live {
	t.Helper()
	at := &clock{}
	at.set(storyTime)
	e := newEngine(t, engine.Options{Store: store, Now: at.now})
	_, err := store.Current()
	bound, _ := store.Log()
	if err == nil && bound == "" { // a store with a log is not opened before it
		reload(t, e)
	}
	ok(t, e.OpenChanges(log))
	if err == nil && bound != "" {
		reload(t, e)
	}
	ok(t, e.SetClients([]engine.Client{{Name: "acme", Tenant: "acme", Grants: []engine.Grant{grant("acme")}}}))
	return &live{e, store, log}
}

func newLive(t *testing.T) *live {
	store := newStore(t)
	publish(t, store, story().contents(t, 1))
	return openLive(t, store, filepath.Join(t.TempDir(), "log"))
}

// again closes the engine and opens it anew, as after a restart.
func (l *live) again(t *testing.T) *live {
	t.Helper()
	ok(t, l.Close())
	return openLive(t, l.store, l.log)
}

func events(t testing.TB, list ...string) (out []event.Event) {
	t.Helper()
	for _, text := range list {
		e, err := event.Parse([]byte("{" + text + "}"))
		ok(t, err)
		out = append(out, e)
	}
	return out
}

func (l *live) take(t testing.TB, list ...string) []engine.Outcome {
	t.Helper()
	out, err := l.Changes().Take("shop", events(t, list...))
	ok(t, err)
	return out
}

func (l *live) answers(t testing.TB, want string) {
	t.Helper()
	if got := toldLive(t, l.Engine, "acme", []string{"cookie.a:ann's"}); got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

const (
	annOut = `"id":"1","type":"opt_out","tenant":"acme","identifier":"cookie.a:ann's"`
	annIn  = `"id":"2","type":"opt_in","tenant":"acme","identifier":"cookie.a:ann's","at":"2026-11-21T10:00:01Z"`
)

// TestTake obeys what was taken: at once, after a restart, over another
// snapshot, and until it is taken back.
func TestTake(t *testing.T) {
	l := newLive(t)
	l.answers(t, "acme ann new,vip")
	first := l.take(t, annOut)
	if r := first[0]; r.Err != nil || r.Known || r.Seq != 1 || r.Log != l.Changes().Log().ID() {
		t.Errorf("%+v", r)
	}
	l.answers(t, "opted_out")
	l = l.again(t)
	l.answers(t, "opted_out")
	if again := l.take(t, annOut); !again[0].Known || again[0].Seq != first[0].Seq || again[0].Hash != first[0].Hash {
		t.Errorf("%+v", again)
	}
	publish(t, l.store, story().contents(t, 2))
	reload(t, l.Engine)
	l.answers(t, "opted_out")
	l.take(t, annIn)
	l.answers(t, "acme ann new,vip")
	l = l.again(t)
	l.answers(t, "acme ann new,vip")
}

// TestTakeRefuses refuses what is wrong by itself, and takes the rest.
func TestTakeRefuses(t *testing.T) {
	l := newLive(t)
	out := l.take(t,
		`"id":"a","type":"opt_out","tenant":"zzz","identifier":"cookie.a:ann's"`,
		annOut,
		`"id":"1","type":"opt_out","tenant":"bolt","identifier":"cookie.a:ann's"`,
		`"id":"b","type":"link","left":"cookie.a:x","right":"zzz:ann"`,
		`"id":"c","type":"segment_add","customer":"zzz:1","segment":"vip"`)
	for i, want := range []string{"tenant: ", "", eventlog.ErrTokenReused.Error(), "right: ", "customer: "} {
		got := ""
		if out[i].Err != nil {
			got = out[i].Err.Error()
		}
		if !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%d: %q, not %q", i, got, want)
		}
	}
	l.answers(t, "opted_out")
	if n, _, _ := l.Changes().Log().Last(); n != 1 {
		t.Errorf("%d records", n)
	}
}

// TestTakeBeforeASnapshot is refused, and a log that was filled before is obeyed
// as soon as there is a snapshot.
func TestTakeBeforeASnapshot(t *testing.T) {
	l := newLive(t)
	l.take(t, annOut)
	ok(t, l.Close())
	bare := newStore(t) // of the same key
	l = openLive(t, bare, l.log)
	if _, err := l.Changes().Take("shop", events(t, annIn)); !errors.Is(err, engine.ErrNotReady) {
		t.Errorf("%v", err)
	}
	publish(t, bare, story().contents(t, 1))
	reload(t, l.Engine)
	l.answers(t, "opted_out")
}

// TestAnotherKey refuses a log whose hashes this store cannot have made.
func TestAnotherKey(t *testing.T) {
	l := newLive(t)
	l.take(t, annOut)
	ok(t, l.Close())
	store := must(snapshot.CreateStore(noSync{}, filepath.Join(t.TempDir(), "store"), &index.Secret{9}))(t)
	e := newEngine(t, engine.Options{Store: store})
	if err := e.OpenChanges(l.log); !errors.Is(err, overlay.ErrKey) {
		t.Errorf("%v", err)
	}
}

// TestErase forgets a customer: in answers, and in the log.
func TestErase(t *testing.T) {
	l := newLive(t)
	l.take(t, `"id":"s","type":"segment_add","customer":"acme:ann","segment":"vip"`, `"id":"t","type":"segment_add","customer":"acme:bob","segment":"new","at":"2026-11-21T10:00:01Z"`)
	l.take(t, `"id":"e","type":"erase","tenant":"acme","customer":"acme:ann","at":"2026-11-21T10:00:02Z"`)
	l.answers(t, "unknown")
	l = l.again(t) // which waits for the log
	l.answers(t, "unknown")
	kinds := ""
	ok(t, l.Changes().Log().Scan(0, func(r eventlog.Record) error {
		kinds += fmt.Sprint(r.Redacted, " ")
		if strings.Contains(string(r.Body), "ann") {
			t.Errorf("record %d still names her", r.Seq)
		}
		return nil
	}))
	if want := "true false false "; kinds != want {
		t.Errorf("%s, not %s", kinds, want)
	}
	if got := toldLive(t, l.Engine, "acme", []string{"cookie.a:bob's"}); got != "acme bob new,vip" {
		t.Errorf("bob is %q", got)
	}
	l.take(t, `"id":"b","type":"opt_in","tenant":"acme","customer":"acme:ann","at":"2026-11-21T10:00:03Z"`)
	l.answers(t, "acme ann new,vip")
}

// TestTakeAtOnce takes changes from many goroutines while others ask and
// snapshots are swapped: what is acknowledged is obeyed by the next lookup.
func TestTakeAtOnce(t *testing.T) {
	l := newLive(t)
	stop := make(chan struct{})
	var asking, taking sync.WaitGroup
	asking.Go(func() {
		for n := uint64(2); ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			publish(t, l.store, story().contents(t, n))
			if _, err := l.Reload(); err != nil {
				t.Error(err)
			}
			_ = toldLive(t, l.Engine, "acme", []string{"cookie.a:ann's"})
		}
	})
	for w := range 8 {
		taking.Go(func() {
			for i := range 10 {
				id := fmt.Sprintf("cookie.a:%d-%d", w, i)
				out, err := l.Changes().Take("shop", events(t, fmt.Sprintf(`"id":"%s","type":"opt_out","tenant":"acme","identifier":"%s"`, id, id)))
				if err != nil || out[0].Err != nil {
					t.Error(err, out)
					return
				}
				if got := toldLive(t, l.Engine, "acme", []string{id}); got != "opted_out" {
					t.Errorf("%s: %q", id, got)
				}
			}
		})
	}
	taking.Wait()
	close(stop)
	asking.Wait()
	l = l.again(t)
	for w := range 8 {
		for i := range 10 {
			if got := toldLive(t, l.Engine, "acme", []string{fmt.Sprintf("cookie.a:%d-%d", w, i)}); got != "opted_out" {
				t.Errorf("%d-%d after a restart: %q", w, i, got)
			}
		}
	}
}

// TestErasedIsRedactedAtLast takes the name out of a log that a daemon which was
// killed after an erasure had left in it, once the log is opened again.
func TestErasedIsRedactedAtLast(t *testing.T) {
	l := newLive(t)
	l.take(t, `"id":"s","type":"segment_add","customer":"acme:ann","segment":"vip"`)
	ok(t, l.Close())
	log, err := eventlog.Open(l.log, eventlog.Options{})
	ok(t, err)
	erase := event.Bound{
		Type: event.Erase, At: storyTime.UnixNano() + 1, Client: "shop", Tenant: "acme", Key: secret.ID(),
		Hash: snapshot.IdentifierHasher(secret).Sum([]byte("crm.acme:ann")), OfCustomer: true,
	}
	_, err = log.Append(t.Context(), []eventlog.Entry{{Body: erase.Append(nil)}})
	ok(t, err)
	ok(t, log.Close())
	l = openLive(t, l.store, l.log)
	l.answers(t, "unknown")
	l = l.again(t) // whose end waits for what is to be redacted
	redacted := 0
	ok(t, l.Changes().Log().Scan(0, func(r eventlog.Record) error {
		if r.Redacted {
			redacted++
		}
		return nil
	}))
	if redacted != 1 {
		t.Errorf("%d records are redacted", redacted)
	}
}
