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
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// TestNoLeak holds every answer that a random client gets in a random world
// against the one that it gets in a world that differs in nothing but what the
// client may not see. It knows of no rule what an answer should be: only that
// all of it, person ids and buckets included, is byte for byte the same.
func TestNoLeak(t *testing.T) {
	pools, promised := 300, 1_000_000
	if testing.Short() || raceEnabled {
		pools, promised = 30, 80_000
	}
	l := newLeakTest(t)
	for seed := range uint64(pools) {
		r := rand.New(rand.NewPCG(seed, 7))
		p := poolOf(r, 4+r.IntN(8), false)
		p.untie()
		l.publish(t, 0, p, seed)
		for _, c := range p.randomClients(r)[2:] {
			now := pick(r, append(moments(c), p.clocks...)...)
			w := newWorld(p, c, now, r)
			if w.blind() && r.IntN(10) > 0 {
				continue // every answer is invalid
			}
			l.perturb(w)
			l.publish(t, 1, w.pool, r.Uint64())
			l.compare(t, fmt.Sprintf("pool %d, %v, client %+v", seed, now, c), p, w)
			if t.Failed() {
				t.FailNow()
			}
		}
	}
	t.Logf("%d calls in pairs of worlds, answers %v, listings %d", l.calls, l.reasons, l.listings)
	if l.calls < promised {
		t.Errorf("%d calls, and %d were promised", l.calls, promised)
	}
	for name := range secrets {
		if l.done[name] < pools/10 {
			t.Errorf("%s: changed only %d times", name, l.done[name])
		}
	}
	for _, reason := range []engine.Reason{
		engine.Matched, engine.Unknown, engine.NoConsent, engine.ConsentExpired, engine.Ambiguous, engine.Invalid,
	} {
		if l.reasons[reason] < pools {
			t.Errorf("only %d answers were %s", l.reasons[reason], reason)
		}
	}
	if l.listings < pools {
		t.Errorf("only %d listings had several identifiers", l.listings)
	}
}

// moments are those about which grants end.
func moments(c engine.Client) (out []time.Time) {
	for _, g := range c.Grants {
		if !g.Until.IsZero() {
			out = append(out, g.Until, g.Until.Add(-time.Second))
		}
	}
	return out
}

// untie gives links of one strength one source, so that there is never a choice
// which of two to name.
func (p *pool) untie() {
	for i := range p.links {
		l := &p.links[i]
		l.source = (int(l.method)*7 + int(l.last)) % len(p.sources)
	}
}

// leakTest asks two worlds the same.
type leakTest struct {
	clock    *clock
	stores   [2]*snapshot.Store
	engines  [2]*engine.Engine
	current  [2]string // folders of the snapshots
	told     [2]testimony
	calls    int
	done     map[string]int // changes, by name
	reasons  map[engine.Reason]int
	listings int
}

func newLeakTest(t *testing.T) *leakTest {
	l := &leakTest{clock: &clock{}, done: map[string]int{}, reasons: map[engine.Reason]int{}}
	for i := range l.engines {
		l.stores[i] = newStore(t)
		l.engines[i] = newEngine(t, engine.Options{Store: l.stores[i], Now: l.clock.now})
	}
	return l
}

func (l *leakTest) publish(t *testing.T, world int, p *pool, seed uint64) {
	t.Helper()
	cur := publish(t, l.stores[world], p.contents(t, seed))
	reload(t, l.engines[world])
	if l.current[world] != "" {
		ok(t, os.RemoveAll(l.current[world]))
	}
	l.current[world] = filepath.Join(l.stores[world].Dir(), "snapshots", cur.Name)
}

// perturb makes a few changes that the client of a world cannot see.
func (l *leakTest) perturb(w *world) {
	names := slices.Sorted(maps.Keys(secrets))
	for range 5 + w.r.IntN(10) {
		if name := pick(w.r, names...); secrets[name](w) {
			l.done[name]++
		}
	}
}

// compare asks both worlds the same, as the client of the second one, which is w.
func (l *leakTest) compare(t *testing.T, where string, p *pool, w *world) {
	t.Helper()
	l.clock.set(w.now)
	q := w.questions(p)
	for i, e := range l.engines {
		ok(t, e.SetClients([]engine.Client{w.client}))
		s := begin(t, e, w.client.Name)
		l.told[i].take(t, s, q)
		s.End()
	}
	for i := range q.len() {
		if a, b := l.told[0].answer(i), l.told[1].answer(i); !bytes.Equal(a, b) {
			t.Errorf("%s: %s\n one world says %s\nthe other says %s", where, q.text(i), a, b)
		}
	}
	l.calls += q.len()
	for reason, n := range l.told[0].reasons {
		l.reasons[reason] += n
	}
	l.listings += l.told[0].listings
}
