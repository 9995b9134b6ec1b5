package wire

import (
	"cmp"
	"slices"
	"time"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/snapshot"
)

// Result is what a run found.
type Result struct {
	Config  Config        `json:"-"`
	IDs     int           `json:"ids"`
	Machine bench.Machine `json:"machine"`
	// Versions are those of the stores, such as "Redis 7.0.15".
	Versions []string `json:"versions,omitempty"`
	// Sizes are what matchd answers with on average, and the bare handler too.
	Sizes []Size `json:"answers"`
	Cells []Cell `json:"cells"`
	// Allocations are matchd's.
	Allocations []Allocations `json:"allocations,omitempty"`
	// Rate is how many requests a second the latencies are of: half of the
	// smaller of the peaks of matchd and the bare handler in the case Single.
	Rate    float64   `json:"latency_requests_a_second,omitempty"`
	Latency []Latency `json:"latency,omitempty"`
	// Swap is the same load on matchd while it changes snapshots.
	Swap   []Swap   `json:"swap,omitempty"`
	Memory []Memory `json:"memory"`
	// Identifiers is how many the snapshot holds, customer ids included.
	Identifiers int                    `json:"identifiers"`
	Bytes       int64                  `json:"snapshot_bytes"`
	Sections    []snapshot.SectionSize `json:"sections"`
	// Skipped says what was not measured, and why.
	Skipped []string `json:"skipped,omitempty"`
}

// Size is the whole of an answer in bytes, header included.
type Size struct {
	How   string  `json:"how"`
	Hits  float64 `json:"hits"`
	Bytes int     `json:"bytes"`
}

// Cell is what a server did in a case.
type Cell struct {
	Server string `json:"server"`
	Case   Case   `json:"case"`
	// How it was asked, and for how many identifiers in a request.
	How    string  `json:"how"`
	IDs    int     `json:"ids_a_request"`
	Rounds []Round `json:"rounds"`
}

// Round is one turn of a server.
type Round struct {
	// Rate is requests a second.
	Rate float64 `json:"requests_a_second"`
	// CPU is the server's processor time, in nanoseconds a request.
	CPU float64 `json:"cpu_ns"`
	// Busy is the share of the time in which the server ran, Idle that in which
	// the client had nothing to do. Where Idle is near 0 and Busy is not near
	// 1, the client is the limit of the rate.
	Busy float64 `json:"server_busy"`
	Idle float64 `json:"client_idle"`
}

// Medians are the medians of the rounds, each of its own.
func (c *Cell) Medians() Round {
	return Round{
		Rate: medianOf(c.Rounds, func(r Round) float64 { return r.Rate }),
		CPU:  medianOf(c.Rounds, func(r Round) float64 { return r.CPU }),
		Busy: medianOf(c.Rounds, func(r Round) float64 { return r.Busy }),
		Idle: medianOf(c.Rounds, func(r Round) float64 { return r.Idle }),
	}
}

// CPUAnID is the server's processor time in nanoseconds an identifier.
func (c *Cell) CPUAnID() float64 { return c.Medians().CPU / float64(c.IDs) }

// Limit says what kept the rate from being higher. Of many connections, one
// always has the server or the client at work, so where neither is busy, other
// processes had the cores.
func (c *Cell) Limit() string {
	switch m := c.Medians(); {
	case m.Busy >= 0.95:
		return "server"
	case m.Idle <= 0.05:
		return "client"
	case c.Case.Connections == 1:
		return "the way there and back"
	}
	return "other processes"
}

// Find returns the cells of a server in a case: one for each way of asking, or
// none.
func (r *Result) Find(server string, c Case) (list []*Cell) {
	for i := range r.Cells {
		if k := &r.Cells[i]; k.Server == server && k.Case == c && len(k.Rounds) > 0 {
			list = append(list, k)
		}
	}
	return list
}

// Best returns the cell in which a server takes the least processor time an
// identifier, or nil.
func (r *Result) Best(server string, c Case) *Cell {
	list := r.Find(server, c)
	if len(list) == 0 {
		return nil
	}
	return slices.MinFunc(list, func(a, b *Cell) int { return cmp.Compare(a.CPUAnID(), b.CPUAnID()) })
}

// Ratio is the median, over the rounds, of the processor time an identifier in a
// by that in b. What slowed the machine in a round slowed both.
func Ratio(a, b *Cell) float64 {
	return medianOfPairs(a.Rounds, b.Rounds, func(x, y Round) float64 {
		return x.CPU / float64(a.IDs) / (y.CPU / float64(b.IDs))
	})
}

// P99Ratio is the median, over the rounds, of the 99th percentile of a by that
// of b.
func P99Ratio(a, b *Latency) float64 { return medianOfPairs(a.Rounds, b.Rounds, p99Ratio) }

func p99Ratio(a, b Percentiles) float64 { return float64(a.P99) / float64(b.P99) }

