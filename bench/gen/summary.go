package gen

import (
	"math/bits"
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
	// BidRequest is an example for a demo of bid requests, nil where the world has none: the maid of a person with
	// segments that are declared for bid requests and with others that never enter one.
	BidRequest *Example `json:"bid_request,omitempty"`
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
	Name       string   `json:"name"`       // maid, cookie, consent_expired, unknown or bid_request
	Identifier string   `json:"identifier"` // canonical
	Status     string   `json:"status"`     // matched or none
	Reason     string   `json:"reason,omitempty"`
	Tenant     string   `json:"tenant,omitempty"`
	Customer   string   `json:"customer,omitempty"` // also of one whose consent has run out
	Segments   []string `json:"segments,omitempty"` // sorted
	// BidStream are the ids in the bid stream of those of Segments that have one, in their order.
	BidStream []string `json:"bid_stream,omitempty"`
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
