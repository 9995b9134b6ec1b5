package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// asked is a request that a script makes, and what comes of it. Where it may
// not read the answer, it learns only that the request failed: Status is 0.
type asked struct {
	Target, Key string
	Status      int
	Retry       string // Retry-After
	Body        string
}

// askAsPage sends a request as a browser does for a script of an origin, and
// gives it what a browser gives it: the fetch standard, "CORS-preflight fetch"
// and "CORS check", of a request with credentials and an Authorization header.
func (r *running) askAsPage(t *testing.T, origin, cookies string, a asked) asked {
	t.Helper()
	lines := "Sec-Fetch-Site: same-origin\r\n"
	check := func(reply) bool { return true }
	if origin != "http://match.shop.example" {
		lines = "Sec-Fetch-Site: cross-site\r\nOrigin: " + origin + "\r\n"
		check = func(got reply) bool {
			return slices.Equal(got.header.Values("Access-Control-Allow-Origin"), []string{origin}) &&
				slices.Equal(got.header.Values("Access-Control-Allow-Credentials"), []string{"true"})
		}
		pre := r.send(t, "OPTIONS", a.Target, "", lines+"Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization\r\n")
		if pre.status < 200 || pre.status > 299 || !check(pre) ||
			!strings.Contains(","+strings.ToLower(pre.header.Get("Access-Control-Allow-Headers"))+",", ",authorization,") {
			return a
		}
	}
	got := r.send(t, "GET", a.Target, a.Key, lines+"Cookie: "+cookies+"\r\n")
	if check(got) {
		a.Status, a.Body = got.status, got.body
		if origin == "http://match.shop.example" || got.header.Get("Access-Control-Expose-Headers") == "Retry-After" {
			a.Retry = got.header.Get("Retry-After")
		}
	}
	return a
}

// pageRequests are what a script asks for, one after the other.
var pageRequests = []asked{
	{Target: "/v1/segments", Key: "page"},
	{Target: "/v1/segments?coppa=1", Key: "page"},
	{Target: "/v1/segments?id=" + maidOne, Key: "page"},
	{Target: "/v1/match?id=" + maidOne, Key: "page"},
	{Target: "/v1/match?id=" + maidOne, Key: "acme"}, // as if an ordinary key got into a page
	{Target: "/v1/segments?id=" + maidOne, Key: "acme"},
	{Target: "/v1/segments", Key: "nobody"},
	{Target: "/v1/segments", Key: "slow"},
	{Target: "/v1/segments", Key: "slow"},
	{Target: "/v1/segments", Key: "other"},
}

// pageClients are the clients for a page of an origin to try.
func pageClients(origin string) []Client {
	slow := pageClient("slow", origin)
	slow.Rate, slow.Burst = 0.001, 1
	return append(testClients(), pageClient("page", origin), slow, pageClient("other", "https://other.example"))
}

// checkRead checks what a script of an allowed page has read.
func checkRead(t *testing.T, got []asked) {
	t.Helper()
	want := []struct {
		status int
		body   string
	}{
		{200, onesVIP},
		{200, `{"status":"none","reason":"suppressed","signal":"coppa"}`},
		{400, "cookie"},
		{},
		{},
		{},
		{}, // the preflight fails, and else the answer is not shared
		{200, onesVIP},
		{429, "a second"},
		{},
	}
	if len(got) != len(want) {
		t.Fatalf("%d answers: %+v", len(got), got)
	}
	for i, w := range want {
		if got[i].Status != w.status || !strings.Contains(got[i].Body, w.body) || w.status == 0 && got[i].Body != "" || (w.status == 429) != (got[i].Retry != "") {
			t.Errorf("request %d: got %+v, want %+v", i, got[i], w)
		}
	}
}

func TestWhatAPageCanRead(t *testing.T) {
	for _, origin := range []string{shop, "https://evil.example", "http://shop.example", "https://www.shop.example", "null"} {
		r := start(t, Options{Clients: pageClients(shop)})
		var got []asked
		for _, a := range pageRequests {
			got = append(got, r.askAsPage(t, origin, "visitor=one", a))
		}
		if origin == shop {
			checkRead(t, got)
			continue
		}
		for i, a := range got {
			if a.Status != 0 {
				t.Errorf("a page of %s reads the answer to request %d: %+v", origin, i, a)
			}
		}
	}
}

