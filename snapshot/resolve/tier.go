package resolve

import (
	"cmp"
	"slices"

	"github.com/matchd/matchd/snapshot"
)

// claim is a link by which a set that has somebody claims one that has nobody.
// A link to a shared identifier claims for nobody.
type claim struct {
	set  uint32 // the root of the set that is claimed, as the round begins
	pair uint32 // its place among the pairs of the tier
	by   uint32 // the node of the pair that claims
	best uint32 // 1 + the strongest pair that claims the set
}

// tier joins what the links of one tier join, from the strongest to the
// weakest: first anchors among themselves, then devices, outwards from the
// anchors.
func (r *Resolver) tier(pairs []pair) {
	r.settle(pairs, customerBit, r.anchors)
	for i := range pairs {
		if p := &pairs[i]; r.anchors(p) {
			r.meet(p)
		}
	}
	r.settle(pairs, customerBit|contactBits, func(*pair) bool { return true })
	for i := range pairs {
		r.meet(&pairs[i])
	}
}

// anchors reports whether a link is one between anchors.
func (r *Resolver) anchors(p *pair) bool {
	return r.nodes[p.a].Kind != Device && r.nodes[p.b].Kind != Device
}

// strong reports whether a link says of two anchors, authenticated, that they
// are one person's.
func (r *Resolver) strong(p *pair) bool {
	return r.anchors(p) && p.strength.Method == snapshot.Authenticated
}

// settle gives sets that have none of the kinds in has to the sets that have
// some and claim them, in rounds: what is given in one round claims in the
// next.
func (r *Resolver) settle(pairs []pair, has uint8, use func(*pair) bool) {
	for r.claim(pairs, has, use) {
		for list := r.claims; len(list) > 0; {
			n := 1
			for n < len(list) && list[n].set == list[0].set {
				n++
			}
			r.give(pairs, list[:n])
			list = list[n:]
		}
	}
}

// claim lists the claims of a round, those of a set together: sets from the one
// with the strongest claim on, and each set's claims from the strongest on. It
// reports whether somebody claims something.
func (r *Resolver) claim(pairs []pair, has uint8, use func(*pair) bool) (some bool) {
	r.claims = r.claims[:0]
	for i := range pairs {
		p := &pairs[i]
		if p.reason != Kept || !use(p) {
			continue
		}
		a, b := r.sets.Find(p.a), r.sets.Find(p.b)
		free, by := a, p.b
		if r.has[b]&has == 0 && !r.shared[b] {
			free, by = b, p.a
		}
		other := r.sets.Find(by)
		switch {
		case a == b || r.has[free]&has != 0 || r.shared[free]:
		case r.shared[other]:
			r.addClaim(free, uint32(i), by)
		case r.has[other]&has == 0:
		case r.differ(a, b) > 0 && !r.strong(p):
			p.reason = Different
		default:
			r.addClaim(free, uint32(i), by)
			some = true
		}
	}
	slices.SortFunc(r.claims, func(x, y claim) int { return cmp.Or(cmp.Compare(x.best, y.best), cmp.Compare(x.pair, y.pair)) })
	for _, c := range r.claims {
		r.best[c.set] = 0
	}
	return some
}

func (r *Resolver) addClaim(set, pair, by uint32) {
	if r.best[set] == 0 {
		r.best[set] = pair + 1
	}
	r.claims = append(r.claims, claim{set, pair, by, r.best[set]})
}

// give joins a set to whoever claims it. Where several do it is contested, and
// serves nobody, unless it was granted to one of them or the rules give it to
// the latest. It decides every claim, but where nobody claims the set.
func (r *Resolver) give(pairs []pair, claims []claim) {
	if !slices.ContainsFunc(claims, func(c claim) bool { return !r.shared[c.by] }) {
		return
	}
	to := claims[0].by
	several := slices.ContainsFunc(claims, func(c claim) bool { return r.sets.Find(c.by) != r.sets.Find(to) })
	if several {
		root := r.sets.Find(claims[0].set)
		anchor := r.granted[claims[0].set]
		switch {
		case anchor != 0 && slices.ContainsFunc(claims, func(c claim) bool { return r.sets.Find(c.by) == r.sets.Find(anchor-1) }):
			to = anchor - 1
		case r.rules.Shared == SharedLatest && r.first(pairs, claims):
		default:
			r.contested = append(r.contested, root)
			r.share(root)
			for _, c := range claims {
				pairs[c.pair].reason = SharedID
			}
			return
		}
	}
	for _, c := range claims {
		p := &pairs[c.pair]
		switch {
		case r.sets.Find(c.by) != r.sets.Find(to):
			p.reason = SharedID
		case r.shared[c.by] || r.sets.Find(c.by) == r.sets.Find(c.set):
		case !r.fits(p.a, p.b):
			p.reason = TooLarge
		default:
			r.join(p.a, p.b)
		}
	}
}

// first reports whether the first claim is somebody's, and stronger than that
// of anybody else.
func (r *Resolver) first(pairs []pair, claims []claim) bool {
	best := &pairs[claims[0].pair]
	for _, c := range claims[1:] {
		p := &pairs[c.pair]
		if r.sets.Find(c.by) != r.sets.Find(claims[0].by) && p.strength == best.strength && p.sources == best.sources {
			return false
		}
	}
	return !r.shared[claims[0].by]
}

// meet decides a link between two sets that both have somebody, or both
// nobody. A link that says of two anchors, authenticated, that they are one is
// strong: it yields only where a tenant's own records tell the two apart, and
// not even there if it names both records.
func (r *Resolver) meet(p *pair) {
	a, b := r.sets.Find(p.a), r.sets.Find(p.b)
	if a == b || p.reason != Kept {
		return
	}
	somebody := r.has[a]&^deviceBit != 0 && r.has[b]&^deviceBit != 0
	customers := r.has[a]&r.has[b]&customerBit != 0
	names := r.nodes[p.a].Kind == Customer && r.nodes[p.b].Kind == Customer
	switch {
	case r.shared[p.a] || r.shared[p.b]:
		p.reason = SharedID
	case r.strong(p) && (names || !r.sameTenant(a, b) || r.differ(a, b) == 0):
	case somebody && (r.differ(a, b) > 0 || r.sameTenant(a, b)):
		p.reason = Different
	case somebody && (customers || !r.anchors(p)):
		p.reason = Weak
	}
	if p.reason == Kept && !r.fits(a, b) {
		p.reason = TooLarge
	}
	if p.reason == Kept {
		r.join(a, b)
	}
}
