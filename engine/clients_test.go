package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// randomClients makes clients with all sorts of grants, for things that are
// there and things that are not.
func (p *pool) randomClients(r *rand.Rand) []engine.Client {
	clients := []engine.Client{{Name: "nothing"}, everything(p)}
	for i := range 3 {
		c := engine.Client{
			Name: fmt.Sprintf("c%d", i), IDSpace: pick(r, "", "", "shared", tenantNames[0]),
			Tenant: pick(r, append([]string{"", "", "", "another brand"}, tenantNames...)...),
		}
		for _, tenant := range append(slices.Clone(tenantNames), "nobody") {
			if r.IntN(2) == 0 {
				c.Grants = append(c.Grants, p.randomGrant(r, tenant))
			}
		}
		clients = append(clients, c)
	}
	return clients
}

// everything is a client that may see all of a pool.
func everything(p *pool) engine.Client {
	c := engine.Client{Name: "everything"}
	for _, t := range p.tenants {
		c.Grants = append(c.Grants, engine.Grant{
			Tenant: t.Name, Segments: []string{engine.All}, Namespaces: []string{engine.All},
			Customers: true, Identifiers: true, Purposes: snapshot.Use,
		})
	}
	return c
}

func (p *pool) randomGrant(r *rand.Rand, tenant string) engine.Grant {
	g := engine.Grant{
		Tenant: tenant, Customers: r.IntN(3) > 0, Until: p.randomEnd(r),
		Purposes: pick(r, 0, 0, snapshot.Use, snapshot.Share, snapshot.Use|snapshot.Share),
	}
	g.Identifiers = g.Customers && r.IntN(2) == 0
	for _, code := range append(slices.Clone(segmentCodes), "no-such") {
		if r.IntN(2) == 0 {
			g.Segments = append(g.Segments, code)
		}
	}
	for _, n := range append(slices.Clone(p.spaces), index.Namespace{Name: "no.such"}) {
		if r.IntN(2) == 0 {
			g.Namespaces = append(g.Namespaces, n.Name)
		}
	}
	if r.IntN(3) == 0 {
		g.Segments = []string{engine.All}
	}
	if r.IntN(2) == 0 {
		g.Namespaces = []string{engine.All}
	}
	return g
}

// randomEnd is when a grant ends: never, or about one of the moments at which
// is asked.
func (p *pool) randomEnd(r *rand.Rand) time.Time {
	if r.IntN(2) == 0 {
		return time.Time{}
	}
	end := pick(r, p.clocks...).Add(time.Duration(r.IntN(3)-1) * time.Second)
	return pick(r, end, end, end.Add(time.Duration(r.IntN(1e9)))) // within a second: with its start
}
