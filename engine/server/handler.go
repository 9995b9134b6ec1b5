package server

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/eventlog/feed"
	"github.com/matchd/matchd/engine/privacy"
)

// routeID numbers the routes, for metrics.
type routeID uint8

const (
	routeMatch routeID = iota
	routeBatch
	routeSegments
	routeIdentifiers
	routeEnrich
	routeEvents
	routeFeed      // the log of live changes is read
	routePreflight // whether a page may ask for segments
	routeHealth
	routeOther   // no such path or method
	routeRefused // no request: a connection too many, or bytes that are not HTTP
	routeIDs
)

var routeNames = [routeIDs]string{"match", "match_batch", "segments", "identifiers", "enrich", "events", "feed", "preflight", "health", "other", "refused"}

// route is what serves a path; routeOther where a method is not allowed.
type route struct{ get, post routeID }

var (
	matchRoute       = route{routeMatch, routeBatch}
	segmentsRoute    = route{routeSegments, routeOther}
	identifiersRoute = route{routeIdentifiers, routeOther}
	enrichRoute      = route{routeOther, routeEnrich}
	eventsRoute      = route{routeFeed, routeEvents}
	healthRoute      = route{routeHealth, routeOther}
)

func findRoute(path []byte) *route {
	switch string(path) {
	case "/v1/match":
		return &matchRoute
	case "/v1/segments":
		return &segmentsRoute
	case "/v1/identifiers":
		return &identifiersRoute
	case "/v1/openrtb/enrich":
		return &enrichRoute
	case "/v1/events":
		return &eventsRoute
	case pathLive, pathReady:
		return &healthRoute
	}
	return nil
}

// method returns the route's id for the request's method, or a 405.
func (r *route) method(h *fasthttp.RequestHeader) (routeID, *problem) {
	switch {
	case r.get != routeOther && (h.IsGet() || h.IsHead()):
		return r.get, nil
	case r.post != routeOther && h.IsPost():
		return r.post, nil
	}
	switch {
	case r.post == routeOther:
		return routeOther, problemGet
	case r.get == routeOther:
		return routeOther, problemPost
	}
	return routeOther, problemGetPost
}

var problemGet, problemPost, problemGetPost = takes("GET, HEAD"), takes("POST"), takes("GET, HEAD, POST")

func takes(methods string) *problem {
	return &problem{status: 405, detail: "this path takes " + methods, header: [2]string{fasthttp.HeaderAllow, methods}}
}

// handle serves one request of the public listener.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	id := routeOther
	cut := beginWork(ctx)
	defer func() {
		if v := recover(); v != nil {
			s.panicked(v)
			ctx.Response.Reset()
			problemPanic.write(ctx)
		}
		if cut || s.draining.Load() {
			ctx.Response.SetConnectionClose()
		}
		s.metrics.observe(id, ctx.Response.StatusCode(), time.Since(ctx.Time()))
	}()
	if p := s.dispatch(ctx, &id); p != nil {
		p.write(ctx)
	}
}

