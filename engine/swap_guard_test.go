package engine_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/swap"
	"github.com/matchd/matchd/snapshot"
)

// strict bounds compare however few there are.
func strict() *swap.Bounds {
	b := swap.DefaultBounds()
	b.Minimum = 1
	return &b
}

// guarded is an engine on a store with a snapshot that serves and one, current,
// that is refused: the ids of all persons are other ones.
type guarded struct {
	*engine.Engine
	store       *snapshot.Store
	first, next snapshot.Current
	options     engine.Options
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	p := newPair(t)
	g := &guarded{store: p.store, first: p.cur[0], next: p.cur[1], options: engine.Options{Store: p.store, Bounds: strict()}}
	p.point(t, 0)
	g.Engine = newEngine(t, g.options)
	reload(t, g.Engine)
	p.point(t, 1)
	return g
}

func (g *guarded) serves(t *testing.T, when string, c snapshot.Current) {
	t.Helper()
	if got := g.Info().Snapshot; got != c.Name {
		t.Fatalf("%s: serving %q, not %s", when, got, c.Name)
	}
}

// restart makes a new engine on the same store, as a daemon does.
func (g *guarded) restart(t *testing.T) error {
	t.Helper()
	ok(t, g.Close())
	g.Engine = newEngine(t, g.options)
	_, err := g.Reload()
	return err
}

func TestRefusedStaysAndForceGoes(t *testing.T) {
	g := newGuarded(t)
	for _, when := range []string{"at first", "after a restart"} {
		_, err := g.Reload()
		var refused *engine.RefusedError
		if !errors.As(err, &refused) || refused.Snapshot != g.next.Name {
			t.Fatalf("%s: %v", when, err)
		}
		g.serves(t, when, g.first)
		if s := g.Stats(); s.Reasons[swap.IDs] == 0 || s.LastRefusal != err.Error() {
			t.Errorf("%s: stats %+v", when, s)
		}
		if when == "at first" {
			if err := g.restart(t); !errors.As(err, &refused) {
				t.Fatalf("the restart judged: %v", err)
			}
		}
	}
	st := must(g.SwapStatus())(t)
	if st.Serving != g.first.Name || st.Current != g.next.Name || st.Refused == "" || len(st.Kept) != 2 {
		t.Errorf("status %+v", st)
	}
	if changed, err := g.Swap(true); !changed || err != nil {
		t.Fatalf("forced: %t, %v", changed, err)
	}
	g.serves(t, "forced", g.next)
	ok(t, g.restart(t))
	g.serves(t, "forced, after a restart", g.next)
}

