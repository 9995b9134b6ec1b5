package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/world"
)

// fakeVar makes this test's program a peer, of the kind it says.
const fakeVar = "MATCHD_TEST_FAKE_PEER"

func TestMain(m *testing.M) {
	if kind := os.Getenv(fakeVar); kind != "" {
		runFake(kind)
		return
	}
	goleak.VerifyTestMain(m)
}

// Kinds of fake peers.
const (
	sound    = "sound"
	deaf     = "deaf"     // goes on after the end of its input
	silent   = "silent"   // never ready
	garbled  = "garbled"  // prints what is no JSON
	failing  = "failing"  // cannot load
	dying    = "dying"    // ends when asked
	frozen   = "frozen"   // never answers a question
	chatting = "chatting" // prints more than it is asked
)

func runFake(kind string) {
	switch kind {
	case silent:
		time.Sleep(time.Minute)
		return
	case garbled:
		fmt.Println("hello")
		return
	}
	fmt.Fprintf(os.Stderr, "first\nsecond")
	if kind == chatting {
		fmt.Printf("{}\n{}\n{}\n")
	}
	if err := Serve(context.Background(), os.Stdin, os.Stdout, fake(kind)); err != nil {
		os.Exit(3)
	}
	if kind == deaf {
		time.Sleep(time.Minute)
	}
}

// fake tells how it was called, and sums of what it is asked.
type fake string

func (f fake) Load(context.Context) (Ready, error) {
	if f == failing {
		return Ready{}, errors.New("no room")
	}
	return Ready{Ready: "fake", Version: "v1", Settings: strings.Join(os.Args[1:], " "), LoadSeconds: 1.5, Disk: 7}, nil
}

func (f fake) Time(q ask.Question, n, pool int, drawSeed uint64) (ask.Timing, error) {
	switch {
	case f == dying:
		os.Exit(4)
	case f == frozen:
		time.Sleep(time.Minute)
	case q.Cores > 8:
		return ask.Timing{}, errors.New("too many cores")
	}
	return ask.Timing{NS: float64(pool) + 0.5, Sum: digest(q, n, pool, drawSeed)}, nil
}

func (fake) Stats() (Stats, error) { return Stats{Resident: 11, Disk: 13}, nil }

// digest depends on all that a peer is asked.
func digest(q ask.Question, n, pool int, drawSeed uint64) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, q, n, pool, drawSeed)
	return h.Sum64()
}

// logged collects lines.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) log(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *logged) has(line string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.lines, line)
}

func fakeConfig(t testing.TB, kind string) (Config, *logged) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(fakeVar, kind)
	l := &logged{}
	return Config{Program: program, Peer: "x", Store: "S", IDs: 5, Seed: 1<<64 - 1, Dir: "D", Log: l.log}, l
}

func start(t testing.TB, kind string) (*Peer, *logged) {
	t.Helper()
	c, l := fakeConfig(t, kind)
	p, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, l
}

