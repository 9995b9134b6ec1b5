package snapshot

import (
	"encoding/binary"
	"errors"
	"math"
	mathbits "math/bits"
)

var errShort = errors.New("it ends too early or a number is out of range")

// cursor decodes a byte string. Its first error stays, and everything read
// after it is zero: read all, then look at err once.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) fail() {
	c.b = nil
	c.err = errShort
}

// uvarint reads a number of at most limit.
func (c *cursor) uvarint(limit uint64) uint64 {
	v, next := number(c.b, 0)
	if next > len(c.b) || v > limit {
		c.fail()
		return 0
	}
	c.b = c.b[next:]
	return v
}

func (c *cursor) byte() byte {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// bytes returns the next n bytes, a part of what is decoded.
func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

// number returns the uvarint at b[at:] and where what follows it begins, which
// is beyond the end where there is none: then so is all that is read after it,
// and who reads several looks once. Hot records are read by this, since a place
// in a variable costs half of one in a cursor.
func number(b []byte, at int) (v uint64, next int) {
	if at < len(b) && b[at] < 0x80 {
		return uint64(b[at]), at + 1
	}
	return longNumber(b, at)
}

// beyond is a place that no string reaches, with room to add to it.
const beyond = math.MaxInt32

// longNumber takes what has at most eight bytes in one piece.
func longNumber(b []byte, at int) (v uint64, next int) {
	if at > len(b) {
		return 0, beyond
	}
	if b = b[at:]; len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		if ends := ^w & 0x8080808080808080; ends != 0 {
			w &= ends ^ (ends-1)&0x7f7f7f7f7f7f7f7f // up to the first byte that ends a number
			w = w&0x007f007f007f007f | w&0x7f007f007f007f00>>1
			w = w&0x00003fff00003fff | w&0x3fff00003fff0000>>2
			w = w&0x000000000fffffff | w&0x0fffffff00000000>>4
			return w, at + mathbits.TrailingZeros64(ends)/8 + 1
		}
	}
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, beyond
	}
	return v, at + n
}

// part returns the n bytes of b at at, and where what follows them begins:
// beyond the end where there are not as many.
func part(b []byte, at int, n uint64) ([]byte, int) {
	if at > len(b) || n > uint64(len(b)-at) {
		return nil, beyond
	}
	end := at + int(n)
	return b[at:end:end], end
}

// unzigzag turns a number into the signed one that it stands for.
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// bitsAt returns the bits of b from bit offset at on, low bits first: 57 or
// more, and zeros beyond the end.
func bitsAt(b []byte, at int) uint64 {
	i := at >> 3
	if i+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[i:]) >> (at & 7)
	}
	return lastBits(b, i) >> (at & 7)
}

// lastBits returns the fewer than eight bytes of b from i on.
func lastBits(b []byte, i int) (v uint64) {
	for k := len(b) - 1; k >= i; k-- {
		v = v<<8 | uint64(b[k])
	}
	return v
}

// take returns the lowest bits of w and what is above them.
func take(w uint64, width int) (v uint32, rest uint64) {
	return uint32(w & (1<<width - 1)), w >> width
}

// packer appends fields of at most 32 bits each, low bits first.
type packer struct {
	b    []byte
	bits uint64 // what is not appended yet
	used int    // bits of bits, below 32
}

func (p *packer) put(v uint32, width int) {
	p.bits |= uint64(v) & (1<<width - 1) << p.used
	if p.used += width; p.used >= 32 {
		p.b = binary.LittleEndian.AppendUint32(p.b, uint32(p.bits))
		p.bits >>= 32
		p.used -= 32
	}
}

// align appends what is left of the last byte, whose other bits are zero.
func (p *packer) align() {
	for ; p.used > 0; p.used -= 8 {
		p.b = append(p.b, byte(p.bits))
		p.bits >>= 8
	}
	p.bits, p.used = 0, 0
}