// Latency is what a server's requests took in an open loop.
type Latency struct {
	Server string        `json:"server"`
	Rounds []Percentiles `json:"rounds"`
}

// Percentiles of the time from when a request should have been sent to its
// whole answer.
type Percentiles struct {
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p99.9_ns"`
	P9999 time.Duration `json:"p99.99_ns"`
	// Late is the 99th percentile of how late the client itself was.
	Late time.Duration `json:"client_late_p99_ns"`
	// Requests is of how many.
	Requests int64 `json:"requests"`
}

// Medians are the medians of the rounds, each percentile of its own.
func (l *Latency) Medians() Percentiles { return medians(l.Rounds) }

// Spread is the least and the most of the rounds' 99th percentiles.
func (l *Latency) Spread() (least, most time.Duration) {
	byP99 := func(a, b Percentiles) int { return cmp.Compare(a.P99, b.P99) }
	if len(l.Rounds) == 0 {
		return 0, 0
	}
	return slices.MinFunc(l.Rounds, byP99).P99, slices.MaxFunc(l.Rounds, byP99).P99
}

// FindLatency returns a server's latency, or nil.
func (r *Result) FindLatency(server string) *Latency {
	for i := range r.Latency {
		if r.Latency[i].Server == server {
			return &r.Latency[i]
		}
	}
	return nil
}

// Swap is a round in which matchd changed to another snapshot.
type Swap struct {
	// Took is the time from when the store named the other snapshot until
	// matchd said that it serves it.
	Took time.Duration `json:"took_ns"`
	// During is of the requests that should have been sent in that time and
	// shortly after it, Before of those of the same round that came before.
	During Percentiles `json:"during"`
	Before Percentiles `json:"rest"`
}

// SwapMedians are the medians of the rounds, each of its own.
func (r *Result) SwapMedians() Swap {
	var during, rest []Percentiles
	for _, s := range r.Swap {
		during, rest = append(during, s.During), append(rest, s.Before)
	}
	return Swap{
		Took:   medianOf(r.Swap, func(s Swap) time.Duration { return s.Took }),
		During: medians(during), Before: medians(rest),
	}
}

// SwapP99Ratio is the median, over the rounds, of the 99th percentile during a
// swap by that before it, in the same round.
func (r *Result) SwapP99Ratio() float64 {
	return medianOf(r.Swap, func(s Swap) float64 { return p99Ratio(s.During, s.Before) })
}

// Memory is what a server holds for the data, in bytes.
type Memory struct {
	// Server is its name, with the kind of memory if it is matchd.
	Server    string `json:"server"`
	Resident  int64  `json:"resident"`
	Anonymous int64  `json:"anonymous"`
	File      int64  `json:"file"`
	// Used is what Redis says that it has allocated; 0 for others.
	Used int64 `json:"used,omitempty"`
}

// FindMemory returns a server's memory, or nil.
func (r *Result) FindMemory(server string) *Memory {
	for i := range r.Memory {
		if r.Memory[i].Server == server {
			return &r.Memory[i]
		}
	}
	return nil
}

// BytesAnID is a number of bytes by the identifiers that the snapshot holds, and
// the stores with it.
func (r *Result) BytesAnID(n int64) float64 { return float64(n) / float64(r.Identifiers) }

// MemoryName is what matchd is called in Memory.
func MemoryName(m snapshot.Memory) string { return Matchd + " " + string(m) }

type number interface{ ~float64 | ~int64 }

// medianOf is the middle one of what f says of each, 0 of none.
func medianOf[E any, T number](list []E, f func(E) T) T {
	if len(list) == 0 {
		return 0
	}
	values := make([]T, len(list))
	for i := range list {
		values[i] = f(list[i])
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// medianOfPairs is the middle one of what f says of two lists' elements in the
// same place.
func medianOfPairs[E any](a, b []E, f func(x, y E) float64) float64 {
	pairs := make([][2]E, min(len(a), len(b)))
	for i := range pairs {
		pairs[i] = [2]E{a[i], b[i]}
	}
	return medianOf(pairs, func(p [2]E) float64 { return f(p[0], p[1]) })
}

func medians(rounds []Percentiles) Percentiles {
	of := func(f func(Percentiles) time.Duration) time.Duration { return medianOf(rounds, f) }
	return Percentiles{
		P50:      of(func(p Percentiles) time.Duration { return p.P50 }),
		P90:      of(func(p Percentiles) time.Duration { return p.P90 }),
		P99:      of(func(p Percentiles) time.Duration { return p.P99 }),
		P999:     of(func(p Percentiles) time.Duration { return p.P999 }),
		P9999:    of(func(p Percentiles) time.Duration { return p.P9999 }),
		Late:     of(func(p Percentiles) time.Duration { return p.Late }),
		Requests: medianOf(rounds, func(p Percentiles) int64 { return p.Requests }),
	}
}
