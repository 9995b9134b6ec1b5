package build

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"iter"
	"slices"
	"strings"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/resolve"
)

// persons is the graph cut into persons: connected sets of identifiers.
type persons struct {
	g        *graph
	cfg      *config.Config
	ns       *index.Namespaces
	tracer   []bool
	own      []uint16 // by tenant: the source of its own profiles
	born     int64
	profiles []profile // by node
	profile  []int32   // by node: its place in profiles, or -1

	set     []uint32 // by node: the number of its set
	place   []uint32 // by node: its place in its set
	members []uint32 // nodes, set by set, ascending
	first   []uint32 // by set: where its members begin; one more at the end
	links   []uint32 // places in g.links, set by set, ascending
	firstL  []uint32 // as first, for links

	kept []keptPerson // ascending by id
}

type keptPerson struct {
	id  snapshot.PersonID
	set uint32
}

// gather cuts the graph, whose links have been merged, into persons.
func (p *persons) gather(hasher index.Hasher, workers int) {
	n := len(p.g.hashes)
	p.profile = make([]int32, n)
	for i := range p.profile {
		p.profile[i] = -1
	}
	for i := range p.profiles {
		p.profile[p.profiles[i].node] = int32(i)
	}
	p.cut()
	for set := range uint32(len(p.first) - 1) {
		if id, ok := p.identify(hasher, set); ok {
			p.kept = append(p.kept, keptPerson{id, set})
		}
	}
	parallelSort(p.kept, workers, func(a, b keptPerson) int { return bytes.Compare(a.id[:], b.id[:]) })
}

// cut joins what links connect and lists members and links set by set. Sets
// are numbered by their smallest node.
func (p *persons) cut() {
	n := len(p.g.hashes)
	joined := make(resolve.Sets, n)
	for i := range p.g.links {
		joined.Join(p.g.links[i].a, p.g.links[i].b)
	}
	p.set, p.place = make([]uint32, n), make([]uint32, n)
	var sizes []uint32
	for i := range uint32(n) {
		root := joined.Find(i)
		if root == i {
			p.set[i] = uint32(len(sizes))
			sizes = append(sizes, 0)
		}
		p.set[i] = p.set[root]
		p.place[i] = sizes[p.set[i]]
		sizes[p.set[i]]++
	}
	p.first = starts(sizes)
	p.members = make([]uint32, n)
	for i := range uint32(n) {
		p.members[p.first[p.set[i]]+p.place[i]] = i
	}
	clear(sizes)
	for i := range p.g.links {
		sizes[p.set[p.g.links[i].a]]++
	}
	p.firstL = starts(sizes)
	next := slices.Clone(p.firstL)
	p.links = make([]uint32, len(p.g.links))
	for i := range p.g.links {
		set := p.set[p.g.links[i].a]
		p.links[next[set]] = uint32(i)
		next[set]++
	}
}

// starts turns sizes into where each part begins, with the end as one more.
func starts(sizes []uint32) []uint32 {
	out := make([]uint32, len(sizes)+1)
	for i, n := range sizes {
		out[i+1] = out[i] + n
	}
	return out
}

func (p *persons) membersOf(set uint32) []uint32 { return p.members[p.first[set]:p.first[set+1]] }

func (p *persons) linksOf(set uint32) []uint32 { return p.links[p.firstL[set]:p.firstL[set+1]] }

// identify returns the id of a set's person: a keyed hash of its strongest
// identifier, the one of the strongest namespace with the smallest hash. A set
// without a profile is no person unless the config keeps those, and an
// identifier alone never is one.
func (p *persons) identify(hasher index.Hasher, set uint32) (id snapshot.PersonID, ok bool) {
	members := p.membersOf(set)
	best, known := members[0], false
	for _, m := range members {
		known = known || p.profile[m] >= 0
		if p.weight(m) < p.weight(best) {
			best = m
		}
	}
	if !known && (!p.cfg.KeepAnonymous || len(members) < 2) {
		return id, false
	}
	h := p.g.hashes[best]
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], h.Hi)
	binary.BigEndian.PutUint64(b[8:], h.Lo)
	sum := hasher.Sum(b[:])
	binary.BigEndian.PutUint64(id[:], sum.Hi)
	binary.BigEndian.PutUint64(id[8:], sum.Lo)
	return id, true
}

