package gen

import (
	"slices"
	"time"
)

// examples collects one person for each kind of example.
type examples struct {
	maid, cookie, expired, bidRequest *Example
	// bidders are the identifiers of the household of bidRequest.
	bidders []identifier
}

// consider makes an example of h where one is missing and h is fit, and tells whether it did.
func (e *examples) consider(h *household, asOf time.Time) bool {
	if len(h.people) != 1 || len(h.profiles) != 1 || h.disturbed {
		return false
	}
	f := h.profiles[0]
	if f.tenant != 0 || f.prospect || len(f.segments) == 0 {
		return false
	}
	for _, l := range h.links {
		// A demo may run some months after AsOf: the link must not be about to age.
		if l.seen.Before(asOf.AddDate(0, -6, 0)) || l.file != filePublisherA && l.file != fileAppNetwork {
			continue
		}
		x := Example{
			Identifier: h.ids[l.right].name, Status: "matched", Tenant: tenantNames[0], Customer: f.customer,
			Segments: f.segments, BidStream: bidStreamIDs(f.tenant, f.segments),
		}
		at := e.place(&x, l, f.consent, asOf)
		if at == &e.maid {
			e.considerBid(h, x)
		}
		if at != nil && *at == nil {
			*at = &x
			return true
		}
	}
	return false
}

// considerBid makes an example of a bid request of x, in h, where one is missing and x shows both kinds of segments. It
// may come late and have been held by partners who mistake people: so h is still one of whom false links are drawn, as it
// would be without the example, and one that takes h ends the example (see disturb).
func (e *examples) considerBid(h *household, x Example) {
	if e.bidRequest == nil && len(x.BidStream) > 0 && len(x.BidStream) < len(x.Segments) {
		x.Name = "bid_request"
		e.bidRequest, e.bidders = &x, h.ids
	}
}

// disturb gives up the example that the identifier called name belongs to, since it now is in a false link.
func (e *examples) disturb(name string) {
	if slices.ContainsFunc(e.bidders, func(id identifier) bool { return id.name == name }) {
		e.bidRequest, e.bidders = nil, nil
	}
}

// place is where an example x by link l belongs, or nil; x gets its name, and where consent has run out its answer.
func (e *examples) place(x *Example, l link, c consent, asOf time.Time) **Example {
	switch {
	case c.expired && !c.expires.IsZero():
		x.Name, x.Status, x.Reason, x.Segments = "consent_expired", "none", "consent_expired", nil
		x.BidStream = nil
		return &e.expired
	case c.purposes != "use|share" || c.expired || c.at.Before(asOf.AddDate(0, 0, -longConsent)):
		return nil
	case l.file == fileAppNetwork:
		x.Name = "maid"
		return &e.maid
	default:
		x.Name = "cookie"
		return &e.cookie
	}
}

// list is the examples found, and last an unknown id.
func (e *examples) list(unknown string) []Example {
	var all []Example
	for _, x := range []*Example{e.maid, e.cookie, e.expired} {
		if x != nil {
			all = append(all, *x)
		}
	}
	return append(all, Example{Name: "unknown", Identifier: unknown, Status: "none", Reason: "unknown"})
}
