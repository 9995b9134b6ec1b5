package load

import (
	"sort"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what a run found.
type Result struct {
	// Requests is how many were answered, which is all that were sent.
	Requests int
	Bytes    int64 // of responses
	Start    time.Time
	Elapsed  time.Duration // to the last answer
	// Latency is in nanoseconds, from the intended time (open) or from sending
	// (closed) to the whole answer.
	Latency *hdrhistogram.Histogram
	// Idle is the time in which the client found nothing to do. Where little
	// is left of it, the client is the limit, and neither rate nor latency are
	// the server's.
	Idle time.Duration

	// Late is how many nanoseconds after its intended time a request of an
	// open loop was sent that did not have to wait for a connection: the
	// client's own error.
	Late *hdrhistogram.Histogram
	// Waited is how many requests of an open loop found no connection free.
	Waited int

	latencies []time.Duration // of an open loop, by intended time
	plan      plan
}

// Rate is requests a second.
func (r Result) Rate() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

// Between returns the latencies of those requests of an open loop whose
// intended time lies in [from, to).
func (r Result) Between(from, to time.Time) *hdrhistogram.Histogram {
	h := newHistogram()
	n := len(r.latencies)
	first := func(t time.Time) int {
		return sort.Search(n, func(i int) bool { return r.plan.due(i) >= t.Sub(r.Start) })
	}
	for i := first(from); i < first(to); i++ {
		record(h, r.latencies[i])
	}
	return h
}

// Of returns the latencies of those requests of an open loop, by their number,
// of which f is true.
func (r Result) Of(f func(i int) bool) *hdrhistogram.Histogram {
	h := newHistogram()
	for i, d := range r.latencies {
		if f(i) {
			record(h, d)
		}
	}
	return h
}

// longest is the longest time that a histogram tells apart.
const longest = time.Hour

// newHistogram counts nanoseconds to three significant digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, int64(longest), 3) }

func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(int64(min(d, longest))) // it refuses only what is longer
}
