package persons

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/resolve"
)

// resolve makes groups of the set: one of all that hangs together and that a live
// link, or one that was withdrawn, touches. What none touches is as the snapshot
// says. Of a set that could not be read whole, all is one group and nobody's.
func (s *set) resolve() ([]*Group, error) {
	if s.failed {
		g := &Group{}
		for i := range s.nodes {
			g.members = append(g.members, member{hash: s.nodes[i].hash, person: -1})
		}
		s.keep(g, func(int) bool { return true })
		return []*Group{g}, nil
	}
	s.links = slices.DeleteFunc(s.links, func(l link) bool {
		if l.source == s.LiveSource() {
			return s.crowd
		}
		until, cut := s.cuts[l.pair]
		return cut && l.last <= until
	})
	together := resolve.Sets(make([]uint32, len(s.nodes)))
	s.join(together)
	parts := map[uint32][]int{}
	touched := map[uint32]bool{}
	for i := range s.nodes {
		root := together.Find(uint32(i))
		parts[root] = append(parts[root], i)
		touched[root] = touched[root] || s.nodes[i].touched
	}
	var list []*Group
	for root, places := range parts {
		if !touched[root] {
			continue
		}
		g, err := s.group(places)
		if err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	return list, nil
}

// join unites what stays together: a person of the snapshot, of whom a part may
// be nobody's now, and what links connect.
func (s *set) join(sets resolve.Sets) {
	first := slices.Repeat([]int{-1}, len(s.origin))
	for i := range s.nodes {
		from := s.nodes[i].from
		if from < 0 {
			continue
		}
		if first[from] < 0 {
			first[from] = i
		}
		sets.Join(uint32(first[from]), uint32(i))
	}
	for _, l := range s.links {
		sets.Join(uint32(l.a), uint32(l.b))
	}
}

// keep gives a group the keys of what is in it: of the snapshot's persons, and
// of identifiers beside them.
func (s *set) keep(g *Group, in func(place int) bool) {
	known := make([]bool, len(s.origin))
	for i := range s.nodes {
		switch from := s.nodes[i].from; {
		case !in(i):
		case from < 0:
			g.keys = append(g.keys, s.nodes[i].hash)
		default:
			known[from] = true
		}
	}
	for i, o := range s.origin {
		if known[i] || s.failed {
			g.keys = append(g.keys, idKey(o.id))
		}
	}
	slices.SortFunc(g.members, func(a, b member) int { return a.hash.Compare(b.hash) })
}

// part is identifiers of the set that are resolved together.
type part struct {
	*set
	places []int // in the set, ascending by hash
	local  map[int]uint32
	kinds  []resolve.Node
	links  []link // whose ends are local
	edges  []resolve.Edge
	heirs  []int // by origin: the local place of its strongest identifier, or -1
}

func (s *set) group(places []int) (*Group, error) {
	p := &part{set: s, places: places, local: map[int]uint32{}}
	p.number()
	res := resolve.NewResolver(s.rules).Resolve(p.kinds, p.edges)
	people := map[uint32][]uint32{}
	for i, person := range res.Person {
		people[person] = append(people[person], uint32(i))
	}
	g := &Group{}
	at := make([]member, len(places))
	for i, place := range places {
		at[i] = member{hash: s.nodes[place].hash, person: -1}
	}
	for root := range uint32(len(places)) {
		members := people[root]
		if len(members) == 0 || res.Shared[root] || !slices.ContainsFunc(members, func(i uint32) bool { return p.node(i).profile != nil }) {
			continue
		}
		whole := p.assemble(members)
		record, cold, err := s.Compose(whole)
		if err != nil {
			return nil, err
		}
		for i := range whole.Nodes {
			m, _ := slices.BinarySearchFunc(at, whole.Nodes[i].Hash, func(m member, h index.Hash) int { return m.hash.Compare(h) })
			at[m].person, at[m].at = len(g.persons), i
		}
		live := slices.ContainsFunc(whole.Links, func(l snapshot.Link) bool { return l.Source == s.LiveSource() })
		g.persons = append(g.persons, &Person{Record: record, Cold: cold, Live: live})
	}
	g.members = at
	s.keep(g, func(place int) bool { _, ok := p.local[place]; return ok })
	return g, nil
}

func (p *part) node(local uint32) *node { return &p.nodes[p.places[local]] }

// number puts the identifiers in the order in which a build numbers them, and the
// links between them in that of the resolver.
func (p *part) number() {
	slices.SortFunc(p.places, func(a, b int) int { return p.nodes[a].hash.Compare(p.nodes[b].hash) })
	p.heirs = slices.Repeat([]int{-1}, len(p.origin))
	for i, place := range p.places {
		n := &p.nodes[place]
		p.local[place] = uint32(i)
		p.kinds = append(p.kinds, p.world.kinds[n.ns])
		if n.from < 0 {
			continue
		}
		if heir := p.heirs[n.from]; heir < 0 || p.kinds[i].Kind.Weight() < p.kinds[heir].Kind.Weight() {
			p.heirs[n.from] = i
		}
	}
	for _, l := range p.set.links {
		a, ok := p.local[l.a]
		if !ok {
			continue
		}
		b := p.local[l.b]
		l.pair = pair{int(min(a, b)), int(max(a, b))}
		p.links = append(p.links, l)
	}
	slices.SortFunc(p.links, func(x, y link) int {
		return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b), cmp.Compare(x.method, y.method), cmp.Compare(x.source, y.source))
	})
	for _, l := range p.links {
		p.edges = append(p.edges, resolve.Edge{
			A: uint32(l.a), B: uint32(l.b), Method: l.method, Source: l.source, Seen: l.last,
			Ages: p.Tracer(p.node(uint32(l.a)).ns) || p.Tracer(p.node(uint32(l.b)).ns),
		})
	}
}

