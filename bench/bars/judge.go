package bars

import (
	"fmt"
	"slices"
	"strings"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/opening"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Bars judges the result. The order is that of the bars' list; a line of it with
// several bounds is as many bars.
func (r *Result) Bars() []Bar {
	return slices.Concat(r.readBars(), r.mapBars(), r.sizeBars(), r.wireBars(), r.latencyBars(), r.allocationBars(), r.openingBars())
}

// Names of targets in process.
const goMap = "Go map"

func matchd(m snapshot.Memory) string { return "matchd " + string(m) }

// unfinished is why there is nothing of a part that a run did not come to.
const unfinished = "the run ended before"

// judge fills in what f says of the memory that is judged, and of the other one.
// f returns nil of what was not measured.
func (r *Result) judge(b Bar, f func(snapshot.Memory) *Value) Bar {
	m := r.Config.memories()
	b.Value, b.Other = f(m[0]), f(m[1])
	if b.Value == nil {
		b.Missing = unfinished
	}
	return b
}

// lookup is the time in which a target answers, in nanoseconds an id; 0 where
// that was not measured.
func (r *Result) lookup(target string, d world.Draw, size int) float64 {
	if r.Lookup == nil {
		return 0
	}
	if c := r.Lookup.Find(target, ask.Question{Draw: d, Batch: size, Cores: 1}); c != nil {
		return c.Median()
	}
	return 0
}

// quotient is a by b, or nil where one of them is not known.
func quotient(a, b float64, format string, sides ...any) *Value {
	if a == 0 || b == 0 {
		return nil
	}
	return &Value{a / b, fmt.Sprintf(format, sides...)}
}

func (r *Result) readBars() []Bar {
	bar := func(what string, d world.Draw, size int, bound, aim float64) Bar {
		return r.judge(Bar{What: what, Want: AtMost, Bound: bound, Aim: aim, Unit: "dependent reads"}, func(m snapshot.Memory) *Value {
			a, b := r.lookup(matchd(m), d, size), r.limit()
			return quotient(a, b, "%.0f ns by %.0f", a, b)
		})
	}
	return []Bar{
		bar("single hit, to decoded customer and segments", hitDraw, single, 3, 2.2),
		bar("single miss", missDraw, single, 1, 0.6),
		bar("batch of 256: hit, an id", hitDraw, batch, 1, 0.6),
		bar("batch of 256: miss, an id", missDraw, batch, 0.5, 0.35),
	}
}

// limit is the time of a dependent read, in nanoseconds.
func (r *Result) limit() float64 {
	if r.Lookup == nil {
		return 0
	}
	return bench.Median(r.Lookup.Limit)
}

func (r *Result) mapBars() []Bar {
	faster := func(what string, size int, bound float64) Bar {
		return r.judge(Bar{What: what, Want: AtLeast, Bound: bound, Unit: "times as fast"}, func(m snapshot.Memory) *Value {
			a, b := r.lookup(goMap, hitDraw, size), r.lookup(matchd(m), hitDraw, size)
			return quotient(a, b, "%.0f ns by %.0f", a, b)
		})
	}
	return []Bar{
		faster("against a Go map of the same records: hits", single, 1),
		faster("against a Go map: batches of 256, hits", batch, 2.5),
		r.judge(Bar{What: "against a Go map: all hot bytes", Want: Below, Bound: 1, Unit: "times"}, func(snapshot.Memory) *Value {
			if r.Lookup == nil {
				return nil
			}
			s := r.Lookup.Sizes
			hot, held := s["filter"]+s["table"]+s["hot"], s[goMap]
			return quotient(float64(hot), float64(held), "%s by %s", megabytes(hot), megabytes(held))
		}).anyMemory(),
	}
}

// anyMemory is of a bar that is the same in all kinds of memory.
func (b Bar) anyMemory() Bar {
	b.Other = nil
	return b
}

func (r *Result) sizeBars() []Bar {
	bar := func(what string, bound, aim float64, confirm int, sides string) Bar {
		return r.judge(Bar{What: what, Want: AtMost, Bound: bound, Aim: aim, Unit: "bytes an id"}, func(snapshot.Memory) *Value {
			if r.Lookup == nil {
				return nil
			}
			return &Value{r.Lookup.BytesAnID("filter", "table") + float64(confirm), sides}
		}).anyMemory()
	}
	filter := ""
	if r.Lookup != nil {
		filter = fmt.Sprintf("%.1f and %.1f", r.Lookup.BytesAnID("filter"), r.Lookup.BytesAnID("table"))
	}
	return []Bar{
		bar("filter plus table", 12, 10, 0, filter),
		bar("filter plus table, with the confirmation bits", 22, 18, index.ConfirmSize, fmt.Sprintf("%d more", index.ConfirmSize)),
		r.snapshotBar(),
	}
}

// allocationSlack is what counts as no allocation: the runtime and what else a
// process does allocate now and then.
const allocationSlack, wireAllocationSlack = 0.001, 0.01

func (r *Result) allocationBars() []Bar {
	bar := func(what string, size int) Bar {
		return r.judge(Bar{What: what, Want: Below, Unit: "a call", Slack: allocationSlack}, func(m snapshot.Memory) *Value {
			var most *Value
			var sides []string
			for _, a := range r.Allocations {
				if a.Memory != m || a.Batch != size {
					continue
				}
				if most == nil || a.ACall > most.Of {
					most = &Value{Of: a.ACall}
				}
				sides = append(sides, fmt.Sprintf("%s %.4f", strings.TrimSuffix(bench.DrawName(a.Draw), ", uniform"), a.ACall))
			}
			if most != nil {
				most.Sides = strings.Join(sides, ", ")
			}
			return most
		})
	}
	return append([]Bar{
		bar("allocations after warm-up: a lookup", single),
		bar("allocations: a batch of 256", batch),
	}, r.requestAllocationBars()...)
}

func (r *Result) openingBars() []Bar {
	b := Bar{What: "opening a snapshot, checked", Want: AtLeast, Bound: 0.5, Unit: "the speed of reading and hashing"}
	return []Bar{r.judge(b, func(m snapshot.Memory) *Value {
		if r.Opening == nil {
			return nil
		}
		i := slices.IndexFunc(r.Opening.Kind, func(k opening.Kind) bool { return k.Memory == m })
		if i < 0 {
			return nil
		}
		k := &r.Opening.Kind[i]
		return &Value{k.Ratio, fmt.Sprintf("%.1f GB/s by %.1f", r.speed(k.Open), r.speed(r.Opening.Read))}
	})}
}
