package server

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// requestCtx is a request with a key and a body.
func requestCtx(tb testing.TB, method, target, key, body string) *fasthttp.RequestCtx {
	tb.Helper()
	if key != "" {
		key = "Authorization: Bearer " + key + "\r\n"
	}
	text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bidder/1.0\r\n%sContent-Length: %d\r\n\r\n%s", method, target, key, len(body), body)
	return ctxOf(tb, text)
}

// ctxOf is a request of these bytes as the server's loop would hand it over.
func ctxOf(tb testing.TB, text string) *fasthttp.RequestCtx {
	tb.Helper()
	here, there := net.Pipe()
	tb.Cleanup(func() { _ = here.Close(); _ = there.Close() })
	ctx := new(fasthttp.RequestCtx)
	ctx.Init2(here, discard{}, false)
	must(tb, ctx.Request.Read(bufio.NewReaderSize(strings.NewReader(text), len(text))))
	return ctx
}

type hotRequest struct{ method, target, key, body string }

// hotRequests are those that must not allocate.
func hotRequests() map[string]hotRequest {
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = []string{maidOne, maidTwo, maidThree, maidNobody, "junk\n"}[i%5]
	}
	return map[string]hotRequest{
		"match":         {"GET", "/v1/match?id=" + maidOne, "key-both", ""},
		"match_several": {"GET", "/v1/match?" + idQuery(maidOne, cookieOne, maidNobody), "key-both", ""},
		"match_unknown": {"GET", "/v1/match?id=" + maidNobody, "key-both", ""},
		"match_batch":   {"POST", "/v1/match", "key-both", batch(ids...)},
		"segments":      {"GET", "/v1/segments?experiment=a%20long%20name%20of%20an%20experiment%20with%20many%20words&buckets=100&id=" + maidOne, "key-both", ""},
		"suppressed":    {"GET", "/v1/match?coppa=1&us_privacy=1YYN&id=" + maidOne, "key-both", ""},
		"enrich":        {"POST", "/v1/openrtb/enrich?exchange=one&eids=1", "key-dsp", onePage},
		"enrich_patch":  {"POST", "/v1/openrtb/enrich?mode=patch", "key-dsp", onePage},
		"no_key":        {"GET", "/v1/match?id=" + maidOne, "", ""},
		"health":        {"GET", "/health/ready", "key-both", ""},
	}
}

// hotClients are those of hotRequests; the bidder has a rate that it keeps.
func hotClients() []Client {
	dsp := bidders()[0]
	dsp.Rate, dsp.Burst = 1e8, 1e8
	return append(testClients(), dsp)
}

func TestHandlerAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector sync.Pool drops items at random")
	}
	s, err := New(Options{Pools: readyPools(t), Clients: hotClients()})
	must(t, err)
	for name, c := range hotRequests() {
		ctx := requestCtx(t, c.method, c.target, c.key, c.body)
		want := 200
		if c.key == "" {
			want = 401
		}
		n := testing.AllocsPerRun(200, func() {
			ctx.Response.Reset()
			s.handle(ctx)
		})
		if got := ctx.Response.StatusCode(); n != 0 || got != want {
			t.Errorf("%s: %v allocations, status %d", name, n, got)
		}
	}
}

// The answer is the response's own: what the request's memory is used for
// next does not change it.
func TestAnswerIsNotShared(t *testing.T) {
	s, err := New(Options{Pools: readyPools(t), Clients: testClients()})
	must(t, err)
	first := requestCtx(t, "GET", "/v1/match?id="+maidOne, "key-both", "")
	s.handle(first)
	before := string(first.Response.Body())
	for range 10 {
		s.handle(requestCtx(t, "GET", "/v1/match?id=cookie.site:"+strings.Repeat("x", 400), "key-both", ""))
	}
	if after := string(first.Response.Body()); after != before {
		t.Errorf("got %s\nthen %s", before, after)
	}
}

func BenchmarkHandle(b *testing.B) {
	s, err := New(Options{Pools: readyPools(b), Clients: hotClients()})
	must(b, err)
	for name, c := range hotRequests() {
		b.Run(name, func(b *testing.B) {
			ctx := requestCtx(b, c.method, c.target, c.key, c.body)
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				s.handle(ctx)
			}
		})
	}
}

func BenchmarkReadHeader(b *testing.B) {
	raw := []byte("Host: 127.0.0.1:8080\r\nUser-Agent: bidder/1.0\r\nAccept: */*\r\nAuthorization: Bearer mk_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\nAccept-Encoding: gzip\r\n\r\n")
	for b.Loop() {
		if _, sound := readHeader(raw); !sound {
			b.Fatal("not sound")
		}
	}
}
