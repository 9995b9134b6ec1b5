package enrich

import (
	"bufio"
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
	"runtime/debug"
	"time"

	"github.com/matchd/matchd/bench/load"
	"github.com/matchd/matchd/bench/process"
	"github.com/matchd/matchd/bench/wire"
)

// connections are how many the client has.
const connections = 64

// Shares of matches over the wire: as in a bid stream, all, and none, to which
// all answers are 204.
var mixes = []float64{0.2, 1, 0}

// end is a server and where it listens, on TCP.
type end struct {
	address string
	*process.Process
}

// overTheWire starts the servers, measures, and ends them, where the machine
// can.
func (r *run) overTheWire(ctx context.Context) (err error) {
	if r.Matchd == "" {
		r.result.NoWire = "there is no executable of matchd"
		return nil
	}
	if r.serverCore, r.clientCore, err = process.Cores(); errors.Is(err, errors.ErrUnsupported) {
		r.result.NoWire = err.Error()
		return nil
	} else if err != nil {
		return err
	}
	defer func() {
		for _, p := range r.processes {
			if err != nil {
				err = errors.Join(err, p.Ended())
			}
			p.Close()
		}
	}()
	if err := r.startServers(ctx); err != nil {
		return err
	}
	// The collector would run on the servers' core while they are timed.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	if err := r.measureMixes(ctx); err != nil {
		return err
	}
	if r.LatencyRounds == 0 {
		return nil
	}
	return r.measureIsolation(ctx)
}

func (r *run) startServers(ctx context.Context) error {
	listen, err := process.FreePort()
	if err != nil {
		return err
	}
	admin, err := process.Socket(r.dir, "admin.sock")
	if err != nil {
		return err
	}
	file := filepath.Join(r.dir, "matchd.yaml")
	if err := os.WriteFile(file, daemonConfig(r.store, listen, admin, r.Memory, r.keys, r.Limit), 0o600); err != nil {
		return err
	}
	if r.matchd, err = r.start(ctx, wire.Matchd, listen, "serve", "--config", file); err != nil {
		return err
	}
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	r.echo, err = r.start(ctx, wire.Bare, port, "bench", "bare", "--listen", port, "--echo")
	return err
}

// start starts a server, which is ended with the run, and waits for it.
func (r *run) start(ctx context.Context, name, address string, args ...string) (end, error) {
	p, err := process.Start(ctx, name, r.serverCore, r.Matchd, args...)
	if err != nil {
		return end{}, err
	}
	r.processes = append(r.processes, p)
	return end{address, p}, p.Accepts(ctx, "tcp", address)
}

// measureMixes lets both servers take turns in all mixes, round by round, after
// one round to warm up.
func (r *run) measureMixes(ctx context.Context) error {
	var requests [][][]byte
	for _, share := range mixes {
		list := r.bodies.make(r.Requests, share)
		if err := r.checkWire(list); err != nil {
			return err
		}
		requests = append(requests, posts(list, r.keys.brand))
		as := wire.Case{Network: "tcp", Connections: connections, Pipeline: 1, Batch: 1, Hits: share}
		r.result.Mixes = append(r.result.Mixes, Mix{
			share, wire.Cell{Server: wire.Matchd, Case: as, IDs: 1}, wire.Cell{Server: wire.Bare, Case: as, IDs: 1},
		})
	}
	for round := range r.Rounds + 1 {
		r.Log("over the wire: round %d of %d", round, r.Rounds)
		for i := range r.result.Mixes {
			runtime.GC()
			m := &r.result.Mixes[i]
			for k := range 2 {
				cell, at := &m.Ours, r.matchd
				if (k+round)%2 == 1 {
					cell, at = &m.Bare, r.echo
				}
				one, err := wire.Turn(ctx, at.PID(), r.load(at, requests[i], map[int]int{http.StatusOK: 0, http.StatusNoContent: 0}), r.Duration)
				if err != nil {
					return fmt.Errorf("%s, %.0f %% matches: %w", cell.Server, 100*m.Matches, err)
				}
				if round > 0 {
					cell.Rounds = append(cell.Rounds, one)
				}
			}
		}
	}
	return nil
}

// load is a load on a server, which counts the answers by status.
func (r *run) load(at end, requests [][]byte, count map[int]int) load.Config {
	return load.Config{
		Network: "tcp", Address: at.address, Connections: connections, Requests: requests, Next: load.HTTPOf(count), CPU: r.clientCore,
	}
}

// posts makes requests over the wire of bid requests.
func posts(list []body, key string) [][]byte {
	out := make([][]byte, len(list))
	for i := range list {
		out[i] = append(fmt.Appendf(nil, "POST /v1/openrtb/enrich HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
			key, len(list[i].json)), list[i].json...)
	}
	return out
}

// checkWire compares what both servers answer with what they should: matchd
// what it does in process, the bare handler what it was sent.
func (r *run) checkWire(list []body) error {
	list = list[:min(len(list), checkSample)]
	if err := r.checkAll(brand, list); err != nil {
		return err
	}
	got, err := r.ask(r.matchd, list)
	if err != nil {
		return err
	}
	echoed, err := r.ask(r.echo, list)
	if err != nil {
		return err
	}
	for i := range list {
		want, err := r.enrich(brand, list[i].json)
		if err != nil {
			return err
		}
		if !bytes.Equal(got[i], want) {
			return fmt.Errorf("matchd's answer to request %d is another one than in process", i)
		}
		if !bytes.Equal(echoed[i], list[i].json) {
			return fmt.Errorf("the bare handler does not echo request %d", i)
		}
	}
	return nil
}

// ask returns the bodies of a server's answers.
func (r *run) ask(at end, list []body) (bodies [][]byte, err error) {
	conn, err := net.Dial("tcp", at.address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	for i, request := range posts(list, r.keys.brand) {
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return nil, err
		}
		if s := answer.StatusCode; s != http.StatusOK && s != http.StatusNoContent {
			return nil, fmt.Errorf("request %d is answered with status %d: %s", i, s, body)
		}
		bodies = append(bodies, body)
	}
	return bodies, nil
}
