package server

import (
	"slices"
	"strings"
	"testing"
)

// Each route takes a scope of its own, and no other gives it.
func TestScopesOfRoutes(t *testing.T) {
	routes := []struct {
		method, target, body string
		scope                Scopes
	}{
		{"GET", "/v1/match?id=" + maidOne, "", ScopeMatch},
		{"POST", "/v1/match", batch(maidOne), ScopeMatch},
		{"GET", "/v1/segments?id=" + maidOne, "", ScopeSegments},
		{"GET", "/v1/identifiers?customer=acme:C-1", "", ScopeIdentifiers},
	}
	var clients []Client
	for _, name := range scopeNames {
		for with := range 2 {
			scope, err := ParseScope(name)
			must(t, err)
			c := client([]string{"all-but-", "only-"}[with]+name, grant("acme", true))
			if c.Scopes = scope; with == 0 {
				c.Scopes = allScopes &^ scope
			}
			clients = append(clients, c)
		}
	}
	r := start(t, Options{Clients: clients})
	for _, c := range clients {
		for _, route := range routes {
			got := r.ask(t, route.method, route.target, c.Name, route.body)
			if c.Scopes&route.scope != 0 {
				if got.status != 200 || !strings.Contains(got.body, "matched") {
					t.Errorf("%s: %s %s: got %+v", c.Name, route.method, route.target, got)
				}
				continue
			}
			checkProblem(t, got, 403)
			if !strings.Contains(got.body, "scope "+route.scope.String()+`"`) {
				t.Errorf("%s: %s %s: the answer does not name the scope: %s", c.Name, route.method, route.target, got.body)
			}
		}
	}
}

// What a client may do where it says nothing.
func TestScopesUnlessSaid(t *testing.T) {
	page := client("page", grant("acme", false))
	page.Browser = new(Browser)
	for _, c := range []struct {
		Client
		want string
	}{
		{client("a", grant("acme", false)), "match, segments"},
		{client("a", grant("acme", false), grant("globex", true)), "match, segments, identifiers"},
		{client("a"), "match, segments"},
		{page, "segments"},
	} {
		if got := newCaller(c.Client).scopes.String(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// A route that nobody has given a scope is nobody's.
func TestRoutesWithoutAScope(t *testing.T) {
	c := &caller{scopes: allScopes}
	for id := range routeIDs {
		p := c.may(id)
		if asks := id < routeHealth && id != routePreflight; asks != (p == nil) {
			t.Errorf("%s: got %+v", routeNames[id], p)
		}
		if none := (&caller{}).may(id); none == nil || none.status != 403 {
			t.Errorf("%s, without scopes: got %+v", routeNames[id], none)
		}
	}
}

func TestScopeNames(t *testing.T) {
	if got := allScopes.Names(); !slices.Equal(got, scopeNames) || allScopes != 1<<len(scopeNames)-1 || len(problemScopes) != len(scopeNames)+1 {
		t.Errorf("got %v", got)
	}
	for i, name := range scopeNames {
		if s, err := ParseScope(name); err != nil || s != 1<<i || s.String() != name || !strings.HasSuffix(problemScopes[i].detail, " "+name) {
			t.Errorf("%s: got %v, %v, %s", name, s, err, problemScopes[i].detail)
		}
	}
	for _, s := range []string{"", "Match", "match,segments", "*"} {
		if _, err := ParseScope(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}
