package engine

import (
	"slices"
	"time"
)

// Latency is how long it took from when the log accepted opt-outs and erasures
// to when every lookup that began later obeyed them.
type Latency struct {
	OptOuts, Erasures Durations
}

// latencyBounds go from what memory takes to what a daemon that is down does.
var latencyBounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	time.Minute, 5 * time.Minute, 10 * time.Minute, time.Hour,
}

// LatencyBounds are the upper bounds of the buckets of [Durations], ascending;
// one bucket more is of what took longer.
func LatencyBounds() []time.Duration { return slices.Clone(latencyBounds[:]) }

// Durations counts durations by buckets, see [LatencyBounds].
type Durations struct {
	Buckets [len(latencyBounds) + 1]uint64
	Sum     time.Duration
}

func (l *Latency) add(erases bool, took time.Duration) {
	d := &l.OptOuts
	if erases {
		d = &l.Erasures
	}
	took = max(took, 0) // the clock may have stepped back
	i, _ := slices.BinarySearch(latencyBounds[:], took)
	d.Buckets[i]++
	d.Sum += took
}
