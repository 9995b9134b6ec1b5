package engine

import (
	"github.com/matchd/matchd/engine/persons"
	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

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
	var err error
	if f.addr, f.at, _, err = s.gen.Find(h, nil, &f.record); err != nil {
		return nil, err
	}
	if f.at < 0 {
		return f.in(s.beside.OfOther(h)), nil
	}
	if g := s.beside.Of(f.record.ID); g != nil {
		return f.in(g), nil
	}
	return f, nil
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
