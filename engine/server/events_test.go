package server

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine"
)

// startLive is a server whose store takes live changes, and where its log is.
// The clients are acme, who may do all that is his, globex, who may change
// nothing, and root, who has all scopes.
func startLive(t *testing.T) (*running, string) {
	t.Helper()
	pools := readyPools(t)
	log := filepath.Join(t.TempDir(), "log")
	must(t, pools.All()[0].OpenChanges(log))
	acme, root := client("acme", grant("acme", true)), client("root", grant("acme", true), grant("globex", false))
	acme.Scopes = ScopeMatch | ScopeEvents | ScopePrivacy
	root.Scopes = allScopes
	shared := client("shared", grant("globex", false), grant("acme", false))
	shared.Tenant, shared.Scopes = "globex", ScopeMatch|ScopeEvents|ScopePrivacy
	segments := client("segments", grant("acme", false))
	segments.Scopes = ScopeEvents
	cookies := client("cookies", grant("acme", false))
	cookies.Grants[0].Namespaces, cookies.Scopes = []string{"cookie.a"}, ScopeEvents
	return start(t, Options{Pools: pools, Clients: []Client{acme, root, shared, segments, cookies, client("globex", grant("globex", false))}}), log
}

const (
	optOut   = `{"id":"o-1","at":"2026-11-21T10:00:00Z","type":"opt_out","tenant":"acme","identifier":"` + maidOne + `"}`
	optBack  = `{"id":"o-2","at":"2026-11-21T10:00:01Z","type":"opt_in","tenant":"acme","identifier":"` + maidOne + `"}`
	forAll   = `{"id":"o-3","type":"opt_out","tenant":"*","identifier":"` + maidOne + `"}`
	eraseOne = `{"id":"x-1","type":"erase","tenant":"acme","customer":"acme:C-1"}`
)

type eventsAnswer struct {
	Results []struct {
		Line     int
		ID       string
		Status   string
		Detail   string
		Receipts []struct {
			Store, Log, Time, Hash string
			Seq                    int
			Known                  bool
		}
	}
	Accepted int
}

func (r *running) post(t *testing.T, client, body string) (reply, eventsAnswer) {
	t.Helper()
	got := r.ask(t, "POST", "/v1/events", client, body)
	var a eventsAnswer
	if strings.Contains(got.header.Get("Content-Type"), "problem") {
		checkProblem(t, got, got.status)
	} else {
		must(t, json.Unmarshal([]byte(got.body), &a))
	}
	return got, a
}

func (r *running) matches(t *testing.T, client, want string) {
	t.Helper()
	if got := r.ask(t, "GET", "/v1/match?id="+maidOne, client, "").body; !strings.Contains(got, want) {
		t.Errorf("%s is told %s, not %s", client, got, want)
	}
}

// TestEvents opts out over HTTP: the next answer says so, a second try changes
// nothing, and an opt-in takes it back.
func TestEvents(t *testing.T) {
	r, _ := startLive(t)
	r.matches(t, "acme", `"matched"`)
	got, a := r.post(t, "acme", optOut+"\n")
	if got.status != http.StatusOK || a.Accepted != 1 || len(a.Results) != 1 {
		t.Fatalf("%+v", got)
	}
	one := a.Results[0]
	if len(one.Receipts) != 1 || one.Line != 1 || one.ID != "o-1" || one.Status != "accepted" {
		t.Fatalf("%s", got.body)
	}
	receipt := one.Receipts[0]
	if receipt.Seq != 1 || len(receipt.Log) != 32 || len(receipt.Hash) != 64 || receipt.Known || receipt.Time == "" {
		t.Errorf("%+v", receipt)
	}
	r.matches(t, "acme", `"status":"none","reason":"opted_out"`)
	r.matches(t, "globex", `"matched"`)
	_, again := r.post(t, "acme", "["+optOut+"]")
	if k := again.Results[0].Receipts[0]; !k.Known || k.Hash != receipt.Hash || k.Seq != 1 || again.Accepted != 1 {
		t.Errorf("%+v", again)
	}
	if got := do(t, "GET", "http://"+r.AdminAddr()+"/metrics", "", "").body; !strings.Contains(got, `matchd_event_log_seq{store="`) || !strings.Contains(got, "matchd_event_log_failed") {
		t.Error("the metrics do not tell of the log")
	}
	r.post(t, "acme", optBack)
	r.matches(t, "acme", `"matched"`)
	r.post(t, "root", forAll)
	r.matches(t, "globex", "opted_out")
	r.post(t, "acme", eraseOne)
	if got := r.ask(t, "GET", "/v1/identifiers?customer=acme:C-1", "root", ""); got.status == 200 && strings.Contains(got.body, "matched") {
		t.Errorf("%+v", got)
	}
}

