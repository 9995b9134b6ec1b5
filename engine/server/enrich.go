package server

import (
	"errors"

	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/openrtb"
)

// enrich serves POST /v1/openrtb/enrich: a bid request comes back with what may
// be added to it, every other byte as it came. Where there is nothing to add it
// is 204, and the caller sends on what it has.
func (s *Server) enrich(ctx *fasthttp.RequestCtx, q *request) *problem {
	if q.encoded {
		return problemEncoding
	}
	asked, p := q.parseQuery(ctx.URI().QueryString())
	if p != nil {
		return p
	}
	if len(q.ids) > 0 {
		return problemBodyIDs
	}
	o := engine.Enrich{Exchange: asked.exchange, Person: asked.eids, Signals: &q.signals}
	switch string(asked.mode) {
	case "patch":
		o.Patch = true
	case "", "full":
	default:
		return problemMode
	}
	if len(ctx.Request.Body()) > openrtb.MaxBytes { // where the server takes more of others
		return problemBidLarge
	}
	if p := s.enter(ctx, q, 1); p != nil {
		return p
	}
	defer q.view.End()
	var added bool
	var err error
	if q.out, added, _, err = s.pools.Enrich(&q.view, q.out[:0], ctx.Request.Body(), &o); err != nil {
		return problemBid(err)
	}
	status := fasthttp.StatusOK
	if !added {
		status = fasthttp.StatusNoContent
	}
	ctx.Response.SetStatusCode(status)
	return nil
}

// problemBid is what is wrong with a bid request.
func problemBid(err error) *problem {
	var syntax *openrtb.SyntaxError
	if errors.As(err, &syntax) {
		return badRequest("byte %d of the bid request: %s", syntax.Offset, syntax.Problem)
	}
	return problemTooLarge // engine.ErrTooLarge, and no other
}

var problemBidLarge = &problem{status: 413, detail: "a bid request has at most 1 MiB"}

var problemMode = &problem{status: 400, detail: "mode is full, the bid request with the additions, or patch, the additions alone"}
