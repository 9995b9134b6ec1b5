package normalise

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Marks that a folded text holds beside letters, digits and spaces.
const (
	ordinalMark    = 1 // of 2º, 2ª and n°
	apostropheMark = '\''
	unitMark       = '#' // before the number of a flat
)

// appendFolded appends s in lower case without accents. What is neither a
// letter nor a digit is a space, but for the marks above.
func appendFolded(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			dst = append(dst, foldByte(s[i]))
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		dst = appendFoldedRune(dst, s[i:i+size], r)
		i += size
	}
	return dst
}

func foldByte(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == apostropheMark, c == unitMark:
		return c
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c == '`':
		return apostropheMark
	}
	return ' '
}

// appendFoldedRune appends what remains of r, whose text is s.
func appendFoldedRune(dst []byte, s string, r rune) []byte {
	switch r {
	case 'º', 'ª', '°': // they would decompose to letters, or to nothing
		return append(dst, ' ', ordinalMark, ' ')
	case '’', '‘', 'ʼ', '´', '′':
		return append(dst, apostropheMark)
	}
	parts := norm.NFKD.PropertiesString(s).Decomposition()
	if parts == nil {
		return appendFoldedLetter(dst, r)
	}
	for len(parts) > 0 {
		r, size := utf8.DecodeRune(parts)
		dst = appendFoldedLetter(dst, r)
		parts = parts[size:]
	}
	return dst
}

// appendFoldedLetter appends r, which does not decompose.
func appendFoldedLetter(dst []byte, r rune) []byte {
	switch {
	case r < utf8.RuneSelf:
		return append(dst, foldByte(byte(r)))
	case unicode.Is(unicode.Mn, r):
		return dst
	case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r):
		return append(dst, ' ')
	}
	r = unicode.ToLower(r)
	if i := slices.Index(letters, r); i >= 0 {
		return append(dst, lettersAs[i]...)
	}
	return utf8.AppendRune(dst, r)
}

// letters are those that Unicode does not decompose, in lower case, and
// lettersAs what keyboards without them write.
var (
	letters   = []rune("ßæœøłđðþıς")
	lettersAs = [...]string{"ss", "ae", "oe", "o", "l", "d", "d", "th", "i", "σ"}
)

// foldUmlauts writes ae, oe and ue, as which a German ä, ö and ü are written
// too, as the a, o and u that they have become. It works in place.
func foldUmlauts(b []byte) []byte {
	n := 0
	for i, c := range b {
		if c == 'e' && i > 0 && (b[i-1] == 'a' || b[i-1] == 'o' || b[i-1] == 'u') {
			continue
		}
		b[n] = c
		n++
	}
	return b[:n]
}
