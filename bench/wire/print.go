package wire

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/matchd/matchd/bench"
)

// Markdown prints the result as tables, with what it was measured on and how to
// make it again.
func (r *Result) Markdown(w io.Writer) {
	c := &r.Config
	fmt.Fprintf(w, "Over the wire: %s ids; matchd serves from memory %s; medians of %d rounds of %s in turns; %s; %s.\n",
		bench.Count(r.IDs), c.Memory, c.Rounds, c.Duration, strings.Join(append([]string{"fasthttp"}, r.Versions...), ", "), r.Machine)
	fmt.Fprintf(w, "One core for the server, one for the client. CPU is the server's processor time; × is by the bare handler's of the same round, an id.\n\n```\n%s\n```\n", c.command())
	last := Case{}
	for i := range r.Cells {
		cell := &r.Cells[i]
		if cell.Case != last {
			last = cell.Case
			fmt.Fprintf(w, "\n| %s | ids/s | CPU ns a request | an id | × | server busy | client idle | limit |\n|---|--:|--:|--:|--:|--:|--:|---|\n", last)
		}
		r.printCell(w, cell)
	}
	fmt.Fprint(w, "\nThe bare handler's answers are as long as matchd's on average:")
	for i, s := range r.Sizes {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, " %s %d bytes with %.0f %% hits", s.How, s.Bytes, 100*s.Hits)
	}
	fmt.Fprint(w, ".\n")
	for _, a := range r.Allocations {
		fmt.Fprintf(w, "\nmatchd allocates %.3f objects a request: %s, %s, of %s requests.\n", a.ARequest, a.How, a.Case, bench.Count(a.Requests))
	}
	if len(r.Latency) > 0 {
		r.printLatency(w)
	}
	r.printMemory(w)
	for _, s := range r.Skipped {
		fmt.Fprintf(w, "\nSkipped: %s.\n", s)
	}
}

// command is the command line that measures the same.
func (c Config) command() string {
	return fmt.Sprintf("matchd bench wire --ids %d --seed %d --draws %d --memory %s --rounds %d --duration %s --latency-rounds %d --latency-duration %s",
		c.IDs, c.Seed, c.Draws, c.Memory, c.Rounds, c.Duration, c.LatencyRounds, c.LatencyDuration)
}

func (r *Result) printCell(w io.Writer, c *Cell) {
	m := c.Medians()
	times := ""
	if b := r.Best(Bare, c.Case); b != nil {
		times = fmt.Sprintf("%.2f", Ratio(c, b))
	}
	fmt.Fprintf(w, "| %s, %s | %s | %.0f | %.0f | %s | %.0f %% | %.0f %% | %s |\n",
		c.Server, c.How, bench.Count(int(m.Rate*float64(c.IDs))), m.CPU, c.CPUAnID(), times, 100*m.Busy, 100*m.Idle, c.Limit())
}

func (r *Result) printLatency(w io.Writer) {
	fmt.Fprintf(w, "\nLatency in µs, from the time at which a request should have been sent: %s requests a second, %s, half of the slower one's peak; medians of %d rounds.\n",
		bench.Count(int(r.Rate)), Single, r.Config.LatencyRounds)
	fmt.Fprintf(w, "\n| | p50 | p90 | p99 | p99.9 | p99.99 | p99 of each round | client late, p99 |\n|---|--:|--:|--:|--:|--:|---|--:|\n")
	row := func(name string, p Percentiles, spread string) {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", name, us(p.P50), us(p.P90), us(p.P99), us(p.P999), us(p.P9999), spread, us(p.Late))
	}
	for i := range r.Latency {
		l := &r.Latency[i]
		least, most := l.Spread()
		row(l.Server, l.Medians(), us(least)+" to "+us(most))
	}
	if len(r.Swap) == 0 {
		return
	}
	var during, rest Latency
	for _, s := range r.Swap {
		during.Rounds, rest.Rounds = append(during.Rounds, s.During), append(rest.Rounds, s.Before)
	}
	for _, part := range []struct {
		name string
		l    *Latency
	}{{"during a swap", &during}, {"before it", &rest}} {
		least, most := part.l.Spread()
		row(Matchd+", "+part.name, part.l.Medians(), us(least)+" to "+us(most))
	}
	m := r.SwapMedians()
	fmt.Fprintf(w, "\nA swap took %s, in which %s requests were due. By the same round's p99: %.2f × during a swap, by that before it",
		m.Took.Round(time.Millisecond), bench.Count(int(m.During.Requests)), r.SwapP99Ratio())
	if a, b := r.FindLatency(Matchd), r.FindLatency(Bare); a != nil && b != nil {
		fmt.Fprintf(w, "; %.2f × without one, by the bare handler's", P99Ratio(a, b))
	}
	fmt.Fprint(w, ".\n")
}

// us is a time in microseconds.
func us(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d)/1e3) }

func (r *Result) printMemory(w io.Writer) {
	anID := func(n int64) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprintf("%.1f", r.BytesAnID(n))
	}
	fmt.Fprintf(w, "\n| bytes an id, of %s with customer ids | resident | its own | of files | allocated, by its own account |\n|---|--:|--:|--:|--:|\n", bench.Count(r.Identifiers))
	for _, m := range r.Memory {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", m.Server, anID(m.Resident), anID(m.Anonymous), anID(m.File), anID(m.Used))
	}
	fmt.Fprintf(w, "\nThe snapshot: %s bytes, %s an id:", bench.Count(int(r.Bytes)), anID(r.Bytes))
	for i, s := range r.Sections {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, " %s %.2f", s.Tag, r.BytesAnID(s.Bytes))
	}
	fmt.Fprint(w, ".\n")
}

// Benchmark prints every round in the format of go test -bench, for benchstat.
func (r *Result) Benchmark(w io.Writer) {
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\ncpu: %s\n", runtime.GOOS, runtime.GOARCH, r.Machine.CPU)
	line := func(name, values string) {
		fmt.Fprintf(w, "BenchmarkWire/ids=%d/%s-%d\t%s\n", r.IDs, strings.ReplaceAll(name, " ", "_"), r.Machine.Cores, values)
	}
	for i := range r.Cells {
		c := &r.Cells[i]
		for _, one := range c.Rounds {
			n := float64(c.IDs)
			line(fmt.Sprintf("%s/%s/%s", c.Case, c.Server, c.How), fmt.Sprintf("1\t%.1f cpu-ns/id\t%.0f ids/s", one.CPU/n, one.Rate*n))
		}
	}
	for _, a := range r.Allocations {
		line(fmt.Sprintf("allocations/%s/%s", a.Case, a.How), fmt.Sprintf("%d\t%.4f allocs/op", a.Requests, a.ARequest))
	}
	latency := func(name string, p Percentiles) {
		line("latency/"+name, fmt.Sprintf("%d\t%d p50-ns\t%d p99-ns\t%d p99.9-ns", p.Requests, p.P50, p.P99, p.P999))
	}
	for _, l := range r.Latency {
		for _, p := range l.Rounds {
			latency(l.Server, p)
		}
	}
	for _, s := range r.Swap {
		latency(Matchd+"/during a swap", s.During)
		latency(Matchd+"/beside a swap", s.Before)
	}
	for _, m := range r.Memory {
		line("memory/"+m.Server, fmt.Sprintf("1\t%d resident-bytes\t%.1f B/id", m.Resident, r.BytesAnID(m.Resident)))
	}
	line("memory/snapshot", fmt.Sprintf("1\t%d bytes\t%.1f B/id", r.Bytes, r.BytesAnID(r.Bytes)))
}
