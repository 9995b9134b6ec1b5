package server

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine/audit"
)

// audited reads an audit log, which must be sound.
func audited(t *testing.T, path string) (out []audit.Record) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	_, err = audit.Verify(bytes.NewReader(text), func(r audit.Record, _ []byte) error { out = append(out, r); return nil })
	must(t, err)
	for _, raw := range []string{"C-1", "C-2", maidOne, emailOne} {
		if bytes.Contains(text, []byte(raw)) {
			t.Errorf("the log has %s", raw)
		}
	}
	return out
}

func actions(list []audit.Record) (out []string) {
	for _, r := range list {
		out = append(out, strings.TrimSpace(r.Actor+" "+r.Action+" "+r.Subject))
	}
	return out
}

// Whoever lists identifiers, administers or changes clients is noted, without
// a raw id; two listings of one customer have one pseudonym.
func TestAudit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	log, err := audit.Open(path)
	must(t, err)
	r := start(t, Options{Audit: log})
	for _, customer := range []string{"acme:C-1", "acme:C-1", "acme:C-2", "acme:C-9"} {
		r.ask(t, "GET", "/v1/identifiers?customer="+customer, "acme", "")
	}
	r.ask(t, "GET", "/v1/identifiers?customer=acme:C-1", "narrow", "") // may not
	r.ask(t, "GET", "/v1/match?id="+maidOne, "acme", "")
	do(t, "POST", "http://"+r.AdminAddr()+"/admin/v1/reload", "", "")
	list := audited(t, path)
	got := actions(list)
	if len(got) != 6 || got[0] != "daemon daemon.start" || got[5] != "local admin.reload" {
		t.Fatalf("got %q", got)
	}
	if got[1] != got[2] || got[1] == got[3] || got[3] == got[4] || !strings.HasPrefix(got[1], "acme identifiers.list ") {
		t.Errorf("got %q", got)
	}
	r.auditClients(testClients()[:2], append(testClients()[1:2], client("new", grant("acme", false))))
	if got := actions(audited(t, path))[6:]; strings.Join(got, ", ") != "daemon client.add new, daemon client.revoke acme" {
		t.Errorf("got %q", got)
	}
}

// A listing that cannot be noted is refused; changed clients are not, and are
// noted once they can be.
func TestAuditThatTakesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	log, err := audit.Open(path)
	must(t, err)
	r := start(t, Options{Audit: log})
	must(t, os.Remove(path))
	must(t, os.Mkdir(path, 0o700))
	checkProblem(t, r.ask(t, "GET", "/v1/identifiers?customer=acme:C-1", "acme", ""), 503)
	checkProblem(t, do(t, "POST", "http://"+r.AdminAddr()+"/admin/v1/reload", "", ""), 503)
	if got := r.ask(t, "GET", "/v1/match?id="+maidOne, "acme", ""); got.status != 200 {
		t.Errorf("a lookup: %d", got.status)
	}
	r.auditClients(nil, testClients()[:1])
	must(t, os.Remove(path))
	if got := r.ask(t, "GET", "/v1/identifiers?customer=acme:C-1", "acme", ""); got.status != 200 {
		t.Errorf("after it was mended: %d", got.status)
	}
	got := actions(audited(t, path))
	if len(got) != 3 || got[0] != "daemon log.continued" || got[1] != "daemon client.add acme" || !strings.HasPrefix(got[2], "acme identifiers.list ") {
		t.Errorf("got %q", got)
	}
}

// adminAt serves the admin listener at an address that others can reach.
func adminAt(t *testing.T, o Options) *running {
	t.Helper()
	o.Pools, o.Listen, o.Admin = readyPools(t), "127.0.0.1:0", "0.0.0.0:0"
	s, err := New(o)
	must(t, err)
	return run(t, s)
}

