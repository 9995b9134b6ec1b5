package server

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// page is what the header of a request says of the page that makes it. A
// browser sends all of it by itself: no script can set it.
type page struct {
	origin  []byte // Origin, if origins is 1
	origins int
	own     bool // Sec-Fetch-Site says that the page is of the server's own origin
	sites   int
	asks    bool // there is an Access-Control-Request-Method
}

// readPage reads a header that readHeader has found sound.
func readPage(raw []byte) (p page) {
	for len(raw) > 0 {
		var name, value []byte
		name, value, raw = nextField(raw)
		switch len(name) {
		case len("Origin"):
			if count(name, "Origin") > 0 {
				p.origin = value
				p.origins++
			}
		case len("Sec-Fetch-Site"):
			if count(name, "Sec-Fetch-Site") > 0 {
				p.own = string(value) == "same-origin"
				p.sites++
			}
		case len("Access-Control-Request-Method"):
			if count(name, "Access-Control-Request-Method") > 0 {
				p.asks = true
			}
		}
	}
	return p
}

// nextField cuts the first field off a header that is sound. At the end the
// name is empty.
func nextField(raw []byte) (name, value, rest []byte) {
	line, rest, _ := bytes.Cut(raw, []byte("\r\n"))
	n := nameLength(line)
	if n < 0 {
		return nil, nil, nil
	}
	return line[:n], trim(line[n+1:]), rest
}

// allows returns the origin of a page, as it is configured, if pages of it may
// use the key. It is compared byte by byte: an origin has one spelling, and
// "null" is that of many.
func (b *Browser) allows(p *page) (origin string, ok bool) {
	if b == nil || p.origins != 1 {
		return "", false
	}
	for _, o := range b.Origins {
		if string(p.origin) == o {
			return o, true
		}
	}
	return "", false
}

// admit refuses a page that the caller's key is not for. Asking within one
// origin, a browser sends no Origin, and says in Sec-Fetch-Site that it does.
func (q *request) admit(ctx *fasthttp.RequestCtx) *problem {
	q.origin = ""
	b := q.caller.client.Browser
	if b == nil {
		return nil
	}
	ctx.Response.Header.Set(fasthttp.HeaderVary, fasthttp.HeaderOrigin)
	p := readPage(ctx.Request.Header.RawHeaders())
	if p.origins == 0 && p.sites == 1 && p.own {
		return nil
	}
	var ok bool
	if q.origin, ok = b.allows(&p); !ok {
		return problemOrigin
	}
	return nil
}

var problemOrigin = &problem{status: 403, detail: "this key is for pages of its configured origins alone"}

// share lets pages of an origin read the answer, when to ask again included.
func share(ctx *fasthttp.RequestCtx, origin string) {
	h := &ctx.Response.Header
	h.Set(fasthttp.HeaderAccessControlAllowOrigin, origin)
	h.Set(fasthttp.HeaderAccessControlAllowCredentials, "true")
	h.Set(fasthttp.HeaderAccessControlExposeHeaders, fasthttp.HeaderRetryAfter)
}

// preflight answers the question whether a page may ask for segments. It has no
// key, so the answer is whether the origin is that of some client; whether it
// is that of the key's comes later. Any other OPTIONS gets the refusal that it
// is given.
func (s *Server) preflight(ctx *fasthttp.RequestCtx, id *routeID, otherwise *problem) *problem {
	p := readPage(ctx.Request.Header.RawHeaders())
	if p.origins == 0 || !p.asks {
		return otherwise
	}
	*id = routePreflight
	h := &ctx.Response.Header
	h.Set(fasthttp.HeaderVary, fasthttp.HeaderOrigin)
	for _, c := range s.keys.Load().callers {
		if origin, ok := c.client.Browser.allows(&p); ok {
			h.Set(fasthttp.HeaderAccessControlAllowOrigin, origin)
			h.Set(fasthttp.HeaderAccessControlAllowCredentials, "true")
			h.Set(fasthttp.HeaderAccessControlAllowMethods, fasthttp.MethodGet)
			h.Set(fasthttp.HeaderAccessControlAllowHeaders, "authorization")
			h.Set(fasthttp.HeaderAccessControlMaxAge, preflightAge)
			ctx.Response.SetStatusCode(fasthttp.StatusNoContent)
			return nil
		}
	}
	return problemPreflight
}

// preflightAge is how long a browser may remember the answer to a preflight, in
// seconds. It is no more than a permission to ask, so one that is out of date
// shows nobody anything.
const preflightAge = "600"

var problemPreflight = &problem{status: 403, detail: "no client's key is for pages of this origin"}
