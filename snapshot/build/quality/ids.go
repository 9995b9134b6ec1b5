package quality

import (
	"slices"

	"github.com/matchd/matchd/index"
)

// ids numbers identifiers, and holds the true persons of each.
//
// An identifier has a slot for each person that it is of: first[i] is where
// the slots of identifier i begin, and persons has one entry a slot.
type ids struct {
	ns      *index.Namespaces
	numbers map[string]uint32
	keys    []string
	spaces  []index.NamespaceID

	first   []uint32 // by identifier; one more at the end
	persons []uint32 // by slot; ascending within an identifier
	names   []string // by person
}

func newIDs(ns *index.Namespaces) *ids {
	return &ids{ns: ns, numbers: map[string]uint32{}, first: []uint32{0}}
}

// add numbers a new identifier of persons, which it sorts and keeps once each.
func (t *ids) add(key string, space index.NamespaceID, persons []uint32) uint32 {
	n := uint32(len(t.keys))
	t.numbers[key] = n
	t.keys = append(t.keys, key)
	t.spaces = append(t.spaces, space)
	at := len(t.persons)
	t.persons = append(t.persons, persons...)
	slices.Sort(t.persons[at:])
	t.persons = t.persons[:at+len(slices.Compact(t.persons[at:]))]
	t.first = append(t.first, uint32(len(t.persons)))
	return n
}

// of returns the true persons of identifier i, ascending.
func (t *ids) of(i uint32) []uint32 { return t.persons[t.first[i]:t.first[i+1]] }

func (t *ids) unshared(i uint32) bool { return t.first[i+1]-t.first[i] == 1 }
func (t *ids) shared(i uint32) bool   { return t.first[i+1]-t.first[i] > 1 }

// text returns identifier i as it is written.
func (t *ids) text(i uint32) string {
	space := t.spaces[i]
	return string(t.ns.AppendText(nil, space, t.ns.Value(space, []byte(t.keys[i]))))
}
