package logbench

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// small is a run that takes no time.
func small(dir string) Config {
	return Config{Writers: []int{1, 5}, Body: 40, Rounds: 3, Duration: 5 * time.Millisecond, Replayed: 2500, Dir: dir}
}

// A run measures both sides of all that is asked for, judges it, prints it in
// both ways, and leaves nothing behind.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	r, err := small(dir).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range append(r.Appends, r.Replay, Pair{r.Replay.Ours, r.Tuned}) {
		if len(p.Ours) != 3 || len(p.Pebble) != 3 || p.Ratio() <= 0 {
			t.Errorf("%d: %+v", i, p)
		}
	}
	if list := r.Bars(); len(list) != 3 || list[0].Bound != 0.7 || list[2].Bound != 0.5 || list[1].Value.Of != r.Appends[1].Ratio() || list[2].Value.Of != r.Replay.Ratio() {
		t.Errorf("%+v", list)
	}
	var tables, lines bytes.Buffer
	r.Markdown(&tables)
	r.Benchmark(&lines)
	for _, want := range []string{"acknowledged events, 1 writer |", "acknowledged events, 5 writers |", "Given these too, Pebble alone", "bodies of 40 bytes, for which the log writes 138,", "matchd bench log --writers 1,5 --body 40 --rounds 3 --duration 5ms --replayed 2500\n"} {
		if !strings.Contains(tables.String(), want) {
			t.Errorf("%q is not in\n%s", want, &tables)
		}
	}
	for _, name := range []string{"append-1", "append-5", "replay"} {
		for _, side := range []string{"log", "pebble"} {
			if n := strings.Count(lines.String(), fmt.Sprintf("\nBenchmarkLog/%s/%s 1 ", name, side)); n != 3 {
				t.Errorf("%d rounds of %s, %s", n, name, side)
			}
		}
	}
}

// A ratio is the middle one of the rounds', and not that of the middles.
func TestRatio(t *testing.T) {
	p := Pair{Ours: []float64{10, 30, 40}, Pebble: []float64{20, 100, 50}}
	if p.Ratio() != 0.5 {
		t.Error(p.Ratio())
	}
}

// The sides take turns at beginning.
func TestTurns(t *testing.T) {
	var p Pair
	order := ""
	side := func(name string) func() (float64, error) {
		return func() (float64, error) { order += name; return 1, nil }
	}
	for round := range 3 {
		if err := p.take(round, side("a"), side("b")); err != nil {
			t.Fatal(err)
		}
	}
	if order != "abbaab" {
		t.Error(order)
	}
}

func TestValidate(t *testing.T) {
	for name, f := range map[string]func(*Config){
		"no writers": func(c *Config) { c.Writers = nil }, "a case of none": func(c *Config) { c.Writers = []int{1, 0} },
		"bodies": func(c *Config) { c.Body = 7 }, "rounds": func(c *Config) { c.Rounds = 0 },
		"duration": func(c *Config) { c.Duration = 0 }, "replayed": func(c *Config) { c.Replayed = 0 },
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

// BenchmarkLog makes a small run of matchd bench log.
func BenchmarkLog(b *testing.B) {
	for b.Loop() {
		c := Default()
		c.Dir, c.Rounds, c.Duration, c.Replayed = b.TempDir(), 3, 300*time.Millisecond, 300_000
		r, err := c.Run(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for i, n := range c.Writers {
			b.ReportMetric(r.Appends[i].Ratio(), fmt.Sprintf("append-%d/pebble", n))
		}
		b.ReportMetric(r.Replay.Ratio(), "replay/pebble")
	}
}
