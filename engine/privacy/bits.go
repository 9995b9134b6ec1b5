package privacy

import (
	"bytes"
	"encoding/base64"
)

// bitString reads numbers from bits, the first of a byte being its highest.
// Reading beyond the end sticks: from then on everything is zero and failed
// is true.
type bitString struct {
	data   []byte
	at, n  int // bits
	failed bool
}

// decode64 returns the bits of s in the URL alphabet of base64 without
// padding. Unlike encoding/base64 it knows no line breaks, and takes strings
// of any length, which encoders that pad to six bits make.
func decode64(s []byte) (bitString, bool) {
	if bytes.IndexByte(s, '\n') >= 0 || bytes.IndexByte(s, '\r') >= 0 {
		return bitString{}, false
	}
	whole := len(s) / 4 * 4
	data := make([]byte, whole/4*3, whole/4*3+3)
	if _, err := base64.RawURLEncoding.Decode(data, s[:whole]); err != nil {
		return bitString{}, false
	}
	var last uint32 // the bits of up to three characters more
	for i, c := range s[whole:] {
		v, ok := sextet(c)
		if !ok {
			return bitString{}, false
		}
		last |= uint32(v) << (26 - 6*i)
	}
	for range len(s) - whole {
		data = append(data, byte(last>>24))
		last <<= 8
	}
	return bitString{data: data, n: 6 * len(s)}, true
}

func sextet(c byte) (byte, bool) {
	switch {
	case 'A' <= c && c <= 'Z':
		return c - 'A', true
	case 'a' <= c && c <= 'z':
		return c - 'a' + 26, true
	case '0' <= c && c <= '9':
		return c - '0' + 52, true
	case c == '-':
		return 62, true
	case c == '_':
		return 63, true
	}
	return 0, false
}

// read returns the next n bits, at most 16, as a number.
func (b *bitString) read(n int) uint16 {
	if b.skip(n); b.failed {
		return 0
	}
	var v uint16
	for i := b.at - n; i < b.at; i++ {
		v = v<<1 | uint16(b.data[i/8]>>(7-i%8)&1)
	}
	return v
}

func (b *bitString) flag() bool { return b.read(1) == 1 }

func (b *bitString) skip(n int) {
	if b.failed || n > b.n-b.at {
		b.failed = true
		return
	}
	b.at += n
}

// vendors reads a vendor section of the TCF, a bit a vendor or ranges of
// vendors, and says whether vendor is in it. Nothing that it says counts once b
// has failed.
func (b *bitString) vendors(vendor uint16) bool {
	last := b.read(16)
	if ranges := b.flag(); ranges {
		return b.ranges(vendor, last)
	}
	if vendor == 0 || vendor > last {
		b.skip(int(last))
		return false
	}
	b.skip(int(vendor) - 1)
	in := b.flag()
	b.skip(int(last - vendor))
	return in
}

// ranges reads a list of vendors and ranges of vendors, up to last, and says
// whether vendor is in it.
func (b *bitString) ranges(vendor, last uint16) (in bool) {
	for n := b.read(12); n > 0 && !b.failed; n-- {
		several := b.flag()
		from := b.read(16)
		to := from
		if several {
			to = b.read(16)
		}
		if from == 0 || to < from || to > last {
			b.failed = true
		}
		in = in || from <= vendor && vendor <= to
	}
	return in
}
