package enrich

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/bars"
	"github.com/matchd/matchd/bench/wire"
)

// Markdown prints the bars and the tables, with what it was measured on and how
// to make it again.
func (r *Result) Markdown(w io.Writer) {
	c := &r.Config
	fmt.Fprintf(w, "# Enriching bid requests\n\n%s mobile ids, %s identifiers in all, served from memory %s; %s different requests of each kind, with %s consent strings of %d bytes on average; medians of %d rounds in turns, of %d for latency; %s.\n\n```\n%s\n```\n\n",
		bench.Count(c.IDs), bench.Count(r.Identifiers), c.Memory, bench.Count(c.Requests), bench.Count(c.Strings), r.ConsentBytes, c.Rounds, c.LatencyRounds, r.Machine, c.command())
	bars.PrintTable(w, r.Bars())
	fmt.Fprintf(w, "\n## In process\n\nReading and enriching is what both sides do: to read a request, to add a tenant's segments to it where it matches, to write it; beside decoding, adding and encoding with prebid/openrtb and encoding/json, garbage included. The whole call goes from the client's name to the end of the view, with the decision about a consent string and the lookup of somebody not asked about for long, which the other side has not (no bar).\n")
	fmt.Fprintf(w, "\n| | bytes | ns | prebid/openrtb, ns | times as fast | allocations |\n|---|--:|--:|--:|--:|--:|\n")
	for i := range r.Codecs {
		k := &r.Codecs[i]
		fmt.Fprintf(w, "| reading and enriching, %s | | %s | %s | %.1f | |\n", k, count(bench.Median(k.Ours)), count(bench.Median(k.Theirs)), k.Faster())
	}
	for i := range r.Calls {
		k := &r.Calls[i]
		fmt.Fprintf(w, "| the whole call, %s | %s | %s | %s | %.1f | %.4f |\n", k, bench.Count(k.Bytes), count(bench.Median(k.Ours)), count(bench.Median(k.Theirs)), k.Faster(), k.Allocations)
	}
	fmt.Fprintf(w, "\nThe operator's client may see every tenant. A brand's may not: an id of nobody takes it as long as one that belongs to somebody else.\n")
	fmt.Fprintf(w, "\nA verdict about a consent string takes %s ns remembered and %s ns decided each time: %.1f times as fast.\n", count(bench.Median(r.Verdicts.Ours)), count(bench.Median(r.Verdicts.Theirs)), r.Verdicts.Faster())
	fmt.Fprintf(w, "\nFor a client that may not know of anybody here, an id of nobody takes %s ns and one of somebody %s ns: %.2f times (no bar).\n", count(bench.Median(r.Hidden.Ours)), count(bench.Median(r.Hidden.Theirs)), r.Hidden.Faster())
	r.printWire(w)
}

// command is the command line that measures the same.
func (c Config) command() string {
	return fmt.Sprintf("matchd bench enrich --ids %d --seed %d --requests %d --strings %d --memory %s --rounds %d --duration %s --latency-rounds %d --latency-duration %s --rate %d --limit %d",
		c.IDs, c.Seed, c.Requests, c.Strings, c.Memory, c.Rounds, c.Duration, c.LatencyRounds, c.LatencyDuration, c.Rate, c.Limit)
}

func (r *Result) printWire(w io.Writer) {
	if r.NoWire != "" {
		fmt.Fprintf(w, "\nOver the wire nothing was measured: %s.\n", r.NoWire)
		return
	}
	fmt.Fprintf(w, "\n## Over the wire\n\n`POST /v1/openrtb/enrich` for a brand's client, %d connections, TCP, one core for the server and one for the client, beside fasthttp with a handler that echoes the body. CPU is the server's processor time; where there is nothing to add, matchd answers 204 without a body.\n", connections)
	fmt.Fprintf(w, "\n| | server | requests/s | CPU ns a request | × | server busy | client idle |\n|---|---|--:|--:|--:|--:|--:|\n")
	for i := range r.Mixes {
		m := &r.Mixes[i]
		for _, c := range []*wire.Cell{&m.Ours, &m.Bare} {
			of := c.Medians()
			fmt.Fprintf(w, "| %s | %s | %s | %s | %.2f | %.0f %% | %.0f %% |\n", m, c.Server, count(of.Rate), count(of.CPU), wire.Ratio(c, &m.Bare), 100*of.Busy, 100*of.Idle)
		}
	}
	if r.Isolation != nil {
		r.printIsolation(w)
	}
}

func (r *Result) printIsolation(w io.Writer) {
	c, i := &r.Config, r.Isolation
	fmt.Fprintf(w, "\n## Beside a greedy client\n\nLatency in µs of %s requests a second, 20 %% matches, at random times, from when each should have been sent; beside it another client sends %s a second and may send %s. Of its requests %s were served and %s answered 429.\n",
		bench.Count(c.Rate), bench.Count(excess*c.Limit), bench.Count(c.Limit), bench.Count(i.Served), bench.Count(i.Refused))
	fmt.Fprintf(w, "\n| | p50 | p90 | p99 | p99.9 | p99 of each round | client late, p99 |\n|---|--:|--:|--:|--:|---|--:|\n")
	for _, l := range []*wire.Latency{&i.Alone, &i.Beside} {
		least, most := l.Spread()
		m := l.Medians()
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s to %s | %s |\n", l.Server, us(m.P50), us(m.P90), us(m.P99), us(m.P999), us(least), us(most), us(m.Late))
	}
}

// Benchmark prints every round in the format of go test -bench, for benchstat.
func (r *Result) Benchmark(w io.Writer) {
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\ncpu: %s\n", runtime.GOOS, runtime.GOARCH, r.Machine.CPU)
	line := func(name string, value float64, unit string) {
		fmt.Fprintf(w, "BenchmarkEnrich/ids=%d/%s-%d\t1\t%.1f %s\n", r.Config.IDs, strings.ReplaceAll(name, " ", "_"), r.Machine.Cores, value, unit)
	}
	pair := func(name string, p *Pair, ours, theirs string) {
		for i := range p.Ours {
			line(name+"/"+ours, p.Ours[i], "ns/op")
			line(name+"/"+theirs, p.Theirs[i], "ns/op")
		}
	}
	for i := range r.Codecs {
		pair("codec/"+r.Codecs[i].String(), &r.Codecs[i].Pair, "matchd", "prebid")
	}
	for i := range r.Calls {
		pair(r.Calls[i].String(), &r.Calls[i].Pair, "matchd", "prebid")
	}
	pair("verdict", &r.Verdicts, "remembered", "decided")
	pair("hidden", &r.Hidden, "nobody", "somebody")
	for i := range r.Mixes {
		m := &r.Mixes[i]
		for k := range m.Ours.Rounds {
			line("wire/"+m.String()+"/matchd", m.Ours.Rounds[k].CPU, "cpu-ns/op")
			line("wire/"+m.String()+"/echo", m.Bare.Rounds[k].CPU, "cpu-ns/op")
		}
	}
	if r.Isolation != nil {
		for _, l := range []*wire.Latency{&r.Isolation.Alone, &r.Isolation.Beside} {
			for _, p := range l.Rounds {
				line("latency/"+l.Server, float64(p.P99), "p99-ns")
			}
		}
	}
}
