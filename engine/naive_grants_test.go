package engine_test

import (
	"slices"
	"strings"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// brand is whose client c is: what it says, or the one tenant that its grants
// name, ended ones too; empty is nobody's.
func brand(c engine.Client) string {
	if c.Tenant != "" || len(c.Grants) == 0 {
		return c.Tenant
	}
	first := c.Grants[0].Tenant
	for _, g := range c.Grants {
		if g.Tenant != first {
			return ""
		}
	}
	return first
}

// spaceOf is the id space of a client.
func spaceOf(c engine.Client) string {
	switch {
	case c.IDSpace != "":
		return c.IDSpace
	case brand(c) != "":
		return brand(c)
	}
	return "client " + c.Name
}

// needs are the purposes that a consent has to name under a grant.
func needs(c engine.Client, g engine.Grant) (use, share bool) {
	use, share = g.Purposes&snapshot.Use != 0, g.Purposes&snapshot.Share != 0
	switch brand(c) {
	case g.Tenant:
		return use || !share, share
	case "":
		return use, share || !use
	}
	return use, true // to another brand's client
}

// grant returns the client's grant for a tenant, if it has not ended.
func (m *model) grant(c engine.Client, now time.Time, tenant string) (engine.Grant, bool) {
	for _, g := range c.Grants {
		ended := !g.Until.IsZero() && g.Until.Unix() <= now.Unix()
		if g.Tenant == tenant && !ended {
			return g, true
		}
	}
	return engine.Grant{}, false
}

// sees reports whether the grant for a tenant covers a namespace.
func (m *model) sees(c engine.Client, now time.Time, tenant, space string) bool {
	if !slices.ContainsFunc(m.spaces, func(n index.Namespace) bool { return n.Name == space }) {
		return false
	}
	g, ok := m.grant(c, now, tenant)
	named, all := slices.Contains(g.Namespaces, space), slices.Contains(g.Namespaces, engine.All)
	if owner, customers := strings.CutPrefix(space, "crm."); customers {
		its, granted := m.grant(c, now, owner)
		named, all = named && granted, all && granted && its.Customers
	}
	return ok && (named || all)
}

// ruling is what the client's grant makes of a profile at a moment; without a
// grant, it is that of the tenant's own use.
func (m *model) ruling(c engine.Client, now time.Time, q poolProfile) engine.Reason {
	g, ok := m.grant(c, now, m.tenants[q.tenant].Name)
	if !ok {
		return m.consent(q, now)
	}
	use, share := needs(c, g)
	return m.covers(q, use, share, now)
}

// withheld reports whether a profile is as if it were not there: its tenant
// shares, and the profile's consent does not.
func (m *model) withheld(c engine.Client, now time.Time, q poolProfile) bool {
	g, ok := m.grant(c, now, m.tenants[q.tenant].Name)
	_, share := needs(c, g)
	return ok && share && m.ruling(c, now, q) != engine.Matched
}

// vouched reports whether an identifier may lead anywhere: a customer id that its
// tenant shares does so only for a customer whom it shares.
func (m *model) vouched(c engine.Client, now time.Time, id int) bool {
	owner, own := strings.CutPrefix(m.ids[id].space, "crm.")
	g, ok := m.grant(c, now, owner)
	if _, share := needs(c, g); !own || !ok || !share {
		return true
	}
	return slices.ContainsFunc(m.pool.profiles, func(q poolProfile) bool { return q.id == id && !m.withheld(c, now, q) })
}

// consent decides on the tenant's own use.
func (m *model) consent(q poolProfile, now time.Time) engine.Reason {
	return m.covers(q, true, false, now)
}

// covers is the rule of consent in as many words: sharing needs it under every
// legal basis.
func (m *model) covers(q poolProfile, use, share bool, now time.Time) engine.Reason {
	c, at := q.consent, now.Unix()
	needed := share || m.tenants[q.tenant].LegalBasis == snapshot.Consent
	switch {
	case needed && c.At == 0:
		return engine.NoConsent
	case needed && at < c.At:
		return engine.NoConsent
	case c.At != 0 && use && c.Purposes&snapshot.Use == 0:
		return engine.NoConsent
	case c.At != 0 && share && c.Purposes&snapshot.Share == 0:
		return engine.NoConsent
	case c.Expires != 0 && at >= c.Expires:
		return engine.ConsentExpired
	}
	return engine.Matched
}
