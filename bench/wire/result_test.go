package wire

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/snapshot"
)

// Medians are each of its own, the spread is of the 99th percentiles, and the
// best way of asking is the one that takes the least time an id.
func TestResult(t *testing.T) {
	r := &Result{
		Config: Default(), IDs: 1000, Identifiers: 1000,
		Cells: []Cell{
			{Server: Matchd, Case: Batch, How: "POST of 100", IDs: 100, Rounds: []Round{{1, 500, 1, 0.5}, {3, 300, 0.9, 0}, {2, 100, 0.96, 1}}},
			{Server: Bare, Case: Batch, How: "POST of 100", IDs: 100, Rounds: []Round{{1, 250, 0.5, 0.01}, {1, 100, 0.5, 0}, {1, 25, 0.5, 0}}},
			{Server: Redis, Case: Batch, How: "MGET of 100", IDs: 100, Rounds: []Round{{1, 400, 0.5, 0.5}}},
			{Server: Redis, Case: Batch, How: "GET, 100 in a pipeline", IDs: 1, Rounds: []Round{{1, 5, 1, 1}}},
		},
		Latency: []Latency{
			{Matchd, []Percentiles{{P50: 3, P99: 20e3}, {P50: 1, P99: 50e3}, {P50: 2, P99: 30e3}}},
			{Bare, []Percentiles{{P99: 10e3}, {P99: 50e3}, {P99: 5e3}}},
		},
		Swap:        []Swap{{Took: 7e6, During: Percentiles{P99: 9e6}, Before: Percentiles{P99: 4e6}}},
		Memory:      []Memory{{Server: Redis, Resident: 123_000, Used: 120_000}},
		Allocations: []Allocations{{Single, "GET", 200_000, 0.004}},

		Bytes: 50_000, Sections: []snapshot.SectionSize{{Tag: "hot", Bytes: 37_300}},
		Skipped: []string{"memcached: there is no memcached on the path"},
	}
	m := r.Best(Matchd, Batch)
	if got := m.Medians(); got != (Round{2, 300, 0.96, 0.5}) || m.CPUAnID() != 3 || m.Limit() != "server" {
		t.Errorf("%+v, %g, %s", got, m.CPUAnID(), m.Limit())
	}
	if b := r.Best(Bare, Batch); b.Limit() != "client" {
		t.Errorf("the limit is %s", b.Limit())
	}
	if len(r.Find(Redis, Batch)) != 2 || r.Best(Redis, Batch).How != "MGET of 100" || r.Best(Redis, Single) != nil {
		t.Errorf("Redis's best is %+v", r.Best(Redis, Batch))
	}
	if x := Ratio(r.Best(Redis, Batch), &r.Cells[3]); x != 0.8 {
		t.Errorf("MGET takes %g of what GET does", x)
	}
	l := r.FindLatency(Matchd)
	least, most := l.Spread()
	if p := l.Medians(); p.P50 != 2 || p.P99 != 30e3 || least != 20e3 || most != 50e3 {
		t.Errorf("%+v, %s to %s", p, least, most)
	}
	if s := r.SwapMedians(); s.Took != 7*time.Millisecond || s.During.P99 != 9e6 || s.Before.P99 != 4e6 {
		t.Errorf("%+v", s)
	}
	if r.FindMemory(Redis).Used != 120_000 || r.FindMemory(Matchd) != nil || r.FindLatency(Redis) != nil || r.FindAllocations(Single).Requests != 200_000 || r.FindAllocations(Batch) != nil {
		t.Error("memory or latency of another server is found")
	}
	var table, lines bytes.Buffer
	r.Markdown(&table)
	r.Benchmark(&lines)
	for _, want := range []string{
		"| matchd, POST of 100 | 200 | 300 | 3 | 3.00 | 96 % | 50 % | server |", "| matchd | 0 | 0 | 30 | 0 | 0 | 20 to 50 | 0 |",
		"| Redis | 123.0 |  |  | 120.0 |", "hot 37.30.", "A swap took 7ms,", "2.25 × during a swap", "; 2.00 × without one",
		"matchd allocates 0.004 objects a request: GET, 64 connections, tcp, 20 % hits, uniform, of 200,000 requests.", "\nSkipped: memcached",
	} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
	if n := strings.Count(lines.String(), "\nBenchmarkWire/ids=1000/"); n != 8+1+6+2+2 || !strings.Contains(lines.String(), "\t3.0 cpu-ns/id\t300 ids/s\n") {
		t.Errorf("%d lines:\n%s", n, lines.String())
	}
}

func TestValidate(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	for i, change := range []func(*Config){
		func(c *Config) { c.IDs = 0 },
		func(c *Config) { c.Draws = 999 },
		func(c *Config) { c.Rounds = 0 },
		func(c *Config) { c.LatencyRounds = -1 },
		func(c *Config) { c.Duration = 0 },
		func(c *Config) { c.LatencyDuration = 0 },
		func(c *Config) { c.Memory = snapshot.Once },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err == nil {
			t.Errorf("change %d is valid", i)
		}
	}
}
