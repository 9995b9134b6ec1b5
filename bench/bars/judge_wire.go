package bars

import (
	"fmt"
	"strings"
	"time"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/wire"
)

// without is why something over the wire has no value: the server was skipped,
// or all was. The empty server is matchd.
func (r *Result) without(server string) string {
	switch {
	case r.Wire == nil && r.NoWire != "":
		return r.NoWire
	case r.Wire == nil:
		return unfinished
	}
	for _, s := range r.Wire.Skipped {
		if server != "" && strings.HasPrefix(s, server+": ") {
			return s
		}
	}
	return "it was left out"
}

func (r *Result) snapshotBar() Bar {
	b := Bar{What: "whole snapshot, raw identifiers included, against Redis's memory", Want: AtMost, Bound: 0.4, Unit: "times", Missing: r.without(wire.Redis)}
	if r.Wire == nil {
		return b
	}
	if m := r.Wire.FindMemory(wire.Redis); m != nil && m.Used > 0 {
		return b.is(float64(r.Wire.Bytes)/float64(m.Used), "%.1f bytes an id by %.1f", r.Wire.BytesAnID(r.Wire.Bytes), r.Wire.BytesAnID(m.Used))
	}
	return b
}

// is gives a bar its value.
func (b Bar) is(value float64, sides string, args ...any) Bar {
	b.Value, b.Missing = &Value{value, fmt.Sprintf(sides, args...)}, ""
	return b
}

// wireBars judge the mix, and show hits beside it.
func (r *Result) wireBars() []Bar {
	return []Bar{
		r.cpuBar(Bar{What: "server CPU for `GET /v1/match` against the bare handler's, 64 connections", Want: AtMost, Bound: 1.15, Unit: "times"}, wire.Bare, wire.Single, wire.SingleHits),
		r.cpuBar(Bar{What: "server CPU for `GET /v1/match` against Redis's for GET", Want: Below, Bound: 1, Unit: "times"}, wire.Redis, wire.Single, wire.SingleHits),
		r.cpuBar(Bar{What: "`POST /v1/match`, 100 ids, server CPU an id, against Redis's for MGET or pipelined GET", Want: AtMost, Bound: 0.5, Unit: "times"}, wire.Redis, wire.Batch, wire.BatchHits),
	}
}

// cpuBar compares matchd's processor time an identifier with that of the way of
// asking another server that takes the least.
func (r *Result) cpuBar(b Bar, server string, mix, hits wire.Case) Bar {
	b.Missing = r.without(server)
	if r.Wire == nil {
		return b
	}
	of := func(c wire.Case) (ours, theirs *wire.Cell) {
		return r.Wire.Best(wire.Matchd, c), r.Wire.Best(server, c)
	}
	ours, theirs := of(mix)
	if ours == nil || theirs == nil {
		return b
	}
	b = b.is(wire.Ratio(ours, theirs), "%s ns by %s, %s", bench.Count(int(ours.CPUAnID())), bench.Count(int(theirs.CPUAnID())), theirs.How)
	if ours, theirs := of(hits); ours != nil && theirs != nil {
		b.Value.Sides += fmt.Sprintf("; hits %.2f", wire.Ratio(ours, theirs))
	}
	return b
}

func (r *Result) latencyBars() []Bar {
	half := Bar{What: "p99 at half of the peak rate, against the bare handler's", Want: AtMost, Bound: 1.15, Unit: "times, or within its own spread", Missing: r.without("")}
	swap := Bar{What: "p99 while swapping, same load", Want: AtMost, Bound: 2, Unit: "times that without", Missing: r.without("")}
	if r.Wire == nil {
		return []Bar{half, swap}
	}
	if ours, bare := r.Wire.FindLatency(wire.Matchd), r.Wire.FindLatency(wire.Bare); ours != nil && bare != nil {
		least, most := bare.Spread()
		p99 := ours.Medians().P99
		half = half.is(wire.P99Ratio(ours, bare), "%s µs by %s, which was %s to %s", micros(p99), micros(bare.Medians().P99), micros(least), micros(most))
		if p99 <= most {
			half.Allowed = "within the bare handler's spread"
		}
	}
	if len(r.Wire.Swap) > 0 {
		s := r.Wire.SwapMedians()
		swap = swap.is(r.Wire.SwapP99Ratio(), "%s µs by %s", micros(s.During.P99), micros(s.Before.P99))
	}
	return []Bar{half, swap}
}

func micros(d time.Duration) string { return bench.Count(int(d.Microseconds())) }

func (r *Result) requestAllocationBars() (list []Bar) {
	for _, of := range []struct {
		name string
		c    wire.Case
	}{{"GET", wire.Single}, {"POST of 100 ids", wire.Batch}} {
		b := Bar{What: "allocations: a whole HTTP request, " + of.name, Want: Below, Unit: "a request", Slack: wireAllocationSlack, Missing: r.without("")}
		if r.Wire != nil {
			if a := r.Wire.FindAllocations(of.c); a != nil {
				b = b.is(a.ARequest, "of %s", bench.Count(a.Requests))
			}
		}
		list = append(list, b)
	}
	return list
}
