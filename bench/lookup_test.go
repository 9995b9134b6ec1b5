package bench

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/snapshot"
)

// go test -bench Lookup ./bench -ids 10000000 measures as many as that.
var ids = flag.Int("ids", 1_000_000, "identifiers of BenchmarkLookup")

// BenchmarkLookup asks the questions of matchd bench lookup of the targets of
// this process.
func BenchmarkLookup(b *testing.B) {
	c := DefaultLookup()
	c.IDs, c.Log = *ids, func(string, ...any) {}
	w, dir := &world.World{IDs: c.IDs, Seed: c.Seed}, b.TempDir()
	store, err := w.Publish(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	targets, err := c.targets(b.Context(), w, store, dir, &LookupResult{Sizes: map[string]int{}})
	if err != nil {
		b.Fatal(err)
	}
	defer closeAll(targets)
	for _, q := range lookupQuestions() {
		for _, t := range targets {
			if t.skips(q) {
				continue
			}
			b.Run(fmt.Sprintf("ids=%d/%s/%s/%s", c.IDs, t.name(), DrawName(q.Draw), way(q)), func(b *testing.B) {
				b.ReportAllocs()
				if _, err := t.time(b.Context(), q, b.N); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// A run asks every question of every target in every round, in both formats.
func TestLookup(t *testing.T) {
	c := DefaultLookup()
	c.IDs, c.Probes, c.Rounds, c.Dir, c.LimitBytes = 50_000, largestBatch, 3, t.TempDir(), 1<<16
	r, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	questions := lookupQuestions()
	want := 0
	for _, q := range questions {
		want += len(c.Memory)
		if !skipsBatch(q) {
			want++
		}
	}
	if len(r.Cells) != want || len(r.Limit) != c.Rounds*len(questions) || len(r.Skipped) != 3 {
		t.Errorf("%d cells, want %d; %d times of the limit; skipped %q", len(r.Cells), want, len(r.Limit), r.Skipped)
	}
	var table, lines bytes.Buffer
	r.Markdown(&table)
	r.Benchmark(&lines)
	for i := range r.Cells {
		if k := &r.Cells[i]; len(k.Rounds) != c.Rounds || k.Median() <= 0 || k.sum == 0 && k.Question.Hits > 0 {
			t.Errorf("%s, %v: rounds %v, sum %d", k.Target, k.Question, k.Rounds, k.sum)
		}
	}
	if n := strings.Count(table.String(), "\n| batches of 256, 2 cores |"); n != 2 {
		t.Errorf("%d rows of batches on 2 cores in\n%s", n, table.String())
	}
	if n := strings.Count(lines.String(), "\nBenchmarkLookup/"); n != want*c.Rounds+len(r.Limit) {
		t.Errorf("%d benchmark lines:\n%s", n, lines.String())
	}
	if b := r.BytesAnID("filter", "table"); b <= 0 || b > 13 {
		t.Errorf("filter and table take %.2f bytes an id", b)
	}
	if r.BytesAnID(hotSections...) >= r.BytesAnID(goMapName) {
		t.Errorf("matchd's hot bytes are no fewer than a Go map's:\n%s", table.String())
	}
}

// What goes wrong while targets are opened is told, and what was open is closed.
func TestLookupFails(t *testing.T) {
	c := DefaultLookup()
	c.IDs, c.Probes, c.Rounds, c.LimitBytes, c.Dir = 1000, largestBatch, 1, 1<<16, t.TempDir()
	c.Peers = filepath.Join(c.Dir, "nothing")
	if _, err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "make peers") {
		t.Errorf("without the program of the peers: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c.Peers = ""
	c.Log = func(format string, _ ...any) {
		if strings.HasPrefix(format, "filling") {
			cancel()
		}
	}
	if _, err := c.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// A target that gives another answer than the first one is not measured.
func TestLookupRefusesOtherAnswers(t *testing.T) {
	c := DefaultLookup()
	c.IDs, c.Probes, c.LimitBytes, c.Log = 1000, largestBatch, 1<<16, func(string, ...any) {}
	d := &draws{w: &world.World{IDs: c.IDs, Seed: 1}, pool: c.Probes}
	one, other := &constant{1}, &constant{2}
	err := c.measure(t.Context(), []target{
		&local{title: "one", draws: d, answerers: []ask.Answerer{one, one}},
		&local{title: "other", draws: d, answerers: []ask.Answerer{other, other}},
	}, &LookupResult{Sizes: map[string]int{}})
	if err == nil || !strings.Contains(err.Error(), "other and one give different answers") {
		t.Errorf("the error is %v", err)
	}
}

type constant struct{ sum uint64 }

func (c *constant) Ask([][]byte) uint64 { return c.sum }

// The world that is measured is sound: its snapshot verifies, every identifier
// answers with its own person's data in both memory modes and in a Go map, and
// nobody else's identifier answers.
func TestWorld(t *testing.T) {
	w := &world.World{IDs: 10_000, Seed: 7}
	store, err := w.Publish(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	secret, err := store.Secret()
	if err != nil {
		t.Fatal(err)
	}
	err = store.WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error { return s.Verify(snapshot.IdentifierHasher(secret)) })
	if err != nil {
		t.Fatal(err)
	}
	m, err := newGoMap(w, store)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	answerers := map[string]ask.Answerer{goMapName: m.reader()}
	for _, memory := range []snapshot.Memory{snapshot.Map, snapshot.Copy} {
		x, err := newMatchd(store, memory, w, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer x.close()
		answerers[x.title] = x.answerers[0]
	}
	for i := range 2 * w.IDs {
		id, want := w.AppendText(nil, i), uint64(0)
		if i < w.IDs {
			person := i / world.PerPerson
			want = ask.SumAnswer(w.Customer(person), w.Segments(person))
		}
		for name, a := range answerers {
			if got := a.Ask([][]byte{id}); got != want {
				t.Fatalf("id %d, %s: the answer of %s adds up to %d, want %d", i, id, name, got, want)
			}
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
