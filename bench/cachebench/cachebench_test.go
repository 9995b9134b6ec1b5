package cachebench

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/world"
)

// small measures little, with a cache for a few of the blocks and answers.
func small(t *testing.T) Config {
	c := Default()
	c.IDs, c.Rounds, c.Listings, c.Lookups, c.WarmListings, c.WarmLookups = 20_000, 2, 500, 1000, 500, 2000
	c.CacheBytes, c.Dir = 200<<10, t.TempDir()
	return c
}

// A run asks every question with every cache in every round, leaves nothing
// behind, and its caches do what they are said to do: one that is off has
// nothing, one for all has all, and one between has some.
func TestRun(t *testing.T) {
	c := small(t)
	r, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(c.Dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if want := 2 * 2 * 4; len(r.Listings) != want || len(r.Lookups) != 2*3*4 {
		t.Fatalf("%d and %d rows", len(r.Listings), len(r.Lookups))
	}
	if r.Blocks < 10 || r.BlockBytes < 10<<10 || r.HotBytes < 10 || r.AnswerBytes < 50 {
		t.Errorf("%d blocks of %.0f bytes; %.1f bytes an id, %.1f an answer", r.Blocks, r.BlockBytes, r.HotBytes, r.AnswerBytes)
	}
	for _, row := range slices.Concat(r.Listings, r.Lookups) {
		if len(row.Rounds) != c.Rounds || row.Median() <= 0 {
			t.Errorf("%+v", row)
		}
		low, high := 0.0, 0.0
		switch row.Cache {
		case cacheAll:
			low, high = 0.97, 1
		case sizeName(c.CacheBytes):
			low, high = 0.05, 0.95
		}
		if row.Hits < low || row.Hits > high {
			t.Errorf("cache %s, %+v: %.3f of the answers are from it", row.Cache, row.Question, row.Hits)
		}
	}
	for _, row := range r.Listings {
		decodes := row.Cache == cacheOff || row.Cache == decoding
		if (row.Bytes > r.BlockBytes) != decodes && row.Cache != sizeName(c.CacheBytes) {
			t.Errorf("cache %s: %.0f bytes a listing", row.Cache, row.Bytes)
		}
	}
	for _, row := range r.Lookups {
		if row.Cache == cacheOff && row.Allocs > 0.1 {
			t.Errorf("%.2f allocations a lookup without a cache", row.Allocs)
		}
	}
	var out bytes.Buffer
	r.Markdown(&out)
	if n := strings.Count(out.String(), "\n| Zipf, 2 goroutines |"); n != 4 {
		t.Errorf("%d rows in\n%s", n, out.String())
	}
	if n := strings.Count(out.String(), "\n| 20 % hits, batches of 256, 1 goroutine |"); n != 4 {
		t.Errorf("%d rows in\n%s", n, out.String())
	}
}

// Who gives other answers than the others is not measured.
func TestRefusesOtherAnswers(t *testing.T) {
	says := func(name string, sum uint64) subject {
		return subject{name, func(ask.Question, int, int) (uint64, int, error) { return sum, 0, nil }}
	}
	questions := []ask.Question{{Batch: 1, Cores: 1}}
	_, err := measure(t.Context(), []subject{says("silent", 0), says("one", 1), says("other", 2)}, questions, 1, 0, 1)
	if err == nil || !strings.Contains(err.Error(), "cache other: other answers") {
		t.Errorf("the error is %v", err)
	}
	if _, err := measure(t.Context(), []subject{says("silent", 0), says("one", 1), says("same", 1)}, questions, 2, 0, 1); err != nil {
		t.Error(err)
	}
}

// Each time all are asked the same, and what was not asked before.
func TestMeasureAsksInTurns(t *testing.T) {
	asked := map[string][]int{}
	note := func(name string) subject {
		return subject{name, func(_ ask.Question, from, n int) (uint64, int, error) {
			asked[name] = append(asked[name], from, n)
			return 1, n, nil
		}}
	}
	rows, err := measure(t.Context(), []subject{note("a"), note("b")}, []ask.Question{{Batch: 1}, {Batch: 2}}, 2, 5, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []int{5, 10, 15, 10, 25, 10, 35, 10}
	if !slices.Equal(asked["a"], want) || !slices.Equal(asked["b"], want) {
		t.Errorf("asked %v", asked)
	}
	for _, r := range rows {
		if len(r.Rounds) != 2 || r.Hits != 1 {
			t.Errorf("%+v", r)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.IDs = 0 },
		func(c *Config) { c.Rounds = 0 },
		func(c *Config) { c.Listings = 0 },
		func(c *Config) { c.Lookups = batch - 1 },
		func(c *Config) { c.WarmLookups = -1 },
		func(c *Config) { c.CacheBytes = 0 },
	} {
		c := small(t)
		change(&c)
		if _, err := c.Run(t.Context()); err == nil {
			t.Errorf("%+v is measured", c)
		}
	}
	c := small(t)
	ctx, stop := context.WithCancel(t.Context())
	c.Log = func(format string, _ ...any) {
		if strings.HasPrefix(format, "listings") {
			stop()
		}
	}
	if _, err := c.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it goes on though nobody waits: %v", err)
	}
}

// A store of another world is refused: its customers would not be there.
func TestRefusesOtherStore(t *testing.T) {
	c := small(t)
	c.Store = t.TempDir()
	other := world.World{IDs: c.IDs / 2, Seed: c.Seed}
	if _, err := other.Publish(t.Context(), c.Store); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "persons") {
		t.Errorf("the error is %v", err)
	}
}

