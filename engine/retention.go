package engine

import (
	"cmp"
	"fmt"
	"time"

	"github.com/matchd/matchd/engine/proof"
)

// MostEraseWithin is the longest that [Retention.EraseWithin] may be: 30 days.
const MostEraseWithin = 30 * 24 * time.Hour

// Retention says how long what is erased, and what says so, stays. A zero is the
// default.
type Retention struct {
	// EraseWithin is how long after an erasure was accepted the snapshots that
	// the store keeps may hold the customer: those that do are removed then, but
	// for what is served, current or pinned. At most [MostEraseWithin], which is
	// the default.
	EraseWithin time.Duration
	// KeepErasures is how long the log keeps opt-outs and erasures, from when it
	// took them; 0 is for ever.
	KeepErasures time.Duration
	// ApplyWithin is how long a change may be on disk and not be obeyed before
	// [Changes.Late] says so; 5 seconds.
	ApplyWithin time.Duration
	// Unready has [Changes.Late] say so too where an erased customer is in what
	// is served, current or pinned for longer than EraseWithin.
	Unready bool
}

func (r *Retention) defaults() error {
	for _, d := range [...]time.Duration{r.EraseWithin, r.KeepErasures, r.ApplyWithin} {
		if d < 0 {
			return fmt.Errorf("retention %v is negative", d)
		}
	}
	if r.EraseWithin > MostEraseWithin {
		return fmt.Errorf("erased customers may stay in kept snapshots for %v at most, not %v", MostEraseWithin, r.EraseWithin)
	}
	r.EraseWithin = cmp.Or(r.EraseWithin, MostEraseWithin)
	if r.KeepErasures > 0 && r.KeepErasures < r.EraseWithin {
		return fmt.Errorf("erasures have to be kept for longer than snapshots that they are not in yet, %v", r.EraseWithin)
	}
	r.ApplyWithin = cmp.Or(r.ApplyWithin, 5*time.Second)
	return nil
}

// Unobeyed is the age of the oldest change that is on disk and not obeyed by
// lookups yet, by the time of its record; 0 where there is none.
func (c *Changes) Unobeyed() time.Duration { return c.ledger.unobeyed(c.engine.opts.Now()) }

// Latency is how long opt-outs and erasures took to be obeyed, since the process
// began. What was accepted before that, and of which no note in the log says that
// it was obeyed, counts as obeyed since the first snapshot was open.
func (c *Changes) Latency() Latency {
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	return c.ledger.latency
}

// Late reports whether the node should get no requests since a change is not obeyed
// for longer than it may be.
func (c *Changes) Late() bool { return c.Unobeyed() > c.engine.opts.Retention.ApplyWithin }

// Overdue reports whether the node should get no requests since, where
// [Retention.Unready] says so, an erased customer is in a snapshot that cannot be
// removed.
func (c *Changes) Overdue() bool {
	return c.engine.opts.Retention.Unready && c.Erased().Overdue > 0
}

// Erased is what [Changes.Keep] found of erased customers in snapshots.
type Erased struct {
	// Overdue is for how much longer than [Retention.EraseWithin] one is in a
	// snapshot that is served, current or pinned.
	Overdue time.Duration
	// Found counts those who are in a snapshot that says to contain their
	// erasures: there must be none.
	Found int
	// Removed counts the snapshots that were removed by this process, since one
	// was in them.
	Removed uint64
}

// Erased tells what was found last.
func (c *Changes) Erased() Erased {
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	e := Erased{Overdue: c.ledger.overdue, Removed: c.ledger.removed}
	for _, s := range c.ledger.looked {
		e.Found += len(s.found)
	}
	return e
}

// Certificate says what became of the erasure that is the record of a number; see
// [proof.Make].
func (c *Changes) Certificate(seq uint64) (proof.Certificate, error) { return proof.Make(c.log, seq) }
