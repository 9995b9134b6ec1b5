package normalise

import (
	"fmt"
	"maps"
	"slices"

	"github.com/matchd/matchd/snapshot/build/config"
)

// checkBidStreams refuses contact data in clear in what the tenants declare for
// bid requests: it would stand in the snapshot, and in the requests, as it is.
// The error does not repeat it.
func checkBidStreams(tenants []config.Tenant) error {
	for i := range tenants {
		t := &tenants[i]
		if t.BidStream == nil {
			continue
		}
		for _, code := range slices.Sorted(maps.Keys(t.BidStream.Segments)) {
			if err := inClear(code); err != nil {
				return fmt.Errorf("tenant %q: bid_stream: a segment's code is %w", t.Name, err)
			}
			if err := inClear(t.BidStream.Segments[code]); err != nil {
				return fmt.Errorf("tenant %q: bid_stream: the id of segment %q is %w", t.Name, code, err)
			}
		}
	}
	return nil
}
