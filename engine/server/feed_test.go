package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/eventlog/feed"
)

// reader is a client of the stream, with root's key.
func (r *running) reader(t *testing.T, store string) *feed.Client {
	t.Helper()
	c, err := feed.New(feed.Options{URL: "http://" + r.Addr(), Key: "key-root", Store: store, Wait: feed.MaxWait, Backoff: time.Millisecond})
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// TestFeed reads the log over HTTP as it is on disk, in one answer and in many.
func TestFeed(t *testing.T) {
	r, _ := startLive(t)
	log := r.pools.All()[0].Changes().Log()
	read := func() (n int, bytes int) {
		t.Helper()
		at, err := r.reader(t, "").Open(t.Context())
		must(t, err)
		seq, when, hash := at.Last()
		if s, w, h := log.Last(); s != seq || !w.Equal(when) || h != hash || at.ID() != log.ID() || at.Key() != r.pools.All()[0].Changes().Key() {
			t.Errorf("it ends with %d %v %s", seq, when, hash)
		}
		var want []eventlog.Record
		must(t, log.Scan(0, func(rec eventlog.Record) error {
			rec.Body = append([]byte{}, rec.Body...)
			want = append(want, rec)
			return nil
		}))
		must(t, at.Scan(0, func(rec eventlog.Record) error {
			w := want[n]
			if w.Redacted {
				w.Body = nil
			}
			if fmt.Sprint(rec) != fmt.Sprint(w) {
				t.Errorf("record %d is\n%v\nnot\n%v", n, rec, w)
			}
			n++
			bytes += len(rec.Body)
			return nil
		}))
		if n != len(want) {
			t.Errorf("%d records of %d", n, len(want))
		}
		return n, bytes
	}
	read()
	r.post(t, "acme", optOut+"\n"+optBack+"\n"+`{"id":"c","type":"consent","customer":"acme:C-1","status":"withdrawn"}`+"\n"+eraseOne)
	must(t, log.Redact(t.Context(), []uint64{3}))
	read()
	var entries []eventlog.Entry
	for range 40 {
		entries = append(entries, eventlog.Entry{Body: make([]byte, 100<<10)})
	}
	_, err := log.Append(t.Context(), entries) // more than an answer holds
	must(t, err)
	if n, bytes := read(); n != 44 || bytes < 40*100<<10 {
		t.Errorf("%d records of %d bytes", n, bytes)
	}
	got := r.ask(t, "GET", "/v1/events?after=4", "root", "")
	if n := len(got.body); n < feed.MaxAnswer || n > feed.MaxAnswer+200<<10 || got.header.Get("Content-Type") != feed.ContentType || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("an answer of %d bytes, %v", n, got.header)
	}
}

// TestFeedRefused is about who may read the stream, and what is asked for.
func TestFeedRefused(t *testing.T) {
	r, _ := startLive(t)
	root := client("root", grant("acme", true))
	root.Scopes = allScopes
	plain := start(t, Options{Clients: []Client{root}})
	second, err := engine.NewPools(engine.Pool{Name: "a", Engine: readyPools(t).All()[0].Engine}, engine.Pool{Name: "b", Engine: readyPools(t).All()[0].Engine})
	must(t, err)
	must(t, second.All()[1].OpenChanges(filepath.Join(t.TempDir(), "log")))
	two := start(t, Options{Pools: second, Clients: []Client{root}})
	for _, c := range []struct {
		of     *running
		query  string
		client string
		status int
	}{
		{r, "?after=0", "", 401},
		{r, "?after=0", "acme", 403},
		{r, "", "root", 400},
		{r, "?after=", "root", 400},
		{r, "?after=-1", "root", 400},
		{r, "?after=x", "root", 400},
		{r, "?after=0&after=1", "root", 400},
		{r, "?after=0&since=1", "root", 400},
		{r, "?after=0&wait=21", "root", 400},
		{r, "?after=0&wait=-1", "root", 400},
		{r, "?after=0&store=other", "root", 400},
		{r, "?after=0&wait=0", "root", 200},
		{r, "?after=18446744073709551615&wait=20", "root", 200},
		{plain, "?after=0", "root", 501},
		{two, "?after=0", "root", 400},
		{two, "?after=0&store=a", "root", 501},
		{two, "?after=0&store=b", "root", 200},
	} {
		got := c.of.ask(t, "GET", "/v1/events"+c.query, c.client, "")
		if c.status != 200 {
			checkProblem(t, got, c.status)
		} else if got.status != 200 || strings.Count(got.body, "\n") != 1 {
			t.Errorf("%s: %+v", c.query, got)
		}
	}
	must(t, r.pools.All()[0].Changes().Log().Close())
	checkProblem(t, r.ask(t, "GET", "/v1/events?after=0", "root", ""), 503)
}

