package enrich

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prebid/openrtb/v20/openrtb2"

	"github.com/matchd/matchd/bench/bars"
	"github.com/matchd/matchd/bench/wire"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine/privacy"
)

// The consent strings differ, permit what the clients ask for, from now on for
// long enough, and nothing to a vendor that is not in them.
func TestConsents(t *testing.T) {
	now := time.Now()
	seen := map[string]bool{}
	for _, text := range consents(200, now, rand.New(rand.NewPCG(1, 1))) {
		if seen[string(text)] {
			t.Errorf("%s is there twice", text)
		}
		seen[string(text)] = true
		var s privacy.Signals
		s.Set(privacy.GDPR, []byte("1"))
		s.Set(privacy.TCF, text)
		for _, at := range []time.Time{now, now.AddDate(0, 6, 0)} {
			if v := privacy.Decide(policy(), &s, at.Unix()); v.All != privacy.None {
				t.Errorf("%s is refused %s from now", text, at.Sub(now))
			}
		}
		stranger := policy()
		stranger.Vendor = lastVendor + 1
		if v := privacy.Decide(stranger, &s, now.Unix()); v.All != privacy.TCF {
			t.Errorf("%s permits what it does not name", text)
		}
		if v := privacy.Decide(policy(), &s, now.AddDate(0, 14, 0).Unix()); v.All != privacy.TCF {
			t.Errorf("%s permits for ever", text)
		}
	}
}

// Requests are JSON that prebid/openrtb reads, of the size that is said, of all
// shapes, and have a consent string where it belongs.
func TestBodies(t *testing.T) {
	w := &world.World{IDs: 3000, Seed: 1, Bids: true}
	list := newBodies(w, 50, 2).make(1000, 0.5)
	devices, cookies := 0, 0
	for _, b := range list {
		var q openrtb2.BidRequest
		if err := json.Unmarshal(b.json, &q); err != nil {
			t.Fatalf("%v: %s", err, b.json)
		}
		if len(b.json) < 900 || len(b.json) > 1600 || strings.Contains(string(b.json), "$") {
			t.Errorf("%d bytes: %s", len(b.json), b.json)
		}
		if q.Device.IFA != "" {
			devices++
		}
		if strings.Contains(string(b.json), string(w.Cookie(b.person))) {
			cookies++
		}
		if q.User.Consent == "" && !strings.Contains(string(q.User.Ext), `"consent":"C`) {
			t.Errorf("no consent string: %s", b.json)
		}
	}
	if n := meanSize(list); n < 1150 || n > 1300 {
		t.Errorf("%d bytes on average", n)
	}
	if devices < 500 || cookies < 300 || devices+cookies != len(list) {
		t.Errorf("%d requests name a device and %d a cookie", devices, cookies)
	}
}

// Requests of a client come at random times, as many a second as are wanted.
func TestArrivals(t *testing.T) {
	list := arrivals(1000, 20*time.Second, true, rand.New(rand.NewPCG(3, 3)))
	if n := len(list); n < 19_000 || n > 21_000 {
		t.Errorf("%d in 20 s", n)
	}
	short := 0
	for i := range list {
		if !list[i].greedy || list[i].at >= 20*time.Second {
			t.Fatalf("%+v", list[i])
		}
		if i > 0 && list[i].at-list[i-1].at < time.Millisecond/10 {
			short++
		}
	}
	if !slices.IsSortedFunc(list, func(a, b arrival) int { return int(a.at - b.at) }) || short < len(list)/20 {
		t.Errorf("%d short gaps: the times are even, or do not ascend", short)
	}
}

