package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestPathsAndMethods(t *testing.T) {
	r := start(t, Options{})
	for _, path := range []string{"/", "/v1", "/v1/match/", "/v1/nothing", "/v2/match", "/metrics", "/debug/pprof/", "/admin/v1/reload"} {
		checkProblem(t, r.ask(t, "GET", path, "acme", ""), 404)
	}
	for path, allow := range map[string]string{
		"/v1/match": "GET, HEAD, POST", "/v1/segments": "GET, HEAD", "/v1/identifiers": "GET, HEAD", "/health/ready": "GET, HEAD",
	} {
		got := r.ask(t, "DELETE", path, "", "")
		checkProblem(t, got, 405)
		if got.header.Get("Allow") != allow {
			t.Errorf("%s: Allow is %q, want %q", path, got.header.Get("Allow"), allow)
		}
	}
	checkProblem(t, r.ask(t, "POST", "/v1/segments", "acme", ""), 405)
	if got := r.ask(t, "HEAD", "/v1/match?id="+maidOne, "acme", ""); got.status != 200 || got.body != "" {
		t.Errorf("HEAD: got %+v", got)
	}
}

func TestBadQueries(t *testing.T) {
	r := start(t, Options{})
	for _, q := range []string{"", "?", "?x=1", "?id=%", "?id=%1", "?id=a%zz", "?%=1&id=a", "?" + strings.Repeat("id=a&", MaxQueryIDs+1)} {
		for _, path := range []string{"/v1/match", "/v1/segments"} {
			checkProblem(t, r.ask(t, "GET", path+q, "acme", ""), 400)
		}
	}
	got := r.ask(t, "GET", "/v1/match?"+strings.Repeat("id="+maidOne+"&", MaxQueryIDs), "acme", "")
	if got.status != 200 || !strings.Contains(got.body, `"matched"`) {
		t.Errorf("%d ids: got %+v", MaxQueryIDs, got)
	}
	if got := r.ask(t, "GET", "/v1/match?id=cookie.site:http://x/?y", "acme", ""); got.status != 200 || !strings.Contains(got.body, "unknown") {
		t.Errorf("a value with a scheme: got %+v", got)
	}
}

// A bare plus would be read as a space, and as another identifier's.
func TestPlusMustBeEscaped(t *testing.T) {
	r := start(t, Options{})
	for _, target := range []string{
		"/v1/match?id=cookie.site:a+b", "/v1/match?id=+", "/v1/match?%69d=a+b", "/v1/segments?id=" + maidOne + "&id=a+b",
		"/v1/segments?id=" + maidOne + "&buckets=3&experiment=a+b", "/v1/identifiers?customer=acme:C+1",
	} {
		got := r.ask(t, "GET", target, "acme", "")
		checkProblem(t, got, 400)
		if !strings.Contains(got.body, "%2B") || !strings.Contains(got.body, "%20") {
			t.Errorf("%s: got %s", target, got.body)
		}
	}
	for _, c := range [][2]string{{"a%2Bb", "a+b"}, {"a%20b", "a b"}} {
		want := `{"id":"cookie.site:` + c[1] + `","status":"none","reason":"unknown"}`
		if got := r.ask(t, "GET", "/v1/match?x=y+z&id=cookie.site:"+c[0], "acme", ""); got.status != 200 || got.body != want {
			t.Errorf("%s: got %+v", c[0], got)
		}
	}
}

func TestProtocol(t *testing.T) {
	r := start(t, Options{})
	for request, status := range map[string]int{
		"GET /health/live HTTP/1.1\r\nConnection: close\r\n":                         200,
		"GET /health/live HTTP/1.0\r\n":                                              200,
		"GET /health/live HTTP/1.2\r\n":                                              505,
		"GET /health/live HTTP/2.0\r\n":                                              505,
		"GET /health/live HTTP/0.9\r\n":                                              505,
		"GET /health/live HTTP/1.1\r\nConnection: close\r\nExpect: 200-ok\r\n":       417,
		"GET /health/live HTTP/1.1\r\nConnection: close\r\nExpect: 100-Continue\r\n": 200,
	} {
		got := r.raw(t, request+"Host: x\r\n\r\n")
		if len(got) != 1 || got[0].status != status {
			t.Errorf("%q: got %+v, want %d", request, got, status)
		} else if status != 200 {
			checkProblem(t, got[0], status)
		}
	}
}

