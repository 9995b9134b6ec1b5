package engine_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/proof"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// openAt is openLive at a time, with how long what is erased stays.
func openAt(t *testing.T, store *snapshot.Store, log string, at *clock, r engine.Retention) *live {
	t.Helper()
	e := newEngine(t, engine.Options{Store: store, Now: at.now, Retention: r})
	ok(t, e.OpenChanges(log))
	if _, err := store.Current(); err == nil {
		reload(t, e)
	}
	ok(t, e.SetClients([]engine.Client{{Name: "acme", Tenant: "acme", Grants: []engine.Grant{grant("acme")}}}))
	return &live{e, store, log}
}

// denied is an opt-out or an erasure of Ann as the log keeps it.
func denied(kind event.Type) []byte {
	id := "cookie.a:ann's"
	if kind == event.Erase {
		id = "crm.acme:ann"
	}
	b := event.Bound{
		Type: kind, At: storyTime.UnixNano(), Client: "shop", Tenant: "acme", Key: secret.ID(),
		Hash: hashOf(id), OfCustomer: kind == event.Erase,
	}
	return b.Append(nil)
}

// leave appends to a log what a daemon that was killed then leaves there: with
// note, also that it was obeyed.
func leave(t *testing.T, dir string, at *clock, note bool, bodies ...[]byte) {
	t.Helper()
	log, err := eventlog.Open(dir, eventlog.Options{Now: at.now})
	ok(t, err)
	var upTo uint64
	for _, b := range bodies {
		r, err := log.Append(t.Context(), []eventlog.Entry{{Body: b}})
		ok(t, err)
		upTo = r[0].Seq
	}
	if note {
		n := proof.Note{Kind: proof.Refused, UpTo: upTo}
		_, err := log.Note(t.Context(), n.Encode())
		ok(t, err)
	}
	ok(t, log.Close())
}

// hashOf is the hash of an identifier in stores of tests.
func hashOf(id string) index.Hash { return snapshot.IdentifierHasher(secret).Sum([]byte(id)) }

// counts are how many durations there are, and in which bucket the last is, by
// its upper bound.
func counts(d *engine.Durations) (n uint64, bound time.Duration) {
	for i, c := range d.Buckets {
		if n += c; c > 0 && i < len(engine.LatencyBounds()) {
			bound = engine.LatencyBounds()[i]
		}
	}
	return n, bound
}

// TestLatency measures how long opt-outs and erasures took to be obeyed: while
// the daemon runs, and over a restart for what was accepted and of which nobody
// knows that it was obeyed.
func TestLatency(t *testing.T) {
	store, log, at := newStore(t), filepath.Join(t.TempDir(), "log"), &clock{}
	publish(t, store, story().contents(t, 1))
	at.set(storyTime)
	leave(t, log, at, true, denied(event.OptOut), denied(event.Erase)) // known to be obeyed
	leave(t, log, at, false, denied(event.Erase), denied(event.OptOut), denied(event.OptIn))
	at.set(storyTime.Add(90 * time.Second))
	l := openAt(t, store, log, at, engine.Retention{})
	is := func(outs, erasures uint64, sum time.Duration) {
		t.Helper()
		got := l.Changes().Latency()
		n, bound := counts(&got.OptOuts)
		m, _ := counts(&got.Erasures)
		if n != outs || m != erasures || bound != 5*time.Minute || got.Erasures.Sum != sum {
			t.Errorf("%d opt-outs in at most %v, %d erasures in %v", n, bound, m, got.Erasures.Sum)
		}
	}
	is(1, 1, 90*time.Second)
	l.take(t, annOut, annIn, `"id":"e","type":"erase","tenant":"acme","customer":"acme:ann"`)
	is(2, 2, 90*time.Second)
	publish(t, l.store, story().contents(t, 2))
	reload(t, l.Engine)
	is(2, 2, 90*time.Second) // a swap is not the first time
	if got := l.Changes().Unobeyed(); got != 0 {
		t.Errorf("the oldest that is not obeyed is of %v ago", got)
	}
}

// TestUnobeyed is how old what is on disk and not obeyed is: until there is a
// snapshot to obey it over.
func TestUnobeyed(t *testing.T) {
	store, log, at := newStore(t), filepath.Join(t.TempDir(), "log"), &clock{}
	at.set(storyTime)
	leave(t, log, at, true, denied(event.OptOut))
	l := openAt(t, store, log, at, engine.Retention{ApplyWithin: time.Minute})
	for _, c := range []struct {
		age  time.Duration
		late bool
	}{{0, false}, {time.Minute, false}, {time.Minute + 1, true}} {
		at.set(storyTime.Add(c.age))
		if got, late := l.Changes().Unobeyed(), l.Changes().Late(); got != c.age || late != c.late {
			t.Errorf("%v and %t, not %v and %t", got, late, c.age, c.late)
		}
	}
	publish(t, store, story().contents(t, 1))
	reload(t, l.Engine)
	if got, late := l.Changes().Unobeyed(), l.Changes().Late(); got != 0 || late {
		t.Errorf("obeyed, and it is %v, %t", got, late)
	}
	l.answers(t, "opted_out")
}

// TestRetention refuses times that make no sense.
func TestRetention(t *testing.T) {
	for _, c := range []struct {
		r     engine.Retention
		right bool
	}{
		{engine.Retention{}, true},
		{engine.Retention{EraseWithin: 720 * time.Hour, KeepErasures: 720 * time.Hour}, true},
		{engine.Retention{EraseWithin: 720*time.Hour + 1}, false},
		{engine.Retention{EraseWithin: -1}, false},
		{engine.Retention{KeepErasures: time.Hour}, false},
		{engine.Retention{EraseWithin: time.Hour, KeepErasures: time.Hour}, true},
		{engine.Retention{ApplyWithin: -1}, false},
	} {
		e, err := engine.New(engine.Options{Store: newStore(t), Retention: c.r})
		if (err == nil) != c.right {
			t.Errorf("%+v: %v", c.r, err)
		}
		if err == nil {
			ok(t, e.Close())
		}
	}
}
