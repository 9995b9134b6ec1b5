package bars

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/opening"
	"github.com/matchd/matchd/bench/wire"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/snapshot"
)

// found is a result that meets every bar and reaches no aim. In copy, all takes
// a tenth of the time.
func found() *Result {
	c := Default()
	c.Memory = snapshot.Map
	r := &Result{Config: c, Lookup: &bench.LookupResult{
		Config: bench.DefaultLookup(), IDs: 1000, Identifiers: 1000, Limit: []float64{100, 1, 1000},
		Targets: []string{"matchd map", "matchd copy", "Go map"},
		Sizes:   map[string]int{"filter": 1500, "table": 10_000, "hot": 30_000, "Go map": 50_000},
	}}
	for _, k := range []struct {
		draw         world.Draw
		size         int
		ours, theirs float64
	}{
		{hitDraw, single, 250, 260},
		{hitDraw, batch, 90, 230},
		{missDraw, single, 80, 100},
		{missDraw, batch, 40, 100},
		{mixDraw, single, 110, 220},
		{mixDraw, batch, 50, 150},
	} {
		for target, ns := range map[string]float64{"matchd map": k.ours, "matchd copy": k.ours / 10, "Go map": k.theirs} {
			r.Lookup.Cells = append(r.Lookup.Cells, bench.Cell{Target: target, Question: ask.Question{Draw: k.draw, Batch: k.size, Cores: 1}, Rounds: []float64{ns}})
		}
	}
	for _, m := range []snapshot.Memory{snapshot.Map, snapshot.Copy} {
		for _, size := range []int{single, batch} {
			r.Allocations = append(r.Allocations, Allocations{m, mixDraw, size, 10_000, 0}, Allocations{m, hitDraw, size, 10_000, 0.0002})
		}
	}
	r.Opening = &opening.Result{Bytes: 1e9, Read: []time.Duration{1e8}, Kind: []opening.Kind{
		{Memory: snapshot.Map, Open: []time.Duration{1.6e8}, Close: []time.Duration{1e6}, Ratio: 0.625},
		{Memory: snapshot.Copy, Open: []time.Duration{4e8}, Close: []time.Duration{1e6}, Ratio: 0.25},
	}}
	r.Wire = &wire.Result{
		Config: c.wire(), IDs: 1000, Identifiers: 1000, Bytes: 50_000,
		Memory:      []wire.Memory{{Server: wire.Redis, Used: 140_000}},
		Latency:     []wire.Latency{{Server: wire.Matchd, Rounds: []wire.Percentiles{{P99: 1.1e6}}}, {Server: wire.Bare, Rounds: []wire.Percentiles{{P99: 1e6}}}},
		Swap:        []wire.Swap{{During: wire.Percentiles{P99: 19e5}, Before: wire.Percentiles{P99: 1e6}}},
		Allocations: []wire.Allocations{{Case: wire.Single, How: "GET", Requests: 1000}, {Case: wire.Batch, How: "POST of 100", Requests: 1000, ARequest: 0.004}},
	}
	for _, k := range []struct {
		server string
		c      wire.Case
		how    string
		ids    int
		cpu    float64
	}{
		{wire.Matchd, wire.Single, "GET", 1, 11_000},
		{wire.Bare, wire.Single, "GET", 1, 10_000},
		{wire.Redis, wire.Single, "GET", 1, 12_000},
		{wire.Matchd, wire.SingleHits, "GET", 1, 13_000},
		{wire.Bare, wire.SingleHits, "GET", 1, 10_000},
		{wire.Matchd, wire.Batch, "POST of 100", 100, 40_000},
		{wire.Redis, wire.Batch, "MGET of 100", 100, 100_000},
		{wire.Redis, wire.Batch, "GET, 100 in a pipeline", 1, 900},
	} {
		r.Wire.Cells = append(r.Wire.Cells, wire.Cell{Server: k.server, Case: k.c, How: k.how, IDs: k.ids, Rounds: []wire.Round{{Rate: 1, CPU: k.cpu}}})
	}
	return r
}

// cell is one of the result's.
func cell(r *Result, target string, d world.Draw, size int) *bench.Cell {
	return r.Lookup.Find(target, ask.Question{Draw: d, Batch: size, Cores: 1})
}

