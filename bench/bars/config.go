package bars

import (
	"errors"
	"fmt"
	"time"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/opening"
	"github.com/matchd/matchd/bench/wire"
	"github.com/matchd/matchd/snapshot"
)

// Config says what to measure.
type Config struct {
	// IDs is how many mobile ids are looked up in process, and opened. WireIDs
	// is how many over the wire; 0 leaves that out.
	IDs, WireIDs int
	Seed         uint64
	// Memory is the kind that the bars judge. In process, the other kind is
	// measured too.
	Memory snapshot.Memory
	// Probes is how many lookups a round of each case makes.
	Probes int
	// LimitBytes is the memory over which a dependent read is measured.
	LimitBytes int
	// Rounds is how often everything is measured, but for latency. Duration is
	// the time of a case over the wire in a round.
	Rounds   int
	Duration time.Duration
	// LatencyRounds is how often latency is measured, each time for
	// LatencyDuration; 0 leaves it out.
	LatencyRounds   int
	LatencyDuration time.Duration
	// Peers is the program that holds the embedded stores; empty is none.
	// PeerIDs is up to how many ids they are measured.
	Peers   string
	PeerIDs int
	// Matchd, Redis and Memcached are executables. Without one of the latter
	// two it is skipped.
	Matchd, Redis, Memcached string
	// Dir is where the data is built, in a folder of its own; empty is the
	// system's place for temporary files.
	Dir string
	// Log, if not nil, is told what happens.
	Log func(format string, args ...any)
}

// Default measures 10 million ids, for about a quarter of an hour.
func Default() Config {
	l, w := bench.DefaultLookup(), wire.Default()
	return Config{
		IDs: 10_000_000, WireIDs: 10_000_000, Seed: 1, Memory: w.Memory, Probes: l.Probes, LimitBytes: l.LimitBytes,
		Rounds: 10, Duration: 400 * time.Millisecond, LatencyRounds: w.LatencyRounds, LatencyDuration: w.LatencyDuration,
		PeerIDs: l.PeerIDs, Redis: w.Redis, Memcached: w.Memcached,
	}
}

// Validate checks the ranges.
func (c Config) Validate() error {
	if c.WireIDs < 0 {
		return fmt.Errorf("bars: %d ids over the wire: give 1 at least, or 0 for none", c.WireIDs)
	}
	w := c.wire()
	if c.WireIDs == 0 {
		w.IDs = 1 // the rest has to be valid all the same
	}
	return errors.Join(c.lookup("").Validate(), c.opening(nil).Validate(), w.Validate())
}

// memories are the kind that is judged, and the other one.
func (c Config) memories() []snapshot.Memory {
	if c.Memory == snapshot.Map {
		return []snapshot.Memory{snapshot.Map, snapshot.Copy}
	}
	return []snapshot.Memory{snapshot.Copy, snapshot.Map}
}

func (c Config) lookup(store string) bench.LookupConfig {
	return bench.LookupConfig{
		IDs: c.IDs, Probes: c.Probes, Rounds: c.Rounds, Seed: c.Seed, Memory: c.memories(), Peers: c.Peers, PeerIDs: c.PeerIDs,
		LimitBytes: c.LimitBytes, Store: store, Dir: c.Dir, Log: c.Log,
	}
}

func (c Config) opening(store *snapshot.Store) opening.Config {
	return opening.Config{IDs: c.IDs, Seed: c.Seed, Rounds: c.Rounds, Store: store, Memory: c.memories()}
}

func (c Config) wire() wire.Config {
	w := wire.Default()
	w.IDs, w.Seed, w.Memory, w.Matchd, w.Redis, w.Memcached = c.WireIDs, c.Seed, c.Memory, c.Matchd, c.Redis, c.Memcached
	w.Rounds, w.Duration, w.LatencyRounds, w.LatencyDuration = c.Rounds, c.Duration, c.LatencyRounds, c.LatencyDuration
	w.Dir, w.Log = c.Dir, c.Log
	return w
}
