package server

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/matchd/matchd/engine"
)

// as is a request by a key; the answer is in the response.
func as(t testing.TB, s *Server, key, target string) (int, string) {
	t.Helper()
	ctx := requestCtx(t, "GET", target, key, "")
	s.handle(ctx)
	return ctx.Response.StatusCode(), string(ctx.Response.Body())
}

func newServer(t testing.TB, clients ...Client) *Server {
	t.Helper()
	s, err := New(Options{Pools: readyPools(t), Clients: clients})
	must(t, err)
	return s
}

const askOne = "/v1/match?id=" + maidOne

func TestSetClients(t *testing.T) {
	s := newServer(t, client("a", grant("acme", true)), client("b", grant("globex", false)))
	narrow := client("a", grant("acme", true))
	narrow.Scopes = ScopeSegments
	for _, step := range []struct {
		name    string
		clients []Client
		want    map[string]string // part of the answer by key
	}{
		{"as it began", []Client{client("a", grant("acme", true)), client("b", grant("globex", false))}, map[string]string{"key-a": `"acme"`, "key-b": `"globex"`, "key-c": "401"}},
		{"one added", []Client{client("a", grant("acme", true)), client("b", grant("globex", false)), client("c", grant("globex", false))}, map[string]string{"key-a": `"acme"`, "key-b": `"globex"`, "key-c": `"globex"`}},
		{"two revoked", []Client{client("b", grant("globex", false))}, map[string]string{"key-a": "401", "key-b": `"globex"`, "key-c": "401"}},
		{"another grant", []Client{client("b", grant("acme", false))}, map[string]string{"key-a": "401", "key-b": `"acme"`}},
		{"another key", []Client{{Client: client("b", grant("acme", false)).Client, Key: HashKey("key-a")}}, map[string]string{"key-a": `"acme"`, "key-b": "401"}},
		{"another scope", []Client{narrow}, map[string]string{"key-a": "403"}},
		{"nobody", nil, map[string]string{"key-a": "401", "": "401"}},
	} {
		must(t, s.SetClients(step.clients))
		for key, want := range step.want {
			if _, body := as(t, s, key, askOne); !strings.Contains(body, want) {
				t.Errorf("%s: %s got %s, want %s", step.name, key, body, want)
			}
		}
	}
}

func TestSetClientsChangesNothingOnError(t *testing.T) {
	s := newServer(t, client("a", grant("acme", true)))
	before := s.keys.Load()
	bad := client("b", grant("acme", false))
	bad.Scopes = ScopeIdentifiers
	for name, clients := range map[string][]Client{
		"a bad client":        {client("c"), bad},
		"a bad name":          {client("c"), client("x/y")},
		"no key":              {client("c"), {Client: engine.Client{Name: "d"}}},
		"one key twice":       {client("c"), {Client: engine.Client{Name: "d"}, Key: HashKey("key-c")}},
		"one name twice":      {client("c"), {Client: engine.Client{Name: "c"}, Key: HashKey("d")}},
		"its own name, twice": {client("a", grant("globex", false)), {Client: engine.Client{Name: "a"}, Key: HashKey("d")}},
	} {
		if s.SetClients(clients) == nil {
			t.Errorf("%s: no error", name)
		}
		if s.keys.Load() != before || before.callers[0].replaced.Load() != nil {
			t.Fatalf("%s: the keys have changed", name)
		}
		if _, body := as(t, s, "key-a", askOne); !strings.Contains(body, `"acme"`) || strings.Contains(body, "globex") {
			t.Errorf("%s: got %s", name, body)
		}
		if status, _ := as(t, s, "key-c", askOne); status != 401 {
			t.Errorf("%s: a client was added: %d", name, status)
		}
	}
}

// The client without a key stays whatever becomes of the others.
func TestOpenOutlivesChanges(t *testing.T) {
	s, err := New(Options{Pools: readyPools(t), Open: "acme"})
	must(t, err)
	before := s.keys.Load().open
	must(t, s.SetClients([]Client{client("a", grant("globex", false))}))
	if s.keys.Load().open != before || before.replaced.Load() != nil {
		t.Error("it was replaced")
	}
	if s.SetClients([]Client{client(openName)}) == nil {
		t.Error("another may have its name")
	}
}