// A page of the server's own origin, as behind a proxy that serves both.
func TestWhatAPageOfOurOwnCanRead(t *testing.T) {
	r := start(t, Options{Clients: pageClients(shop)})
	for _, c := range []struct {
		key, body string
		status    int
	}{{"page", onesVIP, 200}, {"other", onesVIP, 200}, {"nobody", "key", 401}} {
		got := r.askAsPage(t, "http://match.shop.example", "visitor=one", asked{Target: "/v1/segments", Key: c.key})
		if got.Status != c.status || !strings.Contains(got.Body, c.body) {
			t.Errorf("%s: got %+v", c.key, got)
		}
	}
}

// scriptPage asks SERVER for all of REQUESTS, and leaves what it could read in the
// page's title.
const scriptPage = `<!doctype html><title>waiting</title><script>
(async () => {
  const out = REQUESTS;
  for (const a of out) {
    try {
      const res = await fetch('http://SERVER' + a.Target, {credentials: 'include', headers: {Authorization: 'Bearer key-' + a.Key}});
      a.Status = res.status;
      a.Retry = res.headers.get('Retry-After') || '';
      a.Body = await res.text();
    } catch (e) {}
  }
  document.title = 'done ' + encodeURIComponent(JSON.stringify(out));
})();
</script>`

// A real browser says the same: an allowed page reads the segments of the
// visitor whose cookie it has, and a page of another origin nothing at all.
// Cookies know no ports, so that of the page's host goes to the server too.
func TestWhatAPageCanReadInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	path := browserPath(t)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/" {
			http.NotFound(w, req)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Set-Cookie", "visitor=one; Path=/")
		list, _ := json.Marshal(pageRequests)
		page := strings.NewReplacer("REQUESTS", string(list), "SERVER", req.URL.Query().Get("server")).Replace(scriptPage)
		_, _ = w.Write([]byte(page))
	}))
	t.Cleanup(site.Close)
	other := httptest.NewServer(site.Config.Handler)
	t.Cleanup(other.Close)
	for _, url := range []string{site.URL, other.URL, strings.Replace(site.URL, "127.0.0.1", "localhost", 1)} {
		r := start(t, Options{Clients: pageClients(site.URL)})
		got := readTitle(t, look(t, path, url+"/?server="+r.Addr()))
		if url == site.URL {
			checkRead(t, got)
			continue
		}
		for i, a := range got {
			if a.Status != 0 {
				t.Errorf("a page of %s reads the answer to request %d: %+v", url, i, a)
			}
		}
		if n := r.metrics.totals(routePreflight).statuses[statusIndex(403)]; n == 0 {
			t.Errorf("the page of %s has asked nothing", url)
		}
	}
}

func readTitle(t *testing.T, dom []byte) (out []asked) {
	t.Helper()
	_, title, _ := strings.Cut(string(dom), "<title>done ")
	title, _, ok := strings.Cut(title, "</title>")
	if !ok {
		t.Fatalf("the page was not done: %.1500s", dom)
	}
	must(t, json.Unmarshal([]byte(unescapeTitle(t, title)), &out))
	return out
}

func unescapeTitle(t *testing.T, s string) string {
	t.Helper()
	var q request
	q.query = make([]byte, 0, len(s))
	b, ok := q.decode([]byte(s))
	if !ok {
		t.Fatalf("title %q", s)
	}
	return string(b)
}

// browserPath is the first Chromium or Chrome there is.
func browserPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium, chromium-browser or google-chrome in PATH: what a page can read is looked at by a model of a browser alone")
	return ""
}

// look opens an address in a browser of its own and returns the page as it is
// when its scripts are done.
func look(t *testing.T, path, url string) []byte {
	t.Helper()
	home := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, path,
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--user-data-dir="+home,
		"--dump-dom", "--virtual-time-budget=20000", url)
	c.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home)
	var said, printed bytes.Buffer
	c.Stderr, c.Stdout = &said, &printed
	c.WaitDelay = 5 * time.Second
	if err := c.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatal(fmt.Errorf("%v: %w\n%s", c.Args, err, said.String()))
	}
	return printed.Bytes()
}
