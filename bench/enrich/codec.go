package enrich

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/prebid/openrtb/v20/openrtb2"

	"github.com/matchd/matchd/engine/openrtb"
)

// added is what both sides add to a request that matches.
var added = openrtb.Data{Name: "brand.example", Segtax: 501, Segments: []string{"101", "205", "317"}}

// writer reads requests and writes those that match with what is added, as
// [engine.Pools.Enrich] does: of others there is nothing to write.
func writer(list []body, match bool) func(from, n int) error {
	var q openrtb.Request
	var out []byte
	add := openrtb.Additions{Data: []openrtb.Data{added}}
	return func(from, n int) error {
		for i := from; i < from+n; i++ {
			if err := q.Scan(list[i%len(list)].json); err != nil {
				return err
			}
			if match {
				out, _ = q.Append(out[:0], &add)
			}
		}
		return nil
	}
}

// recoder does the same as a bidder does who decodes and encodes.
func recoder(list []body, match bool) func(from, n int) error {
	return func(from, n int) error {
		for i := from; i < from+n; i++ {
			if _, err := recode(list[i%len(list)].json, match); err != nil {
				return err
			}
		}
		return nil
	}
}

func recode(in []byte, match bool) ([]byte, error) {
	var q openrtb2.BidRequest
	if err := json.Unmarshal(in, &q); err != nil {
		return nil, fmt.Errorf("prebid/openrtb: %w", err)
	}
	if match {
		q.User.Data = append(q.User.Data, decoded(added))
	}
	out, err := json.Marshal(&q)
	if err != nil {
		return nil, fmt.Errorf("prebid/openrtb: %w", err)
	}
	return out, nil
}

func decoded(d openrtb.Data) openrtb2.Data {
	out := openrtb2.Data{Name: d.Name, Ext: fmt.Appendf(nil, `{"segtax":%d}`, d.Segtax)}
	for _, s := range d.Segments {
		out.Segment = append(out.Segment, openrtb2.Segment{ID: s})
	}
	return out
}

// checkCodecs compares what the two sides make of some requests.
func checkCodecs(list []body, match bool) error {
	var q openrtb.Request
	add := openrtb.Additions{Data: []openrtb.Data{added}}
	for i := range list[:min(len(list), checkSample)] {
		ours := list[i].json
		if err := q.Scan(ours); err != nil {
			return err
		}
		if match {
			ours, _ = q.Append(nil, &add)
		}
		theirs, err := recode(list[i].json, match)
		if err != nil {
			return err
		}
		if ours, err = recode(ours, false); err != nil {
			return fmt.Errorf("what is written of request %d is no bid request: %w", i, err)
		}
		if !bytes.Equal(ours, theirs) {
			return fmt.Errorf("the two sides make different things of request %d", i)
		}
	}
	return nil
}
