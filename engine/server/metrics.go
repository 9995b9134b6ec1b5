package server

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// durationBounds are the upper bounds of the buckets of request durations.
var durationBounds = [...]time.Duration{
	5 * time.Microsecond, 10 * time.Microsecond, 25 * time.Microsecond, 50 * time.Microsecond,
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
	25 * time.Millisecond, 100 * time.Millisecond, time.Second,
}

// statuses are those that the server answers with; any other is counted last.
var statuses = [...]int{200, 204, 400, 401, 403, 404, 405, 408, 413, 415, 417, 421, 422, 429, 431, 500, 501, 503, 505, 0}

// metricShards is how many sets of counters share the load of all cores.
const metricShards = 16

// metrics counts what the server does. A request adds to one shard, without a
// lock; a scrape adds the shards up, and may see a request half counted.
type metrics struct {
	shards [metricShards]struct {
		routes [routeIDs]routeMetrics
		_      [64]byte
	}
	panics atomic.Uint64
}

type routeMetrics struct {
	statuses [len(statuses)]atomic.Uint64
	buckets  [len(durationBounds) + 1]atomic.Uint64
	nanos    atomic.Uint64
}

// observe counts a request.
func (m *metrics) observe(id routeID, status int, took time.Duration) {
	r := &m.shards[rand.Uint32()%metricShards].routes[id]
	r.statuses[statusIndex(status)].Add(1)
	i := 0
	for i < len(durationBounds) && took > durationBounds[i] {
		i++
	}
	r.buckets[i].Add(1)
	r.nanos.Add(uint64(max(took, 0)))
}

// refused counts an answer to what never became a request.
func (m *metrics) refused(status int) {
	m.shards[0].routes[routeRefused].statuses[statusIndex(status)].Add(1)
}

func statusIndex(status int) int {
	i := 0
	for i < len(statuses)-1 && statuses[i] != status {
		i++
	}
	return i
}

// routeTotals are the counters of a route, over all shards.
type routeTotals struct {
	statuses [len(statuses)]uint64
	buckets  [len(durationBounds) + 1]uint64
	nanos    uint64
}

func (m *metrics) totals(id routeID) (t routeTotals) {
	for i := range m.shards {
		r := &m.shards[i].routes[id]
		for k := range r.statuses {
			t.statuses[k] += r.statuses[k].Load()
		}
		for k := range r.buckets {
			t.buckets[k] += r.buckets[k].Load()
		}
		t.nanos += r.nanos.Load()
	}
	return t
}
