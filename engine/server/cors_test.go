package server

import (
	"net/http"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestPagesOfTheOriginsAlone(t *testing.T) {
	r := pageServer(t)
	for lines, origin := range map[string]string{
		"Origin: https://shop.example\r\n":                                shop,
		"oRIGIN:\thttps://shop.example \r\n":                              shop,
		"Origin: http://localhost:3000\r\n":                               "http://localhost:3000",
		"Origin: https://shop.example\r\nSec-Fetch-Site: cross-site\r\n":  shop,
		"Origin: https://shop.example\r\nSec-Fetch-Site: same-origin\r\n": shop,
		"Sec-Fetch-Site: same-origin\r\n":                                 "",
		"sec-fetch-site:same-origin\r\n":                                  "",
	} {
		want := "Vary=Origin"
		if origin != "" {
			want = readable(origin)
		}
		got := r.send(t, "GET", "/v1/segments", "page", cookieLine+lines)
		if got.status != 200 || got.body != onesVIP || shared(got) != want || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q: got %+v", lines, got)
		}
	}
	req, err := http.NewRequest("HEAD", "http://"+r.Addr()+"/v1/segments", nil)
	must(t, err)
	req.Header = http.Header{"Authorization": {"Bearer key-page"}, "Origin": {shop}}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	must(t, err)
	if got := readReply(t, res); got.status != 200 || shared(got) != readable(shop) {
		t.Errorf("HEAD: got %+v", got)
	}
	bodies := map[string]bool{}
	for _, table := range []map[string]string{foreign, unnamed} {
		for name, lines := range table {
			for _, target := range []string{"/v1/segments", "/v1/segments?id=" + maidOne, "/v1/segments?id=%"} {
				got := r.send(t, "GET", target, "page", cookieLine+lines)
				checkProblem(t, got, 403)
				if shared(got) != "Vary=Origin" {
					t.Errorf("%s: a refusal says %s", name, shared(got))
				}
				bodies[got.body] = true
			}
			if got := r.send(t, "GET", "/v1/segments", "nobody", cookieLine+lines); got.status != 401 || shared(got) != "" {
				t.Errorf("%s, a wrong key: got %+v", name, got)
			}
		}
	}
	if len(bodies) != 1 {
		t.Errorf("refusals differ: %v", bodies)
	}
}

func TestEachKeyHasItsOwnOrigins(t *testing.T) {
	other := pageClient("other", shop, "https://blog.example")
	other.Grants[0].Segments = []string{"vip"}
	r := pageServer(t, other)
	for _, c := range []struct {
		client, origin, want string
	}{
		{"page", shop, onesVIP},
		{"other", shop, `{"status":"matched","segments":{"acme":["vip"]}}`},
		{"other", "https://blog.example", `{"status":"matched","segments":{"acme":["vip"]}}`},
		{"page", "https://blog.example", ""},
		{"other", "http://localhost:3000", ""},
	} {
		if got := r.send(t, "OPTIONS", "/v1/segments", "", "Origin: "+c.origin+"\r\nAccess-Control-Request-Method: GET\r\n"); got.status != 204 {
			t.Errorf("%s from %s: preflight %+v", c.client, c.origin, got)
		}
		got := r.send(t, "GET", "/v1/segments", c.client, cookieLine+"Origin: "+c.origin+"\r\n")
		if c.want == "" {
			checkProblem(t, got, 403)
			if shared(got) != "Vary=Origin" {
				t.Errorf("%s from %s: a refusal says %s", c.client, c.origin, shared(got))
			}
		} else if got.body != c.want || shared(got) != readable(c.origin) {
			t.Errorf("%s from %s: got %+v", c.client, c.origin, got)
		}
	}
}

