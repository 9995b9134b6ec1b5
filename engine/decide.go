package engine

import (
	"cmp"
	"slices"

	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/snapshot"
)

// decide makes a, which knows nothing yet, the answer to an identifier that is
// identifier at of the current record: the profiles of tenants that the client
// may see, that a path of fresh links leads to, and whose consent holds. Where
// the identifier is a customer id that a tenant shares, sharer, that customer
// has to be one whom it shares: nobody else leads anywhere.
func (s *Session) decide(b *Batch, a *Answer, tenants bitset, sharer, at int) {
	if sharer != nobody {
		if vouched, damaged := s.vouches(b, sharer, at); !vouched {
			*a = Answer{Reason: Unknown, fault: damaged} // in nothing different from an absent one
			return
		}
	}
	before, r, p := b.mark(), &b.current, &b.profile
	b.paths.reset(r, s.gen, s.oldest)
	b.live.read(s, r)
	profiles := r.Profiles()
	for ordinal := 0; profiles.Next(p); ordinal++ {
		if !tenants.has(int(p.Tenant)) {
			continue
		}
		t := &s.access.tenants[p.Tenant]
		if b.live.some && !b.live.alter(s, p, &b.paths) {
			continue // as if he were not there
		}
		reason := s.consent(p)
		if reason != privacy.Allowed && t.shared {
			continue // who is not shared is not known to be there
		}
		b.paths.work++ // of what is seen alone: a refusal must not tell of the rest
		path, ok := b.paths.strongest(at, int(p.Node))
		if !ok {
			continue
		}
		if !a.known || path.Compare(a.best) < 0 {
			a.best = path
		}
		a.known = true
		if reason != privacy.Allowed {
			a.deny(reason)
			continue
		}
		a.Reason = Matched
		b.append(p, path, ordinal, t)
	}
	a.to = len(b.profiles)
	if profiles.Err() != nil || b.paths.damaged {
		b.cut(before)
		*a = Answer{Reason: Unknown, fault: true}
	} else if !a.known {
		*a = Answer{Reason: Unknown} // in nothing different from an absent one
	}
}

// vouches reports whether identifier at of the current record is a customer
// whom a tenant shares.
func (s *Session) vouches(b *Batch, sharer, at int) (vouched, damaged bool) {
	b.live.read(s, &b.current)
	profiles := b.current.Profiles()
	for profiles.Next(&b.profile) {
		p := &b.profile
		if int(p.Tenant) != sharer || int(p.Node) != at || b.live.some && !b.live.alter(s, p, &b.paths) {
			continue
		}
		if s.consent(p) == privacy.Allowed {
			return true, false
		}
	}
	return false, profiles.Err() != nil
}

// deny notes why a profile does not answer, unless another one does. Of two
// reasons an expired consent says more.
func (a *Answer) deny(reason privacy.Reason) {
	if a.Matched() || a.Reason == ConsentExpired {
		return
	}
	a.Reason = Reason(reason)
}

// append adds a profile that may answer, with the segments that may be seen.
func (b *Batch) append(p *snapshot.Profile, path snapshot.Strength, ordinal int, t *tenantAccess) {
	q := Profile{Tenant: p.Tenant, Kind: p.Kind, Strength: path, Expires: p.Consent.Expires, ordinal: ordinal}
	q.customer.from = len(b.customers)
	if t.customers {
		b.customers = append(b.customers, p.Customer...)
	}
	q.customer.to = len(b.customers)
	q.segments.from = len(b.segments)
	for _, id := range p.Segments {
		if t.allSegments || t.segments.has(int(id)) {
			b.segments = append(b.segments, id)
		}
	}
	q.segments.to = len(b.segments)
	b.profiles = append(b.profiles, q)
}

// Resolve answers ids as one: several identifiers of what the caller takes for
// one visitor. The one with the strongest path to a granted profile decides,
// even where the consent of that profile denies; two persons that tie make the
// answer ambiguous. Where a record is damaged, nobody can say which would have
// won, and the answer is that nothing is known. The answer is in b, which
// Resolve resets, until its next use. The error is that of [Session.Match].
func (s *Session) Resolve(b *Batch, ids [][]byte) (Answer, error) {
	counts := s.counts
	if b.without = b.without[:0]; len(ids) > 1 {
		s.withhold(b, ids)
	}
	if err := s.match(b, ids); err != nil {
		return Answer{Reason: Unknown}, err
	}
	if len(ids) == 1 {
		return b.Answers[0], nil
	}
	a := b.combine()
	if len(b.without) > 0 && !a.Matched() && !a.fault && a.Reason != Suppressed {
		a = Answer{Reason: OptedOut}
	}
	s.counts = counts // one question, one result
	s.counts[a.result()]++
	return a, nil
}

func (b *Batch) combine() Answer {
	if len(b.Answers) == 0 {
		return Answer{Reason: Invalid}
	}
	for i := range b.Answers {
		if b.Answers[i].fault {
			return b.Answers[i]
		}
	}
	win := b.strongest()
	if win < 0 {
		return b.unanswered()
	}
	a := b.Answers[win]
	for i := range b.Answers {
		if o := &b.Answers[i]; o.known && o.person != a.person && o.best == a.best {
			return Answer{Reason: Ambiguous, Asked: win}
		}
	}
	return b.merge(a)
}

// strongest returns the first answer with the strongest path, or -1.
func (b *Batch) strongest() int {
	win := -1
	for i := range b.Answers {
		if a := &b.Answers[i]; a.known && (win < 0 || a.best.Compare(b.Answers[win].best) < 0) {
			win = i
		}
	}
	return win
}

// unanswered is the answer where no identifier leads to a granted profile:
// suppressed, if one of them was not looked up; or else unknown, if one is an
// identifier at all.
func (b *Batch) unanswered() Answer {
	best := 0
	for i := range b.Answers {
		switch have := b.Answers[best].Reason; b.Answers[i].Reason {
		case Suppressed:
			return b.Answers[i]
		case Unknown:
			if have == Invalid {
				best = i
			}
		}
	}
	return b.Answers[best]
}

// merge adds to a what the other identifiers of its person know: profiles that
// they may be asked for, and stronger paths.
func (b *Batch) merge(a Answer) Answer {
	from := len(b.profiles)
	for i := range b.Answers {
		o := &b.Answers[i]
		if !o.known || o.person != a.person {
			continue
		}
		b.profiles = append(b.profiles, b.profiles[o.from:o.to]...)
		if o.Matched() {
			a.Reason = Matched
		} else {
			a.deny(privacy.Reason(o.Reason))
		}
	}
	merged := b.profiles[from:]
	slices.SortFunc(merged, func(x, y Profile) int { return cmp.Or(x.ordinal-y.ordinal, x.Strength.Compare(y.Strength)) })
	merged = slices.CompactFunc(merged, func(x, y Profile) bool { return x.ordinal == y.ordinal })
	b.profiles = b.profiles[:from+len(merged)]
	a.from, a.to = from, len(b.profiles)
	return a
}