// Each bar is missed when what it is about goes beyond its bound, reaches its
// aim where it has one, and no other bar changes with it.
func TestBars(t *testing.T) {
	type change func(*Result)
	ns := func(target string, d world.Draw, size int, ns float64) change {
		return func(r *Result) { cell(r, target, d, size).Rounds[0] = ns }
	}
	size := func(section string, n int) change { return func(r *Result) { r.Lookup.Sizes[section] = n } }
	cpu := func(server string, c wire.Case, ns float64) change {
		return func(r *Result) { r.Wire.Best(server, c).Rounds[0].CPU = ns }
	}
	both := func(a, b change) change { return func(r *Result) { a(r); b(r) } }
	rows := []struct {
		what      string
		value     string
		miss, aim change
	}{
		{"single hit, to decoded", "2.50 (250 ns by 100)", both(ns("matchd map", hitDraw, single, 301), ns("Go map", hitDraw, single, 400)), ns("matchd map", hitDraw, single, 220)},
		{"single miss", "0.80 (80 ns by 100)", ns("matchd map", missDraw, single, 101), ns("matchd map", missDraw, single, 60)},
		{"batch of 256: hit", "0.90 (90 ns by 100)", both(ns("matchd map", hitDraw, batch, 101), ns("Go map", hitDraw, batch, 400)), ns("matchd map", hitDraw, batch, 60)},
		{"batch of 256: miss", "0.40 (40 ns by 100)", ns("matchd map", missDraw, batch, 51), ns("matchd map", missDraw, batch, 35)},
		{"against a Go map of the same records: hits", "1.04 (260 ns by 250)", ns("Go map", hitDraw, single, 249), nil},
		{"against a Go map: batches", "2.56 (230 ns by 90)", ns("Go map", hitDraw, batch, 224), nil},
		{"against a Go map: all hot bytes", "0.83 (0 MB by 0 MB)", size("Go map", 41_500), nil},
		{"filter plus table", "11.50 (1.5 and 10.0)", both(size("filter", 2001), size("hot", 0)), nil},
		{"filter plus table, with", "20.50 (9 more)", nil, nil}, // with the one before: the bits' size is fixed
		{"whole snapshot", "0.36 (50.0 bytes an id by 140.0)", func(r *Result) { r.Wire.Bytes = 56_001 }, nil},
		{"server CPU for `GET /v1/match` against the bare", "1.10 (11,000 ns by 10,000, GET; hits 1.30)", cpu(wire.Bare, wire.Single, 9500), nil},
		{"server CPU for `GET /v1/match` against Redis", "0.92 (11,000 ns by 12,000, GET)", cpu(wire.Redis, wire.Single, 11_000), nil},
		{"`POST /v1/match`", "0.44 (400 ns by 900, GET, 100 in a pipeline)", cpu(wire.Matchd, wire.Batch, 45_100), nil},
		{"p99 at half", "1.10 (1,100 µs by 1,000, which was 1,000 to 1,000)", func(r *Result) { r.Wire.Latency[0].Rounds[0].P99 = 1.16e6 }, nil},
		{"p99 while swapping", "1.90 (1,900 µs by 1,000)", func(r *Result) { r.Wire.Swap[0].During.P99 = 2.01e6 }, nil},
		{"allocations after warm-up: a lookup", "0.00 (20 % hits 0.0000, hits 0.0002)", func(r *Result) { r.Allocations[1].ACall = 0.001 }, nil},
		{"allocations: a batch", "0.00 (20 % hits 0.0000, hits 0.0002)", func(r *Result) { r.Allocations[2].ACall = 1 }, nil},
		{"allocations: a whole HTTP request, GET", "0.00 (of 1,000)", func(r *Result) { r.Wire.Allocations[0].ARequest = 0.01 }, nil},
		{"allocations: a whole HTTP request, POST", "0.00 (of 1,000)", func(r *Result) { r.Wire.Allocations[1].ARequest = 1 }, nil},
		{"opening", "0.62 (6.2 GB/s by 10.0)", func(r *Result) { r.Opening.Kind[0].Ratio = 0.49 }, nil},
	}
	list := found().Bars()
	if len(list) != len(rows) {
		t.Fatalf("%d bars", len(list))
	}
	for i, row := range rows {
		b := &list[i]
		if !strings.HasPrefix(b.What, row.what) || b.Mark() != Met || b.Value.text() != row.value || b.Missing != "" {
			t.Errorf("bar %d is %q: %s, %s, %q; want %q: %s", i, b.What, b.Mark(), b.Value.text(), b.Missing, row.what, row.value)
		}
		for want, change := range map[Mark]change{Missed: row.miss, AimReached: row.aim} {
			if change == nil {
				continue
			}
			r := found()
			change(r)
			for k, other := range r.Bars() {
				if expect := map[bool]Mark{true: want, false: Met}[k == i]; other.Mark() != expect {
					t.Errorf("when %q is to be %s, %q is %s", row.what, want, other.What, other.Mark())
				}
			}
		}
	}
}

