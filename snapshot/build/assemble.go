package build

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/resolve"
)

// one makes a person of members, if they are one to be written: with a
// profile, or with others where the config keeps those.
func (w *personWorker) one(nodes []groupNode, members []member, edges []inside, res *resolve.Result) error {
	known := false
	for _, m := range members {
		known = known || nodes[m.node].profile != nil
	}
	if res.Shared[members[0].node] {
		w.result.shared += int64(len(members))
	} else if known || w.r.cfg.KeepAnonymous && len(members) > 1 {
		return w.write(nodes, members, edges)
	}
	w.result.dropped++
	return nil
}

// write assembles a person, counts it and hands it on.
func (w *personWorker) write(nodes []groupNode, members []member, edges []inside) error {
	p := w.assemble(nodes, members, edges)
	p.ID, p.Born = w.identify(nodes, members)
	w.result.kept++
	w.collector.Add(p)
	w.result.renamed = w.r.former.appendRenamed(w.result.renamed, p)
	w.record = appendPerson(append(w.record[:0], 0, 0, 0, 0), p)
	binary.LittleEndian.PutUint32(w.record, uint32(len(w.record)-4))
	at := int(binary.BigEndian.Uint16(p.ID[:])) * w.r.persons.Len() >> 16
	return w.persons.Put(at, w.record)
}

// assemble makes the person of some members of a set, and the edges between
// them.
func (w *personWorker) assemble(nodes []groupNode, members []member, edges []inside) *snapshot.Person {
	w.own = w.own[:0]
	for i := range edges {
		w.own = append(w.own, edges[i].edge)
	}
	tree, spares := w.planner.Backbone(len(members), w.own)
	rooted := w.planner.Root(len(members), w.own, tree, w.root(nodes, members))
	p := &w.person
	p.Nodes, p.Spares, p.Links, p.Profiles = p.Nodes[:0], p.Spares[:0], p.Links[:0], p.Profiles[:0]
	w.place = slices.Grow(w.place[:0], len(members))[:len(members)]
	for at, m := range rooted.Order {
		w.place[m] = uint32(at)
		n := w.node(&nodes[members[m].node], rooted.Parent[at])
		if e := rooted.Edge[at]; e >= 0 {
			n.Method, n.Source, n.Seen = w.own[e].Method, w.own[e].Source, w.own[e].Seen
		}
		p.Nodes = append(p.Nodes, n)
	}
	for _, e := range spares {
		e := &w.own[e]
		a, b := w.place[e.A], w.place[e.B]
		p.Spares = append(p.Spares, snapshot.Spare{A: min(a, b), B: max(a, b), Method: e.Method, Seen: e.Seen})
	}
	for i := range edges {
		l := edges[i].link
		a, b := w.place[w.own[i].A], w.place[w.own[i].B]
		p.Links = append(p.Links, snapshot.Link{A: min(a, b), B: max(a, b), Method: l.method, Source: l.source, First: l.first, Last: l.last})
	}
	slices.SortFunc(p.Links, func(x, y snapshot.Link) int {
		return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B), cmp.Compare(x.Method, y.Method), cmp.Compare(x.Source, y.Source))
	})
	w.profiles(nodes, members)
	return p
}

// root is the place of the first profile, or of the first identifier.
func (w *personWorker) root(nodes []groupNode, members []member) uint32 {
	i := slices.IndexFunc(members, func(m member) bool { return nodes[m.node].profile != nil })
	return uint32(max(i, 0))
}

// node returns a node without its link. Where it stands alone it is a profile
// that nothing was linked to: the tenant's own file says so.
func (w *personWorker) node(n *groupNode, parent uint32) snapshot.Node {
	out := snapshot.Node{Hash: n.hash, Namespace: n.ns, Value: n.value, Parent: parent}
	if n.profile != nil {
		d := decoder{n.profile}
		tenant := d.u16()
		_ = d.u8()
		out.Method, out.Seen, out.Source = snapshot.Authenticated, snapshot.Day(d.u16()), w.r.own[tenant]
	}
	return out
}

// profiles adds the profiles of a person, newest consent first.
func (w *personWorker) profiles(nodes []groupNode, members []member) {
	p := &w.person
	for i, m := range members {
		n := &nodes[m.node]
		if n.profile == nil {
			continue
		}
		d := decoder{n.profile}
		q := d.profile()
		p.Profiles = append(p.Profiles, snapshot.Profile{
			Node: w.place[i], Tenant: q.tenant, Kind: q.kind, Customer: n.value, Segments: q.segments, Consent: q.consent,
		})
	}
	slices.SortFunc(p.Profiles, func(x, y snapshot.Profile) int {
		return cmp.Or(cmp.Compare(y.Consent.At, x.Consent.At), cmp.Compare(x.Tenant, y.Tenant), bytes.Compare(x.Customer, y.Customer))
	})
}

// identify returns the id and the birth of a person: those of the oldest of
// the previous persons that it is heir of; otherwise it is born now, and its id
// is a keyed hash of its strongest identifier, the one of the strongest kind
// with the smallest hash, and of the snapshot before: so that a person who is
// new in one build never gets the id that another one has kept.
func (w *personWorker) identify(nodes []groupNode, members []member) (snapshot.PersonID, int64) {
	if w.r.g.heirs != nil {
		if a, ok := w.inherit(nodes, members); ok {
			return a.id, a.born
		}
	}
	best := members[0].node
	for _, m := range members[1:] {
		if w.kinds[m.node].Kind.Weight() < w.kinds[best].Kind.Weight() {
			best = m.node
		}
	}
	return snapshot.NewPersonID(w.r.hasher, nodes[best].hash, w.r.salt), w.r.asOf
}
