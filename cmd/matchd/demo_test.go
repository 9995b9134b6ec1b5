package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matchd/matchd/bench/gen"
)

// syncBuffer is a buffer that is written by one goroutine and read by another.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var curlLine = regexp.MustCompile(`(?m)^# (.*)\ncurl -s '(http://[^']+)'$`)

// The demo answers its own printed lookups as their titles say, and stops
// cleanly. Its store passes verify.
func TestDemoAnswersItsOwnLookups(t *testing.T) {
	t.Setenv(asCommand, "1") // the scene's daemon is this executable
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	customers := 10_000
	if testing.Short() {
		customers = 2_000
	}
	var out syncBuffer
	dir := filepath.Join(t.TempDir(), "demo")
	ended := make(chan error, 1)
	go func() {
		ended <- demo(ctx, demoOptions{
			dir: dir, customers: customers, seed: 1, listen: "127.0.0.1:0", admin: "127.0.0.1:0",
			now: time.Now().UTC().Truncate(24 * time.Hour),
		}, &out, io.Discard)
	}()
	for !strings.Contains(out.String(), "Ctrl-C ends the demo.") {
		select {
		case err := <-ended:
			t.Fatalf("the demo ended: %v\n%s", err, out.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	lookups := curlLine.FindAllStringSubmatch(out.String(), -1)
	wants := map[string]string{
		"a customer known by a phone's advertising id":                           `"status":"matched"`,
		"a customer known by a cookie":                                           `"status":"matched"`,
		"the same customer's segments, and a bucket for a test with 100 buckets": `"bucket":`,
		"all identifiers of that customer":                                       `"identifiers":[`,
		"a customer whose consent has expired":                                   `"reason":"consent_expired"`,
		"an id that nobody knows":                                                `"reason":"unknown"`,
		"suppressed: a lookup of it says by which signal":                        `"reason":"suppressed","signal":"lmt"`,
	}
	if len(lookups) != len(wants) {
		t.Fatalf("%d lookups, want %d:\n%s", len(lookups), len(wants), out.String())
	}
	for _, l := range lookups {
		if body := get(t, l[2]); wants[l[1]] == "" || !strings.Contains(body, wants[l[1]]) || !json.Valid([]byte(body)) {
			t.Errorf("%s: %s answers %s, want %s", l[1], l[2], body, wants[l[1]])
		}
	}
	checkDemoBids(t, out.String())
	checkDemoScene(t, out.String())
	checkDemoReport(t, out.String(), filepath.Join(dir, "store"))
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the demo ended with %v", err)
	}
	succeed(t, "verify", "--store", filepath.Join(dir, "store"))
}

// checkDemoScene checks what is answered while a customer opts out.
func checkDemoScene(t *testing.T, out string) {
	t.Helper()
	for title, want := range map[string]string{
		"a customer is matched":      `"status":"matched"`,
		"opts out, by one curl":      `"status":"accepted"`,
		"gone from the next answer":  `"reason":"opted_out"`,
		"still gone":                 `"reason":"opted_out"`,
		"the snapshot is built anew": `"reason":"opted_out"`,
		"only an opt-in":             `"status":"accepted"`,
		"matched again":              `"status":"matched"`,
	} {
		if !regexp.MustCompile(`(?m)^# ` + title + `.*\ncurl .*\n# answer: 200 \{.*` + want).MatchString(out) {
			t.Errorf("%s: not %s in\n%s", title, want, out)
		}
	}
	if n := strings.Count(out, "\nkill -9 "); n != 1 {
		t.Errorf("killed %d times", n)
	}
}

var bidLine = regexp.MustCompile(`(?m)^# (.*)\ncurl -s '(http://[^']+)' -d '([^']+)'\n# answer: (\d+) ?(.*)$`)

// checkDemoBids checks that the demo shows a bid request that is enriched with
// the segments of a customer, and one that is suppressed because of a signal
// alone; and that whoever copies them gets what is shown.
func checkDemoBids(t *testing.T, out string) {
	t.Helper()
	calls := bidLine.FindAllStringSubmatch(out, -1)
	if len(calls) != 2 {
		t.Fatalf("%d bid requests, want 2:\n%s", len(calls), out)
	}
	for _, c := range calls {
		res, err := http.Post(c[2], "application/x-www-form-urlencoded", strings.NewReader(c[3])) // as curl does
		must(t, err)
		b, err := io.ReadAll(res.Body)
		must(t, err)
		must(t, res.Body.Close())
		if got := strconv.Itoa(res.StatusCode); got != c[4] || string(b) != c[5] {
			t.Errorf("%s: answers %s %s, shown are %s %s", c[1], got, b, c[4], c[5])
		}
	}
	enriched, suppressed := calls[0], calls[1]
	data := regexp.MustCompile(`,"data":\[\{"name":"acme.example","ext":\{"segtax":501\},"segment":\[\{"id":"A\d"\}(,\{"id":"A\d"\})*\]\}\]`)
	if !data.MatchString(enriched[5]) || data.ReplaceAllString(enriched[5], "") != enriched[3] || enriched[4] != "200" {
		t.Errorf("not enriched, or otherwise touched: %s\n%s %s", enriched[3], enriched[4], enriched[5])
	}
	if suppressed[4] != "204" || strings.Replace(suppressed[3], `"lmt":1`, `"lmt":0`, 1) != enriched[3] {
		t.Errorf("not the same request, suppressed: %s\n%s %s", suppressed[3], suppressed[4], suppressed[5])
	}
	if !regexp.MustCompile(`(?m)^# suppressed: a lookup .*\n.*\n# answer: 200 \{.*"reason":"suppressed","signal":"lmt"`).MatchString(out) {
		t.Errorf("no suppressed lookup in\n%s", out)
	}
}

// A world without an example for bid requests has another, or none.
func TestDemoBidder(t *testing.T) {
	declared := gen.Example{Name: "maid", Identifier: "maid:b", BidStream: []string{"A1"}}
	for _, c := range []struct {
		world gen.Summary
		want  string
	}{
		{gen.Summary{BidRequest: &gen.Example{Identifier: "maid:a", BidStream: []string{"A1"}}, Examples: []gen.Example{declared}}, "a"},
		{gen.Summary{Examples: []gen.Example{{Name: "maid", Identifier: "maid:c"}, declared}}, "b"},
		{gen.Summary{Examples: []gen.Example{{Name: "cookie", Identifier: "cookie.x:c", BidStream: []string{"A1"}}}}, ""},
		{gen.Summary{}, ""},
	} {
		if got := bidder(&c.world); got != c.want {
			t.Errorf("got %q, want %q of %+v", got, c.want, c.world)
		}
	}
}

// Ctrl-C ends a call that the demo waits for, without a word; a call that fails
// otherwise says so.
func TestDemoCallEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	asked := make(chan bool)
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		stop()
		<-asked
	}))
	defer silent.Close()
	defer close(asked)
	var out bytes.Buffer
	bidCall{title: "ended", url: silent.URL, body: "{}"}.show(ctx, &out)
	if want := "\n# ended\ncurl -s '" + silent.URL + "' -d '{}'\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
	out.Reset()
	gone := httptest.NewServer(nil)
	gone.Close()
	bidCall{title: "fails", url: gone.URL}.show(t.Context(), &out)
	if !strings.Contains(out.String(), "\n# no answer: ") {
		t.Errorf("printed %q", out.String())
	}
}

