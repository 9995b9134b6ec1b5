package quality

import (
	"cmp"
	"slices"

	"github.com/matchd/matchd/index"
)

// pairs is how many unordered pairs n things have.
func pairs(n int64) int64 { return n * (n - 1) / 2 }

// spacePairs counts pairs of identifiers by their two namespaces.
type spacePairs struct {
	pairs   map[spacePair]int64
	tally   []int64 // by namespace
	touched []index.NamespaceID
}

// spacePair is a pair of namespaces, the lower first.
type spacePair struct{ a, b index.NamespaceID }

func newSpacePairs(namespaces int) *spacePairs {
	return &spacePairs{pairs: map[spacePair]int64{}, tally: make([]int64, namespaces)}
}

// add adds all pairs among the identifiers, times sign. What lies in a set and
// in none of its parts is the set's pairs less those of each part.
func (c *spacePairs) add(known *ids, identifiers []uint32, sign int64) {
	for _, i := range identifiers {
		space := known.spaces[i]
		if c.tally[space] == 0 {
			c.touched = append(c.touched, space)
		}
		c.tally[space]++
	}
	for i, a := range c.touched {
		for _, b := range c.touched[:i] {
			c.pairs[spacePair{min(a, b), max(a, b)}] += sign * c.tally[a] * c.tally[b]
		}
		c.pairs[spacePair{a, a}] += sign * pairs(c.tally[a])
	}
	for _, a := range c.touched {
		c.tally[a] = 0
	}
	c.touched = c.touched[:0]
}

// byNamespaces lists what went wrong by pairs of namespaces, the most first.
func byNamespaces(ns *index.Namespaces, missed, absent, wrong *spacePairs) []NamespacePairs {
	at := map[spacePair]*NamespacePairs{}
	entry := func(p spacePair) *NamespacePairs {
		if at[p] == nil {
			a, b := ns.At(p.a).Name, ns.At(p.b).Name
			at[p] = &NamespacePairs{A: min(a, b), B: max(a, b)}
		}
		return at[p]
	}
	for p, n := range missed.pairs {
		entry(p).Missed = n
	}
	for p, n := range absent.pairs {
		entry(p).Absent = n
	}
	for p, n := range wrong.pairs {
		entry(p).Wrong = n
	}
	list := []NamespacePairs{}
	for _, e := range at {
		if e.Missed != 0 || e.Wrong != 0 {
			list = append(list, *e)
		}
	}
	slices.SortFunc(list, func(x, y NamespacePairs) int {
		return cmp.Or(cmp.Compare(y.Missed+y.Wrong, x.Missed+x.Wrong), cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B))
	})
	return list
}
