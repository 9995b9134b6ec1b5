package openrtb

import (
	"unicode/utf16"
	"unicode/utf8"
)

// escapeLen returns the length of the escape that b begins with, 0 where it is
// none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	}
	if codeUnit(b) < 0 {
		return 0
	}
	return 6
}

// codeUnit reads the \uXXXX that b begins with, or returns -1.
func codeUnit(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	r := rune(0)
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// unescape returns what the content of a string stands for, in r.text. Half a
// surrogate pair stands for U+FFFD, as encoding/json has it.
func (r *Request) unescape(s []byte) []byte {
	start := len(r.text)
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			r.text = append(r.text, s[i])
			i++
			continue
		}
		switch c := s[i+1]; c {
		case 'b':
			r.text = append(r.text, '\b')
		case 'f':
			r.text = append(r.text, '\f')
		case 'n':
			r.text = append(r.text, '\n')
		case 'r':
			r.text = append(r.text, '\r')
		case 't':
			r.text = append(r.text, '\t')
		case 'u':
			u := codeUnit(s[i:])
			if utf16.IsSurrogate(u) {
				u = utf16.DecodeRune(u, codeUnit(s[i+6:]))
				if u != utf8.RuneError {
					i += 6
				}
			}
			r.text = utf8.AppendRune(r.text, u)
			i += 4
		default:
			r.text = append(r.text, c)
		}
		i += 2
	}
	return r.text[start:len(r.text):len(r.text)]
}

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, as encoding/json has it.
func appendString[T string | []byte](dst []byte, s T) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0 // of what is still to be appended as it is
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			if c == '"' || c == '\\' {
				dst = append(dst, '\\', c)
			} else {
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := runeAt(s, i)
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\ufffd"...)
			start = i + 1
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// sameText reports whether there, a string of a request, is what s is read as
// once [appendString] has written it.
func sameText[T string | []byte](there []byte, s T) bool {
	if string(there) == string(s) {
		return true
	}
	// Only what is not UTF-8 is read as something else, and that gets longer.
	if len(there) <= len(s) {
		return false
	}
	for i := 0; i < len(s); {
		r, size := runeAt(s, i)
		var buf [utf8.UTFMax]byte
		n := utf8.EncodeRune(buf[:], r)
		if len(there) < n || string(there[:n]) != string(buf[:n]) {
			return false
		}
		there, i = there[n:], i+size
	}
	return len(there) == 0
}

func runeAt[T string | []byte](s T, i int) (rune, int) {
	var buf [utf8.UTFMax]byte
	return utf8.DecodeRune(buf[:copy(buf[:], s[i:])])
}