func TestForceTakesNothingDamaged(t *testing.T) {
	g := newGuarded(t)
	corruptFile(t, g.store, g.next, "records-0000")
	if changed, err := g.Swap(true); changed || !errors.Is(err, snapshot.ErrCorrupt) {
		t.Fatalf("forced: %t, %v", changed, err)
	}
	g.serves(t, "after force", g.first)
	if s := g.Stats(); s.Reasons[swap.Unreadable] != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestPinHoldsOverPublishingAndRestarts(t *testing.T) {
	g := newGuarded(t)
	ok(t, g.Pin(g.next.Name)) // bounds do not hold it back
	g.serves(t, "pinned", g.next)
	point(t, g.store, g.first)
	for _, when := range []string{"after a reload", "after a restart"} {
		if when == "after a restart" {
			ok(t, g.restart(t))
		} else if changed, err := g.Reload(); changed || err != nil {
			t.Fatalf("reload while pinned: %t, %v", changed, err)
		}
		g.serves(t, when, g.next)
	}
	restore := corruptFile(t, g.store, g.next, "index-0000")
	if err := g.restart(t); !errors.Is(err, snapshot.ErrCorrupt) || !strings.Contains(err.Error(), "file PIN") {
		t.Errorf("a damaged one that is pinned: %v", err)
	}
	restore()
	ok(t, g.restart(t))
	if st := must(g.SwapStatus())(t); st.Pinned != g.next.Name || st.Current != g.first.Name {
		t.Errorf("status %+v", st)
	}
	if changed, err := g.Unpin(); changed || err == nil {
		t.Errorf("unpin swapped in what is beyond bounds: %t, %v", changed, err)
	}
	g.serves(t, "unpinned", g.next)
	must(g.Swap(true))(t)
	g.serves(t, "unpinned and forced", g.first)
}

func TestPinOfWhatCannotBeServedChangesNothing(t *testing.T) {
	g := newGuarded(t)
	if err := g.Pin("20200101T000000Z-0123456789ab"); err == nil {
		t.Error("a snapshot that is not there was pinned")
	}
	restore := corruptFile(t, g.store, g.next, "index-0000")
	if err := g.Pin(g.next.Name); !errors.Is(err, snapshot.ErrCorrupt) {
		t.Errorf("pinning a damaged one: %v", err)
	}
	restore()
	if _, pinned, err := g.store.Pinned(); pinned || err != nil {
		t.Errorf("pinned %t, %v", pinned, err)
	}
	g.serves(t, "after all", g.first)
}

// TestRollbackGoesBackThroughWhatWasServed never goes to one that was refused,
// nor to one that was rolled back from.
func TestRollbackGoesBackThroughWhatWasServed(t *testing.T) {
	a := poolOf(rand.New(rand.NewPCG(8, 8)), 100, false)
	store := newStore(t)
	var cur []snapshot.Current
	for i := range 4 {
		q := a
		if i == 2 {
			q = rotated(a) // it is refused
		}
		cur = append(cur, publish(t, store, q.contents(t, uint64(i))))
	}
	g := &guarded{store: store, options: engine.Options{Store: store, Bounds: strict()}}
	g.Engine = newEngine(t, g.options)
	for i, c := range cur {
		point(t, store, c)
		if _, err := g.Reload(); (err != nil) != (i == 2) {
			t.Fatalf("snapshot %d: %v", i, err)
		}
	}
	g.serves(t, "at first", cur[3])
	for _, want := range []int{1, 0} {
		if name := must(g.Rollback())(t); name != cur[want].Name {
			t.Fatalf("rolled back to %s, not snapshot %d", name, want)
		}
		ok(t, g.restart(t))
		g.serves(t, "rolled back, after a restart", cur[want])
	}
	if name, err := g.Rollback(); err == nil || !strings.Contains(err.Error(), "pin") {
		t.Errorf("rolled back to %s beyond the first: %v", name, err)
	}
	if changed, err := g.Unpin(); !changed || err != nil {
		t.Fatalf("unpin: %t, %v", changed, err)
	}
	g.serves(t, "unpinned", cur[3])
	if name := must(g.Rollback())(t); name != cur[0].Name {
		t.Errorf("then rolled back to %s", name)
	}
}

// TestLookupsAreSampledForTheCanary lets what is asked decide: ids stay, and
// one identifier that is asked for again and again changes its person.
func TestLookupsAreSampledForTheCanary(t *testing.T) {
	p := newPair(t)
	b := strict()
	b.IDsChanged = 100 // the canary alone is left
	p.point(t, 0)
	e := newEngine(t, engine.Options{Store: p.store, Bounds: b})
	c := everything(p.models[p.cur[0].Name].pool)
	ok(t, e.SetClients([]engine.Client{c}))
	reload(t, e)
	e.KeepAll()
	for _, q := range p.qs {
		s := must(e.Begin(c.Name))(t)
		ok(t, s.Match(new(engine.Batch), [][]byte{[]byte(q.text)}))
		s.End()
	}
	p.point(t, 1)
	if _, err := e.Reload(); err == nil || e.Stats().Reasons[swap.Canary] != 1 {
		t.Errorf("%v, reasons %v", err, e.Stats().Reasons)
	}
}

// TestGuardedSwapsUnderLoad judges, forces, pins and rolls back while sessions
// ask: none fails, and each sees one snapshot.
func TestGuardedSwapsUnderLoad(t *testing.T) {
	p := newPair(t)
	p.point(t, 0)
	e := newEngine(t, engine.Options{Store: p.store, Bounds: strict()})
	c := everything(p.models[p.cur[0].Name].pool)
	ok(t, e.SetClients([]engine.Client{c}))
	reload(t, e)
	e.KeepAll()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for worker := range 3 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 6))
			var b engine.Batch
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if n%64 == 0 {
					time.Sleep(100 * time.Microsecond) // or the cores have no time for the swaps
				}
				s, err := e.Begin(c.Name)
				if err == nil {
					before := s.Snapshot()
					err = s.Match(&b, [][]byte{[]byte(p.qs[r.IntN(len(p.qs))].text)})
					if s.Snapshot() != before {
						t.Error("a session saw two snapshots")
					}
					s.End()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	rounds := 30
	if testing.Short() {
		rounds = 8
	}
	for i := range rounds {
		p.point(t, (i+1)%2)
		if _, err := e.Reload(); err == nil {
			t.Error("a snapshot of other persons was taken")
		}
		if changed, err := e.Swap(true); !changed || err != nil {
			t.Errorf("forced: %t, %v", changed, err)
		}
		if i%4 == 3 {
			must(e.Rollback())(t)
			if _, err := e.Unpin(); err == nil {
				t.Error("unpinned to other persons")
			}
			must(e.Swap(true))(t)
		}
	}
	close(stop)
	wg.Wait()
}

func TestSamplingAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	p := newPair(t)
	p.point(t, 0)
	e := newEngine(t, engine.Options{Store: p.store, Bounds: strict()})
	c := everything(p.models[p.cur[0].Name].pool)
	ok(t, e.SetClients([]engine.Client{c}))
	reload(t, e)
	e.KeepAll()
	var b engine.Batch
	ids := [][]byte{[]byte(p.qs[0].text)}
	ask := func() {
		s, err := e.Begin(c.Name)
		if err == nil {
			err = s.Match(&b, ids)
			s.End()
		}
		ok(t, err)
	}
	ask()
	if n := testing.AllocsPerRun(100, ask); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
