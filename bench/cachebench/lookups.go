package cachebench

import (
	"context"
	"errors"
	"runtime"
	"unsafe"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/zeebo/xxh3"

	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// cacheNothing is a cache that has room for no answer: what each lookup pays
// that a cache cannot answer.
const cacheNothing = "of no room"

// batch is the size of batches.
const batch = 256

// lookups measures lookups of a Zipf draw, without a cache as matchd has it and
// with one before it: a mix of 20 % hits, and hits alone.
func (c Config) lookups(ctx context.Context, w *world.World, store *snapshot.Store, r *Result) (err error) {
	e, err := newEngine(store, w, -1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	for _, hits := range []float64{0.2, 1} {
		d := world.Draw{Hits: hits, Zipf: true}
		c.Log("lookups, %.0f %% hits", 100*hits)
		questions := []ask.Question{{Draw: d, Batch: 1, Cores: 1}, {Draw: d, Batch: 1, Cores: 2}, {Draw: d, Batch: batch, Cores: 1}}
		ids := w.Draw(d, c.WarmLookups+c.Lookups*c.Rounds*len(questions), c.Seed+1)
		if err := c.lookupsOf(ctx, e, ids, questions, r); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) lookupsOf(ctx context.Context, e *engine.Engine, ids [][]byte, questions []ask.Question, r *Result) error {
	var subjects []subject
	entries := different(ids)
	for _, cache := range []struct {
		name       string
		bytes      int64
		knownFirst int // how many of the draws it has been asked before
	}{
		{cacheOff, 0, c.WarmLookups},
		{cacheNothing, 1, c.WarmLookups},
		{sizeName(c.CacheBytes), c.CacheBytes, c.WarmLookups},
		{cacheAll, answerRoom * entries, len(ids)},
	} {
		before := heap()
		s, end, err := newCached(e, cache.bytes, entries, ids)
		if err != nil {
			return err
		}
		defer end()
		kept := s.warm(ids[:cache.knownFirst])
		if cache.name == cacheAll {
			r.AnswerBytes = float64(heap()-before) / float64(kept)
		}
		subjects = append(subjects, subject{cache.name, s.run})
	}
	rows, err := measure(ctx, subjects, questions, c.Rounds, c.WarmLookups, c.Lookups)
	r.Lookups = append(r.Lookups, rows...)
	return err
}

// different counts different identifiers.
func different(ids [][]byte) int64 {
	seen := map[uint64]bool{}
	for _, id := range ids {
		seen[xxh3.Hash(id)] = true
	}
	return int64(len(seen))
}

// heap is what is in use of the collector's heap.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// answer is a decoded answer as a cache keeps it; without a customer, it is
// that there is no match.
type answer struct {
	customer []byte
	segments []uint32
}

// answerRoom is room for an answer in a cache, with what the cache itself adds.
const answerRoom = 512

// itemBytes is about the size of an answer in a cache.
const itemBytes = 150

func (a *answer) cost() int64 {
	return int64(unsafe.Sizeof(*a)) + int64(cap(a.customer)) + 4*int64(cap(a.segments))
}

// hash128 tells keys apart by as many bits as matchd confirms, and takes less
// time than what a cache does by itself.
func hash128(key []byte) (uint64, uint64) {
	h := xxh3.Hash128(key)
	return h.Hi, h.Lo
}

// cached is a session a core with one cache before them, or none. The cache is
// given every advantage: its key is the text as it is sent, so that a hit
// parses nothing; and it is asked for one client, whose grants never change,
// at one moment, so that nothing in it grows old.
type cached struct {
	cache  *ristretto.Cache[[]byte, *answer] // nil is none
	askers []ask.Answerer
	ids    [][]byte
}

// newCached makes a cache of as many bytes, for no more than some entries.
func newCached(e *engine.Engine, bytes, entries int64, ids [][]byte) (_ *cached, end func(), err error) {
	c := &cached{ids: ids}
	if bytes > 0 {
		c.cache, err = ristretto.NewCache(&ristretto.Config[[]byte, *answer]{
			NumCounters: max(1000, 10*min(entries, bytes/itemBytes)), MaxCost: bytes, BufferItems: 64,
			KeyToHash: hash128, Cost: (*answer).cost,
		})
		if err != nil {
			return nil, nil, err
		}
	}
	end = func() {
		for _, a := range c.askers {
			a.(*asker).session.End()
		}
		c.cache.Close()
	}
	for range 2 {
		s, err := e.Begin(client.Name)
		if err != nil {
			end()
			return nil, nil, err
		}
		c.askers = append(c.askers, &asker{cache: c.cache, session: s})
	}
	return c, end, nil
}

// warm asks once, waiting for the cache to take in what it is given, and
// returns how many answers that were.
func (c *cached) warm(ids [][]byte) (kept int) {
	for i := range ids {
		c.askers[0].Ask(ids[i : i+1])
		if i%1024 == 0 {
			c.cache.Wait()
		}
	}
	c.cache.Wait()
	return len(ids) - c.askers[0].(*asker).hits
}

func (c *cached) run(q ask.Question, from, n int) (sum uint64, hits int, err error) {
	for _, a := range c.askers {
		a.(*asker).hits = 0
	}
	t, err := ask.Time(q, c.askers, c.ids[from:from+n], n)
	for _, a := range c.askers {
		hits += a.(*asker).hits
	}
	return t.Sum, hits, err
}

// asker asks the cache, and a session for what the cache has not.
type asker struct {
	cache   *ristretto.Cache[[]byte, *answer]
	session engine.Session
	batch   engine.Batch
	rest    [][]byte
	hits    int
	_       [64]byte // two askers share no line
}

// Ask implements [ask.Answerer].
func (a *asker) Ask(ids [][]byte) (sum uint64) {
	if a.cache == nil {
		return a.match(ids)
	}
	a.rest = a.rest[:0]
	for _, id := range ids {
		if v, ok := a.cache.Get(id); ok {
			sum += ask.SumAnswer(v.customer, v.segments)
			a.hits++
		} else {
			a.rest = append(a.rest, id)
		}
	}
	if len(a.rest) > 0 {
		sum += a.match(a.rest)
	}
	return sum
}

func (a *asker) match(ids [][]byte) (sum uint64) {
	b := &a.batch
	if a.session.Match(b, ids) != nil {
		return 0 // too large: and then the sums differ
	}
	for i := range b.Answers {
		profiles := b.Profiles(&b.Answers[i])
		for k := range profiles {
			sum += ask.SumAnswer(b.Customer(&profiles[k]), b.Segments(&profiles[k]))
		}
		if a.cache != nil {
			a.cache.Set(ids[i], keep(b, profiles), 0)
		}
	}
	return sum
}

// keep copies an answer out of a batch. In the world a person has one profile.
func keep(b *engine.Batch, profiles []engine.Profile) *answer {
	v := &answer{}
	for k := range profiles {
		v.customer = append(v.customer, b.Customer(&profiles[k])...)
		v.segments = append(v.segments, b.Segments(&profiles[k])...)
	}
	return v
}
