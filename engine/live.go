package engine

import (
	"slices"
	"time"

	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// may returns the tenants that an identifier may be used for: those that the
// client may ask for by it, but for those that it is withheld from. told reports
// whether the client may be told that somebody opted out.
func (s *Session) may(b *Batch, t *slot) (asks bitset, told bool) {
	b.live.asked = false
	if t.state == slotInvalid || t.state == slotSuppressed {
		return nil, false
	}
	asks = s.access.asks[t.namespace]
	if s.live == nil {
		return asks, false
	}
	var e overlay.Entry
	changed := t.changed
	if changed {
		e, changed = s.live.Get(t.hash)
	}
	b.live.asked = changed
	if !changed && len(b.without) == 0 && len(b.former) == 0 {
		return asks, false
	}
	b.live.asks = append(b.live.asks[:0], asks...)
	for i := range s.gen.Tenants {
		if !asks.has(i) {
			continue
		}
		if b.without.has(i) {
			b.live.asks.remove(i)
		}
		name := s.gen.Tenants[i].Name
		withheld, optedOut := s.formerly(b, t, name)
		if changed && e.Withheld(name) {
			withheld, optedOut = true, optedOut || e.OptedOut(name)
		}
		if withheld {
			b.live.asks.remove(i)
			told = told || optedOut && !s.access.tenants[i].shared
		}
	}
	return b.live.asks, told
}

func (s bitset) remove(i int) {
	if i/64 < len(s) {
		s[i/64] &^= 1 << (i % 64)
	}
}

// withhold notes the tenants for which one of several identifiers of one
// visitor is opted out: then none of them is used for these.
func (s *Session) withhold(b *Batch, ids [][]byte) {
	if s.live == nil {
		return
	}
	for _, id := range ids {
		var ns index.NamespaceID
		var err error
		if b.key, ns, err = s.gen.Namespaces.AppendKey(b.key[:0], id); err != nil {
			continue
		}
		s.withholdBy(b, ns, s.gen.hasher.Sum(b.key))
		for _, former := range s.gen.former {
			s.withholdBy(b, ns, former.Sum(b.key))
		}
	}
}

// withholdBy is withhold for one hash of an identifier.
func (s *Session) withholdBy(b *Batch, ns index.NamespaceID, h index.Hash) {
	e, ok := s.live.Get(h)
	if !ok {
		return
	}
	for i := range s.gen.Tenants {
		if s.access.asks[ns].has(i) && !s.access.tenants[i].shared && e.OptedOut(s.gen.Tenants[i].Name) {
			b.without.add(i)
		}
	}
}

// liveRecord is the live changes of a record's identifiers.
type liveRecord struct {
	some  bool
	asked bool            // something hangs on the identifier that is asked
	nodes []overlay.Entry // by place; read where there are some
	asks  bitset          // of [Session.may]
}

// read looks for live changes of a record's identifiers. Mostly there are none.
func (l *liveRecord) read(s *Session, r *snapshot.Record) {
	l.some = false
	if s.live == nil {
		return
	}
	if !s.live.MayAny(r.Confirms()) {
		return
	}
	l.nodes = l.nodes[:0]
	for i := range r.Len() {
		e, ok := s.live.Confirmed(r.Confirm(i))
		l.nodes = append(l.nodes, e)
		l.some = l.some || ok
	}
}

// alter makes a profile what the live changes say. It reports false where it is
// to be as if it were not there. No path to it leads over identifiers that are
// withheld from its tenant.
func (l *liveRecord) alter(s *Session, p *snapshot.Profile, paths *pathFinder) bool {
	tenant := s.gen.Tenants[p.Tenant].Name
	paths.banned, paths.start = paths.banned[:0], -1
	for _, e := range l.nodes {
		paths.banned = append(paths.banned, e.Withheld(tenant))
	}
	if !slices.Contains(paths.banned, true) {
		paths.banned = paths.banned[:0]
	} else if paths.banned[p.Node] {
		return false
	}
	s.setConsent(p, l.nodes[p.Node])
	s.setSegments(p, l.nodes[p.Node])
	return true
}

// setConsent takes the customer's own word where it is later than that of the
// files, or as late and denies. What the files say without a time, they say as of
// the snapshot's.
func (s *Session) setConsent(p *snapshot.Profile, e overlay.Entry) {
	c, ok := e.Consent()
	if !ok {
		return
	}
	files := time.Unix(p.Consent.At, 0).UnixNano()
	if p.Consent.At == 0 {
		files = s.gen.AsOf.UnixNano()
	}
	if c.At > files || !c.Granted && (c.At == files || p.Consent.At == 0) {
		p.Consent = snapshot.ConsentState{Purposes: c.Purposes, At: c.At / int64(time.Second), Expires: c.Until}
	}
}

// setSegments adds what was added after the files were read, and removes what was
// removed: they may be older than they say. A code that no file has is known from
// the next build on. What a build took from the log ends when it says; whether
// files say the same is known at the next build alone, and until then it is denied.
func (s *Session) setSegments(p *snapshot.Profile, e overlay.Entry) {
	for f := range e.Ended(s.gen.AsOf.Unix(), s.now) {
		if id, ok := s.gen.codes[p.Tenant][string(f.Code)]; ok {
			if at, has := slices.BinarySearch(p.Segments, id); has {
				p.Segments = slices.Delete(p.Segments, at, at+1)
			}
		}
	}
	files := s.gen.AsOf.UnixNano()
	for f := range e.Segments() {
		if !f.InForce(s.now) || f.Added && f.At <= files {
			continue
		}
		id, ok := s.gen.codes[p.Tenant][string(f.Code)]
		if !ok {
			continue
		}
		switch at, has := slices.BinarySearch(p.Segments, id); {
		case has && !f.Added:
			p.Segments = slices.Delete(p.Segments, at, at+1)
		case !has && f.Added:
			p.Segments = slices.Insert(p.Segments, at, id)
		}
	}
}

// segmentCodes returns for each tenant its segments by their codes.
func segmentCodes(s *snapshot.Snapshot) []map[string]uint32 {
	out := make([]map[string]uint32, len(s.Tenants))
	for i, seg := range s.Segments {
		if out[seg.Tenant] == nil {
			out[seg.Tenant] = map[string]uint32{}
		}
		out[seg.Tenant][seg.Code] = uint32(i)
	}
	return out
}
