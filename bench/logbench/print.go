package logbench

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/bars"
)

// Bars judges the result.
func (r *Result) Bars() (list []bars.Bar) {
	judge := func(what string, bound float64, unit string, p *Pair) {
		b := bars.Bar{What: what, Want: bars.AtLeast, Bound: bound, Unit: unit}
		if len(p.Ours) > 0 {
			b.Value = &bars.Value{Of: p.Ratio(), Sides: fmt.Sprintf("%s events/s by %s", count(bench.Median(p.Ours)), count(bench.Median(p.Pebble)))}
		}
		list = append(list, b)
	}
	for i, n := range r.Config.Writers {
		judge("acknowledged events, "+writers(n), 0.7, "times Pebble's synchronous writes of as many bytes", &r.Appends[i])
	}
	judge("replay: opening a log, all of it checked", 0.5, "times the rate of Pebble alone, iterating over it", &r.Replay)
	return list
}

func writers(n int) string {
	if n == 1 {
		return "1 writer"
	}
	return fmt.Sprintf("%d writers", n)
}

func count(v float64) string { return bench.Count(int(v + 0.5)) }

// Markdown prints the bars, with what it was measured on and how to make it
// again.
func (r *Result) Markdown(w io.Writer) {
	c := &r.Config
	fmt.Fprintf(w, "# The log of live changes\n\nEvents with bodies of %d bytes, for which the log writes %d, and Pebble as many; %s events to replay; medians of %d rounds in turns; %s.\n\n```\n%s\n```\n\n",
		c.Body, c.Body+overhead, bench.Count(c.Replayed), c.Rounds, r.Machine, c.command())
	bars.PrintTable(w, r.Bars())
	fmt.Fprint(w, "\nEach writer waits for one event to be on disk, and applied, before it sends the next. Pebble has its default options, the newest format, and memory tables of the log's size. Replay comes first, and includes opening the store on both sides; the log reads and checks with all cores, Pebble iterates with one.\n")
	if len(r.Tuned) > 0 {
		tuned := Pair{r.Replay.Ours, r.Tuned}
		fmt.Fprintf(w, "\nThe log gives Pebble a small cache of blocks while it reads all, and has it sample no reads. Given these too, Pebble alone iterates over %s events/s, and the log opens at %.3f of that.\n", count(bench.Median(r.Tuned)), tuned.Ratio())
	}
}

// command is the command line that measures the same.
func (c Config) command() string {
	list := strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Writers), " ", ","), "[]")
	return fmt.Sprintf("matchd bench log --writers %s --body %d --rounds %d --duration %s --replayed %d", list, c.Body, c.Rounds, c.Duration, c.Replayed)
}

// Benchmark prints all rounds in the format of go test -bench, for benchstat.
func (r *Result) Benchmark(w io.Writer) {
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: github.com/matchd/matchd/bench/logbench\n", runtime.GOOS, runtime.GOARCH)
	line := func(name string, p *Pair) {
		for i := range p.Ours {
			fmt.Fprintf(w, "BenchmarkLog/%s/log 1 %.0f events/s\nBenchmarkLog/%s/pebble 1 %.0f events/s\n", name, p.Ours[i], name, p.Pebble[i])
		}
	}
	for i, n := range r.Config.Writers {
		line(fmt.Sprintf("append-%d", n), &r.Appends[i])
	}
	line("replay", &r.Replay)
	for _, rate := range r.Tuned {
		fmt.Fprintf(w, "BenchmarkLog/replay/pebble-tuned 1 %.0f events/s\n", rate)
	}
}
