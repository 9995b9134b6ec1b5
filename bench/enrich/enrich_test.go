package enrich

import (
	"bytes"
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/bench/world"
)

// go test -bench Enrich ./bench/enrich -ids 10000000 measures as many as that.
var ids = flag.Int("ids", 1_000_000, "identifiers of BenchmarkEnrich")

// open makes a run of a world, without servers.
func open(t testing.TB, ids int) *run {
	t.Helper()
	c := Default()
	c.IDs, c.Requests, c.Strings, c.Log = ids, 1000, 100, func(string, ...any) {}
	r := &run{Config: c, world: &world.World{IDs: c.IDs, Seed: c.Seed, Bids: true}, result: &Result{Config: c}}
	r.bodies = newBodies(r.world, c.Strings, c.Seed+1)
	var err error
	if r.store, err = r.world.Publish(t.Context(), filepath.Join(t.TempDir(), "store")); err != nil {
		t.Fatal(err)
	}
	if r.pools, err = openPools(r.store, c.Memory); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.pools.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// BenchmarkEnrich makes the calls of matchd bench enrich.
func BenchmarkEnrich(b *testing.B) {
	r := open(b, *ids)
	for _, share := range []float64{1, 0} {
		list := r.bodies.make(1<<14, share)
		for _, side := range []struct {
			name string
			run  func(from, n int) error
		}{
			{operator, r.enricher(operator, list)}, {brand, r.enricher(brand, list)}, {"matchd without lookup", writer(list, share == 1)}, {"prebid", recoder(list, share == 1)},
		} {
			c := Call{Client: side.name, Match: share == 1}
			b.Run(c.String(), func(b *testing.B) {
				b.ReportAllocs()
				if err := side.run(0, b.N); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// Every request of somebody comes back with the segments of that person alone,
// of nobody with nothing, to both clients that are measured.
func TestAnswers(t *testing.T) {
	r := open(t, 1000)
	for _, share := range []float64{0, 0.2, 1} {
		list := r.bodies.make(1500, share)
		known := 0
		for len(list) > 0 {
			for _, name := range []string{operator, brand} {
				if err := r.checkAll(name, list); err != nil {
					t.Error(err)
				}
			}
			for _, b := range list[:checkSample] {
				if b.person < r.world.Persons() {
					known++
				}
			}
			list = list[checkSample:]
		}
		if got := float64(known) / 1500; got < share-0.05 || got > share+0.05 {
			t.Errorf("%.2f of the requests are of somebody, not %.2f", got, share)
		}
	}
}

// What is not as it should be is found before anything is timed.
func TestCheckFinds(t *testing.T) {
	r := open(t, 1000)
	b := &r.bodies.make(1, 1)[0]
	out, err := r.enrich(brand, b.json)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.checkOne(b, out); err != nil {
		t.Fatal(err)
	}
	first := `"` + world.BidSegment(r.world.Segments(b.person)[0]) + `"`
	change := func(old, with string) []byte {
		changed := bytes.Replace(out, []byte(old), []byte(with), 1)
		if bytes.Equal(changed, out) {
			t.Fatalf("no %s in %s", old, out)
		}
		return changed
	}
	for want, out := range map[string][]byte{
		"nothing is added":           nil,
		"more has changed":           change(`"tmax":`, `"tmax":1`),
		"is of":                      change(world.Domain, "bolt.example"),
		"is not the person's":        change(first, `"1"`),
		"are missing":                change(`{"id":`+first+`},`, ``),
		"unexpected end":             out[:len(out)-1],
		`{"segtax":502}`:             change(`"segtax":501`, `"segtax":502`),
		"cannot unmarshal":           change(`"at":`, `"at":"x"`+`,"at":`),
		"more has changed than user": change(`"id":"`, `"id":"x`),
	} {
		if err := r.checkOne(b, out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, which does not say %q", err, want)
		}
	}
	nobody := &body{b.json, r.world.Persons()}
	if r.checkOne(nobody, nil) != nil || r.checkOne(nobody, out) == nil {
		t.Error("an addition to a request of nobody passes")
	}
	if _, err := r.enrich(brand, bytes.Replace(b.json, []byte(`"gdpr":1`), []byte(`"gdpr":0`), 1)); err != nil {
		t.Error(err)
	}
	for _, suppressed := range []string{`"gdpr":2`, `"gpc":1,"gdpr":1`} {
		if _, err := r.enrich(brand, bytes.Replace(b.json, []byte(`"gdpr":1`), []byte(suppressed), 1)); err == nil {
			t.Errorf("%s: nothing is added, and that is no error", suppressed)
		}
	}
}

// A run without servers measures all that is in process, and says so.
func TestRunInProcess(t *testing.T) {
	c := Default()
	c.IDs, c.Requests, c.Strings, c.Rounds, c.Dir = 3000, 200, 20, 3, t.TempDir()
	r, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Calls) != 4 || len(r.Codecs) != 2 || r.Isolation != nil || len(r.Mixes) != 0 || r.NoWire == "" {
		t.Errorf("%+v", r)
	}
	for _, p := range []*Pair{&r.Codecs[0].Pair, &r.Codecs[1].Pair, &r.Calls[0].Pair, &r.Calls[3].Pair, &r.Verdicts, &r.Hidden} {
		if len(p.Ours) != c.Rounds || len(p.Theirs) != c.Rounds || p.Faster() <= 0 {
			t.Errorf("%+v", p)
		}
	}
	if list := r.Bars(); len(list) != 6 || list[4].Value != nil || list[5].Value != nil || list[0].Value == nil {
		t.Errorf("%+v", list)
	}
	var table, lines bytes.Buffer
	r.Markdown(&table)
	r.Benchmark(&lines)
	if !strings.Contains(table.String(), "there is no executable of matchd") || strings.Count(table.String(), "\n| the whole call, match, ") != 2 {
		t.Errorf("%s", table.String())
	}
	if n := strings.Count(lines.String(), "\nBenchmarkEnrich/"); n != 8*2*c.Rounds {
		t.Errorf("%d lines:\n%s", n, lines.String())
	}
	if left, _ := filepath.Glob(filepath.Join(c.Dir, "*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
