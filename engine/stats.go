package engine

import (
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/matchd/matchd/engine/swap"
)

// Result classifies the answer to one identifier, for counting.
type Result uint8

// The results. Fault is a damaged record or memory that is gone: its answer
// is the one for an unknown identifier.
const (
	ResultMatched Result = iota
	ResultUnknown
	ResultNoConsent
	ResultConsentExpired
	ResultAmbiguous
	ResultInvalid
	ResultSuppressed
	ResultOptedOut
	ResultFault
	results
)

var resultNames = [results]string{
	"matched", "unknown", "no_consent", "consent_expired", "ambiguous", "invalid", "suppressed", "opted_out", "fault",
}

func (r Result) String() string { return resultNames[r] }

// statShards is how many sets of counters share the load of all cores.
const statShards = 16

// stats are the engine's counters. Sessions add to them once, at their end.
type stats struct {
	shards [statShards]struct {
		results [results]atomic.Uint64
		_       [128 - results*8%128]byte
	}
	mu       sync.Mutex
	swaps    uint64
	refused  uint64
	reasons  map[swap.Reason]uint64
	lastFail string
}

func (s *stats) add(counts *[results]uint32) {
	shard := &s.shards[rand.Uint32()%statShards]
	for i, n := range counts {
		if n > 0 {
			shard.results[i].Add(uint64(n))
		}
	}
}

func (s *stats) reloaded(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.refused++
		if s.reasons == nil {
			s.reasons = map[swap.Reason]uint64{}
		}
		for _, r := range reasons(err) {
			s.reasons[r]++
		}
		s.lastFail = err.Error()
		return
	}
	s.swaps++
	s.lastFail = ""
}

// kept notes that the snapshot that is served is the current one again.
func (s *stats) kept() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastFail = ""
}

// Stats are the counters of an engine since it was made.
type Stats struct {
	// Results counts the answers to identifiers.
	Results map[Result]uint64
	// Swaps counts snapshots swapped in, Refused those that were refused.
	Swaps, Refused uint64
	// Reasons counts refusals by why; one may be for several reasons.
	Reasons map[swap.Reason]uint64
	// LastRefusal is the reason of the last refusal, as long as what is served
	// is not what the store names.
	LastRefusal string
}

// Stats returns the counters.
func (e *Engine) Stats() Stats {
	out := Stats{Results: make(map[Result]uint64, results)}
	for r := range results {
		for i := range e.stats.shards {
			out.Results[r] += e.stats.shards[i].results[r].Load()
		}
	}
	e.stats.mu.Lock()
	defer e.stats.mu.Unlock()
	out.Reasons = maps.Clone(e.stats.reasons)
	out.Swaps, out.Refused, out.LastRefusal = e.stats.swaps, e.stats.refused, e.stats.lastFail
	return out
}
