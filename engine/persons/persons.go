package persons

import (
	"encoding/binary"
	"slices"

	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/resolve"
)

// MaxSet is how many identifiers may hang together by live links.
const MaxSet = 2000

// World is a snapshot, as far as its persons go.
type World struct {
	*snapshot.Snapshot
	// Secret is that of the store.
	Secret index.Secret
	// ReadCold reads the cold part of a record.
	ReadCold func(addr uint64, r *snapshot.Record) (*snapshot.ColdPerson, error)
}

// Persons is one version of the persons beside a snapshot. A nil one has nobody.
type Persons struct {
	world *world
	// groups has an entry for each person of the snapshot that is not as it was,
	// by its id, and for each other identifier that is in one, by its hash.
	groups trie[*Group]
}

// world is what all versions share.
type world struct {
	World
	rules resolve.Rules
	kinds []resolve.Node // by namespace
	ids   index.Hasher   // of new persons
	hash  index.Hasher   // of identifiers
}

// New returns the version in which nobody is changed. The error says that the
// snapshot's rules make no sense.
func New(w World) (*Persons, error) {
	rules, err := resolve.ParseRules(w.Rules)
	if err != nil {
		return nil, err
	}
	p := &Persons{world: &world{World: w, rules: rules, ids: snapshot.PersonHasher(w.Secret), hash: snapshot.IdentifierHasher(w.Secret)}}
	for _, n := range w.Namespaces.All() {
		node := resolve.Node{Kind: resolve.KindOf(n)}
		if node.Kind == resolve.Customer {
			node.Tenant = uint16(slices.IndexFunc(w.Tenants, func(t snapshot.Tenant) bool { return index.CRMPrefix+t.Name == n.Name }))
		}
		p.world.kinds = append(p.world.kinds, node)
	}
	return p, nil
}

// Len is how many persons of the snapshot, and other identifiers, are changed.
func (p *Persons) Len() int {
	if p == nil {
		return 0
	}
	return p.groups.n
}

// Group is what became of some persons of the snapshot, and of identifiers
// beside them, whom live links touch together.
type Group struct {
	persons []*Person
	members []member // ascending by hash
	keys    []index.Hash
}

// member is an identifier of a group, and the place of its person in the
// group, or -1 where it is in none, and its own place there.
type member struct {
	hash       index.Hash
	person, at int
}

// Person is a person beside the snapshot.
type Person struct {
	Record *snapshot.Record
	Cold   *snapshot.ColdPerson
	// Live reports that a live link is in it.
	Live bool
}

// Of returns the group that a person of the snapshot is in, or nil where it is
// as it was.
func (p *Persons) Of(id snapshot.PersonID) *Group {
	if p.Len() == 0 {
		return nil
	}
	g, _ := p.groups.get(idKey(id))
	return g
}

// OfOther returns the group of an identifier that the snapshot does not have,
// or nil.
func (p *Persons) OfOther(h index.Hash) *Group {
	if p.Len() == 0 {
		return nil
	}
	g, _ := p.groups.get(h)
	return g
}

// Find returns the person of an identifier of the group, and the identifier's
// place in its record; nil where it is nobody's.
func (g *Group) Find(h index.Hash) (*Person, int) {
	i, ok := slices.BinarySearchFunc(g.members, h, func(m member, h index.Hash) int { return m.hash.Compare(h) })
	if !ok || g.members[i].person < 0 {
		return nil, 0
	}
	return g.persons[g.members[i].person], g.members[i].at
}

func idKey(id snapshot.PersonID) index.Hash {
	return index.Hash{Hi: binary.BigEndian.Uint64(id[:]), Lo: binary.BigEndian.Uint64(id[8:])}
}

// With returns the version after links of some identifiers have changed, which
// are as an overlay says now. Where what the snapshot holds of one cannot be read,
// it and all that is known to hang together with it is nobody's, and the error says
// so beside the version.
func (p *Persons) With(o *overlay.Overlay, touched []index.Hash) (*Persons, error) {
	next := &Persons{world: p.world, groups: p.groups}
	done := map[index.Hash]bool{}
	var failed error
	for _, h := range touched {
		if done[h] {
			continue
		}
		s := &set{world: p.world, before: &next.groups, live: o, places: map[index.Hash]int{}}
		// A mapped file may be cut short under it.
		if err := snapshot.Guard(func() error { return s.gather(h) }); err != nil {
			s.failed, failed = true, err
		}
		for i := range s.nodes {
			done[s.nodes[i].hash] = true
		}
		done[h] = true
		for _, g := range s.groups {
			for _, k := range g.keys {
				next.groups = next.groups.without(k)
			}
		}
		groups, err := s.resolve()
		if err != nil {
			failed = err
		}
		for _, g := range groups {
			for _, k := range g.keys {
				next.groups = next.groups.with(k, g)
			}
		}
	}
	return next, failed
}
