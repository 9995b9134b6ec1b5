package gen

import (
	"encoding/hex"
	"time"
)

// The files of links: the partners', and from fileLogins on each tenant's own logins.
const (
	filePublisherA = iota
	fileAppNetwork
	fileDeviceGraph
	fileCookieSync
	fileLogins
)

const (
	authenticated = "authenticated"
	observed      = "observed"
	cookieSync    = "cookie_sync"
	inferred      = "inferred"
)

const (
	publisherA = "cookie.publisher-a"
	publisherB = "cookie.publisher-b"
)

// link is a row of a link file; left and right are in household.ids.
type link struct {
	file        int
	left, right int
	method      string
	seen        time.Time
	aged        bool // last seen over 13 months before Config.AsOf
}

// browser is the cookie jar of one browser until it is cleared; a cleared browser is another one.
type browser struct {
	owners  uint8
	cookies map[string]int // in household.ids, by namespace
}

// cookie is the identifier of namespace in b, made when it is first asked for.
func (g *generator) cookie(h *household, b *browser, namespace string) int {
	if at, ok := b.cookies[namespace]; ok {
		return at
	}
	value := make([]byte, 8)
	if namespace != publisherA {
		value = make([]byte, 12)
	}
	g.random(value)
	if b.cookies == nil {
		b.cookies = map[string]int{}
	}
	b.cookies[namespace] = h.id(namespace+":"+hex.EncodeToString(value), b.owners)
	return b.cookies[namespace]
}

// sighting is when a link was last seen.
type sighting struct {
	at   time.Time
	aged bool
}

// A fresh link stays clear of 13 months however they are counted, and so does an aged one.
func (g *generator) fresh() sighting { return sighting{at: g.daysAgo(1, 360)} }
func (g *generator) aged() sighting  { return sighting{at: g.daysAgo(430, 900), aged: true} }

func (h *household) addLink(file, left, right int, method string, s sighting) {
	h.links = append(h.links, link{file, left, right, method, s.at, s.aged})
}

// addLinks writes down where person who was seen. A covered person has a fresh link from something that the brands
// know him by, which is what makes the reach come out as configured; everybody else has aged ones at most.
func (g *generator) addLinks(h *household, who int) {
	p := h.people[who]
	computer := &browser{owners: 1 << who}
	if h.sharedComputer != nil {
		computer = h.sharedComputer
	}
	if p.coverage.own {
		g.addLogin(h, who, 0, computer, g.fresh())
	}
	for tenant := 1; p.coverage.any() && tenant < g.Tenants; tenant++ {
		// Only of those reached anyway, so that another brand's logins add nothing to PartnerReach.
		if g.chance(g.OwnReach / g.PartnerReach) {
			g.addLogin(h, who, tenant, computer, g.fresh())
		}
	}
	if p.coverage.partner {
		g.addPartnerLinks(h, who, computer)
	}
	churn := g.Churn
	if !p.coverage.any() {
		churn *= 0.4 // a forgotten visit of somebody whom nobody sees today
	}
	if g.chance(churn) {
		g.addAgedLinks(h, who)
	}
}

// addLogin is a login of person who at tenant's site, if the tenant knows him: known by customer id, or by email.
func (g *generator) addLogin(h *household, who, tenant int, b *browser, s sighting) {
	f, ok := g.profileOf(h, who, tenant)
	if !ok {
		return
	}
	known := f.self
	if f.emailAt >= 0 && g.chance(0.4) {
		known = f.emailAt
	}
	h.addLink(fileLogins+tenant, g.cookie(h, b, "cookie."+tenantNames[tenant]), known, authenticated, s)
}

// addPartnerLinks shows person who to partners on a phone, on a computer or on both, and on the family's tablet.
func (g *generator) addPartnerLinks(h *household, who int, computer *browser) {
	hasEmail := h.people[who].hasEmail
	desktop := hasEmail && g.chance(0.6)
	phone := !desktop || g.chance(0.5)
	if desktop {
		g.addPublisherLinks(h, who, computer, g.fresh())
		if g.chance(0.25) { // cleared lately
			g.addPublisherLinks(h, who, &browser{owners: computer.owners}, g.fresh())
		}
	}
	if phone {
		g.addDevice(h, who, "maid:"+g.uuid(), 1<<who, desktop, computer)
	}
	if h.sharedTablet != "" {
		g.addDevice(h, who, h.sharedTablet, everybody(h), desktop, computer)
	} else if g.chance(0.15) {
		g.addDevice(h, who, "maid:"+g.uuid(), 1<<who, desktop, computer)
	}
}

// addPublisherLinks is a login at the publisher in browser b, and the cookies that were synced there.
func (g *generator) addPublisherLinks(h *household, who int, b *browser, s sighting) {
	at := g.cookie(h, b, publisherA)
	h.addLink(filePublisherA, h.emailID(who), at, authenticated, s)
	if g.chance(0.5) {
		brand := "cookie." + tenantNames[g.rng.IntN(g.Tenants)]
		h.addLink(fileCookieSync, at, g.cookie(h, b, brand), cookieSync, s)
	}
	if g.chance(0.35) {
		h.addLink(fileCookieSync, at, g.cookie(h, b, publisherB), cookieSync, s)
	}
}

// addDevice is a phone or tablet in the app network, and what the device graph makes of it.
func (g *generator) addDevice(h *household, who int, name string, owners uint8, desktop bool, computer *browser) {
	maid := h.id(name, owners)
	h.addLink(fileAppNetwork, g.appAccount(h, who), maid, g.oneOf(0.8, authenticated, observed), g.fresh())
	if g.chance(0.4) {
		inApp := &browser{owners: owners}
		h.addLink(fileDeviceGraph, maid, g.cookie(h, inApp, publisherB), g.oneOf(0.4, observed, inferred), g.fresh())
	}
	if desktop && g.chance(0.3) {
		h.addLink(fileDeviceGraph, maid, g.cookie(h, computer, publisherA), inferred, g.fresh())
	}
}

// addAgedLinks is a cleared browser or a phone long sold.
func (g *generator) addAgedLinks(h *household, who int) {
	old := &browser{owners: 1 << who}
	switch u := g.rng.Float64(); {
	case u < 0.3:
		g.addLogin(h, who, 0, old, g.aged())
	case u < 0.75 && h.people[who].hasEmail:
		g.addPublisherLinks(h, who, old, g.aged())
	default:
		maid := h.id("maid:"+g.uuid(), 1<<who)
		h.addLink(fileAppNetwork, g.appAccount(h, who), maid, authenticated, g.aged())
	}
}

// appAccount is what person who signs up to apps with.
func (g *generator) appAccount(h *household, who int) int {
	p := h.people[who]
	if p.hasPhone && (!p.hasEmail || g.chance(0.4)) {
		return h.phoneID(who)
	}
	return h.emailID(who)
}

func (g *generator) oneOf(share float64, method, other string) string {
	if g.chance(share) {
		return method
	}
	return other
}
