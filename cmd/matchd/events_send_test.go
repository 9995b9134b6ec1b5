package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot"
)

// What is in a file, and in which line.
func TestReadChanges(t *testing.T) {
	long := strings.Repeat("x", mostChangeBytes)
	for in, want := range map[string]string{
		"":                                   "",
		"\n \n":                              "",
		"{}":                                 "1 {}",
		"\n{\"a\":1}\r\n\n  {} \n":           `2 {"a":1}, 4 {}`,
		"{}\n[\n" + long + "yz\n{}":          "1 {}, 2 [!, 3 !, 4 {}",
		"[]":                                 "",
		"\n[\n{\"a\": 1},\n{\n\"b\":2}\n]\n": `3 {"a":1}, 4 {"b":2}`,
		"[{},{}\n,\n{}]":                     "1 {}, 1 {}, 3 {}",
		"[{},\n{}\n,{]":                      "1 {}, 2 {}, error from line 3",
		"[{}\n{}]":                           "1 {}, error from line 2",
		"[{}]\n{}":                           "1 {}, error from line",
		"[{}":                                "1 {}, error from line 1",
		"[1,\"[\"]":                          `1 1!, 1 "["!`,
		"\ufeff{}\n{}":                       "1 {}, 2 {}",
		"\ufeff\n[{}]":                       "2 {}",
		"\ufeff":                             "",
		"{}\n\ufeff{}":                       "1 {}, 2 \ufeff{}!",
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(in), "by bytes": iotest.OneByteReader(strings.NewReader(in))} {
			var got []string
			err := readChanges(r, func(c fileChange) error {
				text := string(c.text)
				if c.long {
					text = ""
				}
				if c.unfit() != "" {
					text += "!"
				}
				got = append(got, fmt.Sprint(c.line, " ", text))
				return nil
			})
			if err != nil {
				got = append(got, "error "+err.Error())
			}
			if s := strings.Join(got, ", "); s != want && (err == nil || !strings.HasPrefix(s, want)) {
				t.Errorf("%s, %.40q: %.200s, not %s", name, in, s, want)
			}
		}
	}
	broken := errors.New("broken")
	if err := readChanges(iotest.ErrReader(broken), nil); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// taker is a daemon that takes each change once, and fails now and then: before it
// took a part, or after.
type taker struct {
	*httptest.Server
	mu    sync.Mutex
	taken map[string]int // by id
	parts []int
	most  int // of a part
	bad   int // of so many requests, one goes wrong
	busy  bool
	rng   *rand.Rand
	clock atomic.Int64  // in nanoseconds
	slow  time.Duration // that an answer takes by the clock
	hangs bool          // nothing is answered before the sender has gone
	asked int
}

func newTaker(t *testing.T, bad int) *taker {
	t.Helper()
	k := &taker{taken: map[string]int{}, most: mostChanges, bad: bad, rng: rand.New(rand.NewPCG(1, 2))}
	k.Server = httptest.NewServer(http.HandlerFunc(k.serve))
	t.Cleanup(k.Close)
	return k
}

func (k *taker) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	lines, split := event.Split(body)
	if err != nil || split != nil || len(body) > mostChangeBytes || r.Header.Get("Authorization") != "Bearer secret" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	k.clock.Add(int64(k.slow))
	if k.hangs {
		<-r.Context().Done()
		return
	}
	if len(lines) > k.most {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	wrong := -1
	if k.bad > 0 && k.rng.IntN(k.bad) == 0 {
		wrong = k.rng.IntN(4)
	}
	if k.busy {
		wrong = 1
	}
	switch wrong {
	case 0:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case 1:
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case 2:
		panic(http.ErrAbortHandler)
	}
	k.parts = append(k.parts, len(lines))
	var out []string
	for _, l := range lines {
		e, err := event.Parse(l.Text)
		if err != nil {
			out = append(out, fmt.Sprintf(`{"line":%d,"status":"refused","detail":%q}`, l.Number, err.Error()))
			continue
		}
		out = append(out, fmt.Sprintf(`{"line":%d,"id":%q,"status":"accepted","receipts":[{"known":%t}]}`, l.Number, e.ID, k.taken[e.ID] > 0))
		k.taken[e.ID]++
	}
	if wrong == 3 {
		panic(http.ErrAbortHandler) // it took them, and nobody is told
	}
	_, _ = fmt.Fprintf(w, `{"results":[%s]}`, strings.Join(out, ","))
}