// All that a peer is asked reaches it, and all that it answers comes back.
func TestAsk(t *testing.T) {
	p, log := start(t, sound)
	want := Ready{
		Ready: "fake", Version: "v1", LoadSeconds: 1.5, Disk: 7,
		Settings: "--peer x --store S --ids 5 --seed 18446744073709551615 --dir D",
	}
	if p.Ready() != want || p.Name() != "x" {
		t.Errorf("%s is ready as %+v, not as %+v", p.Name(), p.Ready(), want)
	}
	rapid.Check(t, func(rt *rapid.T) {
		q := ask.Question{
			Draw:  world.Draw{Hits: rapid.Float64Range(0, 1).Draw(rt, "hits"), Zipf: rapid.Bool().Draw(rt, "zipf")},
			Batch: rapid.IntRange(1, 9).Draw(rt, "batch"), Cores: rapid.IntRange(1, 12).Draw(rt, "cores"),
		}
		n, pool := rapid.IntRange(1, 1<<30).Draw(rt, "n"), rapid.IntRange(1, 1<<30).Draw(rt, "pool")
		seed := rapid.Uint64().Draw(rt, "seed")
		took, err := p.Time(t.Context(), q, n, pool, seed)
		if q.Cores > 8 { // and the next question is answered again
			if err == nil || !strings.Contains(err.Error(), "x: too many cores") {
				rt.Fatalf("the peer's error is %v", err)
			}
			return
		}
		if want := (ask.Timing{NS: float64(pool) + 0.5, Sum: digest(q, n, pool, seed)}); err != nil || took != want {
			rt.Fatalf("took %+v, %v, not %+v", took, err, want)
		}
	})
	if s, err := p.Stats(t.Context()); err != nil || (s != Stats{Resident: 11, Disk: 13}) {
		t.Errorf("stats %+v, %v", s, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for _, line := range []string{"x: first", "x: second"} {
		if !log.has(line) {
			t.Errorf("%q is not in the log %q", line, log.lines)
		}
	}
}

// A peer that does not get ready is an error that says why, and leaves no process.
func TestStartFails(t *testing.T) {
	for kind, want := range map[string]string{failing: "no room", garbled: "invalid character", silent: "deadline"} {
		t.Run(kind, func(t *testing.T) {
			c, _ := fakeConfig(t, kind)
			patience := time.Minute
			if kind == silent {
				patience = 200 * time.Millisecond
			}
			ctx, stop := context.WithTimeout(t.Context(), patience)
			defer stop()
			if _, err := Start(ctx, c); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "load x") {
				t.Errorf("the error %v does not say %q", err, want)
			}
		})
	}
}

func TestMissingProgram(t *testing.T) {
	for _, program := range []string{filepath.Join(t.TempDir(), "peers"), "matchd-no-such-program"} {
		_, err := Start(t.Context(), Config{Program: program, Peer: Pebble})
		if err == nil || !strings.Contains(err.Error(), "make peers") || !strings.Contains(err.Error(), program) {
			t.Errorf("the error %v does not say what to do", err)
		}
	}
}

var aQuestion = ask.Question{Draw: world.Draw{Hits: 1}, Batch: 1, Cores: 1}

// A peer that ends, or prints too much, is an error, and nothing waits for it.
func TestPeerGoesWrong(t *testing.T) {
	p, _ := start(t, dying)
	if _, err := p.Time(t.Context(), aQuestion, 1, 1, 1); err == nil || !strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("a peer that ended gives the error %v", err)
	}
	if _, err := p.Stats(t.Context()); err == nil {
		t.Error("a peer that ended has stats")
	}
	if err := p.Close(); err == nil {
		t.Error("a peer that failed closes without an error")
	}
	p, _ = start(t, chatting)
	if err := p.Close(); err != nil {
		t.Errorf("lines that nobody asked for: %v", err)
	}
}

// Who no longer wants an answer gets none, and the process ends.
func TestCancel(t *testing.T) {
	p, _ := start(t, frozen)
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if _, err := p.Time(ctx, aQuestion, 1, 1, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
	select {
	case <-p.exited:
	default:
		t.Error("the process goes on")
	}
}

// A peer that does not end is killed.
func TestCloseIsBounded(t *testing.T) {
	p, _ := start(t, deaf)
	p.patience = 100 * time.Millisecond
	if err := p.Close(); err == nil || !strings.Contains(err.Error(), "did not end within") {
		t.Errorf("the error is %v", err)
	}
	select {
	case <-p.exited:
	default:
		t.Error("the process goes on")
	}
}

// The lines are those that the package says.
func TestProtocol(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{Request{Stats: true}, `{"stats":true}`},
		{Request{Question: &aQuestion, N: 3, Pool: 4, DrawSeed: 5}, `{"question":{"hits":1,"zipf":false,"batch":1,"cores":1},"n":3,"draw_seed":5,"pool":4}`},
		{ask.Timing{NS: 1.5, Sum: 2}, `{"ns":1.5,"sum":2}`},
		{failure{"no"}, `{"error":"no"}`},
	} {
		if got, err := json.Marshal(c.value); err != nil || string(got) != c.want {
			t.Errorf("%+v is sent as %s, %v, not as %s", c.value, got, err, c.want)
		}
	}
}
