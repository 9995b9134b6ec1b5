package snapshot

import (
	"bytes"
	"fmt"
	"slices"
)

// A composed record is one that lies in no file: of a person that live changes
// have made. Its links may be newer than the snapshot, and one source more, the
// number after the last, stands for live changes.

// widen returns the layout of composed records.
func (l layout) widen() layout {
	const bits = 16
	l.newest, l.ageBits, l.sourceBits, l.sources = MaxDay, bits, bits, l.sources+1
	return l
}

// Compose makes the hot record and the cold part of a person that is in no
// file. Both lie in memory of their own.
func (s *Snapshot) Compose(p *Person) (*Record, *ColdPerson, error) {
	if err := s.composed.validate(p, 0); err != nil {
		return nil, nil, fmt.Errorf("compose a person: %w", err)
	}
	b, err := appendRecord(nil, p, &s.composed, place{}, coldRef{})
	if err != nil {
		return nil, nil, fmt.Errorf("compose a person: %w", err)
	}
	r := &Record{}
	if err := r.parse(b[recordHead:], &s.composed); err != nil {
		return nil, nil, fmt.Errorf("compose a person: %w", err)
	}
	cold := &ColdPerson{Links: slices.Clone(p.Links)}
	for i := range p.Nodes {
		cold.Identifiers = append(cold.Identifiers, coldIdentifier{p.Nodes[i].Namespace, bytes.Clone(p.Nodes[i].Value)})
	}
	return r, cold, nil
}

// LiveSource is the source of links in composed records that live changes made.
func (s *Snapshot) LiveSource() uint16 { return uint16(len(s.Sources)) }

// SourceOf returns a source by its number in a record, composed ones too.
func (s *Snapshot) SourceOf(number uint16) Source {
	if int(number) < len(s.Sources) {
		return s.Sources[number]
	}
	return Source{Name: LiveSource, Party: FirstParty}
}
