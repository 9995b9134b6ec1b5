package openrtb

import (
	"encoding/binary"
	"math/bits"
)

// skim skips the array or object at i, or, where level is 1, the members of an
// object from the key at i on: then it stops at a key whose initial is one of
// stops, or after the object, with its tail in r.tail. depth is that of what
// encloses them.
//
// Nearly all of a request is skipped here, so it is one loop, without recursion:
// each turn takes a key with its colon, a value, or the opening of another array
// or object.
func (r *Request) skim(i, depth, level int, stops uint32) (end int, stopped bool) {
	b := r.body
	var outer levels
	inObject, wantKey := level == 1, level == 1
	for {
		if i >= len(b) {
			return r.fail(i, expected(wantKey)), false
		}
		switch c := b[i]; {
		case c == '"':
			i++
			if level == 1 && wantKey && i < len(b) && stops>>(b[i]&31)&1 != 0 {
				return i - 1, true
			}
			for {
				if i+8 > len(b) {
					i = r.stringRest(i)
					break
				}
				m := special(binary.LittleEndian.Uint64(b[i:]))
				if m == 0 {
					i += 8
					continue
				}
				i += bits.TrailingZeros64(m) >> 3
				if b[i] == '"' {
					i++
				} else {
					i = r.stringRest(i)
				}
				break
			}
			if i < 0 {
				return -1, false
			}
			if wantKey {
				if i+1 < len(b) && b[i] == ':' && b[i+1] > ' ' {
					i++
				} else if i = r.colon(i); i < 0 {
					return -1, false
				}
				wantKey = false
				continue
			}
		case wantKey:
			return r.fail(i, expected(true)), false
		case c == '{' || c == '[':
			if depth+level == MaxDepth {
				return r.fail(i, "nested deeper than 100 levels"), false
			}
			if i = r.space(i + 1); i < len(b) && b[i] == c+2 {
				i++
				break
			}
			outer.push(inObject)
			inObject = c == '{'
			wantKey = inObject
			level++
			continue
		default:
			// Most other values are whole numbers.
			digits := i
			for digits < len(b) && b[digits]-'0' <= 9 {
				digits++
			}
			if (c != '0' || digits == i+1) && digits > i && digits < len(b) && (b[digits] == ',' || b[digits] == '}' || b[digits] == ']') {
				i = digits
			} else if i = r.plain(i); i < 0 {
				return -1, false
			}
		}
		for {
			if level == 0 {
				return i, false
			}
			if i+1 < len(b) && b[i] == ',' && b[i+1] > ' ' {
				i++
				wantKey = inObject
				break
			}
			ended := i
			if i = r.space(i); i >= len(b) {
				return r.fail(i, expectedAfter(inObject)), false
			}
			c := b[i]
			if c == ',' {
				i = r.space(i + 1)
				wantKey = inObject
				break
			}
			if c != closing(inObject) {
				return r.fail(i, expectedAfter(inObject)), false
			}
			i++
			level--
			if level == 0 && stops != 0 {
				r.tail = tail{ended, false}
				return i, false
			}
			inObject = outer.pop()
		}
	}
}

func expected(key bool) string {
	if key {
		return "expected a key"
	}
	return "expected a value"
}

// levels remembers of up to 128 levels which are objects.
type levels struct{ low, high uint64 }

func (l *levels) push(isObject bool) {
	l.high = l.high<<1 | l.low>>63
	l.low <<= 1
	if isObject {
		l.low |= 1
	}
}

func (l *levels) pop() (isObject bool) {
	isObject = l.low&1 != 0
	l.low = l.low>>1 | l.high<<63
	l.high >>= 1
	return isObject
}

func closing(isObject bool) byte {
	if isObject {
		return '}'
	}
	return ']'
}

func expectedAfter(isObject bool) string {
	if isObject {
		return "expected a comma or the end of the object"
	}
	return "expected a comma or the end of the array"
}
