package report

import (
	"slices"
	"sort"

	"github.com/matchd/matchd/snapshot"
)

const (
	parties = int(snapshot.ThirdParty) + 1
	methods = int(snapshot.Inferred) + 1
)

// consentDays are the windows in which consent ends, in days from as_of.
var consentDays = [...]int{30, 90, 180}

// The steps of the histograms: each begins where it says and ends before the
// next.
var (
	sizeSteps   = [...]int{1, 2, 3, 4, 5, 6, 8, 11, 16, 26, 51, 101}
	deviceSteps = [...]int{0, 1, 2, 3, 4, 5, 7, 10, 16}
)

// stepOf returns the step that n lies in.
func stepOf(steps []int, n int) int { return sort.SearchInts(steps, n+1) - 1 }

// counts are the exact counts: nothing outside figures.go reads them.
type counts struct {
	persons, largest int64
	sizes            [len(sizeSteps)]int64
	onlyIDs          []onlyIDs  // by source
	audiences        []audience // by tenant, its customers and then its prospects
	overlap          []int64    // by set of the largest segments, as a bit mask
}

// onlyIDs counts digital ids that one source alone links, and whose they are.
type onlyIDs struct{ ids, people int64 }

// audience is the people of one kind of a tenant.
type audience struct {
	people, records, repeated int64
	party                     [parties]int64 // reached by sources up to this party
	method                    [methods]int64 // reached by links at least as strong as this
	devices                   [len(deviceSteps)]int64
	consent                   [len(consentDays)]int64
	namespaces                []int64
	sources                   []sourceReach
}

// reached is how many have a digital id at all.
func (a *audience) reached() int64 { return a.party[parties-1] }

// sourceReach is how many people have a digital id that the source links, and
// how many have none without the source.
type sourceReach struct{ reached, only int64 }

func newCounts(c Config) counts {
	out := counts{
		onlyIDs:   make([]onlyIDs, len(c.Sources)),
		audiences: make([]audience, 2*len(c.Tenants)),
		overlap:   make([]int64, 1<<len(c.Largest)),
	}
	for i := range out.audiences {
		out.audiences[i].namespaces = make([]int64, c.Namespaces.Len())
		out.audiences[i].sources = make([]sourceReach, len(c.Sources))
	}
	return out
}

func (c *counts) clone() counts {
	out := *c
	out.onlyIDs, out.overlap = slices.Clone(c.onlyIDs), slices.Clone(c.overlap)
	out.audiences = slices.Clone(c.audiences)
	for i := range out.audiences {
		a := &out.audiences[i]
		a.namespaces, a.sources = slices.Clone(a.namespaces), slices.Clone(a.sources)
	}
	return out
}

func (c *counts) merge(o *counts) {
	c.persons += o.persons
	c.largest = max(c.largest, o.largest)
	addAll(c.sizes[:], o.sizes[:])
	addAll(c.overlap, o.overlap)
	for i, x := range o.onlyIDs {
		c.onlyIDs[i].ids += x.ids
		c.onlyIDs[i].people += x.people
	}
	for i := range o.audiences {
		c.audiences[i].merge(&o.audiences[i])
	}
}

func (a *audience) merge(o *audience) {
	a.people += o.people
	a.records += o.records
	a.repeated += o.repeated
	addAll(a.party[:], o.party[:])
	addAll(a.method[:], o.method[:])
	addAll(a.devices[:], o.devices[:])
	addAll(a.consent[:], o.consent[:])
	addAll(a.namespaces, o.namespaces)
	for i, x := range o.sources {
		a.sources[i].reached += x.reached
		a.sources[i].only += x.only
	}
}

func addAll(to, from []int64) {
	for i, n := range from {
		to[i] += n
	}
}

// segment returns how many people are in all of some of the largest segments,
// given as a bit mask.
func (c *counts) segment(all int) (n int64) {
	for mask, people := range c.overlap {
		if mask&all == all {
			n += people
		}
	}
	return n
}