func TestBadBodies(t *testing.T) {
	r := start(t, Options{})
	for _, body := range badBodies {
		checkProblem(t, r.ask(t, "POST", "/v1/match", "acme", body), 400)
	}
	req, err := http.NewRequest("POST", "http://"+r.Addr()+"/v1/match", strings.NewReader(batch(maidOne)))
	must(t, err)
	req.Header.Set("Authorization", "Bearer key-acme")
	req.Header.Set("Content-Encoding", "gzip")
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	must(t, err)
	checkProblem(t, readReply(t, res), 415)
}

func TestLimits(t *testing.T) {
	r := start(t, Options{Limits: Limits{MaxHeader: 1024, MaxBody: 200_000}})
	many := strings.TrimSuffix(strings.Repeat(`"a:b",`, MaxIDs+1), ",")
	if got := r.ask(t, "POST", "/v1/match", "acme", `{"ids":[`+many[6:]+`]}`); got.status != 200 {
		t.Errorf("%d ids: got %d", MaxIDs, got.status)
	}
	checkProblem(t, r.ask(t, "POST", "/v1/match", "acme", `{"ids":[`+many+`]}`), 413)
	// The caller gets its answer though it is still sending.
	checkProblem(t, r.ask(t, "POST", "/v1/match", "acme", strings.Repeat(" ", 3_000_000)), 413)
	chunked := "POST /v1/match HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
		strings.Repeat("ffff\r\n"+strings.Repeat(" ", 0xffff)+"\r\n", 4) + "0\r\n\r\n"
	got := r.raw(t, chunked)
	if len(got) != 1 {
		t.Fatalf("got %+v", got)
	}
	checkProblem(t, got[0], 413)
	for path, word := range map[string]string{"/v1/events": "in parts", "/v1/match": "in parts", "/v1/openrtb/enrich": "bid request"} {
		got := r.ask(t, "POST", path, "acme", strings.Repeat(" ", 3_000_000))
		if checkProblem(t, got, 413); !strings.Contains(got.body, word) || strings.Contains(got.body, "bid") != (word == "bid request") {
			t.Errorf("%s: %s", path, got.body)
		}
	}
	checkProblem(t, r.ask(t, "GET", "/v1/match?id="+strings.Repeat("a", 2000), "acme", ""), 431)
	if got := r.ask(t, "GET", "/v1/match?id="+maidOne, "acme", ""); got.status != 200 {
		t.Errorf("after all that: got %+v", got)
	}
}

// waitFor waits until a condition holds that must come about.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come about")
		}
	}
}

// Callers that send their requests byte by byte are cut off, and meanwhile
// take nothing from others.
func TestSlowClients(t *testing.T) {
	r := start(t, Options{Limits: Limits{ReadTimeout: time.Second}})
	var slow []net.Conn
	for i := range 50 {
		c := r.dial(t)
		slow = append(slow, c)
		part := []string{"G", "GET /v1/match?id=a HTTP/1.1\r\nHost: x\r\nX: ", "POST /v1/match HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"}[i%3]
		_, err := io.WriteString(c, part)
		must(t, err)
	}
	for range 20 {
		if got := r.ask(t, "GET", "/v1/match?id="+maidOne, "acme", ""); got.status != 200 {
			t.Fatalf("got %+v", got)
		}
	}
	for _, c := range slow {
		got := readReplies(t, c)
		if len(got) != 1 {
			t.Fatalf("got %+v", got)
		}
		checkProblem(t, got[0], 408)
		must(t, c.Close())
	}
}

