package bars

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/opening"
)

// Markdown prints the headline, the bars, and the tables of all parts.
func (r *Result) Markdown(w io.Writer) {
	c := &r.Config
	fmt.Fprintf(w, "# What was measured, and the bars\n\n")
	fmt.Fprintf(w, "%s ids in process, %s over the wire; medians of %d rounds, of %d for latency; %s.\n", bench.Count(c.IDs), bench.Count(c.WireIDs), c.Rounds, c.LatencyRounds, r.Machine)
	fmt.Fprintf(w, "Judged with --memory %s. Compare within a run.\n\n```\n%s\n```\n", c.Memory, c.command())
	r.printHeadline(w)
	r.printBars(w)
	if r.Lookup != nil {
		fmt.Fprintf(w, "\n## In process\n\n")
		r.Lookup.Markdown(w)
	}
	if r.Opening != nil {
		r.printOpening(w)
	}
	if r.Wire != nil {
		fmt.Fprintf(w, "\n## Over the wire\n\n")
		r.Wire.Markdown(w)
	}
	fmt.Fprint(w, "\nThe run took, in seconds:")
	for i, p := range r.Took {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, " %s %.0f", p.Name, p.Took.Seconds())
	}
	fmt.Fprint(w, ".\n")
}

// command is the command line that measures the same.
func (c Config) command() string {
	s := fmt.Sprintf("matchd bench all --ids %d --wire-ids %d --seed %d --memory %s --probes %d --rounds %d --duration %s --latency-rounds %d --latency-duration %s",
		c.IDs, c.WireIDs, c.Seed, c.Memory, c.Probes, c.Rounds, c.Duration, c.LatencyRounds, c.LatencyDuration)
	if c.LimitBytes != Default().LimitBytes {
		s += fmt.Sprintf(" --limit-memory %d", c.LimitBytes)
	}
	if c.Peers != "" {
		s += fmt.Sprintf(" --peers %s --peer-ids %d", c.Peers, c.PeerIDs)
	}
	return s
}

// printHeadline is of what a bid stream asks: most of it misses.
func (r *Result) printHeadline(w io.Writer) {
	m := r.Config.memories()
	fmt.Fprintf(w, "\n| ns an id, 20 %% hits, uniform, one core | matchd %s | Go map | times as fast | matchd %s |\n|---|--:|--:|--:|--:|\n", m[0], m[1])
	for _, of := range []struct {
		name string
		size int
	}{{"one at a time", single}, {"batches of 256", batch}} {
		ours, theirs, other := r.lookup(matchd(m[0]), mixDraw, of.size), r.lookup(goMap, mixDraw, of.size), r.lookup(matchd(m[1]), mixDraw, of.size)
		times := ""
		if ours > 0 {
			times = fmt.Sprintf("%.2f", theirs/ours)
		}
		fmt.Fprintf(w, "| %s | %.0f | %.0f | %s | %.0f |\n", of.name, ours, theirs, times, other)
	}
}

func (r *Result) printBars(w io.Writer) {
	list := r.Bars()
	fmt.Fprintf(w, "\n## The bars\n\n| what | bar | aim | measured | with %s | |\n|---|---|--:|---|---|---|\n", r.Config.memories()[1])
	count := map[Mark]int{}
	for i := range list {
		b := &list[i]
		count[b.Mark()]++
		aim := ""
		if b.Aim != 0 {
			aim = number(b.Aim)
		}
		fmt.Fprintf(w, "| %s | %s%s %s | %s | %s | %s | %s |\n", b.What, b.Want.symbol(b.Bound), number(b.Bound), b.Unit, aim, b.Value.text(), b.Other.text(), b.outcome())
	}
	fmt.Fprintf(w, "\n%d of %d bars are met (%s), %d of them with their aim (%s); %d missed (%s), %d not measured (%s).\n",
		count[Met]+count[AimReached], len(list), Met, count[AimReached], AimReached, count[Missed], Missed, count[Unmeasured], Unmeasured)
}

