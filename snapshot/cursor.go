package snapshot

import (
	"encoding/binary"
	"errors"
	"math"
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

// uvarint reads a number of at most limit. Most are below 128.
func (c *cursor) uvarint(limit uint64) uint64 {
	if len(c.b) > 0 && c.b[0] < 0x80 && uint64(c.b[0]) <= limit {
		v := c.b[0]
		c.b = c.b[1:]
		return uint64(v)
	}
	return c.longUvarint(limit)
}

func (c *cursor) longUvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 || v > limit {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

// varint reads a signed number.
func (c *cursor) varint() int64 {
	v := c.longUvarint(math.MaxUint64)
	return int64(v>>1) ^ -int64(v&1) // zigzag
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
