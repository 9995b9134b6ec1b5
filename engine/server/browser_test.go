package server

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCookieOfTheVisitor(t *testing.T) {
	r := pageServer(t)
	const unknown, invalid = `{"status":"none","reason":"unknown"}`, `{"status":"none","reason":"invalid"}`
	for lines, want := range map[string]string{
		"Cookie: visitor=one\r\n":                           onesVIP,
		"cOOKIE:visitor=one\r\n":                            onesVIP,
		"Cookie: a=b; visitor=one; c=d\r\n":                 onesVIP,
		"Cookie: a=b;visitor=one;c=d\r\n":                   onesVIP,
		"Cookie: a=b;\t visitor=one \t; c=d\r\n":            onesVIP,
		"Cookie: visitor=\"one\"\r\n":                       onesVIP,
		"Cookie: visitor=one; visitor=one\r\n":              onesVIP,
		"Cookie: visitor=one; visitor=\"one\"\r\n":          onesVIP,
		"Cookie: a=b\r\nX: y\r\nCookie: visitor=one\r\n":    onesVIP,
		"Cookie: visitor=one\r\nCookie: visitor=one\r\n":    onesVIP,
		"Cookie: ; ;; visitor=one;\r\n":                     onesVIP,
		"Cookie: visitor; visitor=one\r\n":                  onesVIP, // no pair, no cookie
		"Cookie: Visitor=two; visitor=one\r\n":              onesVIP,
		"Cookie: a=\"; visitor=one; b=\"\r\n":               onesVIP, // quotes do not hide a semicolon
		"":                                                  unknown,
		"Cookie:\r\n":                                       unknown,
		"Cookie: a=b\r\n":                                   unknown,
		"Cookie: visitor\r\n":                               unknown,
		"Cookie: Visitor=one\r\n":                           unknown,
		"Cookie: VISITOR=one\r\n":                           unknown,
		"Cookie: xvisitor=one\r\n":                          unknown,
		"Cookie: visitorx=one\r\n":                          unknown,
		"Cookie: visitor =one\r\n":                          unknown,
		"Cookie: a=visitor=one\r\n":                         unknown,
		"Cookie: =visitor=one\r\n":                          unknown,
		"Cookie: a=\"visitor=one\"\r\n":                     unknown,
		"Cookie: a=b, visitor=one\r\n":                      unknown, // a comma ends no pair
		"Cookie: visitor=one, a=b\r\n":                      unknown,
		"Accept: visitor=one\r\n":                           unknown,
		"Set-Cookie: visitor=one\r\n":                       unknown,
		"Cookie2: visitor=one\r\n":                          unknown,
		"X-Cookie: visitor=one\r\n":                         unknown,
		"Cookie: visitor=ONE\r\n":                           unknown,
		"Cookie: visitor=%6fne\r\n":                         unknown, // as it is
		"Cookie: visitor=one=\r\n":                          unknown,
		"Cookie: visitor=on\r\n":                            unknown,
		"Cookie: visitor=\"one\r\n":                         unknown,
		"Cookie: visitor=\"\r\n":                            unknown,
		"Cookie: visitor=\"\"one\"\"\r\n":                   unknown,
		"Cookie: visitor=cookie.site:one\r\n":               unknown, // the namespace is configured
		"Cookie: visitor=" + maidOne + "\r\n":               unknown,
		"Cookie: visitor=one; visitor=two\r\n":              unknown, // two values are nobody's
		"Cookie: visitor=two; visitor=one\r\n":              unknown,
		"Cookie: visitor=one; visitor=\r\n":                 unknown,
		"Cookie: visitor=; visitor=one\r\n":                 unknown,
		"Cookie: visitor=one; visitor=two; visitor=one\r\n": unknown,
		"Cookie: visitor=one\r\nCookie: visitor=two\r\n":    unknown,
		"Cookie: visitor=two\r\nCookie: visitor=one\r\n":    unknown,
		"Cookie: visitor=\r\n":                              invalid,
		"Cookie: visitor=\"\"\r\n":                          invalid,
		"Cookie: visitor=undefined\r\n":                     invalid,
		"Cookie: visitor=" + strings.Repeat("x", 513):       invalid,
	} {
		if lines != "" && !strings.HasSuffix(lines, "\r\n") {
			lines += "\r\n"
		}
		for _, query := range []string{"", "?", "?x=y&customer=acme:C-1"} {
			got := r.send(t, "GET", "/v1/segments"+query, "page", lines+fromShop)
			if got.status != 200 || got.body != want || shared(got) != readable(shop) {
				t.Errorf("%q: got %+v, want %s", lines, got, want)
			}
		}
	}
}

