package enrich

import (
	"context"
	"fmt"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/privacy"
)

// measureVerdicts decides about all consent strings, one after the other, with a
// memory and without.
func (r *run) measureVerdicts(ctx context.Context) (err error) {
	r.Log("verdicts about %d consent strings", len(r.bodies.strings))
	now, p := time.Now().Unix(), policy()
	signals := make([]privacy.Signals, len(r.bodies.strings))
	for i, text := range r.bodies.strings {
		signals[i].Set(privacy.GDPR, []byte("1"))
		signals[i].Set(privacy.TCF, text)
		r.result.ConsentBytes += len(text)
	}
	r.result.ConsentBytes /= len(signals)
	memory := privacy.NewVerdicts(engine.RememberedVerdicts)
	decide := func(f func(privacy.Policy, *privacy.Signals, int64) privacy.Verdict) func(from, n int) error {
		return func(from, n int) error {
			for i := from; i < from+n; i++ {
				if v := f(p, &signals[i%len(signals)], now); v.All != privacy.None {
					return fmt.Errorf("a consent string of the bench is refused because of %s", v.All)
				}
			}
			return nil
		}
	}
	r.result.Verdicts, err = turns(ctx, r.Rounds, side{decide(memory.Decide), r.Requests}, side{decide(privacy.Decide), r.Requests / slower})
	return err
}
