package build

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/matchd/matchd/snapshot"
)

// codes numbers segments in the order in which they come, until they are
// ranked.
type codes struct {
	mu      sync.Mutex
	numbers map[snapshot.Segment]uint32
	list    []snapshot.Segment
}

func newCodes() *codes { return &codes{numbers: map[snapshot.Segment]uint32{}} }

// number returns the number of a segment, and a copy of its code that does not
// hold on to its row.
func (c *codes) number(tenant uint16, code string) (string, uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.numbers[snapshot.Segment{Tenant: tenant, Code: code}]
	if !ok {
		n = uint32(len(c.list))
		s := snapshot.Segment{Tenant: tenant, Code: strings.Clone(code)}
		c.numbers[s] = n
		c.list = append(c.list, s)
	}
	return c.list[n].Code, n
}

// has reports whether a segment is known.
func (c *codes) has(tenant uint16, code string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.numbers[snapshot.Segment{Tenant: tenant, Code: code}]
	return ok
}

// rank sorts the segments by tenant and code, and returns the new number of
// each: what comes after does not depend on the order of rows.
func (c *codes) rank() []uint32 {
	order := make([]uint32, len(c.list))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		x, y := &c.list[a], &c.list[b]
		return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), strings.Compare(x.Code, y.Code))
	})
	ranks, sorted := make([]uint32, len(order)), make([]snapshot.Segment, len(order))
	for rank, i := range order {
		ranks[i], sorted[rank] = uint32(rank), c.list[i]
	}
	c.list, c.numbers = sorted, nil
	return ranks
}