// A page names nobody: an id in the query is refused however it is written, and
// whether it is that of the cookie or not.
func TestPagesGiveNoID(t *testing.T) {
	r := pageServer(t)
	for _, query := range []string{
		"id=cookie.site:one", "id=" + maidOne, "id=" + maidNobody, "id=", "id", "%69d=cookie.site:one", "i%64=x", "%69%64",
		"x=y&id=cookie.site:one", "id=cookie.site:one&x=y", "&&id=x", "experiment=e&buckets=2&id=x", "id=x&id=y",
		"coppa=1&id=x", url.Values{"id": {"a b"}}.Encode(), strings.Repeat("id=x&", MaxQueryIDs+1),
	} {
		for _, lines := range []string{cookieLine, "", "Cookie: visitor=two\r\n"} {
			got := r.send(t, "GET", "/v1/segments?"+query, "page", lines+fromShop)
			checkProblem(t, got, 400)
			if strings.Contains(got.body, "vip") || shared(got) != readable(shop) {
				t.Errorf("%s: got %+v", query, got)
			}
		}
	}
	if got := r.send(t, "GET", "/v1/segments?id=cookie.site:one", "page", cookieLine+fromShop); !strings.Contains(got.body, "cookie") {
		t.Errorf("the refusal does not say what to do: %s", got.body)
	}
	// Names that only look alike are unknown parameters.
	for _, query := range []string{"ID=x", "Id=x", "ids=x", "uid=x", "i+d=x", "%69d%20=x", "visitor=two", "cookie=two"} {
		if got := r.send(t, "GET", "/v1/segments?"+query, "page", cookieLine+fromShop); got.body != onesVIP {
			t.Errorf("%s: got %+v", query, got)
		}
	}
}

func TestPagesAskForSegmentsAlone(t *testing.T) {
	r := pageServer(t)
	for _, c := range [][3]string{
		{"GET", "/v1/match?id=cookie.site:one"},
		{"GET", "/v1/match"},
		{"POST", "/v1/match", batch("cookie.site:one")},
		{"GET", "/v1/identifiers?customer=acme:C-1"},
		{"POST", "/v1/openrtb/enrich", `{"id":"1","user":{"buyeruid":"one"}}`},
	} {
		for lines, shares := range map[string]string{
			fromShop: readable(shop), "Sec-Fetch-Site: same-origin\r\n": "Vary=Origin", "": "Vary=Origin", "Origin: null\r\n": "Vary=Origin",
		} {
			req := c[0] + " " + c[1] + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer key-page\r\nContent-Length: " +
				appendText(len(c[2])) + "\r\n" + cookieLine + lines + "\r\n" + c[2]
			got := r.raw(t, req)
			if len(got) != 1 {
				t.Fatalf("%s: %d answers", c[1], len(got))
			}
			checkProblem(t, got[0], 403)
			if shared(got[0]) != shares {
				t.Errorf("%s with %q: the refusal says %s", c[1], lines, shared(got[0]))
			}
		}
	}
	checkProblem(t, r.send(t, "POST", "/v1/segments", "page", cookieLine+fromShop+"Content-Length: 0\r\n"), 405)
}

func appendText(n int) string { return string(appendInt(nil, n)) }

// Whoever shows no cookie, or two, is answered as somebody unknown, whatever
// else is asked and said.
func TestNobodyIsUnknown(t *testing.T) {
	r := pageServer(t)
	for _, query := range []string{
		"", "experiment=e&buckets=10", "experiment=e", "buckets=3", "experiment=e&buckets=0", "experiment=e&buckets=1001", "experiment=&buckets=2",
		"coppa=1", "coppa=0", "us_privacy=1YYN", "us_privacy=1YNN", "gdpr=1", "gdpr=1&gdpr_consent=junk", "gpp=junk", "lmt=1", "lmt=0", "coppa=x",
		"coppa=1&experiment=e&buckets=10",
	} {
		for _, gpc := range []string{"", "Sec-GPC: 1\r\n", "Sec-GPC: 0\r\n", "Sec-GPC: 1\r\nSec-GPC: 0\r\n"} {
			want := r.send(t, "GET", "/v1/segments?"+query, "page", "Cookie: visitor=nobody\r\n"+fromShop+gpc)
			ordinary := r.send(t, "GET", "/v1/segments?id=cookie.site:nobody&"+query, "acme", gpc)
			if want.status != ordinary.status || want.body != ordinary.body {
				t.Errorf("%s %q: pages get %+v, others %+v", query, gpc, want, ordinary)
			}
			for _, lines := range []string{"", "Cookie: a=b\r\n", "Cookie: visitor=one; visitor=two\r\n"} {
				got := r.send(t, "GET", "/v1/segments?"+query, "page", lines+fromShop+gpc)
				if got.status != want.status || got.body != want.body || shared(got) != shared(want) {
					t.Errorf("%s %q, %q: got %+v, want %+v", query, gpc, lines, got, want)
				}
			}
		}
	}
	if got := r.send(t, "GET", "/v1/segments", "page", fromShop+"Sec-GPC: 1\r\n"); got.body != `{"status":"none","reason":"suppressed","signal":"gpc"}` {
		t.Errorf("with GPC: got %+v", got)
	}
}