// Sizes have bars and aims that one number moves together.
func TestSizeBars(t *testing.T) {
	r := found()
	r.Lookup.Sizes["table"], r.Lookup.Sizes["hot"] = 8500, 0
	if list := r.sizeBars(); list[0].Mark() != AimReached || list[1].Mark() != Met {
		t.Errorf("10 bytes an id are %s, 19 are %s", list[0].Mark(), list[1].Mark())
	}
	r.Lookup.Sizes["table"] = 7500
	if list := r.sizeBars(); list[1].Mark() != AimReached {
		t.Errorf("18 bytes an id are %s", list[1].Mark())
	}
	r.Lookup.Sizes["table"] = 11_501
	if list := r.sizeBars(); list[0].Mark() != Missed || list[1].Mark() != Missed {
		t.Errorf("13 bytes an id are %s, 22 are %s", list[0].Mark(), list[1].Mark())
	}
}

// The other kind of memory is judged when told to, and shown otherwise.
func TestBarsOfTheOtherMemory(t *testing.T) {
	r := found()
	if b := r.Bars()[0]; b.Other == nil || b.Other.text() != "0.25 (25 ns by 100)" {
		t.Errorf("%+v", b.Other)
	}
	r.Config.Memory = snapshot.Copy
	list := r.Bars()
	if b := list[0]; b.Mark() != AimReached || b.Value.Of != 0.25 || b.Other.Of != 2.5 {
		t.Errorf("%s: %+v", b.Mark(), b)
	}
	if b := list[len(list)-1]; b.Mark() != Missed || b.Value.Of != 0.25 || b.Other.Of != 0.625 {
		t.Errorf("%s: %+v", b.Mark(), b)
	}
}

// What is beyond the bound but within the bare handler's spread is met, and says
// so.
func TestWithinTheSpread(t *testing.T) {
	r := found()
	ours, bare := &r.Wire.Latency[0], &r.Wire.Latency[1]
	ours.Rounds, bare.Rounds = nil, nil
	for _, p99 := range []time.Duration{1e6, 1.1e6, 1.5e6} {
		bare.Rounds = append(bare.Rounds, wire.Percentiles{P99: p99})
		ours.Rounds = append(ours.Rounds, wire.Percentiles{P99: p99 * 13 / 10})
	}
	if b := r.latencyBars()[0]; b.Mark() != Met || b.outcome() != "✓ within the bare handler's spread" {
		t.Errorf("%s: %+v", b.outcome(), b)
	}
	bare.Rounds[2].P99 = 1.42e6 // less than the median of matchd's, 1.43e6
	if b := r.latencyBars()[0]; b.Mark() != Missed {
		t.Errorf("%s: %+v", b.outcome(), b)
	}
}

// Where something is missing, the bars about it say why, and the others stay.
func TestUnmeasured(t *testing.T) {
	const noRedis = "Redis: there is no redis-server on the path"
	for _, c := range []struct {
		change func(*Result)
		why    string
		bars   int
	}{
		{func(r *Result) { r.Wire, r.NoWire = nil, "measuring over the wire needs Linux" }, "– measuring over the wire needs Linux", 8},
		{func(r *Result) { r.Wire = nil }, "– " + unfinished, 8},
		{func(r *Result) { r.Wire, r.Opening, r.Allocations = nil, nil, nil }, "– " + unfinished, 11},
		{func(r *Result) { r.Wire.Latency, r.Wire.Swap = nil, nil }, "– it was left out", 2},
		{func(r *Result) {
			r.Wire.Skipped = []string{"memcached: none", noRedis}
			r.Wire.Memory, r.Wire.Cells = nil, r.Wire.Cells[:2]
		}, "– " + noRedis, 3},
	} {
		r := found()
		c.change(r)
		n := 0
		for _, b := range r.Bars() {
			switch mark := b.Mark(); {
			case mark == Unmeasured && b.outcome() == c.why:
				n++
			case mark != Met && !strings.HasPrefix(b.What, "`POST"):
				t.Errorf("%s: %q is %s", c.why, b.What, b.outcome())
			}
		}
		var table, lines bytes.Buffer
		r.Markdown(&table)
		r.Benchmark(&lines)
		if n != c.bars || strings.Count(table.String(), " | "+c.why+" |\n") != n {
			t.Errorf("%d bars say %q in\n%s", n, c.why, table.String())
		}
	}
}