// TestErasedIsToldToOwners tells who owns the tenant that a customer was erased, and
// nobody else: to others, one who was is as one who was not.
func TestErasedIsToldToOwners(t *testing.T) {
	r, _ := startLive(t)
	says := func(client, customer string) (list []string) {
		_, a := r.post(t, client, strings.Join([]string{
			`{"id":"l-` + customer + `","type":"link","left":"` + maidOne + `","right":"crm.` + customer + `"}`,
			`{"id":"u-` + customer + `","type":"unlink","left":"crm.` + customer + `","right":"crm.globex:G-1"}`,
			`{"id":"s-` + customer + `","type":"segment_remove","customer":"` + customer + `","segment":"vip"}`,
			`{"id":"c-` + customer + `","type":"consent","customer":"` + customer + `","status":"withdrawn"}`,
		}, "\n"))
		for _, res := range a.Results {
			list = append(list, res.Status+" "+res.Detail)
		}
		return list
	}
	r.post(t, "acme", eraseOne)
	for _, client := range []string{"shared", "globex"} {
		erased, other := says(client, "acme:C-1"), says(client, "acme:C-2")
		if !slices.Equal(erased, other) || slices.ContainsFunc(erased, func(s string) bool { return strings.Contains(s, "erased") }) {
			t.Errorf("%s is told %q, and of another customer %q", client, erased, other)
		}
	}
	const gone = "refused the customer was erased; an opt_in lets it back"
	if got := says("segments", "acme:C-1"); got[2] != gone || got[3] != gone {
		t.Errorf("%q", got)
	}
}

// TestEventsByLine refuses lines by themselves.
func TestEventsByLine(t *testing.T) {
	r, _ := startLive(t)
	if _, a := r.post(t, "acme", `{"id":"shape","type":"link"}`+"\n"+`{"type":"link"}`); len(a.Results) != 2 || a.Results[0].ID != "shape" || a.Results[1].ID != "" {
		t.Errorf("ids of lines that are no changes: %+v", a)
	}
	for _, c := range []struct {
		client, body string
		status       int
		want         []string // part of the detail of each line, or empty
	}{
		{"acme", optOut + "\n\n{\n" + optBack, 200, []string{"", "not one JSON object", ""}},
		{"acme", forAll, 422, []string{"takes the scope admin"}},
		{"acme", `{"id":"a","type":"opt_out","tenant":"globex","identifier":"` + maidOne + `"}`, 422, []string{"not this client's"}},
		{"acme", `{"id":"a","type":"opt_out","tenant":"nobody","identifier":"` + maidOne + `"}`, 422, []string{"not this client's"}},
		{"shared", `{"id":"a","type":"opt_out","tenant":"acme","identifier":"` + maidOne + `"}`, 422, []string{"not this client's"}},
		{"shared", `{"id":"a","type":"opt_out","tenant":"globex","identifier":"` + maidOne + `"}`, 200, []string{""}},
		{"segments", optOut, 422, []string{"takes the scope privacy"}},
		{"segments", `{"id":"a","type":"consent","customer":"acme:C-1","status":"withdrawn"}`, 200, []string{""}},
		{"segments", `{"id":"a","type":"consent","customer":"acme:C-1","status":"granted"}`, 422, []string{"another change"}},
		{"acme", `{"id":"l","type":"link","left":"` + maidOne + `","right":"crm.acme:C-1"}`, 200, []string{""}},
		{"acme", `{"id":"m","type":"unlink","left":"` + maidOne + `","right":"crm.globex:G-1"}`, 422, []string{"to link"}},
		{"shared", `{"id":"m","type":"link","left":"` + maidOne + `","right":"crm.acme:C-1"}`, 422, []string{"to link"}},
		{"cookies", `{"id":"m","type":"link","left":"` + maidOne + `","right":"crm.acme:C-1"}`, 422, []string{"to link"}},
		{"acme", `{"id":"j","type":"opt_out","tenant":"acme","identifier":"maid:0"}`, 422, []string{"identifier: "}},
	} {
		got, a := r.post(t, c.client, c.body)
		if got.status != c.status || len(a.Results) != len(c.want) {
			t.Errorf("%s\n%d %s", c.body, got.status, got.body)
			continue
		}
		for i, want := range c.want {
			if res := a.Results[i]; !strings.Contains(res.Detail, want) || (want == "") != (res.Status == "accepted") {
				t.Errorf("%s\nline %d: %+v, not %q", c.body, i, res, want)
			}
		}
	}
}

