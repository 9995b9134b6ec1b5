package enrich

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/matchd/matchd/bench/wire"
)

// excess is how many times its limit the greedy client sends.
const excess = 10

// Isolation is what the requests of a client take alone, and beside one that
// sends ten times what it may.
type Isolation struct {
	Alone, Beside wire.Latency
	// Served and Refused are how many of the greedy client's requests were
	// answered, and how many with 429, in all rounds.
	Served, Refused int
}

// Ratio is the median, over the rounds, of the 99th percentile beside the greedy
// client by that alone.
func (i *Isolation) Ratio() float64 { return wire.P99Ratio(&i.Beside, &i.Alone) }

// arrival is a request at a time since the start of a round.
type arrival struct {
	at     time.Duration
	greedy bool
}

// measureIsolation measures both in turns. The requests of each client come at
// random times (a Poisson process), those of the one that is measured at the
// same ones in both parts of a round. One thread sends for both clients: a
// second one would need a core of its own.
func (r *run) measureIsolation(ctx context.Context) error {
	list := r.bodies.make(r.Requests, mixes[0])
	steady, other := posts(list, r.keys.brand), posts(list, r.keys.greedy)
	r.result.Isolation = &Isolation{Alone: wire.Latency{Server: "alone"}, Beside: wire.Latency{Server: "beside a greedy client"}}
	for round := range r.LatencyRounds + 1 {
		r.Log("latency beside a greedy client: round %d of %d", round, r.LatencyRounds)
		random := rand.New(rand.NewPCG(r.Seed, uint64(round)))
		alone := arrivals(r.Rate, r.LatencyDuration, false, random)
		beside := slices.Concat(alone, arrivals(excess*r.Limit, r.LatencyDuration, true, random))
		slices.SortStableFunc(beside, func(a, b arrival) int { return int(a.at - b.at) })
		for i := range 2 {
			part, to := alone, &r.result.Isolation.Alone
			if (i+round)%2 == 1 {
				part, to = beside, &r.result.Isolation.Beside
			}
			p, err := r.latency(ctx, part, steady, other)
			if err != nil {
				return err
			}
			if round > 0 {
				to.Rounds = append(to.Rounds, p)
			}
		}
	}
	return nil
}

// arrivals draws times at which requests come, some a second.
func arrivals(rate int, d time.Duration, greedy bool, random *rand.Rand) (list []arrival) {
	gap := float64(time.Second) / float64(rate)
	for at := gap * random.ExpFloat64(); at < float64(d); at += gap * random.ExpFloat64() {
		list = append(list, arrival{time.Duration(at), greedy})
	}
	return list
}

// latency sends requests as they come, and returns what those of the client
// took that is not greedy.
func (r *run) latency(ctx context.Context, come []arrival, steady, other [][]byte) (wire.Percentiles, error) {
	times, requests := make([]time.Duration, len(come)), make([][]byte, len(come))
	sent := 0
	for i, a := range come {
		times[i], requests[i] = a.at, steady[i%len(steady)]
		if a.greedy {
			requests[i] = other[i%len(other)]
			sent++
		}
	}
	time.Sleep(time.Second / 10) // in which the greedy client's burst fills again
	runtime.GC()
	count := map[int]int{http.StatusOK: 0, http.StatusNoContent: 0, http.StatusTooManyRequests: 0}
	res, err := r.load(r.matchd, requests, count).OpenAt(ctx, times)
	if err != nil {
		return wire.Percentiles{}, err
	}
	refused := count[http.StatusTooManyRequests]
	if refused > sent || sent > 0 && refused == 0 {
		return wire.Percentiles{}, fmt.Errorf("of %d requests of the greedy client, and %d in all, %d were refused", sent, len(come), refused)
	}
	r.result.Isolation.Refused += refused
	r.result.Isolation.Served += sent - refused
	took := res.Of(func(i int) bool { return !come[i].greedy })
	if n := int(took.TotalCount()); n != len(come)-sent {
		return wire.Percentiles{}, fmt.Errorf("there are latencies of %d requests, not of %d", n, len(come)-sent)
	}
	return wire.PercentilesOf(took, res.Late), nil
}
