package enrich

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/prebid/openrtb/v20/openrtb2"

	"github.com/matchd/matchd/engine"
)

// Call is enriching in process beside decoding and encoding the same bytes.
type Call struct {
	Client string
	Match  bool // or nobody
	// Bytes is the mean length of the requests.
	Bytes int
	Pair
	// Allocations are objects a call of ours.
	Allocations float64
}

func (c *Call) String() string {
	if c.Match {
		return "match, " + c.Client
	}
	return "no match, " + c.Client
}

// slower is by how much less there is of what takes longer.
const slower = 8

// measureCalls measures matches and misses of two clients.
func (r *run) measureCalls(ctx context.Context) error {
	for _, share := range []float64{1, 0} {
		list := r.bodies.make(r.Requests, share)
		for _, name := range []string{operator, brand} {
			r.Log("in process: %s, %.0f %% matches", name, 100*share)
			if err := r.checkAll(name, list); err != nil {
				return err
			}
			c := Call{Client: name, Match: share == 1, Bytes: meanSize(list)}
			ours := side{r.enricher(name, list), len(list)}
			var err error
			if c.Pair, err = turns(ctx, r.Rounds, ours, side{recoder(list), len(list) / slower}); err != nil {
				return err
			}
			if c.Allocations, err = allocated(ours); err != nil {
				return err
			}
			r.result.Calls = append(r.result.Calls, c)
		}
	}
	return nil
}

// enricher makes whole calls of the package: from the client's name to the end
// of the view.
func (r *run) enricher(client string, list []body) func(from, n int) error {
	var v engine.View
	var out []byte
	return func(from, n int) error {
		for i := from; i < from+n; i++ {
			if err := r.pools.Begin(&v, client); err != nil {
				return err
			}
			var err error
			out, _, _, err = r.pools.Enrich(&v, out[:0], list[i%len(list)].json, &engine.Enrich{})
			v.End()
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// recoder does what a bidder does who adds to the decoded request, but for the
// adding.
func recoder(list []body) func(from, n int) error {
	return func(from, n int) error {
		for i := from; i < from+n; i++ {
			var q openrtb2.BidRequest
			if err := json.Unmarshal(list[i%len(list)].json, &q); err != nil {
				return fmt.Errorf("prebid/openrtb: %w", err)
			}
			if _, err := json.Marshal(&q); err != nil {
				return fmt.Errorf("prebid/openrtb: %w", err)
			}
		}
		return nil
	}
}