// TestEventsRefused is about requests that are wrong as a whole, by whom they
// are, or come to a daemon that takes none.
func TestEventsRefused(t *testing.T) {
	r, _ := startLive(t)
	plain := start(t, Options{Clients: []Client{{Client: client("acme", grant("acme", true)).Client, Key: HashKey("key-acme"), Scopes: allScopes}}})
	for _, c := range []struct {
		of                           *running
		method, target, client, body string
		status                       int
	}{
		{r, "PUT", "/v1/events", "acme", "", 405},
		{r, "POST", "/v1/events", "", optOut, 401},
		{r, "POST", "/v1/events", "globex", optOut, 403},
		{r, "POST", "/v1/events", "acme", "", 400},
		{r, "POST", "/v1/events", "acme", "\n\n", 400},
		{r, "POST", "/v1/events", "acme", "[" + optOut, 400},
		{r, "POST", "/v1/events?x=1", "acme", optOut, 400},
		{r, "POST", "/v1/events", "acme", strings.Repeat("{}\n", MaxEvents+1), 413},
		{plain, "POST", "/v1/events", "acme", optOut, 501},
	} {
		checkProblem(t, c.of.ask(t, c.method, c.target, c.client, c.body), c.status)
	}
	r.matches(t, "acme", `"matched"`)
}

// TestEventsCountQuestions counts each change of a request towards the rate.
func TestEventsCountQuestions(t *testing.T) {
	pools := readyPools(t)
	must(t, pools.All()[0].OpenChanges(filepath.Join(t.TempDir(), "log")))
	slow := client("acme", grant("acme", true))
	slow.Scopes, slow.Rate, slow.Burst = ScopePrivacy, 0.001, 2
	r := start(t, Options{Pools: pools, Clients: []Client{slow}})
	if got, _ := r.post(t, "acme", optOut+"\n"+optBack+"\n"+optOut); got.status != 413 {
		t.Errorf("three changes where two may be: %+v", got)
	}
	if got, _ := r.post(t, "acme", optOut+"\n"+optBack); got.status != 200 {
		t.Errorf("%+v", got)
	}
	if got, _ := r.post(t, "acme", optOut); got.status != 429 {
		t.Errorf("%+v", got)
	}
}

// TestOwns is the table of whose data a client may change.
func TestOwns(t *testing.T) {
	r, _ := startLive(t)
	p := r.pools.All()[0]
	of := func(c engine.Client) [2]bool {
		return [2]bool{c.Owns("acme", p.Name, asOf), c.Owns("acme", "elsewhere", asOf)}
	}
	own := engine.Client{Grants: []engine.Grant{grant("acme", false)}}
	there := engine.Client{Grants: []engine.Grant{grant("acme", false)}}
	there.Grants[0].Store = p.Name
	ended := engine.Client{Grants: []engine.Grant{grant("acme", false)}}
	ended.Grants[0].Until = asOf
	shared := engine.Client{Tenant: "globex", Grants: []engine.Grant{grant("acme", false)}}
	for i, c := range []struct {
		client engine.Client
		want   [2]bool
	}{
		{own, [2]bool{true, true}}, {there, [2]bool{true, false}}, {ended, [2]bool{}}, {shared, [2]bool{}}, {engine.Client{}, [2]bool{}},
	} {
		if got := of(c.client); got != c.want {
			t.Errorf("row %d: %v", i, got)
		}
	}
}
