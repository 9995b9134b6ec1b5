package snapshot

import (
	"encoding/binary"
	"errors"
	"testing"
)

// Verify sees what checksums cannot: parts that were written wrong.
func TestVerifyRefuses(t *testing.T) {
	files, hash := sampleFiles(t, 1, 1, 100)
	hasher := IdentifierHasher(sampleSecret())
	s := openSample(t, files, hash)
	other := sampleSecret()
	other[0] ^= 1
	if err := s.Verify(IdentifierHasher(other)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("under another key: %v", err)
	}
	for what, edit := range map[string]func(tag string, b []byte){
		"an entry's address": func(tag string, b []byte) {
			if tag == sectionTable {
				b[7] ^= 1
			}
		},
		"an entry's tag": func(tag string, b []byte) {
			if tag == sectionTable {
				b[0] ^= 1
			}
		},
		"an empty filter": func(tag string, b []byte) {
			if tag == sectionFilter {
				clear(b)
			}
		},
		"a record": func(tag string, b []byte) {
			if tag == sectionHot {
				b[recordHead] ^= 1
			}
		},
		"a cold block": func(tag string, b []byte) {
			if tag == sectionCold {
				b[0] ^= 1
			}
		},
		"the number of entries": func(tag string, b []byte) {
			if tag == sectionParams {
				b[16]++
			}
		},
	} {
		bad := reseal(t, files, func(_, tag string, b []byte) []byte { edit(tag, b); return b })
		s, err := OpenBytes(bad, nil)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := s.Verify(hasher); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Verify sees records that are sound by themselves and do not agree with the
// rest.
func TestVerifyRefusesRecords(t *testing.T) {
	files, hash := sampleFiles(t, 1, 1, 100)
	s := openSample(t, files, hash)
	var last uint64
	for addr := range s.Addrs(0) {
		_, last = s.Place(addr)
	}
	var r Record
	if _, err := s.Record(last/recordAlign, nil, &r); err != nil {
		t.Fatal(err)
	}
	for what, edit := range map[string]func(body []byte) []byte{
		"nothing":             func(body []byte) []byte { return body },
		"bytes at its end":    func(body []byte) []byte { return append(body, make([]byte, 8)...) },
		"another person's id": func(body []byte) []byte { body[15] ^= 1; return body },
		"another namespace": func(body []byte) []byte {
			nodes := len(body) - len(r.rest) - len(r.spareBits) - len(r.nodeBits)
			body[nodes] ^= 1 << r.parentBits
			return body
		},
	} {
		bad := reseal(t, files, func(_, tag string, hot []byte) []byte {
			if tag != sectionHot {
				return hot
			}
			size := binary.LittleEndian.Uint32(hot[last+4:])
			body := edit(hot[last+recordHead : last+recordHead+uint64(size) : last+recordHead+uint64(size)])
			out := binary.LittleEndian.AppendUint32(hot[:last+4:last+4], uint32(len(body)))
			out = append(out, body...)
			binary.LittleEndian.PutUint32(out[last:], place{s.ID, 0, last}.check(out[last+4:]))
			return append(out, make([]byte, -len(out)&(recordAlign-1))...)
		})
		forged, err := OpenBytes(bad, nil)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		err = forged.Verify(IdentifierHasher(sampleSecret()))
		if errors.Is(err, ErrCorrupt) == (what == "nothing") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The manifest's counts are those of what is there, each of them.
func TestVerifyComparesCounts(t *testing.T) {
	files, _ := sampleFiles(t, 1, 1, 100)
	hasher := IdentifierHasher(sampleSecret())
	for what, harm := range map[string]func(c *Counts){
		"nothing":      func(*Counts) {},
		"identifiers":  func(c *Counts) { c.Identifiers++ },
		"persons":      func(c *Counts) { c.Persons++ },
		"profiles":     func(c *Counts) { c.Profiles++ },
		"links":        func(c *Counts) { c.Links++ },
		"spares":       func(c *Counts) { c.Spares++ },
		"largest":      func(c *Counts) { c.Largest++ },
		"by namespace": func(c *Counts) { c.ByNamespace["maid"]++ },
		"by tenant":    func(c *Counts) { c.ByTenant["acme"]-- },
	} {
		s, err := OpenBytes(files, nil)
		if err != nil {
			t.Fatal(err)
		}
		harm(&s.Counts)
		if err := s.Verify(hasher); (err == nil) != (what == "nothing") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