// checkDemoReport checks that the demo shows what the onboarding gained, and that
// the files which it names are there, in the store.
func checkDemoReport(t *testing.T, out, store string) {
	t.Helper()
	if !regexp.MustCompile(`(?m)^ *partners multiply reach by +x[2-6]\.\d`).MatchString(out) {
		t.Errorf("no reach before and after the partners in\n%s", out)
	}
	for label, want := range map[string]string{
		"the same as a page":           "<!doctype html>",
		"links that were cut, and why": `{"reason":"`,
	} {
		path := regexp.MustCompile(`(?m)^` + label + `: (.*)$`).FindStringSubmatch(out)
		if path == nil || !strings.HasPrefix(path[1], store) {
			t.Errorf("no path of %q below %s in\n%s", label, store, out)
			continue
		}
		if b, err := os.ReadFile(path[1]); err != nil || !strings.HasPrefix(strings.ToLower(string(b)), want) {
			t.Errorf("%s holds %.40q, %v", path[1], b, err)
		}
	}
}

// A folder that holds anything else is left alone.
func TestDemoTouchesOnlyItsOwnFolder(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "data")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := demoDir(dir); err == nil {
		t.Error("a folder with a file in it was taken for a demo's")
	}
	if b, err := os.ReadFile(mine); err != nil || string(b) != "mine" {
		t.Errorf("the file in it is now %q, %v", b, err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", url, resp.Status, err, b)
	}
	return string(b)
}