// Sides take turns, the warm-up does not count, and each goes on where it was.
func TestTurns(t *testing.T) {
	var order []string
	one := func(name string) side {
		next := 0
		return side{func(from, n int) error {
			if from != next {
				t.Errorf("%s does %d, not %d", name, from, next)
			}
			next += n
			order = append(order, name)
			return nil
		}, 5}
	}
	p, err := turns(t.Context(), 3, one("a"), one("b"))
	if err != nil || len(p.Ours) != 3 || len(p.Theirs) != 3 || strings.Join(order, "") != "abbaabba" {
		t.Errorf("%v %v, %+v", err, order, p)
	}
	p = Pair{Ours: []float64{1, 10, 2}, Theirs: []float64{20, 10, 10}}
	if p.Faster() != 5 {
		t.Errorf("%v times", p.Faster())
	}
}

// Bars are judged by the client that does worse, by the mix, and allow what
// cannot be told from the spread.
func TestBars(t *testing.T) {
	cell := func(cpu float64) wire.Cell { return wire.Cell{IDs: 1, Rounds: []wire.Round{{CPU: cpu}}} }
	latency := func(p99 ...time.Duration) (l wire.Latency) {
		for _, d := range p99 {
			l.Rounds = append(l.Rounds, wire.Percentiles{P99: d})
		}
		return l
	}
	pair := func(ours, theirs float64) Pair { return Pair{Ours: []float64{ours}, Theirs: []float64{theirs}} }
	r := &Result{
		Codecs:    []Codec{{true, pair(1, 9)}, {false, pair(1, 10)}},
		Calls:     []Call{{operator, true, 1, pair(1, 3), 0}, {brand, true, 1, pair(1, 2), 0}, {operator, false, 1, pair(1, 20), 0.0001}, {brand, false, 1, pair(1, 10), 0}},
		Verdicts:  pair(2, 9),
		Mixes:     []Mix{{0.2, cell(139), cell(100)}, {1, cell(500), cell(100)}},
		Isolation: &Isolation{Alone: latency(100, 100, 100, 160, 100), Beside: latency(150, 150, 150, 150, 150)},
	}
	marks := func() (s string) {
		for _, b := range r.Bars() {
			s += string(b.Mark()) + " "
		}
		return s
	}
	if got := marks(); got != "✗ ✓ ✓ ✗ ✓ ✓ " {
		t.Errorf("%s", got)
	}
	r.Codecs[0].Ours, r.Calls[0].Allocations, r.Verdicts = []float64{0.5}, 1, pair(1, 5)
	r.Mixes[0].Ours = cell(141)
	r.Isolation.Alone = latency(100, 100, 100, 149, 100)
	if got := marks(); got != "✓ ✓ ✗ ✓ ✗ ✗ " {
		t.Errorf("%s", got)
	}
	if b := r.Bars()[0]; !strings.HasSuffix(b.Value.Sides, " 3.0 and 2.0") {
		t.Errorf("%+v", b)
	}
	if b := r.Bars()[4]; b.Want != bars.AtMost || !strings.Contains(b.Value.Sides, "all matches 5.00") {
		t.Errorf("%+v", b)
	}
	r.Mixes, r.Isolation, r.NoWire = nil, nil, "one core"
	if got := marks(); got != "✓ ✓ ✗ ✓ – – " {
		t.Errorf("%s", got)
	}
}

// What cannot be measured is refused, and the default is not.
func TestValidate(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	for i, wrong := range []func(c *Config){
		func(c *Config) { c.IDs = 2 },
		func(c *Config) { c.Requests = 99 },
		func(c *Config) { c.Strings = 0 },
		func(c *Config) { c.Rounds = 0 },
		func(c *Config) { c.LatencyRounds = -1 },
		func(c *Config) { c.Duration = 0 },
		func(c *Config) { c.LatencyDuration = 99 * time.Millisecond },
		func(c *Config) { c.Rate = 0 },
		func(c *Config) { c.Limit = 9 },
		func(c *Config) { c.Memory = "once" },
	} {
		c := Default()
		wrong(&c)
		if _, err := c.Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "enrich: ") {
			t.Errorf("%d: %v", i, err)
		}
	}
}
