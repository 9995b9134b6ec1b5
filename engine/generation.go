package engine

import (
	"sync/atomic"
	"time"

	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/engine/persons"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// generation is a snapshot as the engine has it open.
type generation struct {
	*snapshot.Snapshot

	number  uint64 // counts the generations of the process, from 1
	name    string
	secret  index.Secret
	hasher  index.Hasher
	former  []index.Hasher      // of identifiers, under the keys that the store had before
	self    snapshot.Strength   // of the path from an identifier to itself
	devices bitset              // namespaces of advertising ids of devices
	bids    []string            // by segment: its id in bid requests, or empty
	codes   []map[string]uint32 // by tenant: its segments by their codes
	opened  time.Time
	maxAge  int // of links, in months
	pins    *pins
	fresh   atomic.Uint64 // day<<16 | the earliest day of a fresh link on it
	current snapshot.Current
}

// oldestFresh is the earliest day on which a link that ages may last have been
// seen, at now. It changes once a day and is remembered.
func (g *generation) oldestFresh(now time.Time) snapshot.Day {
	day, ok := snapshot.DayOf(now)
	if !ok {
		return snapshot.MaxDay // a clock beyond all dates lets nothing through
	}
	if v := g.fresh.Load(); v>>16 == uint64(day)+1 {
		return snapshot.Day(v)
	}
	oldest := snapshot.OldestFresh(now, g.maxAge)
	g.fresh.Store((uint64(day)+1)<<16 | uint64(oldest))
	return oldest
}

// changed is what live changes say: nothing, where both are nil.
type changed struct {
	overlay *overlay.Overlay
	persons *persons.Persons // whom its links make, beside those of the generation
}

// state is all that is swapped together.
type state struct {
	gen *generation // nil before the first snapshot
	changed
	clients []Client           // resolved
	access  map[string]*access // by name of the client
}
