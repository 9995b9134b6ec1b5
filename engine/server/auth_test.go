package server

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine"
)

func TestKeys(t *testing.T) {
	r := start(t, Options{})
	target := "/v1/match?id=" + maidOne
	var refusals []string
	for name, header := range map[string]string{
		"no key":            "",
		"an empty header":   "Authorization:\r\n",
		"an empty key":      "Authorization: Bearer \r\n",
		"a wrong key":       "Authorization: Bearer key-nobody\r\n",
		"half a key":        "Authorization: Bearer key-acm\r\n",
		"a key and more":    "Authorization: Bearer key-acme2\r\n",
		"another scheme":    "Authorization: Basic key-acme\r\n",
		"no scheme":         "Authorization: key-acme\r\n",
		"the hash of a key": "Authorization: Bearer " + HashKey("key-acme").String() + "\r\n",
	} {
		got := r.raw(t, "GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+header+"\r\n")
		if len(got) != 1 {
			t.Fatalf("%s: %d answers", name, len(got))
		}
		checkProblem(t, got[0], 401)
		if !strings.HasPrefix(got[0].header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: no WWW-Authenticate in %v", name, got[0].header)
		}
		refusals = append(refusals, got[0].body)
	}
	for _, body := range refusals {
		if body != refusals[0] {
			t.Errorf("two refusals differ: %s and %s", body, refusals[0])
		}
	}
	for _, header := range []string{"Authorization: Bearer key-acme", "authorization: bearer   key-acme"} {
		got := r.raw(t, "GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+header+"\r\n\r\n")
		if len(got) != 1 || got[0].status != 200 {
			t.Errorf("%s: got %+v", header, got)
		}
	}
	// Two keys are one too many, whichever of them is good.
	got := r.raw(t, "GET "+target+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-acme\r\nAuthorization: Bearer key-globex\r\n\r\n")
	if len(got) != 1 || got[0].status != 400 {
		t.Errorf("two keys: got %+v", got)
	}
}

func TestFindComparesAll(t *testing.T) {
	clients := testClients()
	k, err := newKeyring(clients, "", nil)
	must(t, err)
	for _, c := range clients {
		if got := k.find([]byte("key-" + c.Name)); got == nil || got.name != c.Name {
			t.Errorf("%s: got %+v", c.Name, got)
		}
	}
	if got := k.find(nil); got != nil {
		t.Errorf("no key: got %+v", got)
	}
}

func TestOpen(t *testing.T) {
	r := start(t, Options{Open: "acme"})
	target := "/v1/match?id=" + maidOne
	if got := r.ask(t, "GET", target, "", ""); got.status != 200 || !strings.Contains(got.body, `"tenant":"acme"`) || strings.Contains(got.body, "globex") {
		t.Errorf("without a key: got %+v", got)
	}
	if got := r.ask(t, "GET", "/v1/identifiers?customer=acme:C-1", "", ""); got.status != 200 || !strings.Contains(got.body, "matched") {
		t.Errorf("without a key: got %+v", got)
	}
	checkProblem(t, r.ask(t, "GET", target, "wrong", ""), 401)
	if got := r.ask(t, "GET", target, "globex", ""); got.status != 200 || !strings.Contains(got.body, `"tenant":"globex"`) {
		t.Errorf("with a key: got %+v", got)
	}
	for host, status := range map[string]int{"localhost:1": 200, "127.9.9.9": 200, "[::1]:8080": 200, "rebound.example": 401, "127.0.0.1.example:80": 401} {
		got := r.raw(t, "GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		if len(got) != 1 || got[0].status != status {
			t.Errorf("host %s: got %+v, want %d", host, got, status)
		}
	}
}

func TestOpenOnAUnixSocket(t *testing.T) {
	r := start(t, Options{Open: "acme", Listen: unixPrefix + filepath.Join(t.TempDir(), "s")})
	got := r.raw(t, "GET /v1/match?id="+maidOne+" HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n")
	if len(got) != 1 || got[0].status != 200 {
		t.Errorf("got %+v", got)
	}
}

func TestNewRefuses(t *testing.T) {
	e := readyPools(t)
	for name, o := range map[string]Options{
		"no engine":              {},
		"open to everybody":      {Pools: e, Open: "acme", Listen: ":8080"},
		"open to a network":      {Pools: e, Open: "acme", Listen: "192.0.2.1:8080"},
		"no address":             {Pools: e, Listen: "nowhere"},
		"no admin address":       {Pools: e, Admin: "8081"},
		"a client without a key": {Pools: e, Clients: []Client{{Client: engine.Client{Name: "a"}}}},
		"one name twice":         {Pools: e, Clients: []Client{client("a"), {Client: engine.Client{Name: "a"}, Key: HashKey("b")}}},
		"one key twice":          {Pools: e, Clients: []Client{client("a"), {Client: engine.Client{Name: "b"}, Key: HashKey("key-a")}}},
		"a client named open":    {Pools: e, Open: "acme", Clients: []Client{client("open")}},
		"a negative limit":       {Pools: e, Limits: Limits{MaxBody: -1}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestNewKeysAreDifferentAndAccepted(t *testing.T) {
	a, b := NewKey(), NewKey()
	if a == b || len(a) != len("mk_")+43 {
		t.Fatalf("got %s and %s", a, b)
	}
	r := start(t, Options{Clients: []Client{{Client: engine.Client{Name: "a", Grants: []engine.Grant{grant("acme", false)}}, Key: HashKey(a)}}})
	req, err := http.NewRequest("GET", "http://"+r.Addr()+"/v1/match?id="+maidOne, nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+a)
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	must(t, err)
	if got := readReply(t, res); got.status != 200 {
		t.Errorf("got %+v", got)
	}
}
