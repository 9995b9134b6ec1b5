package snapshot

import (
	"encoding/binary"

	"github.com/matchd/matchd/index"
)

// Bits of a profile's flags.
const (
	flagProspect = 1 << iota
	flagUse
	flagShare
	flagAt
	flagExpires
)

func appendProfile(dst []byte, p *Profile) []byte {
	var flags byte
	if p.Kind == Prospect {
		flags |= flagProspect
	}
	if p.Consent.Purposes&Use != 0 {
		flags |= flagUse
	}
	if p.Consent.Purposes&Share != 0 {
		flags |= flagShare
	}
	if p.Consent.At != 0 {
		flags |= flagAt
	}
	if p.Consent.Expires != 0 {
		flags |= flagExpires
	}
	dst = appendUvarint(append(dst, flags), uint64(p.Tenant))
	dst = appendUvarint(dst, uint64(p.Node))
	if flags&flagAt != 0 {
		dst = binary.AppendVarint(dst, p.Consent.At)
	}
	if flags&flagExpires != 0 {
		dst = binary.AppendVarint(dst, p.Consent.Expires)
	}
	dst = append(appendUvarint(dst, uint64(len(p.Customer))), p.Customer...)
	dst = appendUvarint(dst, uint64(len(p.Segments)))
	next := uint32(0)
	for _, s := range p.Segments {
		dst = appendUvarint(dst, uint64(s-next))
		next = s + 1
	}
	return dst
}

// ProfileReader decodes the profiles of a record one after the other.
type ProfileReader struct {
	b      []byte
	at     int // in b, of the next profile; or beyond
	left   int
	nodes  int
	layout *layout
}

// Next decodes the next profile into p, whose Segments it reuses. It returns
// false at the end and at an error, which Err tells.
func (r *ProfileReader) Next(p *Profile) bool {
	if r.left == 0 {
		return false
	}
	r.left--
	if r.at = r.profile(p, r.at); r.at > len(r.b) {
		r.left = 0
		return false
	}
	return true
}

// profile decodes the profile at a place and returns the place after it.
func (r *ProfileReader) profile(p *Profile, at int) int {
	b := r.b
	if at >= len(b) {
		return beyond
	}
	flags := b[at]
	tenant, at := number(b, at+1)
	node, at := number(b, at)
	p.Kind, p.Tenant, p.Node = Kind(flags&flagProspect), uint16(tenant), uint32(node)
	p.Consent = ConsentState{Purposes: Purposes(flags / flagUse & byte(allPurposes))}
	var v uint64
	if flags&flagAt != 0 {
		v, at = number(b, at)
		p.Consent.At = unzigzag(v)
	}
	if flags&flagExpires != 0 {
		v, at = number(b, at)
		p.Consent.Expires = unzigzag(v)
	}
	v, at = number(b, at)
	if tenant >= uint64(r.layout.tenants) || node >= uint64(r.nodes) || v > index.MaxValue {
		return beyond
	}
	p.Customer, at = part(b, at, v)
	n, at := number(b, at)
	segments := uint64(r.layout.segments)
	if n > segments {
		return beyond
	}
	p.Segments = p.Segments[:0]
	next := uint64(0)
	for range n {
		v, at = number(b, at)
		if next += v; v > segments || next >= segments || at > len(b) {
			return beyond
		}
		p.Segments = append(p.Segments, uint32(next))
		next++
	}
	return at
}

// Err is the error that ended the reading early, or nil.
func (r *ProfileReader) Err() error {
	if r.at > len(r.b) {
		return errShort
	}
	return nil
}
