package build

import (
	"slices"

	"github.com/matchd/matchd/snapshot/resolve"
)

// withheldID is a contact identifier of erased customers, as its partition
// numbers it.
type withheldID struct {
	partition int
	number    uint32
	tenants   tenantSet
}

// drops reports whether a link is to be left out: an end is withheld from all
// tenants, or from the one whose customer the other end is.
func (j *joining) drops(a, b uint32, x, y resolve.Node) bool {
	return j.n.withheld[a].from(y) || j.n.withheld[b].from(x)
}

// from reports whether something is withheld from an identifier that it is linked
// to.
func (s tenantSet) from(n resolve.Node) bool {
	return s.all() || n.Kind == resolve.Customer && s.has(n.Tenant)
}

// unreached takes the identifiers out of a set that are withheld from all tenants
// of their person's profiles, with their links, and reports whether there were
// any: then the set has to be resolved anew.
func (w *personWorker) unreached(nodes *[]groupNode, links *[]groupLink, res *resolve.Result) bool {
	gone := map[uint32]bool{}
	for at := range *nodes {
		n := &(*nodes)[at]
		if tenants, ok := w.r.g.n.withheld[n.number]; ok && !w.othersHave(*nodes, tenants, res.Person[at], res) {
			gone[n.number] = true
		}
	}
	if len(gone) == 0 {
		return false
	}
	w.result.live.DroppedContacts += int64(len(gone))
	*nodes = slices.DeleteFunc(*nodes, func(n groupNode) bool { return gone[n.number] })
	*links = slices.DeleteFunc(*links, func(l groupLink) bool { return gone[l.a] || gone[l.b] })
	return true
}

// othersHave reports whether a person has a profile of another tenant than those.
func (w *personWorker) othersHave(nodes []groupNode, tenants tenantSet, person uint32, res *resolve.Result) bool {
	for at := range nodes {
		if n := &nodes[at]; n.profile != nil && res.Person[at] == person && !tenants.has(w.r.nodes[n.ns].Tenant) {
			return true
		}
	}
	return false
}

// unnamed leaves out the links to withheld identifiers that are cut before a set
// is resolved: quarantine.ndjson would name them.
func (w *personWorker) unnamed(links []groupLink) []groupLink {
	return slices.DeleteFunc(links, func(l groupLink) bool {
		_, a := w.r.g.n.withheld[l.a]
		_, b := w.r.g.n.withheld[l.b]
		return l.cut != resolve.Kept && (a || b)
	})
}
