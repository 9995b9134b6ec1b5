package gen

import (
	"math/bits"
	"time"
)

// Summary is what Run wrote. Junk rows and false links are in no count but their own.
type Summary struct {
	Households int `json:"households"`
	People     int `json:"people"`    // with an identifier in truth.csv
	Customers  int `json:"customers"` // profiles of the first tenant
	Prospects  int `json:"prospects"` // profiles of the first tenant
	Duplicates int `json:"duplicates"`
	Profiles   int `json:"profiles"` // of all tenants and kinds, duplicates included

	WithPhone       int `json:"with_phone"`       // of Profiles
	ExpiredConsents int `json:"expired_consents"` // of Profiles, at Config.AsOf
	NoConsents      int `json:"no_consents"`      // of Profiles

	Links       int `json:"links"`        // true ones
	FalseLinks  int `json:"false_links"`  // between people of two households; in partner files only
	AgedLinks   int `json:"aged_links"`   // of Links: last seen over 13 months before Config.AsOf
	JunkRows    int `json:"junk_rows"`    // of all files
	Identifiers int `json:"identifiers"`  // rows of truth.csv
	SharedIDs   int `json:"shared_ids"`   // of Identifiers: truly of several people
	SharedHomes int `json:"shared_homes"` // households where a device is everybody's, seen by a partner or not
	SharedInbox int `json:"shared_inbox"` // households where two people use one address

	// Of Customers: those connected to a cookie or device of their own by links that are true and younger than 13
	// months, each step on the way being an identifier of the same person.
	ReachedOwn int `json:"reached_own"` // by the first tenant's own logins
	Reached    int `json:"reached"`     // by all files together

	Files    []FileRows `json:"files"`    // CRM and link files, in the order of onboard.yaml
	Examples []Example  `json:"examples"` // what a sound build answers at Config.AsOf, for a demo
}

// FileRows counts the rows of one input file without its header.
type FileRows struct {
	Path string `json:"path"` // relative to Config.Out, with slashes
	Rows int    `json:"rows"` // junk included
	Junk int    `json:"junk"`
}

// Example is an identifier and its certain answer: it is of somebody who lives alone, is written down once by the
// first tenant only, and whose rows are touched by no false link and no junk.
type Example struct {
	Name       string   `json:"name"`       // maid, cookie, consent_expired or unknown
	Identifier string   `json:"identifier"` // canonical
	Status     string   `json:"status"`     // matched or none
	Reason     string   `json:"reason,omitempty"`
	Tenant     string   `json:"tenant,omitempty"`
	Customer   string   `json:"customer,omitempty"` // also of one whose consent has run out
	Segments   []string `json:"segments,omitempty"` // sorted
}

func (s *Summary) add(h *household) {
	s.Households++
	s.Links += len(h.links)
	s.Identifiers += len(h.ids)
	var seen uint8
	for _, id := range h.ids {
		seen |= id.owners
		if bits.OnesCount8(id.owners) > 1 {
			s.SharedIDs++
		}
	}
	s.People += bits.OnesCount8(seen)
	for _, l := range h.links {
		if l.aged {
			s.AgedLinks++
		}
	}
	if h.sharedTablet != "" || h.sharedComputer != nil {
		s.SharedHomes++
	}
	if h.sharedInbox {
		s.SharedInbox++
	}
	for _, f := range h.profiles {
		s.addProfile(h, f)
	}
}

func (s *Summary) addProfile(h *household, f profile) {
	s.Profiles++
	if f.phone != "" {
		s.WithPhone++
	}
	if f.duplicate {
		s.Duplicates++
	}
	switch {
	case f.consent.expired:
		s.ExpiredConsents++
	case f.consent.at.IsZero():
		s.NoConsents++
	}
	switch {
	case f.tenant != 0:
	case f.prospect:
		s.Prospects++
	default:
		s.Customers++
		if h.reaches(f, freshLogin) {
			s.ReachedOwn++
		}
		if h.reaches(f, freshLink) {
			s.Reached++
		}
	}
}

// examples collects one person for each kind of example.
type examples struct{ maid, cookie, expired *Example }

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
			Segments: f.segments,
		}
		if at := e.place(&x, l, f.consent, asOf); at != nil && *at == nil {
			*at = &x
			return true
		}
	}
	return false
}

// place is where an example x by link l belongs, or nil; x gets its name, and where consent has run out its answer.
func (e *examples) place(x *Example, l link, c consent, asOf time.Time) **Example {
	switch {
	case c.expired && !c.expires.IsZero():
		x.Name, x.Status, x.Reason, x.Segments = "consent_expired", "none", "consent_expired", nil
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
