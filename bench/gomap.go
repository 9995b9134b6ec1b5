package bench

import (
	"encoding/hex"

	"github.com/matchd/matchd/index"
)

// goMap is what one would write first: a Go map from the 16 bytes of a mobile
// id to the place of its person's customer id and segments in one slice of
// bytes. It checks nothing, knows no consent, and takes only mobile ids.
type goMap struct {
	at      map[[16]byte]uint32
	records []byte // length and bytes of the customer, count and numbers (2 bytes) of the segments
}

func newGoMap(w *world) *goMap {
	m := &goMap{at: make(map[[16]byte]uint32, w.ids)}
	for person := range w.persons() {
		at := uint32(len(m.records))
		customer, segments := w.customer(person), w.segments(person)
		m.records = append(append(m.records, byte(len(customer))), customer...)
		m.records = append(m.records, byte(len(segments)))
		for _, s := range segments {
			m.records = append(m.records, byte(s), byte(s>>8))
		}
		for i := range idsPerPerson {
			if k := person*idsPerPerson + i; k < w.ids {
				m.at[w.uuid(k)] = at
			}
		}
	}
	return m
}

// lookup parses an identifier and returns the sum of the bytes of its answer,
// which takes reading all of it; 0 where it is absent.
func (m *goMap) lookup(text []byte) (sum uint64) {
	u, ok := parseMAID(text)
	if !ok {
		return 0
	}
	at, ok := m.at[u]
	if !ok {
		return 0
	}
	r := m.records[at:]
	n := int(r[0])
	for _, b := range r[1 : 1+n] {
		sum += uint64(b)
	}
	r = r[1+n:]
	for i := range int(r[0]) {
		sum += uint64(r[1+2*i]) + uint64(r[2+2*i])<<8
	}
	return sum
}

// parseMAID reads "maid:" and a UUID with dashes.
func parseMAID(text []byte) (u [16]byte, ok bool) {
	const prefix = len(index.MAID) + 1
	if len(text) != prefix+36 || string(text[:prefix]) != index.MAID+":" {
		return u, false
	}
	var digits [32]byte
	s, n := text[prefix:], 0
	for i, c := range s {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return u, false
			}
			continue
		}
		digits[n] = c
		n++
	}
	_, err := hex.Decode(u[:], digits[:])
	return u, err == nil
}
