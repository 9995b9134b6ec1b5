package engine_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
)

// TestModelOfLiveLinks builds pools without some of their links, and with some
// that are withdrawn; live changes put that right, and answers are those of the
// naive model of the whole pool.
func TestModelOfLiveLinks(t *testing.T) {
	pools := uint64(400)
	if testing.Short() || raceEnabled {
		pools = 40
	}
	compared, joined, cut := 0, 0, 0
	for seed := range pools {
		r := rand.New(rand.NewPCG(seed, 77))
		w := splitPool(r, buildable(randomPool(r, true)))
		if len(w.base.profiles) == 0 {
			continue // a build of nothing is refused
		}
		dir := t.TempDir()
		writeFiles(t, w.base, dir)
		report, err := build.Run(t.Context(), build.Options{
			Config: filepath.Join(dir, "onboard.yaml"), Store: filepath.Join(dir, "store"),
			Secret: &secret, Workers: 1, Shards: 1 << (seed % 3), FS: noSync{},
		})
		ok(t, err)
		if len(report.Cuts) > 0 {
			continue // a snapshot does not have what it cut
		}
		compared, joined, cut = compared+1, joined+w.joins, cut+w.cuts
		at := &clock{}
		h := &harness{clock: at, engine: newEngine(t, engine.Options{
			Store: must(snapshot.OpenStore(filepath.Join(dir, "store")))(t), Now: at.now,
		})}
		reload(t, h.engine)
		store := must(snapshot.OpenStore(filepath.Join(dir, "store")))(t)
		r.Shuffle(len(w.events), func(i, j int) { w.events[i], w.events[j] = w.events[j], w.events[i] })
		if seed%4 > 0 {
			h.engine.SetOverlay(changes(t, h.engine, store, w.events...))
		} else {
			at.set(storyTime.Add(time.Hour))
			ok(t, h.engine.OpenChanges(filepath.Join(dir, "log")))
			for len(w.events) > 0 { // some at once, the later ones on what the earlier ones made
				n := 1 + r.IntN(len(w.events))
				takeAll(t, h.engine, w.events[:n])
				w.events = w.events[n:]
			}
		}
		h.compare(t, fmt.Sprintf("pool %d", seed), newModel(w.whole), w.whole.randomClients(r), r)
	}
	if compared < int(pools)/3 || joined < compared || cut < compared/4 {
		t.Errorf("%d pools compared, of %d, with %d live links and %d withdrawn", compared, pools, joined, cut)
	}
}

// TestTouchingChangesNothing: persons of pools in which the builder has cut
// links are resolved anew, from what is left of those, and are as before.
func TestTouchingChangesNothing(t *testing.T) {
	pools := uint64(200)
	if testing.Short() || raceEnabled {
		pools = 20
	}
	cuts := 0
	for seed := range pools {
		r := rand.New(rand.NewPCG(seed, 78))
		p := crowdedPool(r)
		if len(p.profiles) == 0 {
			continue
		}
		dir := t.TempDir()
		writeFiles(t, p, dir)
		report, err := build.Run(t.Context(), build.Options{
			Config: filepath.Join(dir, "onboard.yaml"), Store: filepath.Join(dir, "store"), Secret: &secret, Workers: 1, FS: noSync{},
		})
		ok(t, err)
		for _, n := range report.Cuts {
			cuts += int(n)
		}
		store := must(snapshot.OpenStore(filepath.Join(dir, "store")))(t)
		at := &clock{}
		h := &harness{clock: at, engine: newEngine(t, engine.Options{Store: store, Now: at.now})}
		reload(t, h.engine)
		var list []string
		for i := range p.ids {
			list = append(list, fmt.Sprintf(`"type":"unlink","left":%q,"right":"cookie.a:nobody's"`, p.text(i)))
		}
		h.engine.SetOverlay(changes(t, h.engine, store, list...))
		h.compare(t, fmt.Sprintf("pool %d", seed), newModel(buildable(p)), p.randomClients(r), r)
	}
	if cuts < int(pools) {
		t.Errorf("only %d links were cut", cuts)
	}
}

