package build

import (
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/resolve"
)

// Report says what went into a build and what came out.
type Report struct {
	Snapshot string            `json:"snapshot"`
	Bytes    int64             `json:"bytes"`
	AsOf     string            `json:"as_of"`
	Read     ReadReport        `json:"read"`
	Aged     int64             `json:"aged_links"` // left out, too old at as_of
	Merged   int64             `json:"merged_rows"`
	Dropped  int64             `json:"persons_without_profile"` // left out
	Counts   snapshot.Counts   `json:"counts"`
	Reach    []Reach           `json:"reach"` // by tenant
	Pruned   []string          `json:"pruned"`
	Stages   map[string]string `json:"stages"` // how long each took
}

// Reach says how many of a tenant's records have a cookie or device id.
type Reach struct {
	Tenant    string `json:"tenant"`
	Customers int64  `json:"customers"`
	Prospects int64  `json:"prospects"`
	// Own counts customers reached by links of the first party alone, All by
	// all links.
	Own int64 `json:"customers_reached_by_own_data"`
	All int64 `json:"customers_reached"`
}

// reach counts, for each tenant, the customers who are linked to a cookie or
// device id: by own data alone, and with the partners'.
func (p *persons) reach(sources []snapshot.Source) []Reach {
	own := p.reached(func(l *link) bool { return sources[l.source].Party == snapshot.FirstParty })
	all := p.reached(func(*link) bool { return true })
	out := make([]Reach, len(p.cfg.Tenants))
	for i := range out {
		out[i].Tenant = p.cfg.Tenants[i].Name
	}
	for i := range p.profiles {
		q := &p.profiles[i]
		r := &out[q.tenant]
		if q.kind != snapshot.Customer {
			r.Prospects++
			continue
		}
		r.Customers++
		if own(q.node) {
			r.Own++
		}
		if all(q.node) {
			r.All++
		}
	}
	return out
}

// reached returns whether a node is linked to a cookie or device id by links
// that use says to use.
func (p *persons) reached(use func(*link) bool) func(node uint32) bool {
	sets := make(resolve.Sets, len(p.g.hashes))
	for i := range p.g.links {
		if l := &p.g.links[i]; use(l) {
			sets.Join(l.a, l.b)
		}
	}
	digital := make([]bool, len(p.g.hashes))
	for i := range uint32(len(p.g.hashes)) {
		if p.tracer[p.g.spaces[i]] {
			digital[sets.Find(i)] = true
		}
	}
	return func(node uint32) bool { return digital[sets.Find(node)] }
}
