package quality

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// errTwice says that the snapshot is not one of a sound build.
var errTwice = errors.New("an identifier is in two persons of the snapshot, or twice in one: run matchd verify")

// scan calls take with the numbers of the known identifiers of each person of
// the snapshot, and how many unknown ones it holds.
func (g *graph) scan(ctx context.Context, s *snapshot.Snapshot, take func(known []uint32, unknown int64) error) error {
	var known []uint32
	var key []byte
	for shard := range s.RecordShards {
		for person, err := range s.Persons(shard, index.Hasher{}) { // any hasher: the hashes are not looked at
			if err == nil {
				err = context.Cause(ctx)
			}
			if err != nil {
				return err
			}
			known = known[:0]
			for i := range person.Nodes {
				node := &person.Nodes[i]
				key = s.Namespaces.AppendKeyOf(key[:0], node.Namespace, node.Value)
				if n, ok := g.numbers[string(key)]; ok && len(g.of(n)) > 0 {
					known = append(known, n)
				}
			}
			if err := take(known, int64(len(person.Nodes)-len(known))); err != nil {
				return err
			}
		}
	}
	return nil
}

// precision is what the persons of the snapshot come to, as they are scanned.
type precision struct {
	g      *graph
	report *Report
	wrong  *spacePairs
	mixed  []mixedPerson

	tally   []uint32 // by true person: its unshared identifiers in this person
	touched []uint32 // true persons
	mark    []uint32 // by true person: the last round of sharing that counted it
	round   uint32
}

// mixedPerson is a person with wrong pairs.
type mixedPerson struct {
	group uint32
	Mixed
}

func newPrecision(g *graph, report *Report, namespaces *index.Namespaces) *precision {
	return &precision{
		g: g, report: report, wrong: newSpacePairs(namespaces.Len()),
		tally: make([]uint32, len(g.names)), mark: make([]uint32, len(g.names)),
	}
}

// take counts a person of the snapshot.
func (p *precision) take(known []uint32, unknown int64) error {
	g, r := p.g, p.report
	r.Held.Persons++
	r.Held.Unknown += unknown
	for _, i := range known {
		if g.group[i] != 0 {
			return errTwice
		}
		g.group[i] = uint32(r.Held.Persons)
		if g.unshared(i) {
			t := g.of(i)[0]
			if p.tally[t] == 0 {
				p.touched = append(p.touched, t)
			}
			p.tally[t]++
		}
	}
	p.count(known, unknown)
	for _, t := range p.touched {
		p.tally[t] = 0
	}
	p.touched = p.touched[:0]
	return nil
}

// count counts the pairs of a person whose unshared identifiers are tallied.
func (p *precision) count(known []uint32, unknown int64) {
	g, r := p.g, p.report
	unshared, right := int64(0), int64(0)
	for _, t := range p.touched {
		unshared += int64(p.tally[t])
		right += pairs(int64(p.tally[t]))
	}
	shared := int64(len(known)) - unshared
	r.Held.Unshared += unshared
	r.Held.Shared += shared
	r.Unshared.Paired += pairs(unshared)
	r.Unshared.Right += right
	r.Shared.Paired += shared * unshared
	for _, i := range known {
		if g.shared(i) {
			for _, t := range g.of(i) {
				r.Shared.Right += int64(p.tally[t])
			}
		}
	}
	wrong := pairs(unshared) - right
	if wrong == 0 {
		return
	}
	r.Wrong.Pairs += wrong
	r.Wrong.Persons++
	r.Wrong.BySharing += p.bySharing(known)
	p.byNamespace(known)
	p.mixed = append(p.mixed, mixedPerson{group: uint32(r.Held.Persons), Mixed: Mixed{
		Identifiers: int64(len(known)) + unknown, Shared: shared, Unknown: unknown,
		Persons: int64(len(p.touched)), Wrong: wrong,
	}})
}

// bySharing counts the wrong pairs of two true persons who share an identifier
// among known.
func (p *precision) bySharing(known []uint32) (n int64) {
	type owner struct{ person, identifier uint32 }
	var owners []owner
	for _, i := range known {
		if p.g.shared(i) {
			for _, t := range p.g.of(i) {
				if p.tally[t] > 0 {
					owners = append(owners, owner{t, i})
				}
			}
		}
	}
	slices.SortFunc(owners, func(x, y owner) int { return cmp.Compare(x.person, y.person) })
	for at, o := range owners {
		if at == 0 || o.person != owners[at-1].person {
			p.round++
		}
		for _, t := range p.g.of(o.identifier) {
			if t > o.person && p.mark[t] != p.round {
				p.mark[t] = p.round
				n += int64(p.tally[o.person]) * int64(p.tally[t])
			}
		}
	}
	return n
}

// byNamespace adds the wrong pairs among known by their namespaces.
func (p *precision) byNamespace(known []uint32) {
	g := p.g
	unshared := slices.DeleteFunc(slices.Clone(known), g.shared)
	p.wrong.add(g.ids, unshared, 1)
	for _, part := range g.parts(unshared, func(i uint32) uint32 { return g.of(i)[0] }) {
		p.wrong.add(g.ids, part, -1)
	}
}

// parts cuts identifiers, which it sorts, into those of one label, the largest
// part first, and the lowest label first among parts of one size.
func (g *graph) parts(identifiers []uint32, label func(uint32) uint32) (out [][]uint32) {
	slices.SortFunc(identifiers, func(x, y uint32) int {
		return cmp.Or(cmp.Compare(label(x), label(y)), cmp.Compare(g.keys[x], g.keys[y]))
	})
	for from := 0; from < len(identifiers); {
		to := from + 1
		for to < len(identifiers) && label(identifiers[to]) == label(identifiers[from]) {
			to++
		}
		out = append(out, identifiers[from:to])
		from = to
	}
	slices.SortStableFunc(out, func(x, y []uint32) int { return cmp.Compare(len(y), len(x)) })
	return out
}