// Clients may change when a request's key has been looked at already: it is
// answered as one of the two sets of clients has it, and never by the key of
// one and the grants of the other.
func TestClientsChangeDuringARequest(t *testing.T) {
	acme, globex := client("a", grant("acme", true)), client("a", grant("globex", false))
	rekeyed := globex
	rekeyed.Key = HashKey("another key")
	scoped := globex
	scoped.Scopes = ScopeSegments
	bound := globex
	bound.Certificate = "a.example"
	for _, c := range []struct {
		name   string
		to     []Client
		status int
		want   string
	}{
		{"others change", []Client{acme, client("b")}, 200, `"acme"`},
		{"its grants change", []Client{globex}, 200, `"globex"`},
		{"its scopes too", []Client{scoped}, 403, "scope"},
		{"its name is another's", []Client{rekeyed}, 401, ""},
		{"its key is another's", []Client{{Client: client("b", grant("globex", false)).Client, Key: acme.Key}}, 200, `"globex"`},
		{"its key is bound", []Client{bound}, 401, ""},
		{"it is revoked", nil, 401, ""},
	} {
		s := newServer(t, acme)
		changed := false
		s.lookup = func(ctx *fasthttp.RequestCtx, q *request) *problem {
			if !changed {
				changed = true
				must(t, s.SetClients(c.to))
			}
			return s.serve(ctx, q)
		}
		status, body := as(t, s, "key-a", askOne)
		if status != c.status || !strings.Contains(body, c.want) || strings.Contains(body, "acme") && strings.Contains(body, "globex") {
			t.Errorf("%s: got %d %s", c.name, status, body)
		}
		if c.want != `"globex"` && strings.Contains(body, "globex") {
			t.Errorf("%s: the grants are another's: %s", c.name, body)
		}
	}
}

// While the engine has its new clients, and the server still has the old keys,
// a client that changes waits, and others do not.
func TestClientsChangeAroundARequest(t *testing.T) {
	s := newServer(t, client("a", grant("acme", true)), client("b", grant("globex", false)))
	old := s.keys.Load()
	to := []Client{client("a", grant("globex", false)), client("b", grant("globex", false))}
	to[0].Scopes = ScopeSegments
	keys, err := newKeyring(to, "", old)
	must(t, err)
	changed := make(chan struct{})
	old.callers[0].replaced.Store(&changed)
	must(t, s.pools.SetClients(keys.engineClients()))
	if _, body := as(t, s, "key-b", askOne); !strings.Contains(body, `"globex"`) {
		t.Errorf("the other got %s", body)
	}
	began, answered := make(chan bool), make(chan string)
	s.lookup = func(ctx *fasthttp.RequestCtx, q *request) *problem {
		close(began)
		return s.serve(ctx, q)
	}
	ctx := requestCtx(t, "GET", askOne, "key-a", "")
	go func() {
		s.handle(ctx)
		answered <- string(ctx.Response.Body())
	}()
	<-began
	select {
	case body := <-answered:
		t.Fatalf("it was answered: %s", body)
	default:
	}
	s.keys.Store(keys)
	close(changed)
	if body := <-answered; !strings.Contains(body, "lacks the scope") {
		t.Errorf("got %s", body)
	}
}

// Two sets of clients take turns while many ask. Key and grants go together in
// every answer, and a client that stays is never refused.
func TestClientsChangeUnderLoad(t *testing.T) {
	steady := client("steady", grant("acme", false))
	one := []Client{steady, client("x", grant("acme", true))}
	two := []Client{{Client: client("x", grant("globex", false)).Client, Key: HashKey("key-y")}, steady}
	s := newServer(t, one...)
	var stop atomic.Bool
	var all sync.WaitGroup
	var answers [3]atomic.Int64
	for i, c := range []struct{ key, want, never string }{
		{"key-steady", `"acme"`, "globex"}, {"key-x", `"acme"`, "globex"}, {"key-y", `"globex"`, "acme"},
	} {
		ctx := requestCtx(t, "GET", askOne, c.key, "")
		all.Go(func() {
			for !stop.Load() {
				ctx.Response.Reset()
				s.handle(ctx)
				body, status := string(ctx.Response.Body()), ctx.Response.StatusCode()
				switch {
				case status == 200 && strings.Contains(body, c.want) && !strings.Contains(body, c.never):
					answers[i].Add(1)
				case status != 401 || i == 0:
					t.Errorf("%s got %d %s", c.key, status, body)
					return
				}
			}
		})
	}
	for n := 0; n < 300 || answers[0].Load() < 100 || answers[1].Load() < 100 || answers[2].Load() < 100; n++ {
		must(t, s.SetClients([][]Client{two, one}[n%2]))
		if t.Failed() {
			break
		}
	}
	stop.Store(true)
	all.Wait()
}
