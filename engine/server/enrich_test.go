package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine"
)

// bidders are clients that may have bid requests enriched, and one that may not.
func bidders() []Client {
	dsp := client("dsp", grant("acme", false))
	dsp.Scopes = ScopeEnrich
	dsp.BidRequests = engine.BidRequests{
		Exchanges: map[string]engine.Exchange{"one": {BuyerUID: "cookie.site"}},
		Person:    engine.PersonEID{Source: "acme.example"},
	}
	return []Client{dsp, client("acme", grant("acme", true))}
}

const (
	ifaOne  = "6d92078a-8246-4ba4-ae5b-76104861e7dc"
	onePage = `{"id":"1", "device":{"ifa":"` + ifaOne + `"}}`
	oneData = `"user":{"data":[{"name":"acme.example","ext":{"segtax":501},"segment":[{"id":"A1"}]}]}`
)

// sized is a bid request of so many bytes.
func sized(n int) string {
	const begin, end = `{"device":{"ifa":"` + ifaOne + `"},"x":"`, `"}`
	return begin + strings.Repeat("x", n-len(begin)-len(end)) + end
}

func TestEnrich(t *testing.T) {
	r := start(t, Options{Clients: bidders()})
	for _, c := range []struct {
		name, query, client, body string
		status                    int
		want                      string // a part of the answer
	}{
		{"a match", "", "dsp", onePage, 200, `{"id":"1", "device":{"ifa":"` + ifaOne + `"},` + oneData + `}`},
		{"the additions alone", "?mode=patch", "dsp", onePage, 200, "{" + oneData + "}"},
		{"all of it", "?mode=full", "dsp", onePage, 200, oneData},
		{"the person", "?eids=1", "dsp", onePage, 200, `"eids":[{"source":"acme.example","mm":3,"uids":[{"id":"`},
		{"no person", "?eids=0", "dsp", onePage, 200, oneData + "}"},
		{"an exchange's id", "?exchange=one", "dsp", `{"user":{"buyeruid":"one"}}`, 200, `"segment":[{"id":"A1"}]`},
		{"another exchange's", "?exchange=two", "dsp", `{"user":{"buyeruid":"one"}}`, 204, ""},
		{"nobody", "", "dsp", `{"device":{"ifa":"6d92078a-8246-4ba4-ae5b-000000000000"}}`, 204, ""},
		{"a signal in the request", "", "dsp", `{"regs":{"coppa":1},"device":{"ifa":"` + ifaOne + `"}}`, 204, ""},
		{"a signal beside it", "?coppa=1", "dsp", onePage, 204, ""},
		{"signals that differ", "?coppa=0", "dsp", `{"regs":{"coppa":1},"device":{"ifa":"` + ifaOne + `"}}`, 204, ""},
		{"no JSON", "", "dsp", `{"id":`, 400, "byte 6 of the bid request"},
		{"no object", "", "dsp", `[]`, 400, "byte 0"},
		{"a mode that is none", "?mode=half", "dsp", onePage, 400, "mode"},
		{"eids that are none", "?eids=yes", "dsp", onePage, 400, "eids"},
		{"a client without the scope", "", "acme", onePage, 403, "scope enrich"},
		{"nobody's key", "", "stranger", onePage, 401, "key"},
		{"as large as may be", "", "dsp", sized(1 << 20), 200, oneData},
		{"too large", "", "dsp", sized(1<<20 + 1), 413, "a larger bid request is not enriched"},
		{"far too large", "", "dsp", sized(3 << 20), 413, "a larger bid request is not enriched"},
	} {
		got := r.ask(t, "POST", "/v1/openrtb/enrich"+c.query, c.client, c.body)
		if got.status != c.status || !strings.Contains(got.body, c.want) || c.status == 204 && got.body != "" {
			t.Errorf("%s: got %d %s, want %d %s", c.name, got.status, got.body, c.status, c.want)
		}
		if c.status >= 400 {
			checkProblem(t, got, c.status)
		} else if got.header.Get("Cache-Control") != "no-store" || (got.header.Get("Content-Type") == jsonType) != (c.status == 200) {
			t.Errorf("%s: header %v", c.name, got.header)
		}
	}
	checkProblem(t, r.ask(t, "GET", "/v1/openrtb/enrich", "dsp", ""), 405)
	large := start(t, Options{Clients: bidders(), Limits: Limits{MaxBody: 2 << 20}})
	checkProblem(t, large.ask(t, "POST", "/v1/openrtb/enrich", "dsp", sized(1<<20+1)), 413)
}

// What one request said about privacy is nothing that the next one says: on one
// connection, and with the same memory.
func TestSignalsDoNotStay(t *testing.T) {
	s := newServer(t, bidders()...)
	for i := range 20 {
		for _, c := range []struct {
			target, client, body string
			status               int
		}{
			{"/v1/openrtb/enrich?coppa=1", "key-dsp", onePage, 204},
			{"/v1/openrtb/enrich", "key-dsp", onePage, 200},
			{"/v1/openrtb/enrich", "key-dsp", `{"regs":{"gdpr":1},"device":{"ifa":"` + ifaOne + `"}}`, 204},
			{"/v1/openrtb/enrich", "key-dsp", `{"regs":`, 400},
			{"/v1/openrtb/enrich", "key-dsp", onePage, 200},
		} {
			ctx := requestCtx(t, http.MethodPost, c.target, c.client, c.body)
			s.handle(ctx)
			if got := ctx.Response.StatusCode(); got != c.status {
				t.Fatalf("round %d, %s: %d %s, want %d", i, c.target, got, ctx.Response.Body(), c.status)
			}
		}
	}
}
