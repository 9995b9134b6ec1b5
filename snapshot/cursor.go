package snapshot

import (
	"encoding/binary"
	"errors"
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
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
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

// bits reads width bits (at most 32) at bit offset at of b, low bits first.
func bits(b []byte, at, width int) uint32 {
	var v uint64
	if i := at >> 3; i+8 <= len(b) {
		v = binary.LittleEndian.Uint64(b[i:])
	} else {
		for k := len(b) - 1; k >= i; k-- {
			v = v<<8 | uint64(b[k])
		}
	}
	return uint32(v >> (at & 7) & (1<<width - 1))
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
