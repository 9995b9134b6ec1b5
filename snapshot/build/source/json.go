package source

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxNesting is how deep values that nobody asked for may be nested.
const maxNesting = 100

// A jsonLine is a cursor over one line of JSON text. Every function reports
// whether the line is valid JSON up to where it leaves the cursor.
type jsonLine struct {
	text string
	at   int
}

func (l *jsonLine) space() {
	for l.at < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.at]) >= 0 {
		l.at++
	}
}

// take consumes c, after white space, where it comes next.
func (l *jsonLine) take(c byte) bool {
	l.space()
	if l.at < len(l.text) && l.text[l.at] == c {
		l.at++
		return true
	}
	return false
}

// peek returns the next byte after white space, or 0.
func (l *jsonLine) peek() byte {
	l.space()
	if l.at == len(l.text) {
		return 0
	}
	return l.text[l.at]
}

// elements consumes a list or an object up to its closing byte: element is
// called at the start of each of its elements.
func (l *jsonLine) elements(closing byte, element func() bool) bool {
	if l.take(closing) {
		return true
	}
	for {
		if !element() {
			return false
		}
		if !l.take(',') {
			return l.take(closing)
		}
	}
}

// str consumes a string and returns its value: a part of the line where it has
// no escapes. An escape that is no character becomes U+FFFD.
func (l *jsonLine) str() (value string, escaped, ok bool) {
	if !l.take('"') {
		return "", false, false
	}
	start := l.at
	for ; l.at < len(l.text); l.at++ {
		switch c := l.text[l.at]; {
		case c == '"':
			l.at++
			if escaped {
				value, ok = unescape(l.text[start-1 : l.at])
				return value, true, ok
			}
			return l.text[start : l.at-1], false, true
		case c == '\\':
			escaped = true
			l.at++
		case c < ' ':
			return "", false, false
		}
	}
	return "", false, false
}

// unescape returns the value of a string, given with its quotes.
func unescape(quoted string) (value string, ok bool) {
	err := json.Unmarshal([]byte(quoted), &value)
	return value, err == nil
}

// number consumes a number and returns it as it is written.
func (l *jsonLine) number() (string, bool) {
	l.space()
	start := l.at
	digits := func() bool {
		from := l.at
		for l.at < len(l.text) && l.text[l.at]-'0' < 10 {
			l.at++
		}
		return l.at > from
	}
	one := func(set string) bool {
		if l.at < len(l.text) && strings.IndexByte(set, l.text[l.at]) >= 0 {
			l.at++
			return true
		}
		return false
	}
	one("-")
	if !one("0") && !digits() {
		return "", false
	}
	if one(".") && !digits() {
		return "", false
	}
	if one("eE") {
		one("+-")
		if !digits() {
			return "", false
		}
	}
	return l.text[start:l.at], true
}

// literal consumes true, false or null.
func (l *jsonLine) literal() (string, bool) {
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(l.text[l.at:], word) {
			l.at += len(word)
			return word, true
		}
	}
	return "", false
}

// skip consumes any value.
func (l *jsonLine) skip(depth int) bool {
	if depth == maxNesting {
		return false
	}
	var ok bool
	switch c := l.peek(); c {
	case '"':
		_, _, ok = l.str()
	case '[':
		l.at++
		ok = l.elements(']', func() bool { return l.skip(depth + 1) })
	case '{':
		l.at++
		ok = l.elements('}', func() bool {
			_, _, ok := l.str()
			return ok && l.take(':') && l.skip(depth+1)
		})
	case 't', 'f', 'n':
		_, ok = l.literal()
	default:
		_, ok = l.number()
	}
	return ok
}

// isCharacters reports whether all escapes of a string were characters.
func isCharacters(value string, escaped bool) bool {
	return !escaped || !strings.ContainsRune(value, utf8.RuneError)
}
