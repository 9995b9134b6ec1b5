package server

import (
	"fmt"

	"github.com/valyala/fasthttp"
)

// problem is an error as a caller sees it, RFC 9457. Its type is about:blank:
// the status says what kind it is, and detail what to do about it.
type problem struct {
	status int
	detail string
	// close ends the connection after the answer.
	close bool
	// header is one more header of the answer, or none.
	header [2]string
}

const problemType = "application/problem+json"

// The problems that are always the same. Nothing writes to them.
var (
	problemFraming = &problem{
		status: 400, close: true,
		detail: "the header is ambiguous: a request has at most one each of Content-Length, Transfer-Encoding (chunked only), Host and Authorization, not the first two together, and no folded or malformed lines",
	}
	problemUnread = &problem{status: 400, close: true, detail: "the request is not valid HTTP/1.1"}
	problemKey    = &problem{
		status: 401, detail: "send the header Authorization: Bearer KEY with a valid key",
		header: [2]string{fasthttp.HeaderWWWAuthenticate, `Bearer realm="matchd"`},
	}
	problemPath        = &problem{status: 404, detail: "no such path"}
	problemTimeout     = &problem{status: 408, close: true, detail: "the request did not arrive in time"}
	problemBody        = &problem{status: 413, close: true, detail: "the body is too large: send it in parts"}
	problemLargeBid    = &problem{status: 413, close: true, detail: "the body is too large: a larger bid request is not enriched"}
	problemTooLarge    = &problem{status: 413, detail: "the answers are too large together: ask for fewer ids"}
	problemEncoding    = &problem{status: 415, detail: "the body must be JSON without a Content-Encoding"}
	problemExpect      = &problem{status: 417, detail: "the only expectation that is met is 100-continue"}
	problemConnections = &problem{status: 429, close: true, detail: "too many connections from this address"}
	problemHeader      = &problem{status: 431, close: true, detail: "the request line and header are too large; POST the ids"}
	problemPanic       = &problem{status: 500, close: true, detail: "the request failed; the daemon goes on"}
	problemFault       = &problem{status: 500, detail: "the record could not be read"}
	problemBusy        = &problem{status: 503, close: true, detail: "too many connections", header: retryLater}
	problemAudit       = &problem{status: 503, detail: "the audit log takes no entry", header: retryLater}
	problemNotReady    = &problem{status: 503, detail: "no snapshot is open yet", header: retryLater}
	problemWithdrawn   = &problem{status: 503, detail: "a store has a log of live changes that is not open here: nothing is answered without it; give the store's events in the config", header: retryLater}
	problemVersion     = &problem{status: 505, close: true, detail: "send HTTP/1.1 or HTTP/1.0"}
	problemDraining    = &problem{status: 503, detail: "the daemon is stopping", close: true}
)

var retryLater = [2]string{fasthttp.HeaderRetryAfter, "1"}

func badRequest(format string, args ...any) *problem {
	return &problem{status: 400, detail: fmt.Sprintf(format, args...)}
}

func (p *problem) append(dst []byte) []byte {
	dst = append(dst, `{"type":"about:blank","title":`...)
	dst = appendString(dst, fasthttp.StatusMessage(p.status))
	dst = append(dst, `,"status":`...)
	dst = appendInt(dst, p.status)
	dst = append(dst, `,"detail":`...)
	return append(appendString(dst, p.detail), '}')
}

// write makes p the answer, whatever was there.
func (p *problem) write(ctx *fasthttp.RequestCtx) {
	ctx.Response.SetStatusCode(p.status)
	ctx.Response.Header.SetContentType(problemType)
	if p.header[0] != "" {
		ctx.Response.Header.Set(p.header[0], p.header[1])
	}
	if p.close {
		ctx.Response.SetConnectionClose()
	}
	ctx.Response.SwapBody(p.append(ctx.Response.SwapBody(nil)[:0]))
}

// raw is p as a whole answer, for a connection that no server has seen.
func (p *problem) raw() []byte {
	body := p.append(nil)
	extra := ""
	if p.header[0] != "" {
		extra = p.header[0] + ": " + p.header[1] + "\r\n"
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n%s",
		p.status, fasthttp.StatusMessage(p.status), problemType, extra, len(body), body)
}
