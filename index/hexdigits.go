package index

import "encoding/binary"

// Every byte of a word at once.
const (
	eachByte = 0x0101010101010101
	lowHalf  = 0x0f * eachByte
	highHalf = 0xf0 * eachByte
	zeros    = '0' * eachByte >> 16 // six of them
)

// nibbles returns what each of eight hexadecimal digits stands for, the digits
// and the numbers a byte each.
func nibbles(x uint64) uint64 { return x&lowHalf + 9*(x>>6&eachByte) } // 6: '@' and above

// notHex is zero where n is [nibbles] of x and x holds eight digits.
func notHex(x, n uint64) uint64 {
	folded := x | x>>1&(0x20*eachByte) // lower case
	above9 := (n + 6*eachByte) >> 4 & eachByte
	return (n + '0'*eachByte + ('a'-'0'-10)*above9) ^ folded | n&highHalf
}

// join puts eight numbers below 16, a byte each, into four bytes.
func join(n uint64) uint32 {
	n = (n<<4 | n>>8) & 0x00ff00ff00ff00ff
	n = (n | n>>8) & 0x0000ffff0000ffff
	return uint32(n | n>>16)
}

// parseUUID reads 32 hexadecimal digits, with the usual four dashes or none.
func parseUUID(u *[16]byte, s []byte) bool {
	le := binary.LittleEndian
	var a, b, c, d uint64
	switch len(s) {
	case 32:
		a, b, c, d = le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
	case 36:
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return false
		}
		a, d = le.Uint64(s), le.Uint64(s[28:])
		b = uint64(le.Uint32(s[9:])) | uint64(le.Uint32(s[14:]))<<32
		c = uint64(le.Uint32(s[19:])) | uint64(le.Uint32(s[24:]))<<32
	default:
		return false
	}
	na, nb, nc, nd := nibbles(a), nibbles(b), nibbles(c), nibbles(d)
	le.PutUint32(u[:], join(na))
	le.PutUint32(u[4:], join(nb))
	le.PutUint32(u[8:], join(nc))
	le.PutUint32(u[12:], join(nd))
	return notHex(a, na)|notHex(b, nb)|notHex(c, nc)|notHex(d, nd) == 0
}

// appendHex appends the bytes that the hexadecimal digits s stand for. Where s
// is something else it reports false, and what it appended means nothing.
func appendHex(dst, s []byte) ([]byte, bool) {
	if len(s)%2 != 0 {
		return dst, false
	}
	bad := uint64(0)
	for ; len(s) >= 8; s = s[8:] {
		x := binary.LittleEndian.Uint64(s)
		n := nibbles(x)
		dst = binary.LittleEndian.AppendUint32(dst, join(n))
		bad |= notHex(x, n)
	}
	for ; len(s) > 0; s = s[2:] {
		x := uint64(s[0]) | uint64(s[1])<<8 | zeros<<16
		n := nibbles(x)
		dst = append(dst, byte(join(n)))
		bad |= notHex(x, n)
	}
	return dst, bad == 0
}
