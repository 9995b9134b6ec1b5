package build

import (
	"cmp"
	"slices"
	"time"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
)

// profile is what all rows about one customer come to.
type profile struct {
	tenant   uint16
	kind     snapshot.Kind
	seen     snapshot.Day
	consent  snapshot.ConsentState
	segments []uint32
}

// mergeRows makes one profile of all rows about one customer. The rows of the
// newest files decide. Where several are as new, what they disagree on is
// denied: a segment must stand in all of them, and for consent see
// mergeConsent.
func mergeRows(rows []row, tenants []config.Tenant) profile {
	slices.SortFunc(rows, func(x, y row) int {
		return cmp.Or(
			cmp.Compare(y.asOf, x.asOf), cmp.Compare(x.kind, y.kind),
			cmp.Compare(x.consent.At, y.consent.At), cmp.Compare(x.consent.Expires, y.consent.Expires),
			cmp.Compare(x.consent.Purposes, y.consent.Purposes), slices.Compare(x.segments, y.segments),
		)
	})
	newest := 1
	for newest < len(rows) && rows[newest].asOf == rows[0].asOf {
		newest++
	}
	return mergeProfile(rows[:newest], &tenants[rows[0].tenant])
}

// mergeProfile merges rows about one customer from files of one time.
func mergeProfile(rows []row, t *config.Tenant) profile {
	r := rows[0]
	p := profile{
		tenant: r.tenant, kind: r.kind, seen: r.seen,
		consent: mergeConsent(rows, t), segments: slices.Clone(r.segments),
	}
	slices.Sort(p.segments)
	for _, o := range rows[1:] {
		p.kind = max(p.kind, o.kind)
		p.segments = slices.DeleteFunc(p.segments, func(s uint32) bool { return !slices.Contains(o.segments, s) })
	}
	return p
}

// mergeConsent makes one statement of what rows from files of one time say
// about consent. A row decides where it has no time of consent, and where none
// of the others has a later one; what is merged is permitted, for any purpose
// at any moment, if and only if each row that decides permits it alone. So of
// several times the latest wins and a tie denies; a row that gives no time
// denies under the basis consent, and under another one says nothing but its
// end.
func mergeConsent(rows []row, t *config.Tenant) snapshot.ConsentState {
	latest, untimed := int64(0), false
	for i := range rows {
		latest = max(latest, rows[i].consent.At)
		untimed = untimed || rows[i].consent.At == 0
	}
	out := snapshot.ConsentState{At: latest, Purposes: snapshot.Use | snapshot.Share}
	for i := range rows {
		c := limitConsent(rows[i].consent, t)
		if c.At != 0 && c.At != latest {
			continue
		}
		if c.At != 0 {
			out.Purposes &= c.Purposes
		}
		if c.Expires != 0 && (out.Expires == 0 || c.Expires < out.Expires) {
			out.Expires = c.Expires
		}
	}
	switch {
	case latest == 0 || untimed && t.LegalBasis == snapshot.Consent:
		out.At, out.Purposes = 0, 0
	case untimed:
		out.Purposes &^= snapshot.Share // which needs consent under every basis
	}
	return out
}

// limitConsent gives a consent without an end the one that the tenant's
// consent_max_age sets, so that a lookup only has to compare. It is done row by
// row: of two as late, one may name an end after that.
func limitConsent(c snapshot.ConsentState, t *config.Tenant) snapshot.ConsentState {
	if c.At != 0 && c.Expires == 0 && t.LegalBasis == snapshot.Consent {
		c.Expires = snapshot.AddMonths(time.Unix(c.At, 0).UTC(), t.ConsentMaxAge).Unix()
	}
	return c
}
