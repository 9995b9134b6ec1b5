package openrtb

import (
	"bytes"
	"math/bits"
)

const (
	// maxMarked bounds the bodies that are marked, in bytes.
	maxMarked = 16 << 10
	// maxMarkedDepth bounds how deep they are.
	maxMarkedDepth = 64
	// blocks is how many are classified at once.
	blocks = 8
)

// classes has a bit for each of 64 bytes that is one of a class. classify knows
// where each is.
type classes struct {
	quotes, slashes uint64
	controls        uint64 // below a space
	blanks          uint64 // controls and spaces
	colons, commas  uint64
	zeros, digits   uint64
	opens, closes   uint64 // of objects and arrays
}

// marks are bitmaps of a body, by which it is checked 64 bytes at once and then
// read without looking at what is skipped.
//
// Nearly all bid requests come without white space between their tokens. Then
// JSON's grammar (RFC 8259) is mostly about which byte may follow which, and
// that is a shift and a few operations for 64 of them. What has white space, is
// long, deep or wrong is left to [Request.skim], which also says where it is
// wrong.
type marks struct {
	quotes [maxMarked / 64]uint64 // that begin and end strings
	stops  [maxMarked / 64]uint64 // quotes that begin keys, and all brackets
	ends   [maxMarked]uint16      // for each opening bracket, the closing one

	escaped bool // whether there is a backslash

	raw [blocks]classes
}

// marking is what goes from one block to the next: of the last byte, 1 if it is
// one of a class.
type marking struct {
	body []byte
	base int // offset of the block

	escape, inString uint64 // of the first byte of the block; inString is all ones or none
	before           follow
	keys             uint64 // 1 where a key goes on

	depth   int
	kinds   uint64 // of the open objects and arrays, the innermost lowest: 1 is an object
	parents [maxMarkedDepth]uint16
	checked int // the offset up to which numbers and literals are
}

// follow says of the last byte what may or has to follow.
type follow struct{ scalars, values, opens, zeros, keys, colons uint64 }

// after returns which bytes come after those of a class, of which last is
// whether the byte before the block was one.
func after(class uint64, last *uint64) uint64 {
	out := class<<1 | *last
	*last = class >> 63
	return out
}

// mark makes the marks of a body. It reports false, and the marks mean nothing,
// where the body is not known to be an object of JSON and nothing else.
func (m *marks) mark(r *Request) bool {
	b := bytes.TrimRight(r.body, " \t\r\n")
	if len(b) > maxMarked || len(b) < 2 || b[0] != '{' || b[len(b)-1] != '}' {
		return false
	}
	g := marking{body: b, before: follow{values: 1}}
	m.escaped = false
	var last [64]byte
	for g.base < len(b) {
		n := min(blocks, (len(b)-g.base)/64)
		if n > 0 {
			classify(&b[g.base], n, &m.raw[0])
		} else {
			n = 1
			rest := copy(last[:], b[g.base:])
			for i := rest; i < len(last); i++ {
				last[i] = ' '
			}
			classify(&last[0], 1, &m.raw[0])
		}
		for i := range n {
			if !m.block(r, &g, &m.raw[i]) {
				return false
			}
			g.base += 64
		}
	}
	return g.depth == 0 && g.inString == 0
}

// block marks 64 bytes, and reports whether they may stand there.
func (m *marks) block(r *Request, g *marking, c *classes) bool {
	there := ^uint64(0)
	if left := len(g.body) - g.base; left < 64 {
		there = 1<<left - 1
	}
	quotes := c.quotes
	if c.slashes|g.escape != 0 {
		m.escaped = true
		escaped, ok := g.escapes(c.slashes)
		if !ok {
			return false
		}
		quotes &^= escaped
	}
	text := prefixXOR(quotes) ^ g.inString // with the opening quotes, without the closing ones
	g.inString = uint64(int64(text) >> 63)
	wrong := c.controls&text | c.blanks&there&^text

	begins, ends := quotes&text, quotes&^text
	opens, closes := c.opens&^text, c.closes&^text
	colons, commas := c.colons&^text, c.commas&^text
	scalars := there &^ (text | ends | opens | closes | colons | commas | c.blanks)

	inObject, objects, ok := m.brackets(g, opens|closes)
	if !ok {
		return false
	}
	p := &g.before
	starts := begins | opens | scalars&^after(scalars, &p.scalars)
	due := after(opens|colons|commas, &p.values)
	wrong |= starts&^due | due&^starts&^(closes&after(opens, &p.opens))
	wrong |= after(scalars&starts&c.zeros, &p.zeros) & scalars & c.digits // such as 01

	keyDue := after(objects|commas&inObject, &p.keys)
	keys := begins & keyDue
	wrong |= keyDue &^ (begins | closes)
	// Added to a text, the bit of its first byte is carried to its closing quote.
	sum, carry := bits.Add64(keys, text, g.keys)
	g.keys = carry
	wrong |= after(sum&ends, &p.colons) ^ colons

	if wrong != 0 || !g.values(r, scalars&^c.digits) {
		return false
	}
	m.quotes[g.base/64], m.stops[g.base/64] = quotes, keys|opens|closes
	return true
}