// Whatever could be read in two ways is refused, and what follows it on the
// connection never runs.
func TestSmuggling(t *testing.T) {
	r := start(t, Options{})
	const post = "POST /v1/match HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-acme\r\n"
	body := batch(maidOne)
	chunks := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	const smuggled = "GET /v1/match?id=smuggled HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-acme\r\n\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	for name, request := range map[string]string{
		"both, chunked body":             post + length + "Transfer-Encoding: chunked\r\n\r\n" + chunks,
		"both, the other order":          post + "Transfer-Encoding: chunked\r\n" + length + "\r\n" + chunks,
		"both, empty chunked body":       post + "Content-Length: 300\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"both, identity":                 post + length + "Transfer-Encoding: identity\r\n\r\n" + body,
		"identity":                       post + "Transfer-Encoding: identity\r\n\r\n",
		"identity, lower case":           post + length + "transfer-encoding: identity\r\n\r\n" + body,
		"space before the colon":         post + length + "Transfer-Encoding : chunked\r\n\r\n" + body,
		"tab before the colon":           post + length + "Transfer-Encoding\t: chunked\r\n\r\n" + body,
		"other case":                     post + length + "tRANSFER-eNCODING: cHUNKED\r\n\r\n" + chunks,
		"two codings":                    post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
		"two codings, one is identity":   post + "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
		"a list of codings":              post + "Transfer-Encoding: identity, chunked\r\n\r\n" + chunks,
		"an unknown coding":              post + length + "Transfer-Encoding: xchunked\r\n\r\n" + body,
		"a quoted coding":                post + length + "Transfer-Encoding: \"chunked\"\r\n\r\n" + body,
		"a vertical tab":                 post + length + "Transfer-Encoding: \x0bchunked\r\n\r\n" + body,
		"a folded coding":                post + length + "Transfer-Encoding:\r\n chunked\r\n\r\n" + chunks,
		"a folded other header":          post + length + "X: y\r\n Transfer-Encoding: chunked\r\n\r\n" + body,
		"a leading space":                post + length + " Transfer-Encoding: chunked\r\n\r\n" + body,
		"a space in the name":            post + length + "X Transfer-Encoding: chunked\r\n\r\n" + body,
		"a bare line feed":               post + length + "X: y\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
		"a bare carriage return":         post + length + "X: y\rTransfer-Encoding: chunked\r\n\r\n" + body,
		"an end of bare line feeds":      post + length + "X: y\n\n" + body,
		"two lengths":                    post + length + length + "\r\n" + body,
		"two different lengths":          post + length + "Content-Length: 0\r\n\r\n" + body,
		"two lengths in a list":          post + fmt.Sprintf("Content-Length: %d, %d\r\n\r\n", len(body), len(body)) + body,
		"a length with a sign":           post + fmt.Sprintf("Content-Length: +%d\r\n\r\n", len(body)) + body,
		"a hexadecimal length":           post + fmt.Sprintf("Content-Length: 0x%x\r\n\r\n", len(body)) + body,
		"a negative length":              post + "Content-Length: -1\r\n\r\n" + body,
		"a huge length":                  post + "Content-Length: 18446744073709551658\r\n\r\n" + body,
		"a length with a space":          post + "Content-Length : 0\r\n\r\n",
		"HTTP/1.0 with a coding":         strings.Replace(post, "1.1", "1.0", 1) + "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
		"two hosts":                      post + "Host: y\r\n" + length + "\r\n" + body,
		"a GET with both":                "GET /v1/match?id=a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-acme\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a chunk size with a line feed":  post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Replace(chunks, "\r\n", "\n", 1),
		"a chunk extension with newline": post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Replace(chunks, "\r\n", ";x\nGET", 1),
		"no host":                        strings.Replace(post, "Host: x\r\n", "", 1) + length + "\r\n" + body,
	} {
		t.Run(name, func(t *testing.T) {
			got := r.raw(t, request+smuggled)
			if len(got) != 1 {
				t.Fatalf("%d answers: %+v", len(got), got)
			}
			checkProblem(t, got[0], 400)
			if strings.Contains(got[0].body, "smuggled") {
				t.Errorf("the answer quotes the request: %s", got[0].body)
			}
		})
	}
	// What is sound passes, and the next request on the connection runs.
	last := strings.Replace(smuggled, "Host: x", "Host: x\r\nConnection: close", 1)
	for name, request := range map[string]string{
		"a length":            post + length + "\r\n" + body,
		"chunks":              post + "transfer-encoding: Chunked\r\n\r\n" + chunks,
		"expecting":           post + length + "Expect: 100-Continue\r\n\r\n" + body,
		"nothing to be found": "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		if got := r.raw(t, request+last); len(got) != 2 || got[0].status != 200 && got[0].status != 404 || got[1].status != 200 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestPanicsAreRecovered(t *testing.T) {
	o := Options{Pools: readyPools(t), Clients: testClients(), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	s, err := New(o)
	must(t, err)
	s.lookup = func(ctx *fasthttp.RequestCtx, q *request) *problem {
		if p := s.serveV1(ctx, q); p != nil || strings.Contains(string(q.out), "unknown") {
			return p
		}
		panic("secret " + string(q.out))
	}
	r := run(t, s)
	for range 3 {
		got := r.raw(t, "GET /v1/match?id="+maidOne+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-acme\r\n\r\n")
		if len(got) != 1 || strings.Contains(got[0].body, "C-1") {
			t.Fatalf("got %+v", got)
		}
		checkProblem(t, got[0], 500)
	}
	if got := r.ask(t, "GET", "/v1/match?id="+maidNobody, "acme", ""); got.status != 200 {
		t.Errorf("after the panics: got %+v", got)
	}
	if got := s.metrics.panics.Load(); got != 3 {
		t.Errorf("%d panics were counted", got)
	}
}