// crowdedPool is a pool whose persons are linked to each other here and there.
func crowdedPool(r *rand.Rand) *pool {
	p := buildable(poolOf(r, 2+r.IntN(6), true))
	for range r.IntN(6) {
		if n := len(p.ids); n > 1 {
			if a, b := r.IntN(n), r.IntN(n); a != b {
				p.links = append(p.links, p.randomLink(r, min(a, b), max(a, b)))
			}
		}
	}
	for i := range p.links {
		p.links[i].first = p.links[i].last // a row has one day
	}
	return p
}

// takeAll takes changes at once, each of them.
func takeAll(t *testing.T, e *engine.Engine, list []string) {
	t.Helper()
	var named []string
	for _, text := range list {
		named = append(named, fmt.Sprintf(`"id":"%x",%s`, sha256.Sum256([]byte(text)), text))
	}
	out, err := e.Changes().Take("shop", events(t, named...))
	ok(t, err)
	for i := range out {
		ok(t, out[i].Err)
	}
}

// splitting is a pool in two steps.
type splitting struct {
	base, whole *pool
	events      []string
	joins, cuts int
}

// splitPool leaves links out of a pool, which live changes bring.
func splitPool(r *rand.Rand, p *pool) splitting {
	base := *p
	base.links = nil
	live := map[[2]int]poolLink{}
	gone := map[[2]int]bool{}
	pair := func(l poolLink) [2]int { return [2]int{min(l.a, l.b), max(l.a, l.b)} }
	for _, l := range p.links {
		if _, twice := live[pair(l)]; !twice && r.IntN(3) == 0 {
			live[pair(l)] = l
		} else {
			base.links = append(base.links, l)
		}
	}
	if n := len(base.links); n > 0 && r.IntN(2) == 0 {
		gone[pair(base.links[r.IntN(n)])] = true
	}
	// A snapshot has nobody without a profile: what linked those comes live too.
	repaint(&base)
	known := map[int]bool{}
	for _, q := range base.profiles {
		known[base.ids[q.id].person] = true
	}
	base.links = slices.DeleteFunc(base.links, func(l poolLink) bool {
		if known[base.ids[l.a].person] {
			return false
		}
		if _, twice := live[pair(l)]; !twice {
			live[pair(l)] = l
		}
		return true
	})
	out := splitting{base: &base}
	whole := base
	whole.ids, whole.profiles, whole.links = slices.Clone(p.ids), slices.Clone(p.profiles), nil
	whole.sources = append(slices.Clone(p.sources), snapshot.Source{Name: "live"})
	for _, l := range base.links {
		if gone[pair(l)] {
			out.cuts++
		} else {
			whole.links = append(whole.links, l)
		}
	}
	for ends, l := range live {
		if gone[ends] {
			continue // one fact has one state
		}
		l.first, l.source = l.last, len(p.sources)
		whole.links = append(whole.links, l)
		out.joins++
		out.events = append(out.events, fmt.Sprintf(`"type":"link","left":%q,"right":%q,"method":%q,"at":"%vT00:00:01Z"`, p.text(l.a), p.text(l.b), l.method, l.last))
	}
	for ends := range gone {
		out.events = append(out.events, fmt.Sprintf(`"type":"unlink","left":%q,"right":%q,"at":%q`, p.text(ends[1]), p.text(ends[0]), p.asOf.Format("2006-01-02T15:04:05Z")))
	}
	// What is said and taken back leaves nothing.
	for range min(r.IntN(4), len(p.ids)) {
		a, b := r.IntN(len(p.ids)), r.IntN(len(p.ids))
		ends := [2]int{min(a, b), max(a, b)}
		if _, used := live[ends]; a == b || used || gone[ends] || slices.ContainsFunc(base.links, func(l poolLink) bool { return pair(l) == ends }) {
			continue
		}
		gone[ends] = true
		for i, kind := range []string{"link", "unlink"} {
			out.events = append(out.events, fmt.Sprintf(`"type":%q,"left":%q,"right":%q,"at":"2026-11-20T00:00:0%dZ"`, kind, p.text(a), p.text(b), i))
		}
	}
	repaint(&whole)
	cutApart(&whole)
	dropAnonymous(&whole)
	out.whole = &whole
	return out
}

// repaint makes persons of what hangs together.
func repaint(p *pool) {
	p.ids, p.persons = slices.Clone(p.ids), 0
	for i := range p.ids {
		p.ids[i].person = -1
	}
	for i := range p.ids {
		if p.ids[i].person < 0 {
			paint(p, i, p.persons)
			p.persons++
		}
	}
}