func TestPreflight(t *testing.T) {
	r := pageServer(t)
	const asks = "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization\r\n"
	for _, origin := range []string{shop, "http://localhost:3000"} {
		got := r.send(t, "OPTIONS", "/v1/segments?experiment=e&buckets=2", "", "Origin: "+origin+"\r\n"+asks)
		want := "Allow-Credentials=true Allow-Headers=authorization Allow-Methods=GET Allow-Origin=" + origin + " Max-Age=600 Vary=Origin"
		if got.status != 204 || got.body != "" || shared(got) != want {
			t.Errorf("%s: got %+v", origin, got)
		}
	}
	for name, lines := range foreign {
		got := r.send(t, "OPTIONS", "/v1/segments", "", lines+asks)
		checkProblem(t, got, 403)
		if shared(got) != "Vary=Origin" {
			t.Errorf("%s: a refusal says %s", name, shared(got))
		}
	}
	for name, c := range map[string]struct {
		target, lines string
		status        int
	}{
		"no question":          {"/v1/segments", fromShop, 405},
		"no origin":            {"/v1/segments", asks, 405},
		"nothing":              {"/v1/segments", "", 405},
		"its own, no origin":   {"/v1/segments", "Sec-Fetch-Site: same-origin\r\n" + asks, 405},
		"match":                {"/v1/match", fromShop + asks, 405},
		"identifiers":          {"/v1/identifiers", fromShop + asks, 405},
		"enrich":               {"/v1/openrtb/enrich", fromShop + asks, 405},
		"health":               {"/health/ready", fromShop + asks, 405},
		"nowhere":              {"/v1/nothing", fromShop + asks, 404},
		"ambiguous":            {"/v1/segments", fromShop + asks + "Host: y\r\n", 400},
		"a folded origin":      {"/v1/segments", "Origin:\r\n https://shop.example\r\n" + asks, 400},
		"an expectation":       {"/v1/segments", fromShop + asks + "Expect: more\r\n", 417},
		"the page's own word":  {"/v1/segments", "X-Origin: https://shop.example\r\n" + asks, 405},
		"a name that is alike": {"/v1/segments", "Origim: https://shop.example\r\n" + asks, 405},
	} {
		got := r.send(t, "OPTIONS", c.target, "", c.lines)
		checkProblem(t, got, c.status)
		if shared(got) != "" {
			t.Errorf("%s: a refusal says %s", name, shared(got))
		}
	}
	got := r.send(t, "POST", "/v1/segments", "", fromShop+asks+"Content-Length: 0\r\n")
	if checkProblem(t, got, 405); shared(got) != "" {
		t.Errorf("POST: a refusal says %s", shared(got))
	}
	if got := r.metrics.totals(routePreflight).statuses; got[statusIndex(204)] != 2 || got[statusIndex(403)] != uint64(len(foreign)) {
		t.Errorf("counted %v", got)
	}
}

// A page sees what went wrong, where its origin is one of the key's.
func TestRefusalsAreShared(t *testing.T) {
	slow := pageClient("slow", shop)
	slow.Rate, slow.Burst = 0.001, 1
	r := pageServer(t, slow)
	visit := cookieLine + fromShop
	for target, status := range map[string]int{
		"/v1/segments?id=" + maidOne: 400, "/v1/segments?experiment=e": 400, "/v1/segments?x=%": 400,
		"/v1/match?id=" + maidOne: 403, "/v1/identifiers?customer=acme:C-1": 403,
	} {
		got := r.send(t, "GET", target, "page", visit)
		checkProblem(t, got, status)
		if shared(got) != readable(shop) {
			t.Errorf("%s: a refusal says %s", target, shared(got))
		}
	}
	// What is refused for its origin, and preflights, cost nothing.
	for range 3 {
		checkProblem(t, r.send(t, "GET", "/v1/segments", "slow", cookieLine+"Origin: https://evil.example\r\n"), 403)
		r.send(t, "OPTIONS", "/v1/segments", "slow", visit+"Access-Control-Request-Method: GET\r\n")
	}
	if got := r.send(t, "GET", "/v1/segments", "slow", visit); got.status != 200 {
		t.Errorf("the first question: got %+v", got)
	}
	got := r.send(t, "GET", "/v1/segments", "slow", visit)
	checkProblem(t, got, 429)
	if got.header.Get("Retry-After") == "" || shared(got) != readable(shop) {
		t.Errorf("slowed down: got %+v", got)
	}
	empty := start(t, Options{Pools: newPools(t, newStore(t)), Clients: []Client{pageClient("page", shop)}})
	got = empty.send(t, "GET", "/v1/segments", "page", visit)
	checkProblem(t, got, 503)
	if got.header.Get("Retry-After") == "" || shared(got) != readable(shop) {
		t.Errorf("not ready: got %+v", got)
	}
}

