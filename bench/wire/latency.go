package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/matchd/matchd/bench/load"
	"github.com/matchd/matchd/snapshot"
)

// latencyPlaces are the servers whose latency is measured: matchd's and the
// bare handler's.
func latencyPlaces() []place {
	ways := Single.ways()
	return []place{placeOf(ways[0], Single), placeOf(ways[1], Single)}
}

// measureLatency sends both servers half of what the slower one can do, and
// lets them take turns.
func (r *run) measureLatency(ctx context.Context) error {
	peak := func(server string) float64 { return r.result.Best(server, Single).Medians().Rate }
	r.result.Rate = min(peak(Matchd), peak(Bare)) / 2
	places := latencyPlaces()
	for _, at := range places {
		r.result.Latency = append(r.result.Latency, Latency{Server: at.server})
	}
	r.Log("latency: %d rounds of %s with %.0f requests a second", r.LatencyRounds, r.LatencyDuration, r.result.Rate)
	for round := range r.LatencyRounds {
		runtime.GC()
		for i, at := range places {
			res, err := r.latencyLoad(at, round).Open(ctx, r.result.Rate, r.LatencyDuration)
			if err != nil {
				return err
			}
			r.result.Latency[i].Rounds = append(r.result.Latency[i].Rounds, PercentilesOf(res.Latency, res.Late))
			time.Sleep(settle)
		}
	}
	return nil
}

func (r *run) latencyLoad(at place, round int) load.Config {
	return r.load(r.ends[at], Single, Single.ways()[0], float64(round)/float64(r.LatencyRounds))
}

// PercentilesOf reads the histograms of latencies and of how late the client
// was.
func PercentilesOf(h, late *hdrhistogram.Histogram) Percentiles {
	of := func(h *hdrhistogram.Histogram, p float64) time.Duration { return time.Duration(h.ValueAtQuantile(p)) }
	return Percentiles{
		P50: of(h, 50), P90: of(h, 90), P99: of(h, 99), P999: of(h, 99.9), P9999: of(h, 99.99),
		Late: of(late, 99), Requests: h.TotalCount(),
	}
}

// swapShare is the share of a round, at most about, that a swap takes; it
// begins as far from the round's start.
const swapShare = 4

// aftermath is how long after a swap the old snapshot may still be being given
// back, and what had to wait be answered.
const aftermath = 100 * time.Millisecond

// longestSwapRound bounds the rounds that slow swaps make longer.
const longestSwapRound = 30 * time.Second

// measureSwaps lets matchd change between two snapshots of the same identifiers
// in the middle of each round, under the load of measureLatency. The first
// round is to find out how long that takes.
func (r *run) measureSwaps(ctx context.Context) error {
	d := r.LatencyDuration
	r.Log("swaps: %d rounds", r.LatencyRounds)
	for round := range r.LatencyRounds + 1 {
		runtime.GC()
		s, err := r.swap(ctx, round, d)
		if err != nil {
			return err
		}
		if round == 0 {
			d = max(d, min(swapShare*s.Took, longestSwapRound))
			continue
		}
		r.result.Swap = append(r.result.Swap, s)
		time.Sleep(settle)
	}
	return nil
}

// swap is a round with a swap.
func (r *run) swap(ctx context.Context, round int, d time.Duration) (Swap, error) {
	type times struct {
		from, to time.Time
		err      error
	}
	swapped := make(chan times, 1)
	begin := time.NewTimer(d / swapShare)
	defer begin.Stop()
	over, end := context.WithCancel(ctx)
	defer end()
	go func() {
		var t times
		select {
		case <-begin.C:
		case <-over.Done():
		}
		t.from = time.Now()
		t.err = r.reload(over, r.pointers[(round+1)%len(r.pointers)])
		t.to = time.Now()
		swapped <- t
	}()
	res, err := r.latencyLoad(latencyPlaces()[0], round).Open(ctx, r.result.Rate, d)
	if err != nil {
		end()
	}
	t := <-swapped
	if err := errors.Join(err, t.err); err != nil {
		return Swap{}, fmt.Errorf("swap: %w", err)
	}
	during, before := res.Between(t.from, t.to.Add(aftermath)), res.Between(res.Start, t.from)
	return Swap{t.to.Sub(t.from), PercentilesOf(during, res.Late), PercentilesOf(before, res.Late)}, nil
}

// reload has the store name another snapshot, by a CURRENT that the store wrote
// itself when it was published, and matchd open it. Should matchd have seen it
// by itself a moment before, its answer comes after that opening all the same.
func (r *run) reload(ctx context.Context, pointer []byte) error {
	before, err := r.store.Current()
	if err != nil {
		return err
	}
	next := r.current() + ".next"
	if err := errors.Join(os.WriteFile(next, pointer, 0o644), os.Rename(next, r.current())); err != nil {
		return err
	}
	after, err := r.store.Current()
	if err != nil {
		return err
	}
	if bytes.Equal(before.Manifest, after.Manifest) {
		return errors.New("the store names the same snapshot as before")
	}
	served, err := r.askAdmin(ctx, http.MethodPost, "/admin/v1/reload")
	if err == nil && !bytes.Contains(served, []byte(`"`+after.Name+`"`)) {
		err = fmt.Errorf("matchd does not serve %s after it was told to reload", after.Name)
	}
	return err
}

// askAdmin sends a request to the admin listener of the matchd that listens on
// TCP, and returns the body of its answer.
func (r *run) askAdmin(ctx context.Context, method, path string) ([]byte, error) {
	admin := filepath.Join(r.dir, "matchd-tcp-admin.sock")
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", admin)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("matchd answers %s %s with status %d", method, path, answer.StatusCode)
	}
	return body, err
}

func otherMemory(m snapshot.Memory) snapshot.Memory {
	if m == snapshot.Map {
		return snapshot.Copy
	}
	return snapshot.Map
}
