package load

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A configuration that cannot be run is refused with what is wrong with it.
func TestConfigRefused(t *testing.T) {
	for _, c := range []struct {
		want  string
		wrong func(c *Config, rate *float64, d *time.Duration)
	}{
		{"network", func(c *Config, _ *float64, _ *time.Duration) { c.Network = "udp" }},
		{"0 connections", func(c *Config, _ *float64, _ *time.Duration) { c.Connections = 0 }},
		{"-1 requests in a pipeline", func(c *Config, _ *float64, _ *time.Duration) { c.Pipeline = -1 }},
		{"no pipeline", func(c *Config, _ *float64, _ *time.Duration) { c.Pipeline = 2 }},
		{"Requests", func(c *Config, _ *float64, _ *time.Duration) { c.Requests = nil }},
		{"Next", func(c *Config, _ *float64, _ *time.Duration) { c.Next = nil }},
		{"request 1 is empty", func(c *Config, _ *float64, _ *time.Duration) { c.Requests = append(c.Requests, nil) }},
		{"run of 0s", func(_ *Config, _ *float64, d *time.Duration) { *d = 0 }},
		{"-1s to wait", func(c *Config, _ *float64, _ *time.Duration) { c.Grace = -time.Second }},
		{"0.4 requests a second", func(_ *Config, rate *float64, _ *time.Duration) { *rate = 0.4 }},
		{"-5 requests a second", func(_ *Config, rate *float64, _ *time.Duration) { *rate = -5 }},
		{"NaN requests a second", func(_ *Config, rate *float64, _ *time.Duration) { *rate = math.NaN() }},
		{"1e+12 requests a second", func(_ *Config, rate *float64, _ *time.Duration) { *rate = 1e12 }},
	} {
		config := Config{Network: "tcp", Address: "127.0.0.1:1", Connections: 1, Requests: [][]byte{[]byte("x")}, Next: HTTP, CPU: -1}
		rate, d := 1000.0, time.Second
		c.wrong(&config, &rate, &d)
		if _, err := config.Open(context.Background(), rate, d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, which does not say %q", err, c.want)
		}
	}
}

// Requests are spread evenly, from the start on and before the end.
func TestIntendedTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1000).Draw(t, "requests")
		d := time.Duration(rapid.Int64Range(1e6, 1e12).Draw(t, "time"))
		if dueAt(0, n, d) != 0 {
			t.Fatalf("the first is due at %s", dueAt(0, n, d))
		}
		for i := range n {
			gap := dueAt(i+1, n, d) - dueAt(i, n, d)
			if off := gap - d/time.Duration(n); off < -2 || off > 2 {
				t.Fatalf("after request %d of %d in %s: %s", i, n, d, gap)
			}
		}
		if end := dueAt(n, n, d); end != d {
			t.Fatalf("the end is %s, not %s", end, d)
		}
	})
}

// Between counts each request in the window of its intended time, and there
// alone.
func TestBetween(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spread := rapid.Int64Range(1, 1e9).Draw(t, "spread")
		n := rapid.IntRange(1, 100).Draw(t, "requests")
		r := Result{Start: time.Now(), plan: plan{d: time.Duration(spread), n: n}}
		if rapid.Bool().Draw(t, "uneven") {
			for range n {
				r.plan.times = append(r.plan.times, time.Duration(rapid.Int64Range(0, spread).Draw(t, "time")))
			}
			slices.Sort(r.plan.times)
		}
		for i := range n {
			r.latencies = append(r.latencies, time.Duration(i+1)) // small enough to be told apart
		}
		from := rapid.Int64Range(-10, spread+10).Draw(t, "from")
		to := rapid.Int64Range(from, spread+20).Draw(t, "to")
		h := r.Between(r.Start.Add(time.Duration(from)), r.Start.Add(time.Duration(to)))
		want := newHistogram()
		for i, l := range r.latencies {
			if due := int64(r.plan.due(i)); due >= from && due < to {
				record(want, l)
			}
		}
		if !h.Equals(want) || h.TotalCount() != want.TotalCount() {
			t.Fatalf("from %d to %d of %d: %d requests, not %d", from, to, spread, h.TotalCount(), want.TotalCount())
		}
	})
	if r := (Result{Start: time.Now()}); r.Between(r.Start, r.Start.Add(time.Hour)).TotalCount() != 0 {
		t.Error("a closed loop has intended times")
	}
}

// Of tells requests apart by their numbers.
func TestOf(t *testing.T) {
	r := Result{latencies: []time.Duration{1, 2, 3, 4, 5}}
	h := r.Of(func(i int) bool { return i%2 == 1 })
	if h.TotalCount() != 2 || h.Min() != 2 || h.Max() != 4 {
		t.Errorf("%d latencies, from %d to %d", h.TotalCount(), h.Min(), h.Max())
	}
}

// Times that cannot be kept are refused.
func TestOpenAtRefused(t *testing.T) {
	c := Config{Network: "tcp", Address: "127.0.0.1:1", Connections: 1, Requests: [][]byte{[]byte("x")}, Next: HTTP, CPU: -1}
	for _, times := range [][]time.Duration{nil, {-1, 2}, {2, 1}} {
		if _, err := c.OpenAt(context.Background(), times); err == nil || !strings.Contains(err.Error(), "load: ") {
			t.Errorf("%v: %v", times, err)
		}
	}
	c.Pipeline = 2
	if _, err := c.OpenAt(context.Background(), []time.Duration{0}); err == nil || !strings.Contains(err.Error(), "pipeline") {
		t.Errorf("a pipeline: %v", err)
	}
}

// A time that is longer than the longest is counted as that.
func TestRecordLongest(t *testing.T) {
	h := newHistogram()
	record(h, 2*longest)
	if h.TotalCount() != 1 || time.Duration(h.Max()) < longest {
		t.Errorf("%d counted, at most %s", h.TotalCount(), time.Duration(h.Max()))
	}
}