// send runs a sender that does not wait, and returns how long it would have.
func (k *taker) send(t *testing.T, s eventSender, in string) (out string, waited []time.Duration, err error) {
	t.Helper()
	var buf bytes.Buffer
	s.url, s.key, s.out = k.URL, "secret", &buf
	s.sleep = func(_ context.Context, d time.Duration) error {
		waited = append(waited, d)
		k.clock.Add(int64(d))
		return nil
	}
	s.now = func() time.Time { return time.Unix(0, k.clock.Load()) }
	err = s.run(t.Context(), strings.NewReader(in))
	k.mu.Lock() // what it took is looked at next
	defer k.mu.Unlock()
	return buf.String(), waited, err
}

func changes(n int, wrap func(i int, line string) string) string {
	var b strings.Builder
	for i := range n {
		_, _ = b.WriteString(wrap(i, fmt.Sprintf(`{"id":"e-%d","type":"opt_out","tenant":"acme","identifier":"maid:%d"}`, i, i)))
	}
	return b.String()
}

func line(_ int, text string) string { return text + "\n" }

// All changes of a file are taken, whatever goes wrong on the way.
func TestSendChanges(t *testing.T) {
	for name, in := range map[string]string{
		"lines": changes(12_345, line),
		"array": "[" + changes(12_345, func(i int, text string) string { return strings.Repeat(",", min(i, 1)) + "\n" + text }) + "]",
	} {
		for _, bad := range []int{0, 2} {
			k := newTaker(t, bad)
			out, waited, err := k.send(t, eventSender{patience: time.Hour}, in)
			if err != nil || !strings.Contains(out, "12345 changes: 12345 accepted") || len(k.taken) != 12_345 {
				t.Errorf("%s, bad %d: %s, %v; %d taken", name, bad, out, err, len(k.taken))
			}
			if bad == 0 && (len(waited) > 0 || !slices.Equal(k.parts, []int{5000, 5000, 2345}) || !strings.Contains(out, "of which 0 had")) {
				t.Errorf("%s: waited %v, parts %v, %s", name, waited, k.parts, out)
			}
		}
	}
	k := newTaker(t, 0)
	k.most = 7
	if out, _, err := k.send(t, eventSender{}, changes(100, line)); err != nil || len(k.taken) != 100 || slices.Max(k.parts) > 7 {
		t.Errorf("few at once: %s, %v, %v", out, err, k.parts)
	}
	k = newTaker(t, 0)
	if out, _, err := k.send(t, eventSender{}, changes(1000, func(i int, text string) string {
		return strings.Replace(text, "{", "{"+strings.Repeat(" ", 3000), 1) + "\n"
	})); err != nil || len(k.taken) != 1000 || len(k.parts) != 3 {
		t.Errorf("large ones: %s, %v, %v", out, err, k.parts)
	}
}