// The page begins with the headline and the bars, and counts them.
func TestMarkdown(t *testing.T) {
	r := found()
	r.Took = []Part{{"lookups", 3 * time.Second}, {"over the wire", 90 * time.Second}}
	cell(r, "matchd map", missDraw, single).Rounds[0] = 50
	r.Opening.Kind[0].Ratio = 0.3
	var b bytes.Buffer
	r.Markdown(&b)
	text, at := b.String(), 0
	for _, want := range []string{
		"\n| one at a time | 110 | 220 | 2.00 | 11 |\n| batches of 256 | 50 | 150 | 3.00 | 5 |\n", "\n## The bars\n",
		"| single hit, to decoded customer and segments | ≤ 3 dependent reads | 2.2 | 2.50 (250 ns by 100) | 0.25 (25 ns by 100) | ✓ |\n",
		"| single miss | ≤ 1 dependent reads | 0.6 | 0.50 (50 ns by 100) | 0.08 (8 ns by 100) | ✓✓ |\n",
		"| against a Go map of the same records: hits | ≥ 1 times as fast |  |",
		"| server CPU for `GET /v1/match` against Redis's for GET | < 1 times |  |",
		"| allocations after warm-up: a lookup | 0 a call |  | 0.00 (",
		"| 0.30 (6.2 GB/s by 10.0) | 0.25 (2.5 GB/s by 10.0) | ✗ |\n",
		"\n19 of 20 bars are met (✓), 1 of them with their aim (✓✓); 1 missed (✗), 0 not measured (–).\n",
		"\n## In process\n", "\n| matchd copy | 400 | 2.5 | 0.25 | 1.0 |", "\n## Over the wire\n",
		"\nThe run took, in seconds: lookups 3, over the wire 90.\n",
	} {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Fatalf("no %q, or not where it belongs, in\n%s", want, text)
		}
		at += i
	}
}

// A run in process measures all that its bars are about, allocates nothing in a
// call, and leaves nothing behind.
func TestRunInProcess(t *testing.T) {
	c := Default()
	c.IDs, c.WireIDs, c.Probes, c.Rounds, c.LimitBytes, c.Dir, c.Memory = 20_000, 0, 4096, 1, 1<<16, t.TempDir(), snapshot.Copy
	r, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range r.Bars() {
		if wire := i >= 9 && i < 15 || i == 17 || i == 18; wire != (b.Mark() == Unmeasured) || wire && b.Missing != r.NoWire {
			t.Errorf("bar %d, %s: %s, %s", i, b.What, b.outcome(), b.Value.text())
		}
	}
	for _, a := range r.Allocations {
		if a.ACall > 0.1 || a.Calls < leastCalls {
			t.Errorf("%+v", a)
		}
	}
	if len(r.Allocations) != 2*3*2 || r.Lookup.Targets[0] != "matchd copy" || r.Opening.Kind[0].Memory != snapshot.Copy || len(r.Took) != 4 {
		t.Errorf("%+v, %v, %v, %v", r.Allocations, r.Lookup.Targets, r.Opening.Kind, r.Took)
	}
	if left, err := os.ReadDir(c.Dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A run that fails over the wire keeps what it found before.
func TestRunKeepsWhatItFound(t *testing.T) {
	c := Default()
	c.IDs, c.WireIDs, c.Probes, c.Rounds, c.LimitBytes, c.Dir = 2000, 2000, 4096, 1, 1<<16, t.TempDir()
	c.Matchd, c.Redis, c.Memcached = "not-installed-at-all", "", ""
	r, err := c.Run(t.Context())
	if r == nil || r.Lookup == nil || r.Opening == nil || r.Wire != nil || (err == nil) != (r.NoWire != "") {
		t.Fatalf("%+v, %v", r, err)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) && !strings.Contains(err.Error(), "not-installed-at-all") {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.WireIDs = 0
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	for i, change := range []func(*Config){
		func(c *Config) { c.IDs = 0 },
		func(c *Config) { c.WireIDs = -1 },
		func(c *Config) { c.Probes = 10 },
		func(c *Config) { c.Rounds = 0 },
		func(c *Config) { c.LatencyRounds = -1 },
		func(c *Config) { c.Duration = 0 },
		func(c *Config) { c.Memory = snapshot.Once },
		func(c *Config) { c.Memory = "" },
		func(c *Config) { c.LimitBytes = 0 },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err == nil {
			t.Errorf("change %d is valid", i)
		}
	}
}

// A bound itself is within at most and at least, and not less than itself.
func TestMarkAtTheBound(t *testing.T) {
	for _, c := range []struct {
		want  Want
		value float64
		slack float64
		mark  Mark
	}{
		{AtMost, 0.5, 0, Met},
		{AtMost, 0.501, 0, Missed},
		{AtLeast, 0.5, 0, Met},
		{AtLeast, 0.499, 0, Missed},
		{Below, 0.5, 0, Missed},
		{Below, 0.499, 0, Met},
		{Below, 0.501, 0.01, Met},
		{Below, 0.51, 0.01, Missed},
	} {
		b := Bar{Want: c.want, Bound: 0.5, Slack: c.slack, Value: &Value{Of: c.value}}
		if b.Mark() != c.mark {
			t.Errorf("%g, %s 0.5 and %g, is %s", c.value, c.want, c.slack, b.Mark())
		}
	}
}
