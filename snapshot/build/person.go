package build

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// appendPerson encodes a person for the writing stage. Its customers are the
// values of their nodes.
func appendPerson(dst []byte, p *snapshot.Person) []byte {
	dst = append(dst, p.ID[:]...)
	dst = binary.AppendVarint(dst, p.Born)
	for _, n := range [...]int{len(p.Nodes), len(p.Spares), len(p.Links), len(p.Profiles)} {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		dst = appendHash(dst, n.Hash)
		dst = append(dst, byte(n.Method))
		for _, v := range [...]uint16{uint16(n.Namespace), n.Source, uint16(n.Seen), uint16(len(n.Value))} {
			dst = binary.LittleEndian.AppendUint16(dst, v)
		}
		dst = append(dst, n.Value...)
		dst = binary.AppendUvarint(dst, uint64(n.Parent))
	}
	for _, s := range p.Spares {
		dst = appendEnds(dst, s.A, s.B, s.Method)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(s.Seen))
	}
	for i := range p.Links {
		l := &p.Links[i]
		dst = appendEnds(dst, l.A, l.B, l.Method)
		for _, v := range [...]uint16{l.Source, uint16(l.First), uint16(l.Last)} {
			dst = binary.LittleEndian.AppendUint16(dst, v)
		}
	}
	for i := range p.Profiles {
		q := &p.Profiles[i]
		dst = binary.AppendUvarint(dst, uint64(q.Node))
		dst = binary.LittleEndian.AppendUint16(dst, q.Tenant)
		dst = appendConsent(append(dst, byte(q.Kind)), q.Consent)
		dst = appendNumbers(dst, q.Segments)
	}
	return dst
}

func appendEnds(dst []byte, a, b uint32, m snapshot.Method) []byte {
	return append(binary.AppendUvarint(binary.AppendUvarint(dst, uint64(a)), uint64(b)), byte(m))
}

// person decodes a person into p, whose slices it uses again. Values lie in
// what is decoded.
func (d *decoder) person(p *snapshot.Person) {
	p.ID = snapshot.PersonID(d.bytes(16))
	p.Born = d.varint()
	nodes, spares, links, profiles := int(d.uvarint()), int(d.uvarint()), int(d.uvarint()), int(d.uvarint())
	p.Nodes, p.Spares, p.Links = p.Nodes[:0], p.Spares[:0], p.Links[:0]
	for range nodes {
		n := snapshot.Node{
			Hash: d.hash(), Method: snapshot.Method(d.u8()), Namespace: index.NamespaceID(d.u16()), Source: d.u16(), Seen: snapshot.Day(d.u16()),
		}
		n.Value = d.bytes(int(d.u16()))
		n.Parent = uint32(d.uvarint())
		p.Nodes = append(p.Nodes, n)
	}
	for range spares {
		p.Spares = append(p.Spares, snapshot.Spare{
			A: uint32(d.uvarint()), B: uint32(d.uvarint()), Method: snapshot.Method(d.u8()), Seen: snapshot.Day(d.u16()),
		})
	}
	for range links {
		p.Links = append(p.Links, snapshot.Link{
			A: uint32(d.uvarint()), B: uint32(d.uvarint()), Method: snapshot.Method(d.u8()),
			Source: d.u16(), First: snapshot.Day(d.u16()), Last: snapshot.Day(d.u16()),
		})
	}
	p.Profiles = slices.Grow(p.Profiles[:0], profiles)[:profiles]
	for i := range p.Profiles {
		q := &p.Profiles[i]
		q.Node, q.Tenant, q.Kind = uint32(d.uvarint()), d.u16(), snapshot.Kind(d.u8())
		q.Consent, q.Segments = d.consent(), d.numbers(q.Segments[:0])
		q.Customer = p.Nodes[q.Node].Value
	}
}

// sortPersons sorts encoded persons by their ids.
func sortPersons(list [][]byte) {
	slices.SortFunc(list, func(a, b []byte) int { return bytes.Compare(a[:16], b[:16]) })
}
