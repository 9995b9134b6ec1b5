package build

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/report"
	"github.com/matchd/matchd/snapshot/build/spill"
	"github.com/matchd/matchd/snapshot/resolve"
)

// resolving cuts the connected sets into persons.
type resolving struct {
	cfg      *config.Config
	ns       *index.Namespaces
	nodes    []resolve.Node // by namespace
	tracer   []bool         // by namespace
	own      []uint16       // by tenant: the source of its own profiles
	sources  []snapshot.Source
	segments []snapshot.Segment
	asOf     int64
	hasher   index.Hasher // of persons' ids
	salt     []byte       // of the ids of new persons; see identify
	g        *grouping
	former   formerHashes

	persons *spill.Store // by the first bits of their ids
	cuts    *spill.Store // by group: lines of quarantine.ndjson
	collect func() *report.Collector

	collected *report.Collector
	result    resolution
}

// resolution counts what came of the sets.
type resolution struct {
	kept, dropped, shared int64 // persons; sets without profile; shared identifiers
	cuts                  [reasons]int64
	lineage               lineage
	live                  LiveReport
	renamed               []snapshot.Renamed // of the persons
}

// reasons is one more than the last of resolve.Reasons, and tooConnected after
// it.
const (
	tooConnected = resolve.TooLarge + 1
	reasons      = tooConnected + 1
)

func reasonName(r resolve.Reason) string {
	if r == tooConnected {
		return "too_connected"
	}
	return r.String()
}

func (r *resolution) add(o *resolution) {
	r.kept += o.kept
	r.dropped += o.dropped
	r.shared += o.shared
	for i, n := range o.cuts {
		r.cuts[i] += n
	}
	r.lineage.add(&o.lineage)
	r.live.add(&o.live)
	r.renamed = append(r.renamed, o.renamed...)
}

func (r *resolving) run(ctx context.Context, s *stage) error {
	r.collected = r.collect()
	err := s.each(ctx, r.g.nodes.Len(), func() (func(int) error, func() error) {
		w := &personWorker{
			r: r, resolver: resolve.NewResolver(r.cfg.Rules), collector: r.collect(),
			persons: r.persons.Writer(), cuts: r.cuts.Writer(),
		}
		return w.group, func() error {
			s.mu.Lock()
			defer s.mu.Unlock()
			r.collected.Merge(w.collector)
			r.result.add(&w.result)
			return errors.Join(w.persons.Close(), w.cuts.Close())
		}
	})
	slices.SortFunc(r.result.renamed, snapshot.Renamed.Compare)
	return errors.Join(err, r.g.nodes.Drop(), r.g.links.Drop())
}

// personWorker resolves one group after the other.
type personWorker struct {
	r             *resolving
	resolver      *resolve.Resolver
	collector     *report.Collector
	persons, cuts *spill.Writer
	result        resolution

	buf     [2][]byte
	keys    []index.Entry // what is sorted
	touched byte          // see touch
	nodes   []groupNode
	links   []groupLink
	found   []groupLink // in the order in which they came

	// Of one set:
	kinds   []resolve.Node
	edges   []resolve.Edge
	edgeOf  []uint32 // by edge: its place among the set's links
	members []member
	inside  []inside // the edges that were not cut, by person
	local   []uint32 // by node of the set: its place in its person
	planner resolve.Planner
	person  snapshot.Person
	own     []resolve.Edge // of the person
	place   []uint32       // by place in its person: the place in its record
	record  []byte
}

// member is a node of a set, and the smallest node of its person.
type member struct{ person, node uint32 }

// inside is an edge within a person, between places in the person, and the
// link that it stands for.
type inside struct {
	person uint32
	edge   resolve.Edge
	link   *groupLink
}

func (w *personWorker) group(i int) error {
	if err := w.load(i); err != nil {
		return err
	}
	nodes, links := w.nodes, w.links
	for len(nodes) > 0 || len(links) > 0 {
		root := ^uint32(0)
		if len(nodes) > 0 {
			root = nodes[0].root
		}
		if len(links) > 0 {
			root = min(root, links[0].root)
		}
		n, l := 0, 0
		for n < len(nodes) && nodes[n].root == root {
			n++
		}
		for l < len(links) && links[l].root == root {
			l++
		}
		if err := w.set(i, nodes[:n], links[:l]); err != nil {
			return err
		}
		nodes, links = nodes[n:], links[l:]
	}
	w.r.g.nodes.Free(i)
	w.r.g.links.Free(i)
	return nil
}

