package quality

import (
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/normalise"
)

// link is a pair of identifiers that a row links.
type link struct{ a, b uint32 }

// InputCounts says what was read. A link is a pair of identifiers in a row: a
// link row has one, a profile row one for each of its contacts.
type InputCounts struct {
	ProfileRows int64 `json:"profile_rows"` // good ones
	LinkRows    int64 `json:"link_rows"`    // good ones
	BadRows     int64 `json:"bad_rows"`
	TrueLinks   int64 `json:"true_links"`    // both ends are of one true person
	FalseLinks  int64 `json:"false_links"`   // no true person is at both ends
	UnknownLink int64 `json:"unknown_links"` // an end is unknown
	AgedLinks   int64 `json:"aged_links"`    // left out for their age
}

// add adds what one reader counted, who knows no bad rows.
func (c *InputCounts) add(o *InputCounts) {
	c.ProfileRows += o.ProfileRows
	c.LinkRows += o.LinkRows
	c.TrueLinks += o.TrueLinks
	c.FalseLinks += o.FalseLinks
	c.UnknownLink += o.UnknownLink
	c.AgedLinks += o.AgedLinks
}

// local marks the number of a postal identifier that the truth does not have:
// it is one of the rows' own until they are merged.
const local = 1 << 31

// rows gathers what one reader reads. It only looks into known, so that several
// may at once.
type rows struct {
	known  *ids
	oldest snapshot.Day // links of tracers from before it have aged out
	tracer []bool       // by namespace
	postal index.NamespaceID

	links    []link
	derived  []link   // postal identifiers, each with a customer that it comes from
	profiles []uint32 // customers
	extra    []string // keys of postal identifiers that the truth does not have
	numbers  map[string]uint32
	counts   InputCounts
}

// number returns the number of an identifier, and false for one that no true
// person can be named for.
func (r *rows) number(id normalise.Identifier) (uint32, bool) {
	n, ok := r.known.numbers[string(id.Key)]
	if ok || id.Namespace != r.postal {
		return n, ok
	}
	n, ok = r.numbers[string(id.Key)]
	if !ok {
		n = local | uint32(len(r.extra))
		key := string(id.Key)
		r.numbers[key] = n
		r.extra = append(r.extra, key)
	}
	return n, true
}

// profile takes a profile row: its first identifier is the customer.
func (r *rows) profile(p *normalise.Profile) {
	r.counts.ProfileRows++
	own, ok := r.number(p.Identifiers[0])
	if !ok {
		r.counts.UnknownLink += int64(len(p.Identifiers) - 1)
		return
	}
	r.profiles = append(r.profiles, own)
	for _, id := range p.Identifiers[1:] {
		n, ok := r.number(id)
		if !ok {
			r.counts.UnknownLink++
			continue
		}
		r.links = append(r.links, link{own, n})
		if n&local != 0 {
			r.derived = append(r.derived, link{n, own})
		}
	}
}

// link takes a link row.
func (r *rows) link(l *normalise.Link) {
	r.counts.LinkRows++
	if l.Seen < r.oldest && (r.tracer[l.Left.Namespace] || r.tracer[l.Right.Namespace]) {
		r.counts.AgedLinks++
		return
	}
	a, okA := r.number(l.Left)
	b, okB := r.number(l.Right)
	if !okA || !okB {
		r.counts.UnknownLink++
		return
	}
	r.links = append(r.links, link{a, b})
}
