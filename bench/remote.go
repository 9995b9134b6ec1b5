package bench

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/peer"
	"github.com/matchd/matchd/bench/world"
)

// remote is a target in a process of its own.
type remote struct {
	peer  *peer.Peer
	draws *draws
}

func (t *remote) name() string              { return t.peer.Name() }
func (t *remote) slow() bool                { return true }
func (t *remote) close()                    { _ = t.peer.Close() }
func (t *remote) skips(q ask.Question) bool { return skipsBatch(q) }

func (t *remote) time(ctx context.Context, q ask.Question, n int) (ask.Timing, error) {
	return t.peer.Time(ctx, q, n, t.draws.pool, t.draws.seed)
}

// startPeers starts the embedded stores, each with a copy of the snapshot's
// records.
func (c LookupConfig) startPeers(ctx context.Context, w *world.World, dir string, d *draws, out *LookupResult) (list []target, err error) {
	for _, name := range peer.Names() {
		switch {
		case c.Peers == "":
			out.Skipped = append(out.Skipped, name+": no program that holds it was named (make peers; --peers bin/peers)")
			continue
		case w.IDs > c.PeerIDs:
			out.Skipped = append(out.Skipped, fmt.Sprintf("%s: it is measured up to %d ids, for the memory and time that it takes", name, c.PeerIDs))
			continue
		}
		c.Log("loading %s", name)
		p, err := peer.Start(ctx, peer.Config{
			Program: c.Peers, Peer: name, Store: c.Store, Dir: filepath.Join(dir, name), IDs: w.IDs, Seed: w.Seed, Log: c.Log,
		})
		if err != nil {
			return list, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, &remote{peer: p, draws: d})
	}
	return list, nil
}
