package livebench

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot"
)

// small is a run that takes no time.
func small(dir string) Config {
	return Config{IDs: 3000, Entries: 400, Probes: 600, Rounds: 4, Seed: 1, Memory: snapshot.Copy, Dir: dir}
}

// A run asks all that there is to ask of all sides, finds that live changes of
// others change no answer, judges it, and prints it in both ways.
func TestRun(t *testing.T) {
	r, err := small(t.TempDir()).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Cases) != 6 {
		t.Fatalf("%d cases", len(r.Cases))
	}
	for _, k := range r.Cases {
		if len(k.Without) != 4 || len(k.Empty) != 4 || len(k.With) != 4 || k.Ratio() <= 0 {
			t.Errorf("%+v", k)
		}
	}
	list := r.Bars()
	if len(list) != 4 {
		t.Fatalf("%d bars", len(list))
	}
	for i, b := range list {
		if b.Bound != 1.25 || b.Value == nil || b.Value.Of != r.Cases[i].Ratio() || strings.Contains(b.What, "changed") {
			t.Errorf("%+v", b)
		}
	}
	var tables, lines bytes.Buffer
	r.Markdown(&tables)
	r.Benchmark(&lines)
	for _, want := range []string{"hits, one at a time |", "of the changed, batches of 256 |", "400 entries beside 3,000 ids", "matchd bench live --ids 3000 --entries 400 --probes 600 --rounds 4 --seed 1 --memory copy\n"} {
		if !strings.Contains(tables.String(), want) {
			t.Errorf("%q is not in\n%s", want, &tables)
		}
	}
	for _, name := range []string{"hits/batch=1/without", "misses/batch=256/empty", "changed/batch=1/with"} {
		if n := strings.Count(lines.String(), fmt.Sprintf("\nBenchmarkLive/%s 600 ", name)); n != 4 {
			t.Errorf("%d rounds of %s", n, name)
		}
	}
}

// A ratio is the middle one of the rounds', and not that of the middles.
func TestRatio(t *testing.T) {
	k := Case{With: []float64{10, 30, 40}, Without: []float64{20, 100, 50}}
	if k.Ratio() != 0.5 || spread(ratios(k.With, k.Without)) != "0.50 (0.30 to 0.80)" {
		t.Error(k.Ratio(), spread(ratios(k.With, k.Without)))
	}
}

func TestValidate(t *testing.T) {
	for name, f := range map[string]func(*Config){
		"no ids": func(c *Config) { c.IDs = 0 }, "no entries": func(c *Config) { c.Entries = 0 },
		"entries of most": func(c *Config) { c.Entries = c.IDs / 5 }, "probes": func(c *Config) { c.Probes = 1 },
		"rounds": func(c *Config) { c.Rounds = 0 }, "memory": func(c *Config) { c.Memory = "tape" },
	} {
		c := Default()
		if f(&c); c.Validate() == nil {
			t.Errorf("%s: it is valid", name)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

// BenchmarkLive makes a small run of matchd bench live.
func BenchmarkLive(b *testing.B) {
	for b.Loop() {
		c := Default()
		c.Dir, c.IDs, c.Entries, c.Probes, c.Rounds = b.TempDir(), 300_000, 30_000, 50_000, 5
		r, err := c.Run(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for i := range r.Cases {
			k := &r.Cases[i]
			b.ReportMetric(k.Ratio(), fmt.Sprintf("%s-%d/without", strings.ReplaceAll(string(k.Asked), " ", "-"), k.Batch))
		}
	}
}
