package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/valyala/fasthttp"
)

// BareHandler is what an HTTP server costs that looks nothing up: fasthttp as it
// comes, and a handler that sets a type and a constant body, or the request's.
type BareHandler struct {
	// TCP and Unix are addresses to listen on; an empty one is none.
	TCP, Unix string
	// Bytes is the size of the body, Echo that it is the request's instead.
	Bytes int
	Echo  bool
}

// Serve serves until ctx ends.
func (b BareHandler) Serve(ctx context.Context) (err error) {
	if b.Bytes < 0 || b.TCP == "" && b.Unix == "" {
		return fmt.Errorf("bare handler: a body of %d bytes, on tcp %q and unix %q: name an address at least", b.Bytes, b.TCP, b.Unix)
	}
	var open []net.Listener
	for _, at := range []struct{ network, address string }{{"tcp", b.TCP}, {"unix", b.Unix}} {
		if at.address == "" {
			continue
		}
		l, err := net.Listen(at.network, at.address)
		if err != nil {
			return errors.Join(err, closeAll(open))
		}
		open = append(open, l)
	}
	body := bytes.Repeat([]byte("x"), b.Bytes)
	s := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.SetContentType("application/json")
		if b.Echo {
			ctx.SetBody(ctx.PostBody())
		} else {
			ctx.Response.SetBodyRaw(body)
		}
	}}
	ended := make(chan error, len(open))
	for _, l := range open {
		go func() { ended <- s.Serve(l) }()
	}
	running := len(open)
	select {
	case <-ctx.Done():
	case err = <-ended:
		running--
	}
	err = errors.Join(err, closeAll(open))
	for ; running > 0; running-- {
		<-ended // its listener is closed
	}
	return err
}

func closeAll(open []net.Listener) (err error) {
	for _, l := range open {
		err = errors.Join(err, l.Close())
	}
	return err
}

// bareHead is what fasthttp puts before a body, but for the digits of its
// length.
const bareHead = "HTTP/1.1 200 OK\r\nServer: fasthttp\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: application/json\r\nContent-Length: \r\n\r\n"

// bareBody is the size of the body with which the bare handler's answers have
// whole bytes in all.
func bareBody(whole int) int {
	n := max(0, whole-len(bareHead))
	for n > 0 && n+len(bareHead)+len(fmt.Sprint(n)) > whole {
		n--
	}
	return n
}
