package bench

import (
	"bytes"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/snapshot"
)

// go test -bench Lookup ./bench -ids 10000000 measures as many as that.
var ids = flag.Int("ids", 1_000_000, "identifiers of BenchmarkLookup")

// BenchmarkLookup runs the cases of matchd bench lookup.
func BenchmarkLookup(b *testing.B) {
	c := DefaultLookup()
	c.IDs, c.Probes = *ids, 1<<20
	c.Log = func(string, ...any) {}
	w := &world{ids: c.IDs, seed: c.Seed, asOf: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	store, err := w.publish(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	cases, done, err := c.cases(b.Context(), w, store)
	if err != nil {
		b.Fatal(err)
	}
	defer done()
	for _, k := range cases {
		b.Run(fmt.Sprintf("ids=%d/%s", c.IDs, k.Name), func(b *testing.B) {
			b.ReportAllocs()
			k.Run(b.N)
		})
	}
}

// A run measures every case in every round, in both formats, and its snapshot
// takes at most 13 bytes an identifier for filter and table.
func TestLookup(t *testing.T) {
	c := DefaultLookup()
	c.IDs, c.Probes, c.Rounds, c.Dir = 50_000, batchSize, 3, t.TempDir()
	r, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 + 4*len(c.Memory) + 2; len(r.Timings) != want {
		t.Errorf("%d cases, want %d", len(r.Timings), want)
	}
	var table, lines bytes.Buffer
	r.Markdown(&table)
	r.Benchmark(&lines)
	for _, m := range r.Timings {
		if len(m.Rounds) != c.Rounds || m.Median() <= 0 || !strings.Contains(table.String(), "| "+m.Name+" |") {
			t.Errorf("%s: rounds %v, and the table is\n%s", m.Name, m.Rounds, table.String())
		}
	}
	if n := strings.Count(lines.String(), "\nBenchmarkLookup/"); n != len(r.Timings)*c.Rounds {
		t.Errorf("%d benchmark lines:\n%s", n, lines.String())
	}
	if r.Index <= 0 || r.Index > 13 {
		t.Errorf("filter and table take %.2f bytes an id", r.Index)
	}
}

// The world that is measured is sound: its snapshot verifies, and matchd and
// the Go map find the same answers.
func TestWorld(t *testing.T) {
	w := &world{ids: 10_000, seed: 7, asOf: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	store, err := w.publish(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	secret, err := store.Secret()
	if err != nil {
		t.Fatal(err)
	}
	cur, err := store.Current()
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(cur, snapshot.Map)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Verify(snapshot.IdentifierHasher(secret)); err != nil {
		t.Fatal(err)
	}
	x, err := newTarget(store, snapshot.Map, w.asOf)
	if err != nil {
		t.Fatal(err)
	}
	defer x.close()
	m := newGoMap(w)
	for i := range 2 * w.ids {
		id := w.text(nil, i)
		if err := x.session.Match(&x.batches, [][]byte{id}); err != nil {
			t.Fatal(err)
		}
		if got, want := x.sum(), m.lookup(id); got != want || (want != 0) != (i < w.ids) {
			t.Fatalf("id %d, %s: matchd's answer adds up to %d, the Go map's to %d", i, id, got, want)
		}
	}
}

// The limit follows one cycle through all lines.
func TestChase(t *testing.T) {
	c, err := newChase(1<<16, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.free()
	lines := len(c.words) / lineWords
	seen := map[uint32]bool{}
	for range lines {
		c.run(1)
		seen[c.at] = true
	}
	if len(seen) != lines || c.at != 0 {
		t.Errorf("%d lines of %d were read, and the cycle ends at %d", len(seen), lines, c.at)
	}
}
