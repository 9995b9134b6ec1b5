package build

import (
	"cmp"
	"slices"

	"github.com/matchd/matchd/snapshot"
)

// profile is what all rows about one customer come to.
type profile struct {
	node     uint32
	tenant   uint16
	kind     snapshot.Kind
	seen     snapshot.Day
	consent  snapshot.ConsentState
	segments []uint32
}

// mergeRows makes one profile of all rows about one customer, in the order of
// their identifiers. The rows of the newest files decide. Where several are as
// new, what they disagree on is denied: a segment must stand in all of them,
// and consent is that of the latest time, the shorter and narrower of two as
// late; a row that states no consent speaks as of its file.
func (g *graph) mergeRows(workers int) []profile {
	parallelSort(g.rows, workers, func(x, y row) int {
		return cmp.Or(
			cmp.Compare(x.node, y.node), cmp.Compare(y.asOf, x.asOf), cmp.Compare(x.kind, y.kind),
			cmp.Compare(x.consent.At, y.consent.At), cmp.Compare(x.consent.Expires, y.consent.Expires),
			cmp.Compare(x.consent.Purposes, y.consent.Purposes), slices.Compare(x.segments, y.segments),
		)
	})
	var out []profile
	for rows := g.rows; len(rows) > 0; {
		n := 1
		for n < len(rows) && rows[n].node == rows[0].node {
			n++
		}
		newest := 1
		for newest < n && rows[newest].asOf == rows[0].asOf {
			newest++
		}
		out = append(out, mergeProfile(rows[:newest]))
		rows = rows[n:]
	}
	g.rows = nil
	return out
}

// mergeProfile merges rows about one customer from files of one time.
func mergeProfile(rows []row) profile {
	r := rows[0]
	p := profile{node: r.node, tenant: r.tenant, kind: r.kind, seen: r.seen, consent: r.consent, segments: slices.Clone(r.segments)}
	slices.Sort(p.segments)
	for _, o := range rows[1:] {
		p.kind = max(p.kind, o.kind)
		p.consent = mergeConsent(p.consent, o.consent)
		p.segments = slices.DeleteFunc(p.segments, func(s uint32) bool { return !slices.Contains(o.segments, s) })
	}
	return p
}

// mergeConsent merges what two rows from files of one time say about consent.
func mergeConsent(a, b snapshot.ConsentState) snapshot.ConsentState {
	end := func(c snapshot.ConsentState) int64 { // 0 is no end
		if c.Expires == 0 {
			return 1<<63 - 1
		}
		return c.Expires
	}
	switch {
	case a.At == 0 || b.At == 0:
		// One of them says, as of its file and so as late as can be, that
		// there is none.
		out := snapshot.ConsentState{Expires: min(end(a), end(b))}
		if out.Expires == 1<<63-1 {
			out.Expires = 0
		}
		return out
	case a.At != b.At:
		if a.At > b.At {
			return a
		}
		return b
	}
	out := snapshot.ConsentState{At: a.At, Expires: a.Expires, Purposes: a.Purposes & b.Purposes}
	if end(b) < end(a) {
		out.Expires = b.Expires
	}
	return out
}