// PrintTable prints bars that have no aim and are of one kind of memory, and how
// many of them are met.
func PrintTable(w io.Writer, list []Bar) {
	fmt.Fprint(w, "| what | bar | measured | |\n|---|---|---|---|\n")
	count := map[Mark]int{}
	for i := range list {
		b := &list[i]
		count[b.Mark()]++
		fmt.Fprintf(w, "| %s | %s%s %s | %s | %s |\n", b.What, b.Want.symbol(b.Bound), number(b.Bound), b.Unit, b.Value.text(), b.outcome())
	}
	fmt.Fprintf(w, "\n%d of %d bars are met (%s), %d missed (%s), %d not measured (%s).\n",
		count[Met], len(list), Met, count[Missed], Missed, count[Unmeasured], Unmeasured)
}

// symbol is a bound's sign; of nothing at all there is no less.
func (w Want) symbol(bound float64) string {
	switch {
	case w == AtLeast:
		return "≥ "
	case w == Below && bound != 0:
		return "< "
	case w == Below:
		return ""
	}
	return "≤ "
}

func (b *Bar) outcome() string {
	switch mark := b.Mark(); {
	case mark == Unmeasured:
		return string(mark) + " " + b.Missing
	case mark == Met && b.Allowed != "" && !b.holds(b.Value, b.Bound):
		return string(mark) + " " + b.Allowed
	default:
		return string(mark)
	}
}

func (v *Value) text() string {
	if v == nil {
		return ""
	}
	s := fmt.Sprintf("%.2f", v.Of)
	if v.Of > -0.005 && v.Of < 0 {
		s = "0.00"
	}
	if v.Sides != "" {
		s += " (" + v.Sides + ")"
	}
	return s
}

// number prints a bound with the digits that it has.
func number(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", f), "0"), ".")
}

func megabytes(n int) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }

func (r *Result) printOpening(w io.Writer) {
	o := r.Opening
	fmt.Fprintf(w, "\n## Opening\n\nOpening a snapshot of %s ids, %s, checked, on one core, from files in the system's cache; medians of %d rounds.\n", bench.Count(r.Config.IDs), megabytes(int(o.Bytes)), r.Config.Rounds)
	fmt.Fprintf(w, "\n| | ms | GB/s | × | closing, ms | resident, its own | in large pages | of files |\n|---|--:|--:|--:|--:|--:|--:|--:|\n")
	fmt.Fprintf(w, "| reading and hashing the files | %.0f | %.1f | 1.00 | | | | |\n", millis(o.Read), r.speed(o.Read))
	for i := range o.Kind {
		k := &o.Kind[i]
		fmt.Fprintf(w, "| matchd %s | %.0f | %.1f | %.2f | %.1f | %s | %s | %s |\n", k.Memory, millis(k.Open), r.speed(k.Open), k.Ratio, millis(k.Close),
			megabytes(int(k.Resident.Anonymous)), megabytes(int(k.Resident.Huge)), megabytes(int(k.Resident.Files)))
	}
}

func millis(times []time.Duration) float64 { return opening.Median(times).Seconds() * 1e3 }

// speed is that of opening or reading, in 10⁹ bytes a second.
func (r *Result) speed(times []time.Duration) float64 {
	return float64(r.Opening.Bytes) / opening.Median(times).Seconds() / 1e9
}

// Benchmark prints all rounds in the format of go test -bench, for benchstat.
func (r *Result) Benchmark(w io.Writer) {
	if r.Lookup != nil {
		r.Lookup.Benchmark(w)
	}
	for _, a := range r.Allocations {
		fmt.Fprintf(w, "BenchmarkAllocations/ids=%d/matchd_%s/%s/batch=%d-%d\t%d\t%.4f allocs/op\n", r.Config.IDs, a.Memory,
			strings.ReplaceAll(bench.DrawName(a.Draw), " ", "_"), a.Batch, runtime.GOMAXPROCS(0), a.Calls, a.ACall)
	}
	if r.Opening != nil {
		line := func(name string, times []time.Duration) {
			for _, t := range times {
				fmt.Fprintf(w, "BenchmarkOpening/ids=%d/%s\t1\t%d ns/op\t%.1f MB/s\n", r.Config.IDs, name, t.Nanoseconds(), float64(r.Opening.Bytes)/1e6/t.Seconds())
			}
		}
		line("read_and_hash", r.Opening.Read)
		for i := range r.Opening.Kind {
			line("matchd_"+string(r.Opening.Kind[i].Memory), r.Opening.Kind[i].Open)
		}
	}
	if r.Wire != nil {
		r.Wire.Benchmark(w)
	}
}
