package engine_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

func idsOf(l engine.Listing) (out []string) {
	for _, id := range l.Identifiers {
		out = append(out, id.ID)
	}
	return out
}

// TestCacheKeepsGenerationsApart swaps between snapshots in which one block
// of one shard, at the same offset, tells other things of the same person.
func TestCacheKeepsGenerationsApart(t *testing.T) {
	p := story()
	stories := []*pool{p, rotated(p)}
	store, at := newStore(t), &clock{}
	at.set(p.asOf)
	e := newEngine(t, engine.Options{Store: store, Now: at.now})
	ok(t, e.SetClients([]engine.Client{everything(p)}))
	want := [][]string{
		{"cookie.a:ann's", "cookie.b:ann's", "crm.acme:ann", "crm.bolt:B-1"},
		{"cookie.a:bob's", "cookie.b:ann's", "crm.acme:ann", "crm.bolt:B-1"},
	}
	var held []*engine.Session
	for round := range 6 {
		c := stories[round%2].contents(t, 1)
		c.meta.ID[15] = byte(round%2) + 1
		publish(t, store, c)
		reload(t, e)
		held = append(held, begin(t, e, "everything"))
		for i, s := range held { // the older generations go on as they were
			for range 2 { // from the file, then from the cache
				l := must(s.Identifiers("acme", "ann"))(t)
				if !reflect.DeepEqual(idsOf(l), want[i%2]) {
					t.Errorf("swap %d, generation %d: %q, want %q", round, i, idsOf(l), want[i%2])
				}
				e.WaitCache()
			}
		}
	}
	for _, s := range held {
		s.End()
	}
}

// TestCacheIsUsed cuts the file under a copy: what was asked for before is
// still told, and the rest is an error.
func TestCacheIsUsed(t *testing.T) {
	v := newVictim(t, 1)
	at := &clock{}
	at.set(v.m.asOf)
	e := newEngine(t, engine.Options{Store: v.store, Now: at.now, Memory: snapshot.Copy})
	reload(t, e)
	c := everything(v.m.pool)
	ok(t, e.SetClients([]engine.Client{c}))
	s := begin(t, e, c.Name)
	defer s.End()
	var customers [][2]string
	for _, q := range v.m.pool.profiles {
		if v.m.consent(q, v.m.asOf) == engine.Matched {
			customers = append(customers, [2]string{v.m.tenants[q.tenant].Name, v.m.ids[q.id].value})
		}
	}
	before := must(s.Identifiers(customers[0][0], customers[0][1]))(t)
	e.WaitCache()
	for _, name := range must(filepath.Glob(filepath.Join(v.dir, "records-*")))(t) {
		truncate(t, v, filepath.Base(name), func(int64) int64 { return 0 })
	}
	if after := must(s.Identifiers(customers[0][0], customers[0][1]))(t); !reflect.DeepEqual(after, before) {
		t.Errorf("from the cache: %+v, want %+v", after, before)
	}
	failed := 0
	for _, at := range customers {
		if l, err := s.Identifiers(at[0], at[1]); err != nil {
			failed++
			if !errors.Is(err, snapshot.ErrCorrupt) || !reflect.DeepEqual(l, engine.Listing{Reason: engine.Unknown}) {
				t.Errorf("%v: %+v, %v", at, l, err)
			}
		}
	}
	s.End()
	if n := e.Stats().Results[engine.ResultFault]; failed == 0 || n != uint64(failed) {
		t.Errorf("%d listings failed, and %d were counted", failed, n)
	}
	*s = *begin(t, e, c.Name) // for the deferred End
}

// TestColdReadersAtOnce asks for listings from several goroutines, with no
// cache, one that is far too small and one that is large, while snapshots are
// swapped.
func TestColdReadersAtOnce(t *testing.T) {
	for _, size := range []int64{-1, 1 << 10, 1 << 20} {
		p := newPair(t)
		m := p.models[p.cur[0].Name]
		at := &clock{}
		at.set(m.asOf)
		e := newEngine(t, engine.Options{Store: p.store, Now: at.now, CacheBytes: size})
		c := everything(m.pool)
		ok(t, e.SetClients([]engine.Client{c}))
		p.point(t, 0)
		reload(t, e)
		want := map[string][]listing{}
		for name, m := range p.models {
			for _, q := range m.pool.profiles {
				want[name] = append(want[name], m.list(c, m.asOf, m.tenants[q.tenant].Name, m.ids[q.id].value))
			}
		}
		var wg sync.WaitGroup
		for worker := range 3 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(worker), 8))
				for range 400 {
					s, err := e.Begin(c.Name)
					if err != nil {
						t.Error(err)
						return
					}
					m := p.models[s.Snapshot()]
					i := r.IntN(len(m.pool.profiles))
					q := m.pool.profiles[i]
					l, err := s.Identifiers(m.tenants[q.tenant].Name, m.ids[q.id].value)
					if expect := want[s.Snapshot()][i]; err != nil || l.Reason != expect.Reason || len(l.Identifiers) != len(expect.Identifiers) {
						t.Errorf("%s: %+v, %v, want %+v", s.Snapshot(), l, err, expect)
					} else {
						for k := range l.Identifiers {
							if l.Identifiers[k].ID != expect.Identifiers[k].ID {
								t.Errorf("%s: %q, want %q", s.Snapshot(), l.Identifiers[k].ID, expect.Identifiers[k].ID)
							}
						}
					}
					s.End()
				}
			})
		}
		for i := range 20 {
			p.point(t, (i+1)%2)
			reload(t, e)
		}
		wg.Wait()
	}
}
