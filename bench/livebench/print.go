package livebench

import (
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/bars"
)

// bound is how many times as long a lookup may take with live changes.
const bound = 1.25

// ratios are those of the rounds, ascending.
func ratios(ours, without []float64) (list []float64) {
	for i := range ours {
		list = append(list, ours[i]/without[i])
	}
	slices.Sort(list)
	return list
}

// Ratio is how many times as long a lookup takes beside the entries, the middle
// of the rounds': what else the machine does in a round slows all sides.
func (k *Case) Ratio() float64 { return bench.Median(ratios(k.With, k.Without)) }

// spread is the middle and the middle half of what rounds had.
func spread(list []float64) string {
	return fmt.Sprintf("%.2f (%.2f to %.2f)", bench.Median(list), list[len(list)/4], list[len(list)-1-len(list)/4])
}

// way names how a case asks.
func (k *Case) way() string {
	if k.Batch == 1 {
		return fmt.Sprintf("%s, one at a time", k.Asked)
	}
	return fmt.Sprintf("%s, batches of %d", k.Asked, k.Batch)
}

// Bars judges the result: what is asked has no live change of its own.
func (r *Result) Bars() (list []bars.Bar) {
	for i := range r.Cases {
		k := &r.Cases[i]
		if k.Asked == Changed {
			continue
		}
		b := bars.Bar{What: k.way(), Want: bars.AtMost, Bound: bound, Unit: "times as long as without live changes"}
		if len(k.With) > 0 {
			b.Value = &bars.Value{Of: k.Ratio(), Sides: fmt.Sprintf("%.0f ns by %.0f", bench.Median(k.With), bench.Median(k.Without))}
		}
		list = append(list, b)
	}
	return list
}

// Markdown prints the bars and all ratios, with what was measured and how to
// make it again.
func (r *Result) Markdown(w io.Writer) {
	c := &r.Config
	fmt.Fprintf(w, "# What live changes cost lookups\n\n%s entries beside %s ids, memory %s; %s lookups a round on one core, medians of %d rounds in turns; the overlay takes %.0f bytes an entry; %s.\n\n```\n%s\n```\n\n",
		bench.Count(c.Entries), bench.Count(c.IDs), c.Memory, bench.Count(c.Probes), c.Rounds, float64(r.OverlayBytes)/float64(c.Entries), r.Machine, c.command())
	bars.PrintTable(w, r.Bars())
	fmt.Fprint(w, "\nTimes as long as without an overlay, and the middle half of the rounds:\n\n| | without, ns | an empty overlay | with the entries |\n|---|--:|--:|--:|\n")
	for i := range r.Cases {
		k := &r.Cases[i]
		fmt.Fprintf(w, "| %s | %.0f | %s | %s |\n", k.way(), bench.Median(k.Without), spread(ratios(k.Empty, k.Without)), spread(ratios(k.With, k.Without)))
	}
	fmt.Fprint(w, "\nHits are mobile ids of persons without a live change. One at a time, each lookup waits for the answer to the one before. Of the changed, a third each have an identifier opted out, a segment added and their consent renewed, so that the answers are others.\n")
}

// command is the command line that measures the same.
func (c Config) command() string {
	return fmt.Sprintf("matchd bench live --ids %d --entries %d --probes %d --rounds %d --seed %d --memory %s", c.IDs, c.Entries, c.Probes, c.Rounds, c.Seed, c.Memory)
}

// Benchmark prints all rounds in the format of go test -bench, for benchstat.
func (r *Result) Benchmark(w io.Writer) {
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: github.com/matchd/matchd/bench/livebench\n", runtime.GOOS, runtime.GOARCH)
	for i := range r.Cases {
		k := &r.Cases[i]
		for _, s := range []struct {
			name   string
			rounds []float64
		}{{"without", k.Without}, {"empty", k.Empty}, {"with", k.With}} {
			for _, ns := range s.rounds {
				fmt.Fprintf(w, "BenchmarkLive/%s/batch=%d/%s %d %.1f ns/op\n", map[Asked]string{Hits: "hits", Misses: "misses", Changed: "changed"}[k.Asked], k.Batch, s.name, r.Config.Probes, ns)
			}
		}
	}
}