// weight orders namespaces by how well their identifiers stand for a person;
// less is better.
func (p *persons) weight(node uint32) int {
	switch name := p.ns.At(p.g.spaces[node]).Name; {
	case strings.HasPrefix(name, index.CRMPrefix):
		return 0
	case name == index.EmailSHA256:
		return 1
	case name == index.PhoneSHA256:
		return 2
	case name == index.PostalHash:
		return 3
	}
	return 4
}

// shard yields the persons of one record shard, ascending by id.
func (p *persons) shard(shard, shards int) iter.Seq[*snapshot.Person] {
	return func(yield func(*snapshot.Person) bool) {
		at, _ := slices.BinarySearchFunc(p.kept, shard, func(k keptPerson, shard int) int {
			return cmp.Compare(snapshot.RecordShard(k.id, shards), shard)
		})
		for _, k := range p.kept[at:] {
			if snapshot.RecordShard(k.id, shards) != shard || !yield(p.assemble(k)) {
				return
			}
		}
	}
}

// assemble makes the person that a set is.
func (p *persons) assemble(k keptPerson) *snapshot.Person {
	members, links := p.membersOf(k.set), p.linksOf(k.set)
	edges := make([]resolve.Edge, len(links))
	for i, at := range links {
		l := &p.g.links[at]
		edges[i] = resolve.Edge{
			A: p.place[l.a], B: p.place[l.b], Method: l.method, Source: l.source, Seen: l.last,
			Ages: p.tracer[p.g.spaces[l.a]] || p.tracer[p.g.spaces[l.b]],
		}
	}
	tree, spares := resolve.Backbone(len(members), edges)
	rooted := resolve.Root(len(members), edges, tree, p.root(members))
	out := &snapshot.Person{ID: k.id, Born: p.born, Nodes: make([]snapshot.Node, len(members))}
	to := make([]uint32, len(members)) // places in the set to places in Nodes
	for at, m := range rooted.Order {
		to[m] = uint32(at)
		out.Nodes[at] = p.node(members[m], rooted.Parent[at])
		if e := rooted.Edge[at]; e >= 0 {
			n := &out.Nodes[at]
			n.Method, n.Source, n.Seen = edges[e].Method, edges[e].Source, edges[e].Seen
		}
	}
	for _, e := range spares {
		a, b := to[edges[e].A], to[edges[e].B]
		out.Spares = append(out.Spares, snapshot.Spare{A: min(a, b), B: max(a, b), Method: edges[e].Method, Seen: edges[e].Seen})
	}
	for i, at := range links {
		l := &p.g.links[at]
		a, b := to[edges[i].A], to[edges[i].B]
		out.Links = append(out.Links, snapshot.Link{A: min(a, b), B: max(a, b), Method: l.method, Source: l.source, First: l.first, Last: l.last})
	}
	slices.SortFunc(out.Links, func(x, y snapshot.Link) int {
		return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B), cmp.Compare(x.Method, y.Method), cmp.Compare(x.Source, y.Source))
	})
	out.Profiles = p.profilesOf(members, to)
	return out
}

// root is the place of the first profile, or of the first identifier.
func (p *persons) root(members []uint32) uint32 {
	i := slices.IndexFunc(members, func(m uint32) bool { return p.profile[m] >= 0 })
	return uint32(max(i, 0))
}

// node returns a node without its link. Where it stands alone it is a profile
// that nothing was linked to: the tenant's own file says so.
func (p *persons) node(m, parent uint32) snapshot.Node {
	n := snapshot.Node{Hash: p.g.hashes[m], Namespace: p.g.spaces[m], Value: p.g.value(m), Parent: parent}
	if i := p.profile[m]; i >= 0 {
		q := &p.profiles[i]
		n.Method, n.Seen = snapshot.Authenticated, q.seen
		n.Source = p.own[q.tenant]
	}
	return n
}

// profilesOf returns the profiles of a person, newest consent first.
func (p *persons) profilesOf(members, to []uint32) []snapshot.Profile {
	var out []snapshot.Profile
	for i, m := range members {
		at := p.profile[m]
		if at < 0 {
			continue
		}
		q := &p.profiles[at]
		out = append(out, snapshot.Profile{
			Node: to[i], Tenant: q.tenant, Kind: q.kind, Customer: p.g.value(m), Segments: q.segments, Consent: q.consent,
		})
	}
	slices.SortFunc(out, func(x, y snapshot.Profile) int {
		return cmp.Or(cmp.Compare(y.Consent.At, x.Consent.At), cmp.Compare(x.Tenant, y.Tenant), bytes.Compare(x.Customer, y.Customer))
	})
	return out
}
