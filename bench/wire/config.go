package wire

import (
	"fmt"
	"time"

	"github.com/matchd/matchd/snapshot"
)

// Config says what to measure.
type Config struct {
	// IDs is how many mobile ids belong to somebody.
	IDs  int
	Seed uint64
	// Draws is how many identifiers are drawn for each share of hits.
	Draws int
	// Matchd is the executable of matchd, which is the bare handler too.
	Matchd string
	// Redis and Memcached are executables, looked for on the path. What is not
	// there is skipped.
	Redis, Memcached string
	// Memory is what matchd serves from.
	Memory snapshot.Memory
	// Rounds is how often all take turns, each time for Duration in each case.
	// The median is shown.
	Rounds   int
	Duration time.Duration
	// LatencyRounds is how often latency is measured, each time for
	// LatencyDuration: alone, and while a snapshot is swapped. 0 leaves both
	// out.
	LatencyRounds   int
	LatencyDuration time.Duration
	// Dir is where the data, the sockets and the configs are put, in a folder
	// of its own; empty is the system's place for temporary files.
	Dir string
	// Log, if not nil, is told what happens.
	Log func(format string, args ...any)
}

// Default measures a million ids.
func Default() Config {
	return Config{
		IDs: 1_000_000, Seed: 1, Draws: 1 << 18, Redis: "redis-server", Memcached: "memcached", Memory: snapshot.Map,
		Rounds: 10, Duration: 500 * time.Millisecond, LatencyRounds: 15, LatencyDuration: 2 * time.Second,
	}
}

// Validate checks the ranges.
func (c Config) Validate() error {
	switch {
	case c.IDs < 1 || c.IDs > 1<<28:
		return fmt.Errorf("wire: %d ids: give 1 to %d", c.IDs, 1<<28)
	case c.Draws < 1000 || c.Draws > 1<<22:
		return fmt.Errorf("wire: %d draws: give 1000 to %d", c.Draws, 1<<22)
	case c.Rounds < 1 || c.LatencyRounds < 0:
		return fmt.Errorf("wire: %d rounds, and %d of latency: give one at least, and 0 for no latency", c.Rounds, c.LatencyRounds)
	case c.Duration < time.Millisecond || c.LatencyDuration < time.Millisecond:
		return fmt.Errorf("wire: measuring for %s, and latency for %s: give a millisecond at least", c.Duration, c.LatencyDuration)
	case c.Memory != snapshot.Map && c.Memory != snapshot.Copy:
		return fmt.Errorf("wire: memory %q is neither %s nor %s", c.Memory, snapshot.Map, snapshot.Copy)
	}
	return nil
}
