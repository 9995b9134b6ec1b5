package enrich

import (
	"fmt"
	"strings"
	"time"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/bars"
	"github.com/matchd/matchd/bench/wire"
)

// allocationSlack is what counts as no allocation: the runtime does now and
// then.
const allocationSlack = 0.001

// Bars judges the result.
func (r *Result) Bars() []bars.Bar {
	return append(r.codecBars(), r.allocationBar(), r.verdictBar(), r.mixBar(), r.isolationBar())
}

func is(b bars.Bar, of float64, sides string, args ...any) bars.Bar {
	b.Value, b.Missing = &bars.Value{Of: of, Sides: fmt.Sprintf(sides, args...)}, ""
	return b
}

// codecBars judge what both sides do.
func (r *Result) codecBars() (list []bars.Bar) {
	for i := range r.Codecs {
		c := &r.Codecs[i]
		b := bars.Bar{What: "reading and enriching a request: " + c.String(), Want: bars.AtLeast, Bound: 10, Unit: "times as fast as decoding, adding and encoding with prebid/openrtb"}
		list = append(list, is(b, c.Faster(), "%s ns by %s; the whole call, lookup and all, %s", count(bench.Median(c.Theirs)), count(bench.Median(c.Ours)), r.wholeCalls(c.Match)))
	}
	return list
}

// wholeCalls says how many times as fast as the other side's work, which has no
// lookup, whole calls are.
func (r *Result) wholeCalls(match bool) string {
	var list []string
	for i := range r.Calls {
		if c := &r.Calls[i]; c.Match == match {
			list = append(list, fmt.Sprintf("%.1f", c.Faster()))
		}
	}
	return strings.Join(list, " and ")
}

func (r *Result) allocationBar() bars.Bar {
	most := 0.0
	var counts []string
	for i := range r.Calls {
		most = max(most, r.Calls[i].Allocations)
		counts = append(counts, fmt.Sprintf("%.4f", r.Calls[i].Allocations))
	}
	b := bars.Bar{What: "allocations: enriching a request in process", Want: bars.Below, Unit: "a call", Slack: allocationSlack}
	return is(b, most, "%s", strings.Join(counts, ", "))
}

func (r *Result) verdictBar() bars.Bar {
	b := bars.Bar{What: "remembered privacy verdicts about consent strings", Want: bars.AtLeast, Bound: 5, Unit: "times as fast as deciding each time"}
	return is(b, r.Verdicts.Faster(), "%s ns by %s", count(bench.Median(r.Verdicts.Theirs)), count(bench.Median(r.Verdicts.Ours)))
}

// mixBar judges the mix that comes first, and shows the others beside it.
func (r *Result) mixBar() bars.Bar {
	b := bars.Bar{What: "server CPU for `POST /v1/openrtb/enrich`, 64 connections", Want: bars.AtMost, Bound: 1.4, Unit: "times that of a bare handler that echoes", Missing: r.NoWire}
	for i := range r.Mixes {
		m := &r.Mixes[i]
		ratio := wire.Ratio(&m.Ours, &m.Bare)
		if i == 0 {
			b = is(b, ratio, "%s ns by %s, %s", count(m.Ours.CPUAnID()), count(m.Bare.CPUAnID()), m)
		} else {
			b.Value.Sides += fmt.Sprintf("; %s %.2f", m, ratio)
		}
	}
	return b
}

func (m *Mix) String() string {
	switch m.Matches {
	case 1:
		return "all matches"
	case 0:
		return "all 204"
	}
	return fmt.Sprintf("%.0f %% matches", 100*m.Matches)
}

func (r *Result) isolationBar() bars.Bar {
	b := bars.Bar{What: "p99 beside a client at ten times its limit", Want: bars.AtMost, Bound: 1.1, Unit: "times that alone, or within its own spread", Missing: r.NoWire}
	i := r.Isolation
	if i == nil {
		if b.Missing == "" {
			b.Missing = "it was left out"
		}
		return b
	}
	least, most := i.Alone.Spread()
	p99 := i.Beside.Medians().P99
	b = is(b, i.Ratio(), "%s µs by %s, which was %s to %s", us(p99), us(i.Alone.Medians().P99), us(least), us(most))
	if p99 <= most {
		b.Allowed = "within the spread of that alone"
	}
	return b
}

func count(ns float64) string { return bench.Count(int(ns + 0.5)) }

// us is a time in microseconds.
func us(d time.Duration) string { return count(float64(d) / 1e3) }
