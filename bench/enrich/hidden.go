package enrich

import (
	"context"
	"fmt"

	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/privacy"
)

// measureHidden asks, for a client that may not know of the world's persons, by
// identifiers of theirs and by identifiers of nobody.
func (r *run) measureHidden(ctx context.Context) (err error) {
	r.Log("identifiers of nobody, and of others")
	var elsewhere privacy.Signals
	elsewhere.Set(privacy.GDPR, []byte("0"))
	of := func(hits float64) side {
		ids := r.world.Draw(world.Draw{Hits: hits}, r.Requests, r.Seed+3)
		var v engine.View
		return side{func(from, n int) error {
			if err := r.pools.Begin(&v, stranger); err != nil {
				return err
			}
			defer v.End()
			r.pools.Heed(&v, &elsewhere)
			for i := from; i < from+n; i++ {
				at := i % len(ids)
				if err := v.Match(ids[at : at+1]); err != nil {
					return err
				}
				if why := v.Parts()[0].Answers[0].Reason; why != engine.Unknown {
					return fmt.Errorf("the neighbour's client is told %s of somebody whom it may not know of", why)
				}
			}
			return nil
		}, len(ids)}
	}
	r.result.Hidden, err = turns(ctx, r.Rounds, of(0), of(1))
	return err
}