// Refused lines are told by their numbers in the file, and are the exit code.
func TestSendRefused(t *testing.T) {
	k := newTaker(t, 0)
	k.most = 2
	in := "\n" + changes(3, line) + "{\"id\":\"x\"}\n\n[]\n" + changes(5, line)
	out, _, err := k.send(t, eventSender{}, in)
	if err == nil || !strings.Contains(err.Error(), "2 of 10 changes") || !strings.Contains(out, "line 5: type") || !strings.Contains(out, "line 7: it is not") || !strings.Contains(out, "10 changes: 8 accepted, of which 3 had been sent before, 2 refused") {
		t.Errorf("%s%v", out, err)
	}
	out, _, err = k.send(t, eventSender{asJSON: true}, in)
	dec := json.NewDecoder(strings.NewReader(out))
	var one, two refusedLine
	var c eventCount
	if errors.Join(dec.Decode(&one), dec.Decode(&two), dec.Decode(&c)) != nil || err == nil || one.Line+two.Line != 12 || c != (eventCount{10, 8, 8, 2}) {
		t.Errorf("%s%v", out, err)
	}
	// What is whole of an array is sent.
	out, _, err = k.send(t, eventSender{}, "["+changes(3, func(_ int, text string) string { return text + "," })+"{")
	if err == nil || !strings.Contains(err.Error(), "no JSON array") || !strings.Contains(out, "3 accepted") {
		t.Errorf("%s%v", out, err)
	}
}

// A daemon that stays away is given up after the patience, with the place.
func TestSendGivesUp(t *testing.T) {
	k := newTaker(t, 0)
	k.busy = true
	_, waited, err := k.send(t, eventSender{patience: time.Minute}, "\n"+changes(2, line))
	total := time.Duration(0)
	for _, d := range waited {
		if total += d; d < 3*time.Second {
			t.Errorf("waited %v where three seconds were asked for", d)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "from line 2 on") || !strings.Contains(err.Error(), "429") || total > time.Minute || total < 40*time.Second {
		t.Errorf("after %v: %v", total, err)
	}
	// The time that answers take counts as well.
	for _, c := range []struct {
		slow  time.Duration
		tries int
	}{{15 * time.Second, 4}, {40 * time.Second, 2}, {time.Minute, 1}} {
		k := newTaker(t, 0)
		k.busy, k.slow = true, c.slow
		if _, _, err := k.send(t, eventSender{patience: time.Minute}, changes(2, line)); err == nil || k.asked != c.tries {
			t.Errorf("answers after %v: %d tries, %v", c.slow, k.asked, err)
		}
	}
	k.hangs = true
	if _, _, err := k.send(t, eventSender{patience: 50 * time.Millisecond}, changes(2, line)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	k.Close()
	if _, _, err := k.send(t, eventSender{patience: time.Second}, changes(2, line)); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("nobody there: %v", err)
	}
	open := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(open, []byte("secret\n"), 0o644))
	must(t, os.Chmod(open, 0o644))
	if code, _, errOut := command(t, "events", "--file", "-", "--key-file", open); code != exitFailed || !strings.Contains(errOut, "chmod 600") {
		t.Errorf("a key that others can read: exit code %d, %s", code, errOut)
	}
	for _, args := range [][]string{{"events"}, {"events", "--file", "-"}} {
		t.Setenv(adminKey, "")
		if code, _, errOut := command(t, args...); code != exitUsage {
			t.Errorf("%v: exit code %d, %s", args, code, errOut)
		}
	}
}

// TestEventsToFollower: changes that are sent by the command are obeyed by the
// daemon and by its follower, and stay so when either is killed.
func TestEventsToFollower(t *testing.T) {
	t.Setenv(asCommand, "1")
	data, store := builtStore(t)
	var world struct {
		Examples []struct{ Name, Tenant, Identifier string }
	}
	decode(t, succeed(t, "gen", "--out", filepath.Join(t.TempDir(), "again"), "--customers", "2000", "--seed", "3", "--json"), &world)
	id, tenant := world.Examples[0].Identifier, world.Examples[0].Tenant
	dir := t.TempDir()
	const key = "mk_for_a_test"
	keyFile := filepath.Join(dir, "key")
	must(t, os.WriteFile(keyFile, []byte(key+"\n"), 0o600))
	config := func(name, listen, more string) string {
		path := filepath.Join(dir, name+".yaml")
		must(t, os.WriteFile(path, fmt.Appendf(nil, `stores: [{name: pool, path: %s, events: %s%s}]
listen: %s
admin: 127.0.0.1:0
swap: off
clients:
  - name: brand
    key_sha256: %s
    scopes: [match, events, privacy, admin]
    grants: [{tenant: %s, segments: ["*"], namespaces: ["*"]}]
`, store, filepath.Join(dir, name), more, listen, server.HashKey(key), tenant), 0o600))
		return path
	}
	socket := filepath.Join(dir, "leader.sock")
	leads := config("leader", "unix:"+socket, "")
	d := serveKillable(t, leads)
	fd := serveKillable(t, config("follower", "127.0.0.1:0", fmt.Sprintf(`, follow: "unix:%s", follow_key_file: %s, lag: 2s`, socket, keyFile)))
	changes := filepath.Join(dir, "changes.ndjson")
	must(t, os.WriteFile(changes, fmt.Appendf(nil, `{"id":"1","type":"opt_out","tenant":%q,"identifier":%q}`+"\n", tenant, id), 0o600))
	send := []string{"events", "--file", changes, "--url", "unix:" + socket, "--key-file", keyFile}
	if out := succeed(t, send...); !strings.Contains(out, "1 accepted, of which 0") {
		t.Errorf("%s", out)
	}
	gone := func(d *killable, when string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if strings.Contains(d.asked(t, key, "/v1/match?id="+id, ""), "opted_out") {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: not opted out", when)
			}
		}
	}
	gone(fd, "the follower")
	d.kill()
	fd.kill()
	fd = serveKillable(t, filepath.Join(dir, "follower.yaml"))
	gone(fd, "the follower, alone after kill -9")
	if got := fd.asked(t, key, "/health/ready", ""); !strings.Contains(got, "never had all") {
		t.Errorf("alone: %s", got)
	}
	serveKillable(t, leads)
	if out := succeed(t, send...); !strings.Contains(out, "1 accepted, of which 1") {
		t.Errorf("%s", out)
	}
	for end := time.Now().Add(20 * time.Second); !strings.Contains(fd.asked(t, key, "/health/ready", ""), `"ready"`); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the follower does not become ready")
		}
	}
	if code, _, errOut := command(t, "events", "--file", changes, "--url", fd.url, "--key-file", keyFile); code != exitFailed || !strings.Contains(errOut, "follows another one") {
		t.Errorf("to the follower: exit code %d, %s", code, errOut)
	}
	// One that is new has nothing of what the snapshot contains when it begins.
	succeed(t, "build", "--config", filepath.Join(data, "onboard.yaml"), "--store", store, "--as-of", "2026-11-02", "--live", "unix:"+socket, "--live-key-file", keyFile)
	fresh := serveKillable(t, config("fresh", "127.0.0.1:0", fmt.Sprintf(`, follow: "unix:%s", follow_key_file: %s, lag: 2s`, socket, keyFile)))
	gone(fresh, "a new follower")
	// It says that it catches up, where it says what it serves before it has.
	says := func(dir, at string) string {
		s, err := snapshot.OpenStore(at)
		must(t, err)
		e, err := engine.New(engine.Options{Store: s})
		must(t, err)
		defer func() { must(t, e.Close()) }()
		must(t, e.Follow(dir, engine.Leader{URL: "unix:" + socket, Key: key}))
		return storeLine(server.StoreConfig{Path: at}, engine.Pool{Engine: e})
	}
	if got := says(filepath.Join(dir, "line"), store); !strings.Contains(got, "catching up with unix:"+socket) {
		t.Errorf("%s", got)
	}
	bare := filepath.Join(dir, "bare")
	must(t, os.Mkdir(bare, 0o700))
	secret, err := os.ReadFile(filepath.Join(store, "secret.key"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(bare, "secret.key"), secret, 0o600))
	if got := says(filepath.Join(dir, "other"), bare); !strings.Contains(got, "no snapshot yet") {
		t.Errorf("%s", got)
	}
}
