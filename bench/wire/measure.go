package wire

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/matchd/matchd/bench/load"
)

// settle is how long after a run a server is left to close the connections, so
// that it does not take that time from the next one.
const settle = 10 * time.Millisecond

// measure lets all servers take turns in all cases, round by round, after one
// round to warm up.
func (r *run) measure(ctx context.Context) error {
	type turn struct {
		cell int
		end  end
		way  way
	}
	var turns []turn
	for _, c := range Cases() {
		for _, w := range c.ways() {
			if e, ok := r.ends[placeOf(w, c)]; ok {
				turns = append(turns, turn{len(r.result.Cells), e, w})
				r.result.Cells = append(r.result.Cells, Cell{Server: w.server, Case: c, How: w.how(), IDs: w.kind.ids()})
			}
		}
	}
	for _, t := range turns { // makes the requests too
		runtime.GC()
		if _, err := Turn(ctx, t.end.process.PID(), r.load(t.end, r.result.Cells[t.cell].Case, t.way, 0), r.Duration/2); err != nil {
			return err
		}
	}
	for round := range r.Rounds {
		r.Log("round %d of %d: %d measurements of %s", round+1, r.Rounds, len(turns), r.Duration)
		runtime.GC()
		from := float64(round) / float64(r.Rounds)
		for _, t := range turns {
			cell := &r.result.Cells[t.cell]
			one, err := Turn(ctx, t.end.process.PID(), r.load(t.end, cell.Case, t.way, from), r.Duration)
			if err != nil {
				return fmt.Errorf("%s, %s, %s: %w", cell.Server, cell.How, cell.Case, err)
			}
			cell.Rounds = append(cell.Rounds, one)
		}
	}
	return nil
}

// Turn is one turn of the server that is process pid, under load l for the time
// d.
func Turn(ctx context.Context, pid int, l load.Config, d time.Duration) (Round, error) {
	before, err := load.CPUTime(pid)
	if err != nil {
		return Round{}, err
	}
	res, err := l.Closed(ctx, d)
	if err != nil {
		return Round{}, err
	}
	time.Sleep(settle)
	after, err := load.CPUTime(pid)
	if err != nil {
		return Round{}, err
	}
	cpu := float64(after - before)
	return Round{
		Rate: res.Rate(), CPU: cpu / float64(res.Requests),
		Busy: min(1, cpu/float64(res.Elapsed)), Idle: min(1, float64(res.Idle)/float64(res.Elapsed)),
	}, nil
}

// measureMemory asks what all servers hold, after they have served, and starts
// matchd in the other kind of memory for that.
func (r *run) measureMemory(ctx context.Context) error {
	add := func(name string, e end, used int64) error {
		m, err := load.Resident(e.process.PID())
		r.result.Memory = append(r.result.Memory, Memory{name, m.Resident, m.Anonymous, m.File, used})
		return err
	}
	if err := add(MemoryName(r.Memory), r.ends[place{server: Matchd, network: "tcp"}], 0); err != nil {
		return err
	}
	other := otherMemory(r.Memory)
	e, err := r.serveMatchd(ctx, "matchd-"+string(other), "unix", other)
	if err != nil {
		return err
	}
	defer e.process.Close()
	if _, err := r.load(e, Single, Single.ways()[0], 0).Closed(ctx, r.Duration); err != nil {
		return err
	}
	if err := add(MemoryName(other), e, 0); err != nil {
		return err
	}
	if e, ok := r.ends[place{server: Redis, network: "tcp"}]; ok {
		used, err := redisMemory(ctx, e)
		if err != nil {
			return err
		}
		if err := add(Redis, e, used); err != nil {
			return err
		}
	}
	if e, ok := r.ends[place{server: Memcached, network: "tcp"}]; ok {
		return add(Memcached, e, 0)
	}
	return nil
}
