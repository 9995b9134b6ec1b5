package server

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/privacy"
)

var problemPageID = &problem{status: 400, detail: "this key is for pages, which give no id: their visitor's cookie is read"}

// identify makes the identifier in a page's cookie the one that is asked. It
// leaves none where the visitor is nobody.
func (q *request) identify(ctx *fasthttp.RequestCtx, b *Browser) *problem {
	if len(q.ids) > 0 {
		return problemPageID
	}
	value, ok := readCookie(ctx.Request.Header.RawHeaders(), b.Cookie)
	if !ok {
		return nil
	}
	q.text = append(append(append(q.text[:0], b.Namespace...), ':'), value...)
	q.ids = append(q.ids, q.text)
	return nil
}

// readCookie returns the value of the cookie of that name in a header that
// readHeader has found sound; RFC 6265, section 4.2. It is as the browser sent
// it, with nothing decoded, but for double quotes around it, which are dropped.
// A browser may send two cookies of one name, for two paths or domains, and
// which of them comes first is up to whoever set them: if their values differ,
// there is none.
func readCookie(raw []byte, name string) (value []byte, ok bool) {
	for len(raw) > 0 {
		var field, pairs []byte
		field, pairs, raw = nextField(raw)
		if len(field) != len("Cookie") || count(field, "Cookie") == 0 {
			continue
		}
		for more := true; more; {
			var pair []byte
			pair, pairs, more = bytes.Cut(pairs, []byte{';'})
			n, v, found := bytes.Cut(trim(pair), []byte{'='})
			if !found || string(n) != name {
				continue
			}
			if v = unquote(v); ok && !bytes.Equal(v, value) {
				return nil, false
			}
			value, ok = v, true
		}
	}
	return value, ok
}

// unquote drops a pair of double quotes around a value.
func unquote(b []byte) []byte {
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		return b[1 : len(b)-1]
	}
	return b
}

// resolve answers q.ids as one, and returns the store that decided. Nobody is
// unknown, as any identifier is that nobody has.
func (s *Server) resolve(q *request) (*engine.Part, *engine.Answer, *problem) {
	if len(q.ids) > 0 {
		if err := q.view.Resolve(q.ids); err != nil {
			return nil, nil, problemTooLarge // engine.ErrTooLarge, and no other
		}
		part := q.view.Decided()
		return part, part.Resolved(), nil
	}
	q.nobody = engine.Answer{Reason: engine.Unknown}
	if v := q.view.Verdict(); v.All != privacy.None {
		q.nobody = engine.Answer{Reason: engine.Suppressed, Signal: v.All}
	}
	return &q.view.Parts()[0], &q.nobody, nil
}
