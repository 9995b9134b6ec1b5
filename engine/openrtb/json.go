package openrtb

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// The functions here scan one thing of JSON's grammar (RFC 8259) and return the
// offset after it, or -1 once [Request.fail] has noted what is wrong.

// fail notes what is wrong at an offset.
func (r *Request) fail(at int, problem string) int {
	if at >= len(r.body) {
		problem = "the body ends here, " + problem
	}
	r.fault = SyntaxError{Offset: at, Problem: problem}
	return -1
}

// peek returns the byte at i, or 0, which begins nothing, at the end.
func (r *Request) peek(i int) byte {
	if i < len(r.body) {
		return r.body[i]
	}
	return 0
}

// space skips white space.
func (r *Request) space(i int) int {
	if i < len(r.body) && r.body[i] > ' ' {
		return i
	}
	return r.spaces(i)
}

func (r *Request) spaces(i int) int {
	for ; i < len(r.body); i++ {
		switch r.body[i] {
		case ' ', '\t', '\n', '\r':
		default:
			return i
		}
	}
	return i
}

// first enters the object or array that opens at i. It returns the offset of the
// first member or element, or false and the offset after an empty one. What is
// looked into lies at few levels; [Request.skim] bounds the depth of the rest.
func (r *Request) first(i int, closing byte) (int, bool) {
	i = r.space(i + 1)
	if r.peek(i) == closing {
		return i + 1, false
	}
	return i, true
}

// next goes from the end of one member or element to the next, or returns false
// and the offset after the end.
func (r *Request) next(i int, closing byte) (int, bool) {
	if b := r.body; i+1 < len(b) && b[i] == ',' && b[i+1] > ' ' {
		return i + 1, true
	}
	i = r.space(i)
	switch r.peek(i) {
	case ',':
		return r.space(i + 1), true
	case closing:
		return i + 1, false
	}
	return r.fail(i, expectedAfter(closing == '}')), false
}

// key scans a key and its colon. It returns the key, unescaped, which lasts
// until anything else is, and the offset of the value.
func (r *Request) key(i int) ([]byte, int) {
	b := r.body
	if i >= len(b) || b[i] != '"' {
		return nil, r.fail(i, "expected a key")
	}
	end, escaped := r.stringEnd(i + 1)
	if end < 0 {
		return nil, -1
	}
	key := b[i+1 : end-1]
	if escaped {
		mark := len(r.text)
		key = r.unescape(key)
		r.text = r.text[:mark]
	}
	if end+1 < len(b) && b[end] == ':' && b[end+1] > ' ' {
		return key, end + 1
	}
	return key, r.colon(end)
}

func (r *Request) colon(i int) int {
	i = r.space(i)
	if r.peek(i) != ':' {
		return r.fail(i, "expected a colon")
	}
	return r.space(i + 1)
}

// skip scans any value in an array or object at a level of depth.
func (r *Request) skip(i, depth int) int {
	switch r.peek(i) {
	case '"':
		i, _ = r.stringEnd(i + 1)
		return i
	case '{', '[':
		if r.marked {
			return int(r.marks.ends[i]) + 1
		}
		i, _ = r.skim(i, depth, 0, 0)
		return i
	}
	return r.plain(i)
}

// plain scans a number or a literal.
func (r *Request) plain(i int) int {
	switch r.peek(i) {
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return r.number(i)
	case 't':
		return r.literal(i, "true")
	case 'f':
		return r.literal(i, "false")
	case 'n':
		return r.literal(i, "null")
	}
	return r.fail(i, "expected a value")
}

func (r *Request) literal(i int, want string) int {
	if end := i + len(want); end <= len(r.body) && string(r.body[i:end]) == want {
		return end
	}
	return r.fail(i, "expected a value")
}

func (r *Request) number(i int) int {
	b := r.body
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i = r.digits(i); i < 0 {
		return -1
	}
	if i < len(b) && (b[i] == '.' || b[i]|0x20 == 'e') {
		return r.fraction(i)
	}
	return i
}

// fraction scans what may come after the whole part of a number.
func (r *Request) fraction(i int) int {
	if r.body[i] == '.' {
		if i = r.digits(i + 1); i < 0 {
			return -1
		}
	}
	if r.peek(i)|0x20 == 'e' {
		i++
		if c := r.peek(i); c == '+' || c == '-' {
			i++
		}
		return r.digits(i)
	}
	return i
}

// digits scans one digit or more.
func (r *Request) digits(i int) int {
	start := i
	for b := r.body; i < len(b) && b[i]-'0' <= 9; {
		i++
	}
	if i == start {
		return r.fail(i, "expected a digit")
	}
	return i
}

// stringEnd scans a string from after its opening quote to after the closing
// one, and says whether there is an escape in it. It looks at eight bytes at
// once, where there are no marks.
func (r *Request) stringEnd(i int) (end int, escaped bool) {
	b := r.body
	if r.marked {
		end = r.marks.quote(i)
		return end + 1, r.marks.escaped && bytes.IndexByte(b[i:end], '\\') >= 0
	}
	for i+8 <= len(b) {
		m := special(binary.LittleEndian.Uint64(b[i:]))
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) >> 3
		if b[i] == '"' {
			return i + 1, escaped
		}
		if i = r.escape(i); i < 0 {
			return -1, false
		}
		escaped = true
	}
	for i < len(b) && b[i] != '"' {
		if b[i] >= ' ' && b[i] != '\\' {
			i++
			continue
		}
		if i = r.escape(i); i < 0 {
			return -1, false
		}
		escaped = true
	}
	if i >= len(b) {
		return r.fail(i, "expected the end of the string"), false
	}
	return i + 1, escaped
}

// stringRest scans from a place in a string to after its closing quote.
func (r *Request) stringRest(i int) int {
	i, _ = r.stringEnd(i)
	return i
}

// escape scans an escape.
func (r *Request) escape(i int) int {
	if r.body[i] != '\\' {
		return r.fail(i, "a control character in a string")
	}
	n := escapeLen(r.body[i:])
	if n == 0 {
		return r.fail(i, "expected an escape of JSON")
	}
	return i + n
}

// special sets the highest bit of each byte of x that is a control character, a
// quote or a backslash. Bits above the lowest one that is set may be wrong. See
// "Bit Twiddling Hacks" by Anderson, "Determine if a word has a byte less than
// n": with its second bit turned, a quote is a space, and a control character
// stays one.
func special(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	slash := x ^ ones*'\\'
	return (((x^ones*2)-ones*(' '+1))&^x | (slash-ones)&^slash) & highs
}
