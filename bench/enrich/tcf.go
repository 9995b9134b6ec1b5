package enrich

import (
	"encoding/base64"
	"math/rand/v2"
	"time"
)

// What the clients of the bench ask consent for.
const (
	vendor      = 755
	lastVendor  = 1100 // about as many as there are in the Global Vendor List
	tcfPolicy   = 5
	disclosures = 1 // type of the segment of disclosed vendors
)

// purposes are those of the TCF that the clients rely on.
var purposes = []int{1, 2, 3, 4, 7}

// consents makes n different TC strings of version 2 that permit the purposes to
// the vendor, made in the ten weeks before now. By vendor they consent to some
// and not to others, as bits; the disclosed vendors are a range.
func consents(n int, now time.Time, random *rand.Rand) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		age := time.Hour * time.Duration(24+random.IntN(70*24))
		list[i] = consent(now.Add(-age), random)
	}
	return list
}

// consent writes a TC string by IAB's "Consent string and vendor list formats
// v2": a core segment, and one of disclosed vendors.
func consent(made time.Time, random *rand.Rand) []byte {
	var core bits
	core.put(6, 2)
	core.put(36, uint64(made.UnixMilli()/100))
	core.put(36, uint64(made.UnixMilli()/100))
	core.put(12, uint64(2+random.IntN(400))) // consent management platform
	core.put(12, uint64(1+random.IntN(9)))
	core.put(6, 1)
	core.put(12, language("DE"))
	core.put(12, uint64(100+random.IntN(80))) // of the vendor list
	core.put(6, tcfPolicy)
	core.put(2, 2) // specific to a service; no stacks of its own
	core.put(12, 0)
	core.put(24, random.Uint64()&0x7ff<<13|purposeBits())
	core.put(24, 0) // legitimate interests
	core.put(1, 0)
	core.put(12, language("DE"))
	core.put(16, lastVendor)
	core.put(1, 0) // as bits
	for id := 1; id <= lastVendor; id++ {
		core.put(1, bit(id == vendor || random.IntN(3) > 0))
	}
	core.put(16+1, 0) // vendors with legitimate interest
	core.put(12, 0)   // publisher restrictions
	var disclosed bits
	disclosed.put(3, disclosures)
	disclosed.put(16, lastVendor)
	disclosed.put(1, 1)  // as ranges
	disclosed.put(12, 1) // of which there is one
	disclosed.put(1, 1)
	disclosed.put(16, 1)
	disclosed.put(16, lastVendor)
	return append(append(core.text(), '.'), disclosed.text()...)
}

// purposeBits are the purposes as the first bits of 24.
func purposeBits() (set uint64) {
	for _, p := range purposes {
		set |= 1 << (24 - p)
	}
	return set
}

// language writes two letters, or a country's, in 12 bits.
func language(s string) uint64 { return uint64(s[0]-'A')<<6 | uint64(s[1]-'A') }

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// bits are written from the highest of the first byte on.
type bits struct {
	b []byte
	n int
}

// put appends the lowest bits of v.
func (w *bits) put(width int, v uint64) {
	for i := width - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v>>i&1) << (7 - w.n%8)
		w.n++
	}
}

// text is base64 as URLs have it, without padding.
func (w *bits) text() []byte { return base64.RawURLEncoding.AppendEncode(nil, w.b) }
