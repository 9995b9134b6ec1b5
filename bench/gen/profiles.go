package gen

import (
	"fmt"
	"time"
)

// profile is a row of a tenant's CRM.
type profile struct {
	tenant    int // in tenantNames
	who       int // in household.people
	customer  string
	prospect  bool
	duplicate bool // of an earlier profile of the same person
	hashed    bool // goes to the file of hashed emails and phones
	email     string
	phone     string
	segments  []string // sorted
	consent   consent

	self, emailAt, phoneAt int // in household.ids; emailAt and phoneAt are -1 where the profile has none
}

// consent is what the row says; a zero time is an empty field.
type consent struct {
	at, expires time.Time
	purposes    string
	expired     bool // at Config.AsOf
}

// addProfiles writes person who down with the tenants that know him, and returns how many customers the first
// tenant has by that, at most left.
func (g *generator) addProfiles(h *household, who, left int) int {
	if h.outsider {
		return 0
	}
	customers := 0
	elsewhere := g.Tenants > 1 && g.chance(0.2)
	u := g.rng.Float64()
	if h.sharedInbox && who < 2 {
		// Both have a record with the first tenant: nobody could tell an inbox of two of whom no file names one.
		elsewhere, u = false, u/2
	}
	switch {
	case elsewhere:
	case left > 0 && (who == 0 && u < 0.88 || u < 0.55):
		first := g.addProfile(h, who, 0, false)
		customers++
		// Duplicates are found by their email; so the share is among those who have one.
		share := g.Duplicates / (1 - g.Duplicates) / (1 - g.NoEmail)
		if left > 1 && h.people[who].hasEmail && g.chance(share) {
			g.addDuplicate(h, first)
			customers++
		}
	case u < 0.93 && (who == 0 || u < 0.70):
		g.addProfile(h, who, 0, true)
	}
	for tenant := 1; tenant < g.Tenants; tenant++ {
		if g.chance(0.35) {
			g.addProfile(h, who, tenant, g.chance(0.1))
		}
	}
	return customers
}

// addProfile gives person who a profile of tenant, and returns it.
func (g *generator) addProfile(h *household, who, tenant int, prospect bool) profile {
	p := h.people[who]
	letter := "C"
	if prospect {
		letter = "P"
	}
	f := profile{
		tenant:   tenant,
		who:      who,
		customer: fmt.Sprintf("%s-%d", letter, 10_000+2*p.serial),
		prospect: prospect,
		hashed:   !prospect && g.chance(g.Prehashed),
		segments: g.drawSegments(prospect),
		consent:  g.drawConsent(),
	}
	if p.hasEmail {
		f.email = g.spellEmail(p)
	}
	if p.hasPhone {
		f.phone = g.spellPhone(p.phone)
	}
	h.addProfile(f)
	return f
}

// addDuplicate writes the person of first down again: another number, another spelling, a consent of its own.
func (g *generator) addDuplicate(h *household, first profile) {
	p := h.people[first.who]
	f := first
	f.duplicate, f.hashed = true, false
	f.customer = fmt.Sprintf("C-%d", 10_000+2*p.serial+1)
	f.email = g.spellEmailOtherwise(p, first.email)
	if p.hasPhone {
		f.phone = g.spellPhone(p.phone)
	}
	f.segments = g.drawSegments(false)
	f.consent = g.drawConsent()
	h.addProfile(f)
}

func (h *household) addProfile(f profile) {
	f.self = h.id("crm."+tenantNames[f.tenant]+":"+f.customer, 1<<f.who)
	f.emailAt, f.phoneAt = -1, -1
	if f.email != "" {
		f.emailAt = h.emailID(f.who)
	}
	if f.phone != "" {
		f.phoneAt = h.phoneID(f.who)
	}
	h.profiles = append(h.profiles, f)
}

// profileOf is a profile that tenant has of person who.
func (g *generator) profileOf(h *household, who, tenant int) (profile, bool) {
	var found []profile
	for _, f := range h.profiles {
		if f.who == who && f.tenant == tenant {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		return profile{}, false
	}
	return found[g.rng.IntN(len(found))], true
}

func (g *generator) drawSegments(prospect bool) []string {
	if prospect {
		return []string{[]string{"lead.cold", "lead.warm"}[g.skewed(2)]}
	}
	var codes []string
	for _, s := range segmentShares {
		if g.chance(s.share) {
			codes = append(codes, s.code)
		}
	}
	return codes
}

// longConsent is how many days ago a consent was given, at most, that holds for half a year after AsOf.
const longConsent = 900

// drawConsent dates a valid consent so that, with an end of its own or after the usual 36 months, it holds for ten
// days after AsOf at least, and an expired one so that it ended before AsOf.
func (g *generator) drawConsent() consent {
	const months = 36
	u := g.rng.Float64()
	if u < g.NoConsent {
		return consent{}
	}
	c := consent{at: g.daysAgo(5, 1085), purposes: "use|share"}
	if u < g.NoConsent+g.ExpiredConsent {
		c.at, c.expired = g.daysAgo(1150, 2000), true
	}
	if g.chance(0.6) {
		c.expires = c.at.AddDate(0, months, 0)
	}
	switch v := g.rng.Float64(); {
	case v < 0.15:
		c.purposes = "use"
	case v < 0.25:
		c.purposes = "" // means use
	}
	return c
}