// Off this machine the admin listener is for keys with the scope admin alone;
// health is for all.
func TestAdminKeys(t *testing.T) {
	boss, bound := client("boss"), client("bound")
	boss.Scopes, bound.Scopes, bound.Certificate = ScopeAdmin, ScopeAdmin, "boss.example"
	r := adminAt(t, Options{Clients: []Client{boss, bound, client("acme", grant("acme", true))}})
	_, port, _ := strings.Cut(strings.TrimPrefix(r.AdminAddr(), "[::]"), ":")
	base := "http://127.0.0.1:" + port
	for _, c := range []struct {
		method, path, client string
		want                 int
	}{
		{"GET", "/metrics", "", 401},
		{"GET", "/metrics", "stranger", 401},
		{"GET", "/metrics", "acme", 403},
		{"GET", "/metrics", "bound", 401},
		{"GET", "/metrics", "boss", 200},
		{"POST", "/admin/v1/reload", "", 401},
		{"POST", "/admin/v1/reload", "boss", 200},
		{"GET", "/debug/pprof/cmdline", "", 401},
		{"GET", "//metrics", "", 401},
		{"GET", pathLive, "", 200},
		{"GET", pathReady, "", 200},
	} {
		if got := do(t, c.method, base+c.path, c.client, ""); got.status != c.want {
			t.Errorf("%s %s as %q: %d, want %d", c.method, c.path, c.client, got.status, c.want)
		}
	}
}

// A page in a browser of this machine does not administer.
func TestAdminIsForPrograms(t *testing.T) {
	r := start(t, Options{})
	for _, c := range []struct {
		host, origin string
		want         int
	}{
		{"", "", 200},
		{"localhost:8081", "", 200},
		{"evil.example", "", 403},
		{"", "https://evil.example", 403},
		{"", "null", 403},
	} {
		req, err := http.NewRequest("GET", "http://"+r.AdminAddr()+"/metrics", nil)
		must(t, err)
		if req.Host = c.host; c.origin != "" {
			req.Header.Set("Origin", c.origin)
		}
		res, err := new(http.Transport).RoundTrip(req)
		must(t, err)
		if got := readReply(t, res); got.status != c.want {
			t.Errorf("%+v: %d", c, got.status)
		}
	}
}

// With TLS, the admin listener has it too where others reach it.
func TestAdminTLS(t *testing.T) {
	w := newTLSWorld(t, false)
	boss := client("boss")
	boss.Scopes = ScopeAdmin
	r := adminAt(t, Options{TLS: &w.TLSOptions, Clients: []Client{boss}})
	_, port, _ := strings.Cut(strings.TrimPrefix(r.AdminAddr(), "[::]"), ":")
	req, err := http.NewRequest("GET", "https://127.0.0.1:"+port+"/metrics", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer key-boss")
	config := w.config(nil)
	config.ServerName = "127.0.0.1"
	res, err := (&http.Transport{TLSClientConfig: config}).RoundTrip(req)
	must(t, err)
	if got := readReply(t, res); got.status != 200 {
		t.Errorf("got %d", got.status)
	}
	if got := do(t, "GET", "http://127.0.0.1:"+port+"/metrics", "boss", ""); got.status == 200 {
		t.Error("in clear: 200")
	}
}

// Names are fit for logs and terminals, and none is that of callers without a
// key; what a page asks by is no identifier that somebody else may know.
func TestClientsThatAreRefused(t *testing.T) {
	for _, name := range []string{"open", "", "a b", "a\nb", "\x1b[31m", "a:b", "../a", strings.Repeat("x", 65)} {
		if client(name, grant("acme", false)).Validate() == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
	for _, namespace := range []string{"maid", "email_sha256", "crm.acme"} {
		c := client("page", grant("acme", false))
		c.Browser = &Browser{Origins: []string{"https://a.example"}, Cookie: "c", Namespace: namespace}
		if c.Validate() == nil {
			t.Errorf("pages ask by %s", namespace)
		}
		c.Browser.Namespace = "cookie.site"
		must(t, c.Validate())
	}
}
