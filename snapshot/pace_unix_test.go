//go:build unix

package snapshot

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
)

// pingPong has two goroutines hand a byte to each other over pipes, as a server
// and its client do over the network, and counts how often.
func pingPong(t *testing.T) *atomic.Int64 {
	t.Helper()
	count := &atomic.Int64{}
	ends := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		return r, w
	}
	r1, w1 := ends()
	r2, w2 := ends()
	done := make(chan error, 2)
	pass := func(r, w *os.File) {
		b := make([]byte, 1)
		for {
			if _, err := r.Read(b); err != nil {
				done <- err
				return
			}
			count.Add(1)
			if _, err := w.Write(b); err != nil {
				done <- err
				return
			}
		}
	}
	go pass(r1, w2)
	go pass(r2, w1)
	if _, err := w1.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(r1.Close(), w1.Close(), r2.Close(), w2.Close()); err != nil {
			t.Error(err)
		}
		<-done
		<-done
	})
	return count
}

// On the only core, those who wait for the network get their turn whenever work
// yields.
func TestYieldLooksAtTheNetwork(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	count := pingPong(t)
	p := pace{}
	defer p.end()
	for range 100 { // until both wait
		p.yield()
	}
	// Rarely the system holds one of them up in the midst of a call. By the scheduler
	// alone they would run every ten milliseconds, in which all of this is over.
	ran := 0
	for range 2000 {
		before := count.Load()
		for range 4 {
			p.yield()
		}
		if count.Load() > before {
			ran++
		}
		if ran == 20 {
			return
		}
	}
	t.Fatalf("who waited for the network was let run %d times", ran)
}

// A process goes on answering while it opens and closes a snapshot on its only
// core.
func TestOthersRunWhileASnapshotOpens(t *testing.T) {
	store, cur, _ := sampleStore(t, 60_000)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, m := range []Memory{Map, Copy, Once} {
		count := pingPong(t)
		before := count.Load()
		s, err := store.Open(cur, m)
		if err != nil {
			t.Fatal(err)
		}
		// However fast a machine is, it hashes a MiB no faster than in stride.
		if got, want := count.Load()-before, s.Bytes()>>20; got < want {
			t.Errorf("memory %s: others ran %d times while %d MiB were opened", m, got, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A pipe that cannot be waited for is given up at the first try: what is
// written to it would stay there until it is full.
func TestBellThatCannotBeHeardIsGivenUp(t *testing.T) {
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil { // blocks, unlike that of os.Pipe
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(ends[0]), "r"), os.NewFile(uintptr(ends[1]), "w")
	p := pace{bell: bellOf(r, w)}
	defer p.end()
	if p.bell == nil {
		t.Fatal("there is no bell")
	}
	for range 3 {
		p.yield()
		if p.bell != nil || !p.deaf {
			t.Fatal("a bell that failed is kept")
		}
	}
	if err := errors.Join(r.Close(), w.Close()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the pipe is not closed: %v", err)
	}
}
