package server

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func limited(rate float64, burst int) *caller {
	c := client("x", grant("acme", false))
	c.Rate, c.Burst = rate, burst
	return newCaller(c)
}

// A caller asks at moments of a clock that is not the machine's.
func TestRate(t *testing.T) {
	type ask struct {
		at     time.Duration
		n      int
		status int // 0 is allowed
		after  string
	}
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		rate  float64
		burst int
		asks  []ask
	}{
		"no limit":          {0, 0, []ask{{0, 1 << 30, 0, ""}, {0, 1 << 30, 0, ""}}},
		"a burst, then one": {10, 3, []ask{{0, 1, 0, ""}, {0, 2, 0, ""}, {0, 1, 429, "1"}, {99 * ms, 1, 429, "1"}, {100 * ms, 1, 0, ""}, {100 * ms, 1, 429, "1"}}},
		"refusals are free": {10, 1, []ask{{0, 1, 0, ""}, {50 * ms, 1, 429, "1"}, {90 * ms, 1, 429, "1"}, {100 * ms, 1, 0, ""}}},
		"a burst is kept":   {1, 2, []ask{{0, 2, 0, ""}, {time.Hour, 2, 0, ""}, {time.Hour, 1, 429, "1"}}},
		"a batch":           {10, 100, []ask{{0, 100, 0, ""}, {0, 50, 429, "5"}, {0, 51, 429, "6"}, {4999 * ms, 50, 429, "1"}, {5000 * ms, 50, 0, ""}}},
		"too large a batch": {10, 100, []ask{{0, 101, 413, ""}, {0, 100, 0, ""}, {time.Hour, 101, 413, ""}}},
		"a second's worth":  {2.5, 0, []ask{{0, 4, 413, ""}, {0, 3, 0, ""}, {0, 1, 429, "1"}, {400 * ms, 1, 0, ""}}},
		"less than one":     {0.01, 0, []ask{{0, 1, 0, ""}, {0, 1, 429, "100"}, {99500 * ms, 1, 429, "1"}, {100 * time.Second, 1, 0, ""}}},
		"next to nothing":   {1e-9, 1, []ask{{0, 1, 0, ""}, {0, 1, 429, "86400"}}},
		"nothing asked":     {1, 1, []ask{{0, 1, 0, ""}, {0, 0, 0, ""}}},
	} {
		who, base := limited(c.rate, c.burst), time.Unix(1_800_000_000, 0)
		for i, a := range c.asks {
			p := who.spend(a.n, base.Add(a.at))
			switch {
			case a.status == 0:
				if p != nil {
					t.Errorf("%s, %d: got %+v", name, i, p)
				}
			case p == nil || p.status != a.status || p.header[1] != a.after || (a.after != "") != (p.header[0] == "Retry-After"):
				t.Errorf("%s, %d: got %+v, want %+v", name, i, p, a)
			}
		}
	}
	if got := limited(7, 0).spend(8, now).detail; !strings.Contains(got, "7 questions at once") {
		t.Errorf("got %q", got)
	}
}

// After what is told, and no sooner than a second before, as many are allowed.
func TestRetryAfterIsEnough(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		rate := math.Exp(r.Float64()*12 - 4)
		c := limited(rate, 1+r.IntN(1000))
		at := time.Unix(1_800_000_000, r.Int64N(1e9))
		_ = c.spend(1+r.IntN(c.limiter.burst), at)
		n := 1 + r.IntN(c.limiter.burst)
		p := c.spend(n, at)
		if p == nil {
			continue
		}
		wait, err := strconv.Atoi(p.header[1])
		must(t, err)
		if wait > 1 && wait < maxWait {
			if early := c.spend(n, at.Add(time.Duration(wait-1)*time.Second-time.Millisecond)); early == nil {
				t.Fatalf("rate %v, burst %d: %d were allowed before %d s", rate, c.limiter.burst, n, wait)
			}
		}
		if late := c.spend(n, at.Add(time.Duration(wait)*time.Second)); late != nil && wait < maxWait {
			t.Fatalf("rate %v, burst %d: %d were refused after %d s: %+v", rate, c.limiter.burst, n, wait, late)
		}
	}
}

// However many ask at once, and in whatever order they looked at the clock, no
// more is allowed than a burst and what has come since.
func TestRateIsNotExceeded(t *testing.T) {
	const rate, burst, seconds = 1000, 50, 3
	c := limited(rate, burst)
	base := time.Unix(1_800_000_000, 0)
	var allowed atomic.Int64
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 3))
			for i := range 20_000 {
				at := time.Duration(i) * seconds * time.Second / 20_000
				at -= time.Duration(r.Int64N(int64(at/4 + 1))) // some are late
				n := 1 + r.IntN(3)
				if c.spend(n, base.Add(at)) == nil {
					allowed.Add(int64(n))
				}
			}
		})
	}
	all.Wait()
	if got := allowed.Load(); got > burst+rate*seconds || got < burst {
		t.Errorf("%d were allowed, at most %d may", got, burst+rate*seconds)
	}
}

func TestRateAllocatesNothing(t *testing.T) {
	free, tight := limited(0, 0), limited(1e6, 1000)
	at := now
	for name, f := range map[string]func(){
		"no limit": func() { _ = free.spend(1000, at) },
		"allowed":  func() { at = at.Add(time.Millisecond); _ = tight.spend(1000, at) },
		"refused":  func() { _ = tight.spend(1000, at) },
		"too many": func() { _ = tight.spend(1001, at) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// A limit lives on when something else of its client changes.
func TestRateOutlivesChanges(t *testing.T) {
	with := func(rate float64, burst int, segments ...string) Client {
		c := client("x", grant("acme", false))
		c.Rate, c.Burst, c.Grants[0].Segments = rate, burst, segments
		return c
	}
	before, err := newKeyring([]Client{with(10, 0, "a")}, "", nil)
	must(t, err)
	if p := before.callers[0].spend(10, now); p != nil {
		t.Fatalf("got %+v", p)
	}
	for name, c := range map[string]struct {
		to    Client
		spent bool
	}{
		"nothing changed":      {with(10, 0, "a"), true},
		"a grant changed":      {with(10, 0, "b"), true},
		"the burst is said":    {with(10, 10, "a"), true},
		"another burst":        {with(10, 11, "a"), false},
		"another rate":         {with(11, 10, "a"), false},
		"no limit any more":    {with(0, 0, "a"), false},
		"another key":          {Client{Client: with(10, 0, "a").Client, Rate: 10, Key: HashKey("other")}, true},
		"a client by the name": {Client{Client: client("y").Client, Rate: 10, Key: HashKey("key-x")}, false},
	} {
		after, err := newKeyring([]Client{c.to}, "", before)
		must(t, err)
		if p := after.callers[0].spend(10, now); c.spent != (p != nil) {
			t.Errorf("%s: got %+v", name, p)
		}
	}
}

func BenchmarkSpend(b *testing.B) {
	c, at := limited(1e8, 1<<29), now
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(time.Microsecond)
		if c.spend(1, at) != nil {
			b.Fatal("refused")
		}
	}
}