// assemble lays a person out, of some identifiers and the links between them,
// of which none was cut.
func (p *part) assemble(members []uint32) *snapshot.Person {
	inner := map[uint32]uint32{} // places among members
	for i, m := range members {
		inner[m] = uint32(i)
	}
	var links []link
	var edges []resolve.Edge
	for i, l := range p.links {
		a, ok := inner[uint32(l.a)]
		b, both := inner[uint32(l.b)]
		if !ok || !both {
			continue
		}
		e := p.edges[i]
		e.A, e.B = a, b
		links, edges = append(links, l), append(edges, e)
	}
	var planner resolve.Planner
	tree, spares := planner.Backbone(len(members), edges)
	root := slices.IndexFunc(members, func(m uint32) bool { return p.node(m).profile != nil })
	rooted := planner.Root(len(members), edges, tree, uint32(root))

	out := &snapshot.Person{}
	place := make([]uint32, len(members)) // in the record
	for at, i := range rooted.Order {
		n := p.node(members[i])
		place[i] = uint32(at)
		own := snapshot.Node{Hash: n.hash, Namespace: n.ns, Value: n.value, Parent: rooted.Parent[at]}
		if e := rooted.Edge[at]; e >= 0 {
			own.Method, own.Source, own.Seen = edges[e].Method, edges[e].Source, edges[e].Seen
		} else {
			own.Seen, _ = snapshot.DayOf(p.AsOf) // its tenant says that it is there
		}
		out.Nodes = append(out.Nodes, own)
	}
	for _, e := range spares {
		a, b := place[edges[e].A], place[edges[e].B]
		out.Spares = append(out.Spares, snapshot.Spare{A: min(a, b), B: max(a, b), Method: edges[e].Method, Seen: edges[e].Seen})
	}
	for i, l := range links {
		a, b := place[edges[i].A], place[edges[i].B]
		out.Links = append(out.Links, snapshot.Link{A: min(a, b), B: max(a, b), Method: l.method, Source: l.source, First: l.first, Last: l.last})
	}
	p.profiles(out, members, place)
	out.ID, out.Born = p.identify(members, links)
	return out
}

// profiles adds the profiles of a person, newest consent first.
func (p *part) profiles(out *snapshot.Person, members, place []uint32) {
	for i, m := range members {
		if q := p.node(m).profile; q != nil {
			own := *q
			own.Node = place[i]
			out.Profiles = append(out.Profiles, own)
		}
	}
	slices.SortFunc(out.Profiles, func(x, y snapshot.Profile) int {
		return cmp.Or(cmp.Compare(y.Consent.At, x.Consent.At), cmp.Compare(x.Tenant, y.Tenant), bytes.Compare(x.Customer, y.Customer))
	})
}

// identify returns the id and the birth of a person, as a build would.
func (p *part) identify(members []uint32, links []link) (snapshot.PersonID, int64) {
	var oldest *origin
	for i, heir := range p.heirs {
		if _, ok := slices.BinarySearch(members, uint32(heir)); heir < 0 || !ok {
			continue
		}
		if o := &p.origin[i]; oldest == nil || cmp.Or(cmp.Compare(o.born, oldest.born), bytes.Compare(o.id[:], oldest.id[:])) < 0 {
			oldest = o
		}
	}
	if oldest != nil {
		return oldest.id, oldest.born
	}
	best := members[0]
	for _, m := range members[1:] {
		if p.kinds[m].Kind.Weight() < p.kinds[best].Kind.Weight() {
			best = m
		}
	}
	born := p.AsOf.Unix()
	for _, l := range links {
		if l.source == p.LiveSource() {
			born = max(born, l.last.Time().Unix())
		}
	}
	return snapshot.NewPersonID(p.ids, p.node(best).hash, p.ID[:]), born
}
