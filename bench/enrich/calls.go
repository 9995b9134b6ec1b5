package enrich

import (
	"context"

	"github.com/matchd/matchd/engine"
)

// Call is a whole call in process beside decoding and encoding the same bytes.
type Call struct {
	Client string
	Match  bool // or nobody
	// Bytes is the mean length of the requests.
	Bytes int
	Pair
	// Allocations are objects a call of ours.
	Allocations float64
}

// Codec is what both sides do: to read requests, to add to them if they match,
// and to write them. Neither looks anybody up.
type Codec struct {
	Match bool
	Pair
}

func (c *Codec) String() string {
	if c.Match {
		return "match"
	}
	return "no match"
}

func (c *Call) String() string {
	if c.Match {
		return "match, " + c.Client
	}
	return "no match, " + c.Client
}

// slower is by how much less there is of what takes longer.
const slower = 8

// measureCalls measures matches and misses, without lookup and with that of two
// clients.
func (r *run) measureCalls(ctx context.Context) error {
	for _, share := range []float64{1, 0} {
		list := r.bodies.make(r.Requests, share)
		codec := Codec{Match: share == 1}
		r.Log("in process: reading and writing, %s", &codec)
		if err := checkCodecs(list, codec.Match); err != nil {
			return err
		}
		var err error
		if codec.Pair, err = turns(ctx, r.Rounds, side{writer(list, codec.Match), len(list)}, side{recoder(list, codec.Match), len(list) / slower}); err != nil {
			return err
		}
		r.result.Codecs = append(r.result.Codecs, codec)
		for _, name := range []string{operator, brand} {
			r.Log("in process: %s, %.0f %% matches", name, 100*share)
			if err := r.checkAll(name, list); err != nil {
				return err
			}
			c := Call{Client: name, Match: share == 1, Bytes: meanSize(list)}
			ours := side{r.enricher(name, list), len(list)}
			var err error
			if c.Pair, err = turns(ctx, r.Rounds, ours, side{recoder(list, false), len(list) / slower}); err != nil {
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
