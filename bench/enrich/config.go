package enrich

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
	// Requests is how many different bid requests there are of each kind, and
	// how many a round of each case in process enriches. Decoding and encoding
	// does an eighth of them.
	Requests int
	// Strings is how many different consent strings they have.
	Strings int
	// Memory is what matchd serves from.
	Memory snapshot.Memory
	// Matchd is the executable of matchd, which is the bare handler too. Empty
	// leaves out what is measured over the wire.
	Matchd string
	// Rounds is how often all take turns, over the wire each time for Duration.
	Rounds   int
	Duration time.Duration
	// LatencyRounds is how often latency is measured, beside a greedy client
	// and without it, each time for LatencyDuration. 0 leaves that out.
	LatencyRounds   int
	LatencyDuration time.Duration
	// Rate is how many requests a second the client sends whose latency is
	// measured; Limit is how many the greedy one may, which sends ten times as
	// many.
	Rate, Limit int
	// Dir is where the data, the sockets and the config are put, in a folder of
	// its own; empty is the system's place for temporary files.
	Dir string
	// Log, if not nil, is told what happens.
	Log func(format string, args ...any)
}

// Default measures a million ids, for a few minutes.
func Default() Config {
	return Config{
		IDs: 1_000_000, Seed: 1, Requests: 1 << 14, Strings: 500, Memory: snapshot.Map,
		Rounds: 15, Duration: 500 * time.Millisecond, LatencyRounds: 21, LatencyDuration: 2 * time.Second,
		Rate: 2000, Limit: 500,
	}
}

// Validate checks the ranges.
func (c Config) Validate() error {
	switch {
	case c.IDs < 3 || c.IDs > 1<<28:
		return fmt.Errorf("enrich: %d ids: give 3 to %d", c.IDs, 1<<28)
	case c.Requests < 100 || c.Requests > 1<<20 || c.Strings < 1 || c.Strings > 1<<14:
		return fmt.Errorf("enrich: %d requests and %d consent strings: give 100 to %d, and 1 to %d", c.Requests, c.Strings, 1<<20, 1<<14)
	case c.Rounds < 1 || c.LatencyRounds < 0:
		return fmt.Errorf("enrich: %d rounds, and %d of latency: give one at least, and 0 for no latency", c.Rounds, c.LatencyRounds)
	case c.Duration < time.Millisecond || c.LatencyDuration < 100*time.Millisecond:
		return fmt.Errorf("enrich: measuring for %s, and latency for %s: give a millisecond at least, and 100 for latency", c.Duration, c.LatencyDuration)
	case c.Rate < 100 || c.Limit < 10 || c.Rate > 1e6 || c.Limit > 1e5:
		return fmt.Errorf("enrich: %d requests a second, beside a limit of %d: give 100 to %d, and 10 to %d", c.Rate, c.Limit, int(1e6), int(1e5))
	case c.Memory != snapshot.Map && c.Memory != snapshot.Copy:
		return fmt.Errorf("enrich: memory %q is neither %s nor %s", c.Memory, snapshot.Map, snapshot.Copy)
	}
	return nil
}