// dispatch serves a request or says why not. id is set as soon as the route
// is known.
func (s *Server) dispatch(ctx *fasthttp.RequestCtx, id *routeID) *problem {
	h, sound := readHeader(ctx.Request.Header.RawHeaders())
	if !sound {
		return problemFraming
	}
	if !ctx.Request.Header.IsHTTP11() && string(ctx.Request.Header.Protocol()) != "HTTP/1.0" {
		return problemVersion
	}
	if h.unmet {
		return problemExpect
	}
	r := findRoute(ctx.Path())
	if r == nil {
		return problemPath
	}
	var p *problem
	if *id, p = r.method(&ctx.Request.Header); p != nil {
		if r == &segmentsRoute && ctx.Request.Header.IsOptions() {
			return s.preflight(ctx, id, p)
		}
		return p
	}
	if *id == routeHealth {
		return s.health(ctx)
	}
	who := s.authorize(ctx, h.authorization)
	if who == nil {
		return problemKey
	}
	q := requests.Get().(*request)
	q.caller, q.route, q.encoded = who, *id, h.encoded
	if h.gpcs > 0 {
		q.signals.Set(privacy.GPC, h.gpc)
	}
	if h.gpcConflict {
		q.signals.Malformed(privacy.GPC)
	}
	p = s.lookup(ctx, q)
	if q.origin != "" {
		share(ctx, q.origin)
	}
	if p != nil {
		q.release()
		return p
	}
	if cap(q.out) > maxKept {
		// Not the response's buffer, which outlives the request.
		ctx.Response.SetBodyRaw(q.out)
		q.out = nil
	} else {
		// The response keeps the answer and gives its old buffer for the next one.
		q.out = ctx.Response.SwapBody(q.out)
	}
	switch {
	case q.route == routeFeed:
		ctx.Response.Header.SetContentType(feed.ContentType)
	case ctx.Response.StatusCode() != fasthttp.StatusNoContent:
		ctx.Response.Header.SetContentType(jsonType)
	}
	ctx.Response.Header.SetCanonical(cacheControl, noStore)
	q.release()
	return nil
}

const jsonType = "application/json"

// Answers are personal data: a cache would go on giving them after an opt-out.
var (
	cacheControl = []byte(fasthttp.HeaderCacheControl)
	noStore      = []byte("no-store")
)

// serveV1 writes the answer to a lookup into q.out.
func (s *Server) serveV1(ctx *fasthttp.RequestCtx, q *request) *problem {
	switch q.route {
	case routeMatch:
		return s.match(ctx, q)
	case routeBatch:
		return s.matchBatch(ctx, q)
	case routeSegments:
		return s.segments(ctx, q)
	case routeEnrich:
		return s.enrich(ctx, q)
	case routeEvents:
		return s.events(ctx, q)
	case routeFeed:
		return s.feed(ctx, q)
	default:
		return s.identifiers(ctx, q)
	}
}

// begin takes what n questions cost the caller, and begins its view of the
// stores, which obeys what the request says about privacy.
func (s *Server) begin(ctx *fasthttp.RequestCtx, q *request, n int) *problem {
	if p := s.enter(ctx, q, n); p != nil {
		return p
	}
	s.pools.Heed(&q.view, &q.signals)
	return nil
}

// enter is begin without regard to privacy.
func (s *Server) enter(ctx *fasthttp.RequestCtx, q *request, n int) *problem {
	if !q.paid { // it may be answered anew, see serve
		if p := q.caller.spend(n, ctx.Time()); p != nil {
			return p
		}
		q.paid = true
	}
	switch err := s.pools.Begin(&q.view, q.caller.name); {
	case errors.Is(err, engine.ErrNotReady):
		return problemNotReady
	case err != nil:
		return problemKey
	}
	return nil
}

// panicked counts and logs a panic. Its value may hold a part of the request,
// so only a runtime error, which does not, is written out.
func (s *Server) panicked(v any) {
	s.metrics.panics.Add(1)
	what := fmt.Sprintf("%T", v)
	var e runtime.Error
	if err, ok := v.(error); ok && errors.As(err, &e) {
		what = e.Error()
	}
	s.log.Error("a request panicked", "panic", what, "stack", string(debug.Stack()))
}

// handleUnread answers what could not be read as a request.
func (s *Server) handleUnread(ctx *fasthttp.RequestCtx, err error) {
	p := problemUnread
	var timeout net.Error
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &small):
		p = problemHeader
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		if p = problemBody; findRoute(ctx.Path()) == &enrichRoute {
			p = problemLargeBid
		}
	case errors.As(err, &timeout) && timeout.Timeout():
		p = problemTimeout
	}
	if p != problemTimeout {
		lingerOnClose(ctx)
	}
	ctx.Response.Reset()
	p.write(ctx)
	s.metrics.refused(p.status)
}
