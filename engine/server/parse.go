package server

import (
	"bytes"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxIDs is how many identifiers one POST may have.
const MaxIDs = 5000

// parseIDs reads the body {"ids":["...",...]} into q.ids. It is strict: that
// one key, once; strings only; nothing after the object; UTF-8. Identifiers
// without escapes are slices of body, others lie in q.text.
func (q *request) parseIDs(body []byte) *problem {
	q.ids = q.ids[:0]
	// What an escape stands for is never longer than the escape, so text does
	// not move once identifiers point into it.
	q.text = slices.Grow(q.text[:0], len(body))
	if !utf8.Valid(body) {
		return badRequest("the body is not UTF-8")
	}
	p := bodyParser{b: body, q: q}
	if problem := p.object(); problem != nil {
		return problem
	}
	if len(q.ids) == 0 {
		return badRequest("ids is empty")
	}
	return nil
}

// bodyParser is a place in a body.
type bodyParser struct {
	b  []byte
	at int
	q  *request
}

func (p *bodyParser) object() *problem {
	if !p.take('{') {
		return p.expected("an object, {\"ids\":[...]}")
	}
	key, ok := p.text()
	if !ok || string(key) != "ids" {
		return p.expected("the key \"ids\", and no other")
	}
	if !p.take(':') {
		return p.expected("a colon")
	}
	if problem := p.list(); problem != nil {
		return problem
	}
	if !p.take('}') {
		return p.expected("the end of the object: \"ids\" is its only key")
	}
	if p.peek(); p.at < len(p.b) {
		return p.expected("nothing more")
	}
	return nil
}

func (p *bodyParser) list() *problem {
	if !p.take('[') {
		return p.expected("a list of identifiers")
	}
	if p.take(']') {
		return nil
	}
	for {
		if len(p.q.ids) == MaxIDs {
			return &problem{status: 413, detail: "a batch has at most 5000 ids; split it"}
		}
		id, ok := p.text()
		if !ok {
			return p.expected("an identifier, a JSON string")
		}
		p.q.ids = append(p.q.ids, id)
		if p.take(']') {
			return nil
		}
		if !p.take(',') {
			return p.expected("a comma or the end of the list")
		}
	}
}

// expected is the problem at the present place. It does not quote what stands
// there.
func (p *bodyParser) expected(what string) *problem {
	return badRequest("byte %d of the body: expected %s", p.at, what)
}

// peek skips white space and returns the byte after it, or 0 at the end.
func (p *bodyParser) peek() byte {
	for ; p.at < len(p.b); p.at++ {
		switch c := p.b[p.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (p *bodyParser) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

// text reads a string.
func (p *bodyParser) text() ([]byte, bool) {
	if p.peek() != '"' {
		return nil, false
	}
	rest := p.b[p.at+1:]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return nil, false
	}
	if clean(rest[:end]) {
		p.at += end + 2
		return rest[:end:end], true
	}
	return p.escaped()
}

// escaped reads a string that may have escapes, into the request's text.
func (p *bodyParser) escaped() ([]byte, bool) {
	start := len(p.q.text)
	out := p.q.text
	for i := p.at + 1; i < len(p.b); {
		switch c := p.b[i]; {
		case c == '"':
			p.at, p.q.text = i+1, out
			return out[start:len(out):len(out)], true
		case c < 0x20:
			return nil, false
		case c == '\\':
			n := 0
			if out, n = appendUnescaped(out, p.b[i:]); n == 0 {
				return nil, false
			}
			i += n
		default:
			out = append(out, c)
			i++
		}
	}
	return nil, false
}

// appendUnescaped appends what the escape at the start of b stands for and
// returns the length of the escape, 0 where it is none. Half a surrogate pair
// stands for U+FFFD, as encoding/json has it.
func appendUnescaped(dst, b []byte) ([]byte, int) {
	if len(b) < 2 {
		return dst, 0
	}
	switch c := b[1]; c {
	case '"', '\\', '/':
		return append(dst, c), 2
	case 'b':
		return append(dst, '\b'), 2
	case 'f':
		return append(dst, '\f'), 2
	case 'n':
		return append(dst, '\n'), 2
	case 'r':
		return append(dst, '\r'), 2
	case 't':
		return append(dst, '\t'), 2
	}
	r := codeUnit(b)
	if r < 0 {
		return dst, 0
	}
	if utf16.IsSurrogate(r) {
		if pair := utf16.DecodeRune(r, codeUnit(b[6:])); pair != utf8.RuneError {
			return utf8.AppendRune(dst, pair), 12
		}
		r = utf8.RuneError
	}
	return utf8.AppendRune(dst, r), 6
}

// codeUnit reads \uXXXX at the start of b, or returns -1.
func codeUnit(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	r := rune(0)
	for _, c := range b[2:6] {
		d := unhex(c)
		if d < 0 {
			return -1
		}
		r = r<<4 | rune(d)
	}
	return r
}

// unhex is the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
