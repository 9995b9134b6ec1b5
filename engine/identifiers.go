package engine

import (
	"slices"
	"strings"

	"github.com/matchd/matchd/engine/persons"
	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Identifier is one identifier in the listing of a person.
type Identifier struct {
	// ID is its text, "namespace:value".
	ID string
	// Method, Source and Seen are those of its strongest fresh link. Where the
	// customer's own identifier has none, they are authenticated, crm.<tenant>
	// and the snapshot's day.
	Method snapshot.Method
	Source string
	Seen   snapshot.Day
}

// Listing is every identifier of a person that a client may see.
type Listing struct {
	Reason Reason
	// Signal is the one that forbids, where the reason is Suppressed.
	Signal      privacy.Kind
	Person      PersonID
	Identifiers []Identifier
}

// Identifiers lists the identifiers of the person that a tenant's customer is.
// The client needs a grant of its own for it; without one, and for a customer
// that is not there, the reason is Unknown. Only identifiers of the namespaces
// granted for the tenant are listed that a path joins to the customer, of fresh
// links that the client may know of; the customer's consent must hold. It may
// not know of links to customers whose own profile has no consent, or who are
// not shared, nor of links that only the files of tenants have whose identifiers
// it may not list: their sources are not named.
func (s *Session) Identifiers(tenant, customer string) (out Listing, err error) {
	out.Reason = Unknown
	err = snapshot.Guard(func() (err error) {
		out, err = s.identifiers(tenant, customer)
		return err
	})
	if err != nil {
		s.counts[ResultFault]++
		return Listing{Reason: Unknown}, err
	}
	s.counts[out.Reason.result()]++
	return out, nil
}

func (s *Session) identifiers(tenant, customer string) (Listing, error) {
	none := Listing{Reason: Unknown}
	if s.verdict.All != privacy.None {
		return Listing{Reason: Suppressed, Signal: s.verdict.All}, nil
	}
	ti := tenantNumber(s.gen.Snapshot, tenant)
	if ti < 0 || !s.access.tenants[ti].identifiers {
		return none, nil
	}
	f, err := s.locate([]byte(index.CRMPrefix + tenant + ":" + customer))
	if err != nil || f == nil {
		return none, err
	}
	p, ok, err := f.profileAt(ti)
	if err != nil || !ok {
		return none, err
	}
	var live liveRecord
	var paths pathFinder
	paths.reset(&f.record, s.gen, s.oldest)
	if live.read(s, &f.record); live.some && !live.alter(s, &p, &paths) {
		if live.nodes[f.at].OptedOut(tenant) && !s.access.tenants[ti].shared {
			none.Reason = OptedOut
		}
		return none, nil
	}
	banned := slices.Clone(paths.banned)
	if reason := s.consent(&p); reason != privacy.Allowed {
		if s.access.tenants[ti].shared {
			return none, nil
		}
		return Listing{Reason: Reason(reason)}, nil
	}
	cold, err := s.coldOf(f)
	if err != nil {
		return none, err
	}
	hidden, err := s.denied(f, &live)
	if err != nil {
		return none, err
	}
	for i, b := range banned {
		if b {
			hidden[uint32(i)] = true
		}
	}
	out := Listing{Reason: Matched, Person: shownID(s.access.persons, f.record.ID)}
	paths.reset(&f.record, s.gen, s.oldest)
	links := s.strongestLinks(cold, &paths, hidden)
	near := s.connected(cold, &paths, hidden)
	for i, id := range cold.Identifiers {
		ns := int(id.Namespace)
		if near.find(i) != near.find(f.at) || hidden[uint32(i)] ||
			!s.access.tenants[ti].sees.has(ns) || s.access.foreignSpaces.has(ns) || s.suppressed(id.Namespace) {
			continue
		}
		if id, ok := s.describe(cold, &paths, i, links[i]); ok {
			out.Identifiers = append(out.Identifiers, id)
		}
	}
	if paths.damaged {
		return none, snapshot.ErrCorrupt
	}
	slices.SortFunc(out.Identifiers, func(a, b Identifier) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// strongestLinks returns, for each identifier, the place of its strongest fresh
// link that the client may know of, or -1. Links to customers in hidden are not
// among those.
func (s *Session) strongestLinks(cold *snapshot.ColdPerson, paths *pathFinder, hidden map[uint32]bool) []int {
	best := slices.Repeat([]int{-1}, len(cold.Identifiers))
	for at, k := range cold.Links {
		if !s.tells(cold, paths, hidden, k) {
			continue
		}
		link := snapshot.Strength{Method: k.Method, Seen: k.Last}
		for _, i := range [...]uint32{k.A, k.B} {
			if have := best[i]; have < 0 || link.Compare(snapshot.Strength{Method: cold.Links[have].Method, Seen: cold.Links[have].Last}) < 0 {
				best[i] = at
			}
		}
	}
	return best
}

// tells reports whether a link is fresh and the client may know of it.
func (s *Session) tells(cold *snapshot.ColdPerson, paths *pathFinder, hidden map[uint32]bool, k snapshot.Link) bool {
	return !paths.aged(int(k.A), int(k.B), k.Last) && !hidden[k.A] && !hidden[k.B] && !s.foreign(cold, k)
}

// connected joins the identifiers that links connect of which the client may
// know.
func (s *Session) connected(cold *snapshot.ColdPerson, paths *pathFinder, hidden map[uint32]bool) groups {
	g := make(groups, len(cold.Identifiers))
	for i := range g {
		g[i] = i
	}
	for _, k := range cold.Links {
		if s.tells(cold, paths, hidden, k) {
			g[g.find(int(k.A))] = g.find(int(k.B))
		}
	}
	return g
}

// groups is a union-find structure: each place has its parent.
type groups []int

func (g groups) find(i int) int {
	for g[i] != i {
		g[i] = g[g[i]]
		i = g[i]
	}
	return i
}

// describe names identifier i and its strongest link, or -1. A customer id may
// be without one: its tenant says that it is there. Another identifier without
// one is not shown.
func (s *Session) describe(cold *snapshot.ColdPerson, paths *pathFinder, i, link int) (Identifier, bool) {
	id := cold.Identifiers[i]
	space := s.gen.Namespaces.At(id.Namespace).Name
	out := Identifier{
		ID:     string(s.gen.Namespaces.AppendText(nil, id.Namespace, id.Value)),
		Method: paths.self.Method, Seen: paths.self.Seen, Source: space,
	}
	if link < 0 {
		return out, strings.HasPrefix(space, index.CRMPrefix)
	}
	k := cold.Links[link]
	out.Method, out.Seen, out.Source = k.Method, k.Last, s.gen.SourceOf(k.Source).Name
	return out, true
}

// foreign reports whether a link is from the file of a tenant whose identifiers
// the client may not list, or leads to a customer of one.
func (s *Session) foreign(cold *snapshot.ColdPerson, k snapshot.Link) bool {
	return s.access.foreignSources.has(int(k.Source)) ||
		s.access.foreignSpaces.has(int(cold.Identifiers[k.A].Namespace)) ||
		s.access.foreignSpaces.has(int(cold.Identifiers[k.B].Namespace))
}

// found is a record and the place in it of the identifier that led there. Its
// record lies in memory of its own.
type found struct {
	hash   index.Hash
	shard  int
	addr   uint64
	record snapshot.Record
	at     int
	beside *persons.Person // whom live links made of it; nil for the snapshot's own
}

// locate finds the record of an identifier, whatever the grants, or nil. It
// is the cold twin of the stages of [Session.Match], one identifier at a time.
func (s *Session) locate(id []byte) (*found, error) {
	key, _, err := s.gen.Namespaces.AppendKey(nil, id)
	if err != nil {
		return nil, nil
	}
	return s.at(s.gen.hasher.Sum(key))
}

// at is locate for a hash.
func (s *Session) at(h index.Hash) (*found, error) {
	f := &found{hash: h, shard: s.gen.Shard(h)}
	if !s.gen.Filter(f.shard).MayContain(h) {
		return f.in(s.beside.OfOther(h)), nil
	}
	t := s.gen.Table(f.shard)
	for c := t.Seek(h); ; {
		addr, ok := t.Next(h, &c)
		if !ok {
			return f.in(s.beside.OfOther(h)), nil
		}
		if _, err := s.gen.Record(addr, nil, &f.record); err != nil {
			return nil, err
		}
		if f.at = f.record.Find(h); f.at < 0 {
			continue
		}
		f.addr = addr
		if g := s.beside.Of(f.record.ID); g != nil {
			return f.in(g), nil
		}
		return f, nil
	}
}

// in makes f the identifier's place in a group that live links have made, or nil
// where there is none, or it is nobody's.
func (f *found) in(g *persons.Group) *found {
	if g == nil {
		return nil
	}
	if f.beside, f.at = g.Find(f.hash); f.beside == nil {
		return nil
	}
	f.record = *f.beside.Record
	return f
}

// profileAt returns the profile whose own identifier led to the record.
func (f *found) profileAt(tenant int) (p snapshot.Profile, ok bool, err error) {
	ps := f.record.Profiles()
	for ps.Next(&p) {
		if int(p.Tenant) == tenant && int(p.Node) == f.at {
			return p, true, nil
		}
	}
	if ps.Err() != nil {
		return p, false, snapshot.ErrCorrupt
	}
	return p, false, nil
}

// consent decides on a profile under the client's grant for its tenant; where
// there is none, for the tenant's own use.
func (s *Session) consent(p *snapshot.Profile) privacy.Reason {
	purposes := s.access.tenants[p.Tenant].purposes
	if purposes == 0 {
		purposes = snapshot.Use
	}
	return privacy.Consent(p.Consent, s.gen.Tenants[p.Tenant].LegalBasis, purposes, s.now)
}

// denied returns the places of the customer ids in the record whose profiles
// have no consent; where their tenant shares them, also of those that have no
// profile, since nobody has agreed.
func (s *Session) denied(f *found, live *liveRecord) (map[uint32]bool, error) {
	var paths pathFinder
	out := map[uint32]bool{}
	for i := range f.record.Len() {
		ns := int(f.record.Node(i).Namespace)
		if ns >= len(s.access.shares) {
			return nil, snapshot.ErrCorrupt
		}
		if s.access.shares[ns] != nobody {
			out[uint32(i)] = true
		}
	}
	var p snapshot.Profile
	ps := f.record.Profiles()
	for ps.Next(&p) {
		switch {
		case live.some && !live.alter(s, &p, &paths), s.consent(&p) != privacy.Allowed:
			out[p.Node] = true
		case s.access.tenants[p.Tenant].shared:
			delete(out, p.Node)
		}
	}
	if ps.Err() != nil {
		return nil, snapshot.ErrCorrupt
	}
	return out, nil
}

// coldOf returns the cold part of what was found.
func (s *Session) coldOf(f *found) (*snapshot.ColdPerson, error) {
	if f.beside != nil {
		return f.beside.Cold, nil
	}
	return s.engine.readCold(s.gen, f.addr, &f.record)
}

// readCold returns the cold part of a record, by way of the cache.
func (e *Engine) readCold(g *generation, addr uint64, r *snapshot.Record) (*snapshot.ColdPerson, error) {
	at := g.ColdBlockOf(addr, r)
	key := g.number<<44 | uint64(at.Shard)<<32 | uint64(at.Block)
	block, ok := e.cold.Get(key)
	if !ok {
		var err error
		if block, err = g.ReadCold(at); err != nil {
			return nil, err
		}
		e.cold.Set(key, block, 0)
	}
	return g.Cold(block, r)
}
