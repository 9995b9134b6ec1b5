package bench

import (
	"context"
	"runtime"
	"time"

	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// target is matchd, or something that it is measured beside.
type target interface {
	name() string
	// time asks n identifiers as the question says.
	time(ctx context.Context, q ask.Question, n int) (ask.Timing, error)
	// slow ones take microseconds a lookup.
	slow() bool
	// skips reports whether the question tells nothing that another one of the
	// same target does not.
	skips(q ask.Question) bool
	close()
}

// targets opens all that is to be measured.
func (c LookupConfig) targets(ctx context.Context, w *world.World, store *snapshot.Store, dir string, out *LookupResult) (list []target, err error) {
	defer func() {
		if err != nil {
			closeAll(list)
			list = nil
		}
	}()
	draws := &draws{w: w, pool: c.Probes, seed: c.Seed + 1}
	for _, m := range c.Memory {
		t, err := newMatchd(store, m, w, draws)
		if err != nil {
			return list, err
		}
		list = append(list, t)
	}
	c.Log("filling a Go map")
	m, err := newGoMap(w, store)
	if err != nil {
		return list, err
	}
	out.Sizes[goMapName] = m.bytes()
	list = append(list, &local{title: goMapName, draws: draws, answerers: []ask.Answerer{m.reader(), m.reader()}, end: m.close})
	peers, err := c.startPeers(ctx, w, dir, draws, out)
	list = append(list, peers...)
	if err != nil {
		return list, err
	}
	runtime.GC()
	return list, ctx.Err()
}

func closeAll(list []target) {
	for _, t := range list {
		t.close()
	}
}

// draws are the identifiers that questions ask, drawn once.
type draws struct {
	w    *world.World
	pool int
	seed uint64
	ids  map[world.Draw][][]byte
}

func (d *draws) get(draw world.Draw) [][]byte {
	if d.ids == nil {
		d.ids = map[world.Draw][][]byte{}
	}
	if d.ids[draw] == nil {
		d.ids[draw] = d.w.Draw(draw, d.pool, d.seed)
	}
	return d.ids[draw]
}

// local is a target in this process.
type local struct {
	title     string
	draws     *draws
	answerers []ask.Answerer // one a core
	batches   bool           // it has a call for many identifiers
	end       func()
}

func (t *local) name() string { return t.title }
func (t *local) slow() bool   { return false }
func (t *local) close()       { t.end() }

func (t *local) time(_ context.Context, q ask.Question, n int) (ask.Timing, error) {
	return ask.Time(q, t.answerers, t.draws.get(q.Draw), n)
}

func (t *local) skips(q ask.Question) bool { return !t.batches && skipsBatch(q) }

// skipsBatch reports whether a question is about the size of batches: for who
// has no call for many identifiers, one size says all.
func skipsBatch(q ask.Question) bool { return q.Batch != single && q.Batch != batch }

// newMatchd opens an engine, with a session a core.
func newMatchd(store *snapshot.Store, m snapshot.Memory, w *world.World, d *draws) (_ *local, err error) {
	now := w.AsOf()
	e, err := engine.New(engine.Options{Store: store, Memory: m, Now: func() time.Time { return now }})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = e.Close()
		}
	}()
	if err := e.SetClients([]engine.Client{WorldClient}); err != nil {
		return nil, err
	}
	if _, err := e.Reload(); err != nil {
		return nil, err
	}
	t := &local{title: matchdName(m), draws: d, batches: true}
	var sessions []*Answerer
	for range 2 {
		s, err := e.Begin(WorldClient.Name)
		if err != nil {
			return nil, err
		}
		x := &Answerer{Session: s}
		sessions, t.answerers = append(sessions, x), append(t.answerers, x)
	}
	t.end = func() {
		for _, x := range sessions {
			x.Session.End()
		}
		_ = e.Close() // only read from
	}
	return t, nil
}

func matchdName(m snapshot.Memory) string { return "matchd " + string(m) }

// WorldClient may see all of a world.
var WorldClient = engine.Client{Name: "bench", Grants: []engine.Grant{{
	Tenant: world.Tenant, Segments: []string{engine.All}, Namespaces: []string{engine.All}, Customers: true,
}}}

// Answerer answers from a session of an engine, for one goroutine.
type Answerer struct {
	Session engine.Session
	batch   engine.Batch
}

// Ask implements [ask.Answerer].
func (a *Answerer) Ask(ids [][]byte) (sum uint64) {
	b := &a.batch
	if a.Session.Match(b, ids) != nil {
		return 0 // too large: and then the sums differ
	}
	for i := range b.Answers {
		profiles := b.Profiles(&b.Answers[i])
		for k := range profiles {
			sum += ask.SumAnswer(b.Customer(&profiles[k]), b.Segments(&profiles[k]))
		}
	}
	return sum
}