// set resolves one connected set. Links to crowded identifiers, which are not
// in it, and links that are too weak for a set that was too large, are cut.
func (w *personWorker) set(group int, nodes []groupNode, links []groupLink) error {
	withheld := len(w.r.g.n.withheld) > 0
	if withheld {
		links = w.unnamed(links)
	}
	res, whole := w.decide(nodes, links)
	connected := true // as a set is, until identifiers are taken out
	for withheld && w.unreached(&nodes, &links, &res) {
		res, whole = w.decide(nodes, links)
		connected = false
	}
	w.split(links, &res, connected && !res.Cut)
	edges := w.inside
	for list := w.members; len(list) > 0; {
		person := list[0].person
		n, e := 1, 0
		for n < len(list) && list[n].person == person {
			n++
		}
		for e < len(edges) && edges[e].person == person {
			e++
		}
		if err := w.one(nodes, list[:n], edges[:e], &res); err != nil {
			return err
		}
		list, edges = list[n:], edges[e:]
	}
	if !whole || res.Cut {
		return w.quarantine(group, nodes, links, &res)
	}
	return nil
}

// decide resolves a set, and reports whether no link was cut before.
func (w *personWorker) decide(nodes []groupNode, links []groupLink) (res resolve.Result, whole bool) {
	w.kinds, w.edges, w.edgeOf = w.kinds[:0], w.edges[:0], w.edgeOf[:0]
	for i := range nodes {
		w.kinds = append(w.kinds, w.r.nodes[nodes[i].ns])
	}
	whole = true
	for i := range links {
		l := &links[i]
		if l.cut != resolve.Kept {
			whole = false
			continue
		}
		w.edges = append(w.edges, w.edge(nodes, l))
		w.edgeOf = append(w.edgeOf, uint32(i))
	}
	return w.resolver.Resolve(w.kinds, w.edges), whole
}

// split sorts the nodes of a set, and the edges that were not cut, by person. In
// a set that is one person they are in order.
func (w *personWorker) split(links []groupLink, res *resolve.Result, one bool) {
	w.members, w.inside = w.members[:0], w.inside[:0]
	for i, p := range res.Person {
		w.members = append(w.members, member{p, uint32(i)})
	}
	if !one {
		slices.SortFunc(w.members, func(a, b member) int { return cmp.Or(cmp.Compare(a.person, b.person), cmp.Compare(a.node, b.node)) })
	}
	w.local = slices.Grow(w.local[:0], len(res.Person))[:len(res.Person)]
	place := uint32(0)
	for i, m := range w.members {
		if place++; i == 0 || m.person != w.members[i-1].person {
			place = 0
		}
		w.local[m.node] = place
	}
	for i := range w.edges {
		e := w.edges[i]
		if res.Cuts[i] == resolve.Kept {
			in := inside{person: res.Person[e.A], edge: e, link: &links[w.edgeOf[i]]}
			in.edge.A, in.edge.B = w.local[e.A], w.local[e.B]
			w.inside = append(w.inside, in)
		}
	}
	if !one {
		slices.SortStableFunc(w.inside, func(a, b inside) int { return cmp.Compare(a.person, b.person) })
	}
}

// edge turns a link into one between places in its set.
func (w *personWorker) edge(nodes []groupNode, l *groupLink) resolve.Edge {
	a, b := placeOf(nodes, l.a), placeOf(nodes, l.b)
	return resolve.Edge{
		A: uint32(a), B: uint32(b), Method: l.method, Source: l.source, Seen: l.last,
		Ages: w.r.tracer[nodes[a].ns] || w.r.tracer[nodes[b].ns],
	}
}

// placeOf returns the place of a number in a set.
func placeOf(nodes []groupNode, number uint32) int {
	at, _ := slices.BinarySearchFunc(nodes, number, func(n groupNode, number uint32) int { return cmp.Compare(n.number, number) })
	return at
}
