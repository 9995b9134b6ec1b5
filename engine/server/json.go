package server

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// clean reports whether b stands in a JSON string as it is: ASCII without
// control characters, quotes and backslashes. It looks at eight bytes at once;
// see "Bit Twiddling Hacks" by Anderson, "Determine if a word has a byte less
// than n".
func clean(b []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		quote, slash := x^ones*'"', x^ones*'\\'
		if (x|(x-ones*0x20)&^x|(quote-ones)&^quote|(slash-ones)&^slash)&highs != 0 {
			return false
		}
	}
	for _, c := range b {
		if !plain(c) {
			return false
		}
	}
	return true
}

func plain(c byte) bool { return c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' }

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, as encoding/json has it.
func appendString(dst []byte, s string) []byte {
	return appendBytes(dst, unsafe.Slice(unsafe.StringData(s), len(s)))
}

// appendBytes is [appendString] for bytes. Most are clean.
func appendBytes(dst, b []byte) []byte {
	if clean(b) {
		return append(append(append(dst, '"'), b...), '"')
	}
	return appendEscaped(dst, b)
}

func appendEscaped(dst, s []byte) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0 // of what is still to be appended as it is
	for i := 0; i < len(s); {
		c := s[i]
		if plain(c) {
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
		r, size := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
			start = i + 1
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendInt(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }
