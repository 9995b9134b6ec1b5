package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
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
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out syncBuffer
	dir := filepath.Join(t.TempDir(), "demo")
	ended := make(chan error, 1)
	go func() {
		ended <- demo(ctx, demoOptions{
			dir: dir, customers: 10_000, seed: 1, listen: "127.0.0.1:0", admin: "127.0.0.1:0",
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
	}
	if len(lookups) != len(wants) {
		t.Fatalf("%d lookups, want %d:\n%s", len(lookups), len(wants), out.String())
	}
	for _, l := range lookups {
		if body := get(t, l[2]); wants[l[1]] == "" || !strings.Contains(body, wants[l[1]]) || !json.Valid([]byte(body)) {
			t.Errorf("%s: %s answers %s, want %s", l[1], l[2], body, wants[l[1]])
		}
	}
	checkDemoReport(t, out.String(), filepath.Join(dir, "store"))
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the demo ended with %v", err)
	}
	succeed(t, "verify", "--store", filepath.Join(dir, "store"))
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
