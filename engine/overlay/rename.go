package overlay

import (
	"bytes"

	"github.com/matchd/matchd/snapshot"
)

// Rename returns the version in which identifiers have under their hashes of
// today all opt-outs, opt-ins and erasures that hang on them under hashes of
// former keys, where they stay too. An identifier on which nothing hangs is passed
// over, and to do the same again changes nothing.
func (o *Overlay) Rename(list []snapshot.Renamed) *Overlay {
	m := merger{draft: o.edit()}
	for _, r := range list {
		m.rename(r)
	}
	next := *o
	next.tree = m.tree
	return &next
}

func (m *merger) rename(r snapshot.Renamed) {
	erased := false
	for rest := bytes.Clone(m.get(r.Old)); len(rest) > 0; {
		var i item
		if i, rest = first(rest); i.kind < kindOptOut {
			continue
		}
		m.value = append(m.value[:0], i.value...)
		m.join(&fact{hash: r.New, kind: i.kind, key: i.key, value: m.value})
		switch i.kind {
		case kindErasure:
			erased = true
		case kindContact, kindContactOf: // the other's entry has it too
			m.key = hashKey(m.key[:0], r.New)
			m.join(&fact{hash: i.hash(), kind: kindContact + kindContactOf - i.kind, key: m.key, value: m.value})
		}
	}
	if erased {
		m.cut(r.New)
	}
}