// TestFeedWaits answers once there is a change, and at once where the daemon
// stops.
func TestFeedWaits(t *testing.T) {
	r, _ := startLive(t)
	c := r.reader(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	headers := make(chan int)
	followed := make(chan error, 1)
	go func() {
		followed <- c.Follow(ctx, 0, eventlog.Hash{}, func(h *feed.Header, list []eventlog.Sealed) error {
			select {
			case headers <- len(list):
			case <-ctx.Done():
			}
			return nil
		})
	}()
	if n := <-headers; n != 0 {
		t.Errorf("%d records of none", n)
	}
	// It waits by now, or comes to it: either way it is told.
	r.post(t, "acme", optOut)
	if n := <-headers; n != 1 {
		t.Errorf("%d records of one", n)
	}
	cancel()
	if err := <-followed; !errors.Is(err, context.Canceled) {
		t.Errorf("Follow: %v", err)
	}
	// One that waits does not hold up the end, which would come after ten seconds.
	answer := make(chan reply, 1)
	conn := r.dial(t)
	_, err := fmt.Fprintf(conn, "GET /v1/events?after=1&wait=20 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-root\r\n\r\n")
	must(t, err)
	go func() {
		for _, a := range readReplies(t, conn) {
			answer <- a
		}
	}()
	for r.listener.atWork() == 0 {
		time.Sleep(time.Millisecond)
	}
	r.stop()
	if got := <-answer; got.status != http.StatusServiceUnavailable || !got.close {
		t.Errorf("%+v", got)
	}
}

// atWork counts connections whose handler runs.
func (l *listener) atWork() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if c.waitsFor() == atWork {
			n++
		}
	}
	return n
}

// TestFeedOutlastsTheTimeouts: an answer is held for longer than any of them.
func TestFeedOutlastsTheTimeouts(t *testing.T) {
	pools := readyPools(t)
	must(t, pools.All()[0].OpenChanges(filepath.Join(t.TempDir(), "log")))
	root := client("root", grant("acme", true))
	root.Scopes = allScopes
	short := 50 * time.Millisecond
	r := start(t, Options{Pools: pools, Clients: []Client{root}, Limits: Limits{ReadTimeout: short, WriteTimeout: short, IdleTimeout: short}})
	if got := r.ask(t, "GET", "/v1/events?after=0&wait=1", "root", ""); got.status != 200 {
		t.Errorf("%+v", got)
	}
}

// TestFeedAudited: who begins to read is noted before he is told anything, and
// not again for each answer.
func TestFeedAudited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	log, err := audit.Open(path)
	must(t, err)
	pools := readyPools(t)
	must(t, pools.All()[0].OpenChanges(filepath.Join(t.TempDir(), "log")))
	root := client("root", grant("acme", true))
	root.Scopes = allScopes
	r := start(t, Options{Pools: pools, Clients: []Client{root}, Audit: log})
	r.post(t, "root", optOut+"\n"+optBack)
	for _, after := range []string{"1", "1", "2", "0", "2", "0"} {
		r.ask(t, "GET", "/v1/events?after="+after, "root", "")
	}
	text, err := os.ReadFile(path)
	must(t, err)
	if n := strings.Count(string(text), audit.AdminEvents); n != 2 || !strings.Contains(string(text), `"after":"1"`) || !strings.Contains(string(text), `"after":"0"`) {
		t.Errorf("%d lines:\n%s", n, text)
	}
	must(t, os.Remove(path))
	must(t, os.Mkdir(path, 0o700)) // it takes no entry any more
	if got := r.ask(t, "GET", "/v1/events?after=0", "root", ""); got.status != 200 {
		t.Errorf("what is noted already: %+v", got)
	}
	r.readers.noted = nil
	checkProblem(t, r.ask(t, "GET", "/v1/events?after=0", "root", ""), 503)
	var n feedReaders
	now := time.Now()
	n.note("a", "s", feedNote{5, now})
	for i, c := range []struct {
		client, store string
		after         uint64
		at            time.Time
		want          bool
	}{
		{"a", "s", 5, now, true},
		{"a", "s", 9, now, true},
		{"a", "s", 4, now, false},
		{"a", "s", 5, now.Add(noteFeedEvery), false},
		{"b", "s", 5, now, false},
		{"a", "t", 5, now, false},
	} {
		if n.covers(c.client, c.store, c.after, c.at) != c.want {
			t.Errorf("row %d", i)
		}
	}
}