// A page's visitor has the bucket that the ad server sees on the phone.
func TestBucketOfAPageIsThatOfOthers(t *testing.T) {
	r := pageServer(t)
	const asked = "/v1/segments?experiment=blue%20button&buckets=1000"
	want := r.ask(t, "GET", asked+"&id="+maidOne, "acme", "").body
	if got := r.send(t, "GET", asked, "page", cookieLine+fromShop); got.body != want || !strings.Contains(want, `"bucket":`) {
		t.Errorf("got %s, want %s", got.body, want)
	}
}

// readCookie agrees with a plain reading by split strings.
func TestReadCookieModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := "Host: x\r\n"
		var values []string
		for _, line := range rapid.SliceOfN(rapid.StringMatching(`((v|v=|w=|=)["; a\t]{0,3};? ?){0,4}`), 0, 3).Draw(t, "cookies") {
			raw += "Cookie:" + line + "\r\nX: v=x\r\n"
			for pair := range strings.SplitSeq(line, ";") {
				name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
				if !ok || name != "v" {
					continue
				}
				if strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`) && value != `"` {
					value = strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`)
				}
				values = append(values, value)
			}
		}
		want, ok := "", len(values) > 0
		for _, v := range values {
			want, ok = values[0], ok && v == values[0]
		}
		got, found := readCookie([]byte(raw+"\r\n"), "v")
		if found != ok || ok && string(got) != want {
			t.Fatalf("%q: got %q, %t, want %q, %t", raw, got, found, want, ok)
		}
	})
}

func TestPagesAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector sync.Pool drops items at random")
	}
	s, err := New(Options{Pools: readyPools(t), Clients: append(testClients(), pageClient("page", "https://blog.example", shop))})
	must(t, err)
	key := "Authorization: Bearer key-page\r\n"
	for name, c := range map[string]struct {
		method, target, lines string
		want                  int
	}{
		"visitor":       {"GET", "?experiment=price&buckets=100", key + fromShop + "Cookie: a=b; visitor=one; c=d\r\n", 200},
		"own origin":    {"GET", "", key + "Sec-Fetch-Site: same-origin\r\n" + cookieLine, 200},
		"no cookie":     {"GET", "", key + fromShop, 200},
		"two cookies":   {"GET", "?coppa=1", key + fromShop + "Cookie: visitor=one; visitor=two\r\n", 200},
		"an id":         {"GET", "?id=x", key + fromShop + cookieLine, 400},
		"another site":  {"GET", "", key + "Origin: https://evil.example\r\n" + cookieLine, 403},
		"preflight":     {"OPTIONS", "", fromShop + "Access-Control-Request-Method: GET\r\n", 204},
		"ordinary key":  {"GET", "?id=" + maidOne, "Authorization: Bearer key-both\r\n" + fromShop + cookieLine, 200},
		"and preflight": {"OPTIONS", "", "Origin: https://evil.example\r\nAccess-Control-Request-Method: GET\r\n", 403},
	} {
		ctx := ctxOf(t, c.method+" /v1/segments"+c.target+" HTTP/1.1\r\nHost: x\r\nUser-Agent: Mozilla/5.0\r\n"+c.lines+"\r\n")
		n := testing.AllocsPerRun(200, func() {
			ctx.Response.Reset()
			s.handle(ctx)
		})
		if got := ctx.Response.StatusCode(); n != 0 || got != c.want {
			t.Errorf("%s: %v allocations, status %d", name, n, got)
		}
	}
}
