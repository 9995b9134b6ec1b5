package resolve

import (
	"cmp"
	"slices"

	"github.com/matchd/matchd/snapshot"
)

// support says that a source links a contested set to somebody.
type support struct {
	set, to uint32 // roots
	source  uint16
	method  snapshot.Method
}

// confirmed is how many independent sources make a claim certain where
// nobody else has more than one.
const confirmed = 2

// grant gives contested sets to whom at least two independent sources link
// them, links of every method counted, where one alone speaks for anybody
// else: one wrong row does not take a device from somebody whom a login, a
// cookie sync and a device graph agree on. It reports whether there are any,
// so that what hangs on them is to be resolved again.
func (r *Resolver) grant(edges []Edge) (some bool) {
	if len(r.contested) == 0 {
		return false
	}
	r.listSupport(edges)
	for list := r.support; len(list) > 0; {
		n := 1
		for n < len(list) && list[n].set == list[0].set {
			n++
		}
		if to, ok := r.agreed(list[:n]); ok {
			some = true
			anchor := r.anchor(to)
			r.members(list[0].set, func(node uint32) bool { r.granted[node] = anchor + 1; return true })
		}
		list = list[n:]
	}
	return some
}

// listSupport lists who is linked to each contested set, by which sources.
func (r *Resolver) listSupport(edges []Edge) {
	slices.Sort(r.contested)
	r.support = r.support[:0]
	for i := range r.pairs {
		p := &r.pairs[i]
		if p.reason == Kept || p.reason == TooMany {
			continue
		}
		a, b := r.sets.Find(p.a), r.sets.Find(p.b)
		for _, x := range [2][2]uint32{{a, b}, {b, a}} {
			if _, contested := slices.BinarySearch(r.contested, x[0]); !contested || r.has[x[1]]&^deviceBit == 0 || r.shared[x[1]] {
				continue
			}
			for k := range p.n {
				r.support = append(r.support, support{x[0], x[1], edges[p.first+k].Source, edges[p.first+k].Method})
			}
		}
	}
	slices.SortFunc(r.support, func(x, y support) int {
		return cmp.Or(cmp.Compare(x.set, y.set), cmp.Compare(x.to, y.to), cmp.Compare(x.source, y.source), cmp.Compare(x.method, y.method))
	})
	r.support = slices.CompactFunc(r.support, func(x, y support) bool { return x.set == y.set && x.to == y.to && x.source == y.source })
}

// agreed returns whom the sources that speak for one set agree on, if nobody
// else has a stronger method on his side.
func (r *Resolver) agreed(list []support) (to uint32, ok bool) {
	best, second := 0, 0
	var method, others snapshot.Method = snapshot.Inferred, snapshot.Inferred
	for i := 0; i < len(list); {
		n, strongest := 0, snapshot.Inferred
		for i+n < len(list) && list[i+n].to == list[i].to {
			strongest = min(strongest, list[i+n].method)
			n++
		}
		if n > best {
			others = min(others, method)
			best, second, to, method = n, best, list[i].to, strongest
		} else {
			second, others = max(second, n), min(others, strongest)
		}
		i += n
	}
	return to, best >= confirmed && second < confirmed && method <= others
}

// anchor returns the smallest anchor of a set that has some.
func (r *Resolver) anchor(root uint32) uint32 {
	anchor := ^uint32(0)
	r.members(root, func(n uint32) bool {
		if r.nodes[n].Kind != Device {
			anchor = min(anchor, n)
		}
		return true
	})
	return anchor
}