// An ordinary key in a page works, but the page cannot read the answer; and
// what one answer says to a browser is not said by the next on its connection.
func TestOrdinaryKeysShareNothing(t *testing.T) {
	r := pageServer(t)
	ask := func(client, more string) string {
		return "GET /v1/segments?" + more + " HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example\r\n" + cookieLine + "Authorization: Bearer key-" + client + "\r\n\r\n"
	}
	last := "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	got := r.raw(t, ask("page", "")+ask("acme", "id="+maidOne)+ask("acme", "")+ask("nobody", "")+ask("page", "id=x")+ask("narrow", "id="+maidOne)+last)
	if len(got) != 7 {
		t.Fatalf("got %+v", got)
	}
	for i, want := range []struct {
		status int
		shared string
	}{{200, readable(shop)}, {200, ""}, {400, ""}, {401, ""}, {400, readable(shop)}, {200, ""}, {200, ""}} {
		if got[i].status != want.status || shared(got[i]) != want.shared {
			t.Errorf("answer %d: got %+v, want %+v", i, got[i], want)
		}
	}
	if got := r.send(t, "GET", "/v1/match?id="+maidOne, "acme", "Origin: null\r\n"); got.status != http.StatusOK || shared(got) != "" {
		t.Errorf("match: got %+v", got)
	}
}

// A change of clients holds from the next answer on, and for those that are
// being made.
func TestOriginsChangeWhileServing(t *testing.T) {
	s, err := New(Options{Pools: readyPools(t), Clients: []Client{pageClient("page", shop)}})
	must(t, err)
	const rest = " /v1/segments HTTP/1.1\r\nHost: x\r\n" + fromShop
	handle := func(text string) reply {
		ctx := ctxOf(t, text)
		s.handle(ctx)
		if q := requests.Get().(*request); q.origin != "" || q.caller != nil {
			t.Errorf("the pool keeps origin %q and caller %v", q.origin, q.caller)
		}
		got := reply{status: ctx.Response.StatusCode(), header: http.Header{}, body: string(ctx.Response.Body())}
		for name, value := range ctx.Response.Header.All() {
			got.header.Add(string(name), string(value))
		}
		return got
	}
	ordinary := client("page", grant("acme", false))
	enricher := ordinary
	enricher.Scopes = ScopeEnrich
	for _, c := range []struct {
		name              string
		clients           []Client
		status, preflight int
		shared            string
	}{
		{"another origin", []Client{pageClient("page", "https://blog.example")}, 403, 403, "Vary=Origin"},
		{"back", []Client{pageClient("page", "https://blog.example", shop)}, 200, 204, readable(shop)},
		{"no page's key", []Client{ordinary}, 400, 403, ""},
		{"back again", []Client{pageClient("page", shop)}, 200, 204, readable(shop)},
		{"another scope", []Client{enricher}, 403, 403, ""},
		{"back once more", []Client{pageClient("page", shop)}, 200, 204, readable(shop)},
		{"nobody's", []Client{client("acme", grant("acme", false))}, 401, 403, ""},
	} {
		old := s.keys.Load().find([]byte("key-page"))
		must(t, s.SetClients(c.clients))
		for name, lookup := range map[string]func(*fasthttp.RequestCtx, *request) *problem{
			"begun after":  s.serve,
			"begun before": func(ctx *fasthttp.RequestCtx, q *request) *problem { q.caller = old; return s.serve(ctx, q) },
		} {
			s.lookup = lookup
			key := "Authorization: Bearer key-page\r\n"
			if name == "begun before" && c.status == 401 {
				key = "Authorization: Bearer key-acme\r\n" // to come as far as old
			}
			got := handle("GET" + rest + key + cookieLine + "\r\n")
			if got.status != c.status || c.status == 200 && got.body != onesVIP {
				t.Errorf("%s, %s: got %+v", c.name, name, got)
			}
			// Of a page that might have asked a moment ago nothing is kept but Vary.
			if said := shared(got); said != c.shared && (c.shared != "" || said != "Vary=Origin") {
				t.Errorf("%s, %s: the answer says %s", c.name, name, said)
			}
		}
		if got := handle("OPTIONS" + rest + "Access-Control-Request-Method: GET\r\n\r\n"); got.status != c.preflight {
			t.Errorf("%s: preflight %+v", c.name, got)
		}
	}
}
