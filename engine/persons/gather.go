package persons

import (
	"errors"
	"time"

	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// set is all that hangs together with an identifier: by the snapshot's persons,
// by live links, and by the groups before.
type set struct {
	*world
	before *trie[*Group]
	live   *overlay.Overlay

	nodes  []node
	places map[index.Hash]int // in nodes
	links  []link             // of the snapshot, and live ones
	cuts   map[pair]snapshot.Day
	origin []origin // the persons of the snapshot
	groups []*Group // before

	crowd  bool // there is more than is in the set
	failed bool
}

type node struct {
	hash  index.Hash
	ns    index.NamespaceID
	value []byte
	// from is its person's place in origin, or -1.
	from    int
	profile *snapshot.Profile
	touched bool // a live link ends here, or one that was withdrawn
}

// pair is two places in nodes, the smaller first.
type pair struct{ a, b int }

type link struct {
	pair
	method      snapshot.Method
	source      uint16
	first, last snapshot.Day
}

type origin struct {
	id   snapshot.PersonID
	born int64
}

// gather fills the set from one identifier on. Of a crowd it gathers a part.
func (s *set) gather(h index.Hash) error {
	s.cuts = map[pair]snapshot.Day{}
	var failed error
	if err := s.add(h); err != nil {
		failed = err
	}
	for i := 0; i < len(s.nodes); i++ { // which grows on the way
		e, _ := s.live.Get(s.nodes[i].hash)
		for l := range e.Links() {
			if l.Linked {
				if err := s.add(l.Other); err != nil {
					failed = err
				}
			}
		}
	}
	for i := range s.nodes {
		s.link(i)
	}
	return failed
}

// add adds an identifier, with the whole of its person and of the group that it
// was in, unless nothing is known of it, or the set is full.
func (s *set) add(h index.Hash) error {
	if _, ok := s.places[h]; ok {
		return nil
	}
	addr, r, err := s.record(h)
	if err != nil {
		return errors.Join(err, s.addGroup(h))
	}
	if r != nil {
		return s.addPerson(addr, r)
	}
	e, _ := s.live.Get(h)
	if key, ns, err := s.Namespaces.AppendKey(nil, e.Text()); err == nil && !s.full(1) {
		s.places[h] = len(s.nodes)
		s.nodes = append(s.nodes, node{hash: h, ns: ns, value: s.Namespaces.Value(ns, key), from: -1})
	}
	return s.addGroup(h)
}

// full reports whether so many more identifiers are too many, and notes it.
func (s *set) full(more int) bool {
	full := len(s.nodes)+more > MaxSet
	s.crowd = s.crowd || full
	return full
}

// addGroup adds all that was in the group of a key.
func (s *set) addGroup(key index.Hash) error {
	g, ok := s.before.get(key)
	if !ok {
		return nil
	}
	for _, have := range s.groups {
		if have == g {
			return nil
		}
	}
	s.groups = append(s.groups, g)
	for _, m := range g.members {
		if err := s.add(m.hash); err != nil {
			return err
		}
	}
	return nil
}

// record returns the record that has an identifier, or nil.
func (s *set) record(h index.Hash) (addr uint64, r *snapshot.Record, err error) {
	r = &snapshot.Record{}
	addr, at, _, err := s.Find(h, nil, r)
	if at < 0 {
		return 0, nil, err
	}
	return addr, r, nil
}

// addPerson adds a person of the snapshot.
func (s *set) addPerson(addr uint64, r *snapshot.Record) error {
	if s.full(r.Len()) {
		return s.addGroup(idKey(r.ID))
	}
	base, from := len(s.nodes), len(s.origin)
	s.origin = append(s.origin, origin{r.ID, r.Born})
	cold, err := s.ReadCold(addr, r)
	if err != nil {
		return errors.Join(err, s.addGroup(idKey(r.ID)))
	}
	var key []byte
	for _, id := range cold.Identifiers {
		key = s.Namespaces.AppendKeyOf(key[:0], id.Namespace, id.Value)
		h := s.hash.Sum(key)
		s.places[h] = len(s.nodes)
		s.nodes = append(s.nodes, node{hash: h, ns: id.Namespace, value: id.Value, from: from})
	}
	for _, k := range cold.Links {
		s.links = append(s.links, link{pair{base + int(k.A), base + int(k.B)}, k.Method, k.Source, k.First, k.Last})
	}
	for ps, ok := r.Profiles(), true; ok; {
		p := &snapshot.Profile{}
		if ok = ps.Next(p); ok {
			s.nodes[base+int(p.Node)].profile = p
		} else if ps.Err() != nil {
			return snapshot.ErrCorrupt
		}
	}
	return s.addGroup(idKey(r.ID))
}

// link adds the live links from an identifier to those that stand behind it in
// the set, and notes which were withdrawn. A day is all that is known of when the
// snapshot's links were seen: what was withdrawn on one denies the whole of it.
func (s *set) link(i int) {
	e, _ := s.live.Get(s.nodes[i].hash)
	for l := range e.Links() {
		other, there := s.places[l.Other]
		day, ok := snapshot.DayOf(time.Unix(0, l.At))
		if !there || !ok {
			continue
		}
		s.nodes[i].touched = true
		switch {
		case other <= i: // it was added there
		case l.Linked:
			s.links = append(s.links, link{pair{i, other}, l.Method, s.LiveSource(), day, day})
		default:
			s.cuts[pair{i, other}] = day
		}
	}
}
