package openrtb

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
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

// raw returns the bytes of s, which must not be written to.
func raw(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, as encoding/json has it.
func appendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	if clean(s) {
		dst = append(dst, s...)
	} else {
		dst = appendEscaped(dst, s)
	}
	return append(dst, '"')
}

// clean reports whether s stands in a JSON string as it is: ASCII without
// control characters, quotes and backslashes.
func clean(s []byte) bool {
	const highs = 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		if x := binary.LittleEndian.Uint64(s); special(x)|x&highs != 0 {
			return false
		}
	}
	for _, c := range s {
		if !plain(c) {
			return false
		}
	}
	return true
}

func plain(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

func appendEscaped(dst, s []byte) []byte {
	const hexDigits = "0123456789abcdef"
	for len(s) > 0 {
		switch c := s[0]; {
		case plain(c):
			dst = append(dst, c)
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			r, size := utf8.DecodeRune(s)
			dst = utf8.AppendRune(dst, r)
			s = s[size-1:]
		}
		s = s[1:]
	}
	return dst
}

// sameText reports whether there, a string of a request, is what s is read as
// once [appendString] has written it.
func sameText(there, s []byte) bool {
	if len(there) <= len(s) {
		return string(there) == string(s)
	}
	// Only what is not UTF-8 is read as something else, and that gets longer.
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		var buf [utf8.UTFMax]byte
		n := utf8.EncodeRune(buf[:], r)
		if len(there) < n || string(there[:n]) != string(buf[:n]) {
			return false
		}
		there, s = there[n:], s[size:]
	}
	return len(there) == 0
}
