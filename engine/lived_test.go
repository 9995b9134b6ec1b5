package engine_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/livetest"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
)

// inhabited is a store that a world was built into, again and again.
type inhabited struct {
	world *livetest.World
	store *snapshot.Store
	built []snapshot.Current // all of the same files, in other shards
	swaps int
	now   func() time.Time
}

func newInhabited(t testing.TB, persons int) *inhabited {
	t.Helper()
	w := livetest.New(persons, storyTime)
	at := &clock{}
	at.set(storyTime)
	h := &inhabited{world: w, now: at.now, store: newStore(t)}
	config := must(w.Write(t.TempDir()))(t)
	for i := range 3 {
		_, err := build.Run(t.Context(), build.Options{
			Config: config, Store: h.store.Dir(), Secret: &secret, Workers: 1, Shards: 1 << i, Keep: 3, FS: noSync{},
		})
		ok(t, err)
		h.built = append(h.built, must(h.store.Current())(t))
	}
	return h
}

// swap has an engine serve another snapshot.
func (h *inhabited) swap(t testing.TB, e *engine.Engine) {
	t.Helper()
	point(t, h.store, h.built[h.swaps%len(h.built)])
	h.swaps++
	reload(t, e)
}

// rebind makes the store one that has a log, or none yet, whichever it had.
func (h *inhabited) rebind(t testing.TB, id string) {
	t.Helper()
	if err := os.Remove(filepath.Join(h.store.Dir(), "LOG")); !errors.Is(err, fs.ErrNotExist) {
		ok(t, err)
	}
	if id != "" {
		ok(t, h.store.SetLog(id))
	}
}

// lived is a world that is served and takes changes.
type lived struct {
	*engine.Engine
	*inhabited
}

// serve serves the world with a log in a folder of a file layer, or nil for the
// system's.
func (h *inhabited) serve(t testing.TB, fs vfs.FS, log string) (*lived, error) {
	t.Helper()
	o := engine.Options{Store: h.store, Now: h.now}
	if fs != nil {
		o.ChangesIn(fs)
	}
	e := newEngine(t, o)
	if err := e.OpenChanges(log); err != nil {
		return nil, err
	}
	reload(t, e)
	var clients []engine.Client
	for _, tenant := range livetest.Tenants() {
		clients = append(clients, engine.Client{Name: tenant, Tenant: tenant, Grants: []engine.Grant{grant(tenant)}})
	}
	ok(t, e.SetClients(clients))
	return &lived{e, h}, nil
}

// told are the answers to a tenant's client, as [livetest.Model] has them.
func (l *lived) told(t testing.TB, b *engine.Batch, tenant string, ids []string) (out []string) {
	t.Helper()
	s := begin(t, l.Engine, tenant)
	defer s.End()
	raw := make([][]byte, len(ids))
	for i, id := range ids {
		raw[i] = []byte(id)
	}
	ok(t, s.Match(b, raw))
	for i := range b.Answers {
		a := &b.Answers[i]
		if !a.Matched() {
			out = append(out, string(a.Reason))
			continue
		}
		var codes []string
		for _, id := range b.Segments(&b.Profiles(a)[0]) {
			codes = append(codes, s.Segment(id))
		}
		out = append(out, "matched "+strings.Join(codes, ","))
	}
	return out
}

// is holds all answers against a model.
func (l *lived) is(t testing.TB, m *livetest.Model, when string) {
	t.Helper()
	var b engine.Batch
	for _, tenant := range livetest.Tenants() {
		ids, want := m.Answers(tenant, storyTime)
		for i, got := range l.told(t, &b, tenant, ids) {
			if got != want[i] {
				t.Errorf("%s: %s is answered %q, not %q", when, ids[i], got, want[i])
			}
		}
	}
}

// takes has changes taken, which are refused for an erasure or not at all.
func (l *lived) takes(t testing.TB, list []livetest.Change) ([]engine.Outcome, error) {
	t.Helper()
	var parsed []event.Event
	for i := range list {
		parsed = append(parsed, must(event.Parse(list[i].JSON()))(t))
	}
	out, err := l.Changes().Take("shop", parsed)
	for i := range out {
		if !errors.Is(out[i].Err, engine.ErrErased) {
			ok(t, out[i].Err)
		}
	}
	return out, err
}

// taken are the changes that were not refused, with what became of them.
func taken(list []livetest.Change, out []engine.Outcome) (some []livetest.Change, of []engine.Outcome) {
	for i := range out {
		if out[i].Err == nil {
			some, of = append(some, list[i]), append(of, out[i])
		}
	}
	return some, of
}

// adds adds changes to a model, and holds what became of them against it.
func adds(t testing.TB, m *livetest.Model, list []livetest.Change, out []engine.Outcome) (refused int) {
	t.Helper()
	for i := range list {
		known := m.Has(list[i].ID)
		refuses := !known && m.Refuses(&list[i])
		if got := out[i].Err != nil; got != refuses || out[i].Known != known {
			t.Errorf("refused: %t, not %t; known: %t, not %t: %s", got, refuses, out[i].Known, known, list[i].JSON())
		}
		if refuses {
			refused++
		} else {
			m.Add(&list[i])
		}
	}
	return refused
}

// TestLivedIsTheModel takes changes at random, once and again, with restarts
// and other snapshots between: all answers are the model's.
func TestLivedIsTheModel(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 6
	}
	h := newInhabited(t, 8) // few, so that many changes are of one fact
	reasons, refused := map[string]int{}, 0
	for round := range rounds {
		r := rand.New(rand.NewPCG(uint64(round), 11))
		m, g := h.world.Model(), h.world.Generator("shop", r)
		fs := vfs.NewMem()
		h.rebind(t, "")
		l := must(h.serve(t, fs, "log"))(t)
		var sent []livetest.Change
		for step := range 12 {
			list := make([]livetest.Change, 1+r.IntN(12))
			for i := range list {
				if list[i] = g.Next(); len(sent) > 0 && r.IntN(8) == 0 {
					list[i] = sent[r.IntN(len(sent))]
				}
			}
			sent = append(sent, list...)
			refused += adds(t, m, list, must(l.takes(t, list))(t))
			l.is(t, m, fmt.Sprintf("round %d, step %d", round, step))
			switch r.IntN(6) {
			case 0:
				ok(t, l.Close())
				l = must(h.serve(t, fs, "log"))(t)
			case 1:
				h.swap(t, l.Engine)
			}
			l.is(t, m, fmt.Sprintf("round %d, after step %d", round, step))
			if t.Failed() {
				t.FailNow()
			}
		}
		for _, tenant := range livetest.Tenants() {
			_, answers := m.Answers(tenant, storyTime)
			for _, a := range answers {
				reasons[a]++
			}
		}
		ok(t, l.Close())
	}
	seen := make([]string, 0, len(reasons))
	for a := range reasons {
		seen = append(seen, a)
	}
	slices.Sort(seen)
	if want := []string{"consent_expired", "matched ", "matched new", "matched new,vip", "matched vip", "no_consent", "opted_out", "unknown"}; !slices.Equal(seen, want) {
		t.Errorf("the answers were %q", seen)
	}
	if refused < rounds {
		t.Errorf("only %d changes of erased customers were refused", refused)
	}
	t.Log(reasons, refused)
}
