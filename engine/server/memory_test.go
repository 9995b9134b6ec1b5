package server

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// hubServer serves a person of that many profiles besides the others.
func hubServer(t *testing.T, customers int) *Server {
	t.Helper()
	store := newStore(t)
	publishHub(t, store, asOf, customers, nil)
	s, err := New(Options{Pools: newPools(t, store), Clients: testClients(), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"})
	must(t, err)
	return s
}

func hubs(n int) string {
	return batch(strings.Split(strings.Repeat(maidHub+"\n", n-1)+maidHub, "\n")...)
}

// A small request for large answers is refused, and what the largest that are
// given took is not kept.
func TestLargeAnswersAreBoundedAndNotKept(t *testing.T) {
	s := hubServer(t, 3000)
	for _, c := range []struct {
		method, target, body string
		status, atLeast      int
	}{
		{"GET", "/v1/match?id=" + maidHub, "", 200, 200_000},
		{"GET", "/v1/segments?id=" + maidHub, "", 200, 1},
		{"POST", "/v1/match", hubs(1), 200, 200_000},
		{"POST", "/v1/match", hubs(20), 200, 4_000_000},
		{"POST", "/v1/match", hubs(2000), 413, 1},
		{"GET", "/v1/match?id=" + maidOne, "", 200, 1},
	} {
		ctx := requestCtx(t, c.method, c.target, "key-both", c.body)
		s.handle(ctx)
		res := &ctx.Response
		if got := res.StatusCode(); got != c.status || len(res.Body()) < c.atLeast {
			t.Errorf("%s %s: status %d, %d bytes; want %d, at least %d bytes", c.method, c.target, got, len(res.Body()), c.status, c.atLeast)
		}
		if c.status == 413 {
			checkProblem(t, reply{status: 413, header: map[string][]string{"Content-Type": {string(res.Header.ContentType())}}, body: string(res.Body())}, 413)
		}
		if n := cap(res.SwapBody(nil)); n > maxKept {
			t.Errorf("the response keeps %d bytes", n)
		}
		for range 10 { // not put back: any of them may be the one
			q := requests.Get().(*request)
			if q.view.Bytes() > maxKept || cap(q.out) > maxKept || cap(q.text) > maxKept {
				t.Errorf("the pool keeps %d bytes of answers, %d of output, %d of text", q.view.Bytes(), cap(q.out), cap(q.text))
			}
		}
	}
}

// A query, too, is refused where its ids have too much in common.
func TestLargeQuestionIsRefused(t *testing.T) {
	s := hubServer(t, 20_000)
	for _, path := range []string{"/v1/match?", "/v1/segments?"} {
		ctx := requestCtx(t, fasthttp.MethodGet, path+strings.Repeat("id="+maidHub+"&", MaxQueryIDs), "key-both", "")
		s.handle(ctx)
		if got := ctx.Response.StatusCode(); got != 413 {
			t.Errorf("%s: got %d %.200s", path, got, ctx.Response.Body())
		}
	}
}

// A large answer arrives whole.
func TestLargeAnswerArrives(t *testing.T) {
	r := run(t, hubServer(t, 3000))
	got := r.ask(t, "POST", "/v1/match", "both", hubs(20))
	if got.status != 200 || strings.Count(got.body, `"customer":"H-`) != 20*3000 || !strings.HasSuffix(got.body, `"}`) {
		t.Errorf("got %d, %d bytes", got.status, len(got.body))
	}
}