// Draws lie within the world, are the same for the same seed, and by Zipf's law
// one person is drawn far more often than any is otherwise.
func TestDrawPersons(t *testing.T) {
	w := &world.World{IDs: 30_000, Seed: 3}
	for _, zipf := range []bool{false, true} {
		const n = 50_000
		times, most := make([]int, w.Persons()), 0
		drawn := drawPersons(w, zipf, n)
		for _, p := range drawn {
			times[p]++
			most = max(most, times[p])
		}
		if often := most > n/100; often != zipf {
			t.Errorf("Zipf %t: one person is drawn %d times of %d", zipf, most, n)
		}
		if !slices.Equal(drawn, drawPersons(w, zipf, n)) {
			t.Errorf("Zipf %t: the same seed draws others", zipf)
		}
	}
}

// A ratio is that of rounds, not of medians.
func TestRatio(t *testing.T) {
	a, b := Row{Rounds: []float64{4, 9, 2}}, Row{Rounds: []float64{8, 3, 1}}
	if got := a.Ratio(&b); got != 2 || a.Median() != 4 || b.Median() != 3 {
		t.Errorf("ratio %v, medians %v and %v", got, a.Median(), b.Median())
	}
}

// What a cache took from batches is, identifier by identifier, what matchd
// answers without one.
func TestCachedAnswers(t *testing.T) {
	w := &world.World{IDs: 1000, Seed: 5}
	store, err := w.Publish(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEngine(store, w, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	ids := w.Draw(world.Draw{Hits: 0.5}, 4*batch, 1)
	plain, end, err := newCached(e, 0, 0, ids)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	entries := different(ids)
	with, end, err := newCached(e, answerRoom*entries, entries, ids)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	for part := range slices.Chunk(ids, batch) {
		with.askers[0].Ask(part)
	}
	with.cache.Wait()
	for i, id := range ids {
		if _, ok := with.cache.Get(id); !ok {
			t.Fatalf("draw %d is not in the cache", i)
		}
		if got, want := with.askers[1].Ask([][]byte{id}), plain.askers[0].Ask([][]byte{id}); got != want {
			t.Fatalf("draw %d: the cache's answer adds up to %d, not %d", i, got, want)
		}
	}
}
