package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/livetest"
)

// soakEnv is how long TestSoak swaps, once a second, in place of a number of
// times as fast as it can: a duration.
const soakEnv = "MATCHD_SOAK"

// TestSoak swaps again and again while some send changes and others ask: no
// change, no lookup and no swap fails, whoever sent a change sees it at once and
// after each swap, in the end all answers are the model's, and memory, mappings
// and goroutines are as they were after the first swaps.
func TestSoak(t *testing.T) {
	swaps, pause := 400, time.Duration(0)
	if testing.Short() || raceEnabled {
		swaps = 60
	}
	if text := os.Getenv(soakEnv); text != "" {
		pause = time.Second
		swaps = int(must(time.ParseDuration(text))(t) / pause)
	}
	h := newInhabited(t, 40)
	s := &soak{lived: must(h.serve(t, nil, filepath.Join(t.TempDir(), "log")))(t)}
	for w := range 8 {
		writer := &soakWriter{soak: s, own: fmt.Sprintf("cookie.a:own-%d", w)}
		g := h.world.Generator(fmt.Sprint(w), rand.New(rand.NewPCG(uint64(w), 12)))
		for range 500 {
			writer.list = append(writer.list, g.Next())
		}
		s.writers = append(s.writers, writer)
	}
	s.swap(t, 10, pause/20)
	before := s.level(t)
	s.swap(t, swaps, pause)
	after := s.level(t)
	m := h.world.Model()
	for _, w := range s.writers {
		for i := range min(w.n, len(w.list)) {
			m.Add(&w.list[i])
		}
	}
	s.is(t, m, "in the end")
	t.Logf("%d swaps; at first %+v, in the end %+v", swaps, before, after)
	// The log knows each change by its token, and the overlay has its fact;
	// persons whom links make come to be one after the other.
	if more := after.heap - before.heap; more > 3<<20+int64(after.changes-before.changes)*256 {
		t.Errorf("%d bytes more are in use", more)
	}
	if after.snapshots != before.snapshots || after.goroutines > before.goroutines+2 {
		t.Errorf("at first %+v, in the end %+v", before, after)
	}
	if after.changes < before.changes+swaps {
		t.Errorf("only %d changes in %d swaps", after.changes-before.changes, swaps)
	}
}

// soak is an engine that is kept busy.
type soak struct {
	*lived
	writers []*soakWriter
}

// swap swaps so many times, with a pause after each, while all are at work.
func (s *soak) swap(t *testing.T, times int, pause time.Duration) {
	t.Helper()
	stop := make(chan struct{})
	var working sync.WaitGroup
	for _, w := range s.writers {
		working.Go(func() { w.until(t, stop) })
	}
	for range 3 {
		working.Go(func() { s.askUntil(t, stop) })
	}
	swapped, names := s.Stats().Swaps, s.names(t)
	for i := range times {
		if err := s.Pin(names[i%len(names)]); err != nil {
			t.Errorf("swap %d: %v", i, err)
		}
		time.Sleep(pause)
	}
	if n := int(s.Stats().Swaps - swapped); n < times-1 {
		t.Errorf("only %d of %d swaps", n, times)
	}
	close(stop)
	working.Wait()
}

// soakWriter is a client that sends changes.
type soakWriter struct {
	*soak
	own  string // an identifier of which it alone speaks
	list []livetest.Change
	n    int // how often it has sent one of the list, in turn, and one of its own
}

func (w *soakWriter) until(t *testing.T, stop <-chan struct{}) {
	var b engine.Batch
	for {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		c := &w.list[w.n%len(w.list)]
		mine := livetest.Change{ID: fmt.Sprint(w.own, w.n), Type: "opt_out", At: w.world.AsOf.Add(time.Duration(w.n) * time.Second), Tenant: "acme", Identifier: w.own}
		want := "opted_out"
		if w.n++; w.n%2 == 0 {
			mine.Type, want = "opt_in", "unknown"
		}
		out, err := w.Changes().Take("shop", []event.Event{parsed(t, c), parsed(t, &mine)})
		if err != nil || out[0].Err != nil && !errors.Is(out[0].Err, engine.ErrErased) || out[1].Err != nil {
			t.Errorf("%v, %v", err, out)
			return
		}
		for range 3 { // at once, and maybe after a swap
			if got := w.told(t, &b, "acme", []string{w.own}); got[0] != want {
				t.Errorf("%s, change %d: %q, not %q", w.own, w.n, got[0], want)
				return
			}
			runtime.Gosched()
		}
	}
}

func parsed(t testing.TB, c *livetest.Change) event.Event {
	e, err := event.Parse(c.JSON())
	if err != nil {
		t.Error(err)
	}
	return e
}

// level is what a process that rests has in use.
type level struct {
	heap       int64 // in bytes
	snapshots  int   // that are mapped; 0 where that cannot be known
	goroutines int
	changes    int
}

// level waits until the snapshots that are not served any more are closed.
func (s *soak) level(t *testing.T) (l level) {
	t.Helper()
	for range 1000 {
		if l.snapshots = s.mapped(t); l.snapshots <= 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	l.heap, l.goroutines, l.changes = int64(m.HeapAlloc), runtime.NumGoroutine(), 0
	for _, w := range s.writers {
		l.changes += w.n
	}
	return l
}

// mapped counts the snapshots of the store of which something is mapped.
func (s *soak) mapped(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0 // there is no such file elsewhere
	}
	n := 0
	for _, name := range s.names(t) {
		if strings.Contains(string(maps), filepath.Join(s.store.Dir(), "snapshots", name)+"/") {
			n++
		}
	}
	return n
}
