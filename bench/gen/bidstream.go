package gen

import (
	"bytes"
	"fmt"
	"slices"
)

// segtax is the taxonomy of the first tenant's ids in the bid stream; the others' follow.
const segtax = 501

// declaredSegments have an id in the bid stream. The others stay out of every bid request: who is about to leave, and
// who reads a newsletter, is nobody else's business.
var declaredSegments = []string{"ev", "heatpump", "solar", "tariff.fixed", "tariff.green", "vip"}

// bidStreamIDs are the ids in tenant's bid stream of those of codes that are declared, in their order.
func bidStreamIDs(tenant int, codes []string) []string {
	var ids []string
	for _, code := range codes {
		if at := slices.Index(declaredSegments, code); at >= 0 {
			ids = append(ids, fmt.Sprintf("%c%d", 'A'+tenant, at+1))
		}
	}
	return ids
}

// writeBidStream writes what tenant declares for bid requests.
func writeBidStream(b *bytes.Buffer, tenant int) {
	fmt.Fprintf(b, "    bid_stream:\n      segtax: %d\n      segments: # any other never enters a bid request\n", segtax+tenant)
	for i, id := range bidStreamIDs(tenant, declaredSegments) {
		fmt.Fprintf(b, "        %s: %q\n", declaredSegments[i], id)
	}
}