// escapes returns what backslashes stand before. It reports false where they
// make no escape of JSON.
func (g *marking) escapes(slashes uint64) (escaped uint64, ok bool) {
	escaped, g.escape, slashes = g.escape, 0, slashes&^g.escape
	for slashes != 0 {
		at := bits.TrailingZeros64(slashes)
		if escapeLen(g.body[g.base+at:]) == 0 {
			return 0, false
		}
		if at == 63 {
			g.escape = 1
		}
		escaped |= 2 << at
		slashes &^= 3 << at
	}
	return escaped, true
}

// brackets pairs brackets. It returns which bytes lie directly in an object, as
// far as they are no brackets, and which brackets open one.
func (m *marks) brackets(g *marking, list uint64) (inObject, objects uint64, ok bool) {
	inObject = -(g.kinds & 1)
	for ; list != 0; list &= list - 1 {
		i := bits.TrailingZeros64(list)
		at := g.base + i
		c := g.body[at]
		was, isObject := g.kinds&1, uint64(c>>5&1)
		if c&4 == 0 { // of { and [, not of } and ]
			if g.depth == maxMarkedDepth || g.depth == 0 && at > 0 {
				return 0, 0, false
			}
			g.parents[g.depth] = uint16(at)
			g.depth++
			g.kinds = g.kinds<<1 | isObject
			objects |= isObject << (i & 63)
		} else {
			if g.depth == 0 || was != isObject {
				return 0, 0, false
			}
			g.depth--
			g.kinds >>= 1
			m.ends[g.parents[g.depth]] = uint16(at)
		}
		inObject ^= -(was ^ g.kinds&1) << (i & 63)
	}
	return inObject, objects, true
}

// values checks the numbers and literals in which there is something else than
// a digit, given which bytes that is.
func (g *marking) values(r *Request, list uint64) bool {
	for ; list != 0; list &= list - 1 {
		at := g.base + bits.TrailingZeros64(list)
		if at < g.checked {
			continue
		}
		for isScalar(g.body[at-1]) {
			at--
		}
		end := r.plain(at)
		if end < 0 || end == len(g.body) || isScalar(g.body[end]) {
			return false
		}
		g.checked = end
	}
	return true
}

// isScalar reports whether a byte that stands in no string stands in a number or
// a literal, or nowhere.
func isScalar(c byte) bool {
	switch c {
	case '{', '}', '[', ']', ':', ',', '"':
		return false
	}
	return c > ' '
}

// prefixXOR returns for each bit whether an odd number of those up to it are set.
func prefixXOR(x uint64) uint64 {
	x ^= x << 1
	x ^= x << 2
	x ^= x << 4
	x ^= x << 8
	x ^= x << 16
	return x ^ x<<32
}

// quote returns the offset of the first quote from i on. There is one.
func (m *marks) quote(i int) int {
	w := i / 64
	x := m.quotes[w] >> (i % 64) << (i % 64)
	for x == 0 {
		w++
		x = m.quotes[w]
	}
	return w*64 + bits.TrailingZeros64(x)
}

// seek is [Request.skim] over the members of an object from the key at i on, in
// a body that is marked.
func (r *Request) seek(i int, stops uint32) (end int, stopped bool) {
	b, m := r.body, r.marks
	w := i / 64
	x := m.stops[w] >> (i % 64) << (i % 64)
	for {
		for x == 0 {
			w++
			x = m.stops[w]
		}
		i = w*64 + bits.TrailingZeros64(x)
		x &= x - 1
		switch b[i] {
		case '"':
			if stops>>(b[i+1]&31)&1 != 0 {
				return i, true
			}
		case '{', '[':
			i = int(m.ends[i]) + 1
			w = i / 64
			x = m.stops[w] >> (i % 64) << (i % 64)
		default:
			r.tail = tail{i, false}
			return i + 1, false
		}
	}
}
