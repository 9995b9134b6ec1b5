package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// bad is a disk on which a part of what is done fails.
type bad struct {
	*os.File
	random *rand.Rand
	crash  bool // nothing can be done after the first failure
	failed bool
}

// fails says whether the next thing fails, and how.
func (b *bad) fails() error {
	if b.failed && b.crash || b.random.IntN(4) == 0 {
		b.failed = true
		return []error{syscall.ENOSPC, syscall.EIO}[b.random.IntN(2)]
	}
	return nil
}

func (b *bad) Write(p []byte) (int, error) {
	if err := b.fails(); err != nil {
		n, _ := b.File.Write(p[:b.random.IntN(len(p)+1)])
		return n, err
	}
	return b.File.Write(p)
}

func (b *bad) Sync() error {
	if err := b.fails(); err != nil {
		return err
	}
	return b.File.Sync()
}

func (b *bad) Truncate(n int64) error {
	if err := b.fails(); err != nil {
		return err
	}
	return b.File.Truncate(n)
}

func (b *bad) ReadAt(p []byte, at int64) (int, error) {
	if b.random.IntN(20) == 0 {
		return 0, syscall.EIO
	}
	return b.File.ReadAt(p, at)
}

// Whatever fails, the log verifies at all times, and holds every entry that
// was acknowledged, in order; others only whole.
func TestFailuresLeaveASoundLog(t *testing.T) {
	acknowledged, refused, torn := 0, 0, 0
	for seed := range uint64(60) {
		path := filepath.Join(t.TempDir(), "a")
		l, err := Open(path)
		must(t, err)
		l.Now = clock()
		random := rand.New(rand.NewPCG(seed, 1))
		l.disk = func(f *os.File) file { return &bad{File: f, random: random, crash: seed%2 == 0} }
		var want []Hash
		for i := range 40 {
			r, err := l.Append(Entry{Actor: "a", Action: "b", Subject: strconv.Itoa(i)})
			if err == nil {
				want = append(want, r.Hash)
				acknowledged++
			} else {
				refused++
				if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EIO) {
					t.Fatal(err)
				}
			}
			at := 0
			s, err := Verify(bytes.NewReader(contentOf(t, path)), func(r Record, _ []byte) error {
				if at < len(want) && r.Hash == want[at] {
					at++
				}
				return nil
			})
			must(t, err)
			if at != len(want) {
				t.Fatalf("seed %d: entry %d was acknowledged and is not there", seed, at)
			}
			if s.Torn > 0 {
				torn++
			}
		}
	}
	if acknowledged < 100 || refused < 100 || torn < 10 {
		t.Errorf("%d acknowledged, %d refused, %d times torn: too few to show anything", acknowledged, refused, torn)
	}
}

// short writes less than it is told, without a word, as no file may.
type short struct{ *os.File }

func (s short) Write(p []byte) (int, error) {
	n, err := s.File.Write(p[:len(p)/2])
	return n, errors.Join(err, fmt.Errorf("short write"))
}

func TestShortWrite(t *testing.T) {
	path, before := written(t)
	l, err := Open(path)
	must(t, err)
	l.disk = func(f *os.File) file { return short{f} }
	if _, err := l.Append(entries()[0]); err == nil {
		t.Error("a short write was taken")
	}
	if !bytes.Equal(contentOf(t, path), before) {
		t.Error("the log was changed")
	}
}

// An entry that may not last is not chained to.
func TestFailedSync(t *testing.T) {
	path, before := written(t)
	l, err := Open(path)
	must(t, err)
	l.disk = func(f *os.File) file { return unsynced{f} }
	if _, err := l.Append(entries()[0]); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	if !bytes.Equal(contentOf(t, path), before) {
		t.Error("the entry stays")
	}
}

type unsynced struct{ *os.File }

func (unsynced) Sync() error { return syscall.EIO }

// One that holds the file, or its turn, for good holds nobody up for good.
func TestOthersAreNotAwaitedForGood(t *testing.T) {
	path, before := written(t)
	l, err := Open(path)
	must(t, err)
	l.patience = 10 * time.Millisecond
	busy := func() {
		t.Helper()
		if _, err := l.Append(entries()[0]); !errors.Is(err, errBusy) {
			t.Errorf("got %v", err)
		}
	}
	held, err := openLocked(path, time.Now().Add(time.Minute))
	must(t, err)
	busy()
	must(t, errors.Join(unlock(held), held.Close()))
	l.turn <- struct{}{}
	busy()
	if !bytes.Equal(contentOf(t, path), before) {
		t.Error("the log was changed")
	}
	<-l.turn
	l.patience = time.Minute
	_, err = l.Append(entries()[0])
	must(t, err)
}

// An append that waited for the lock while the file was moved away goes to the
// file that has the name.
func TestMovedAwayWhileWaiting(t *testing.T) {
	path, before := written(t)
	l, err := Open(path)
	must(t, err)
	held, err := openLocked(path, time.Now().Add(time.Minute))
	must(t, err)
	done := make(chan error)
	go func() { _, err := l.Append(entries()[0]); done <- err }()
	// It may not wait yet when the file is moved; then this shows nothing.
	time.Sleep(20 * time.Millisecond)
	must(t, os.Rename(path, path+".1"))
	must(t, errors.Join(unlock(held), held.Close()))
	must(t, <-done)
	if !bytes.Equal(contentOf(t, path+".1"), before) {
		t.Error("the old file was appended to")
	}
	s, err := verify(contentOf(t, path))
	must(t, err)
	if s.Entries != 2 { // log.continued is the first
		t.Errorf("got %+v", s)
	}
}

const appender = "MATCHD_TEST_APPENDER"

// TestMain is also the process that TestProcesses starts.
func TestMain(m *testing.M) {
	if path := os.Getenv(appender); path != "" {
		if err := appendMany(path, "process "+strconv.Itoa(os.Getpid()), 100); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func appendMany(path, actor string, n int) error {
	l, err := Open(path)
	for i := range n {
		if err == nil {
			_, err = l.Append(Entry{Actor: actor, Action: "b", Subject: strconv.Itoa(i), Detail: map[string]string{"pad": strings.Repeat("x", i*37%3000)}})
		}
	}
	return err
}

// Goroutines with one log, with logs of their own, and processes append at
// once: each one's entries are there, in its order, in one chain.
func TestAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	shared, err := Open(path)
	must(t, err)
	var all sync.WaitGroup
	for p := range 2 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), appender+"="+path)
		all.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process %d: %v: %s", p, err, out)
			}
		})
	}
	for g := range 4 {
		all.Go(func() {
			if err := appendMany(path, "own "+strconv.Itoa(g), 100); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			for i := range 100 {
				if _, err := shared.Append(Entry{Actor: "shared " + strconv.Itoa(g), Action: "b", Subject: strconv.Itoa(i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	next := map[string]int{}
	_, err = Verify(bytes.NewReader(contentOf(t, path)), func(r Record, line []byte) error {
		if want := strconv.Itoa(next[r.Actor]); r.Subject != want || r.Torn != 0 {
			t.Errorf("%s: entry %s, want %s, torn %d", r.Actor, r.Subject, want, r.Torn)
		}
		next[r.Actor]++
		if !json.Valid(line) {
			t.Errorf("not JSON: %s", line)
		}
		return nil
	})
	must(t, err)
	if len(next) != 10 {
		t.Errorf("entries of %d", len(next))
	}
	for actor, n := range next {
		if n != 100 {
			t.Errorf("%s has %d entries", actor, n)
		}
	}
}

// Processes that are killed leave at most a torn end.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	_, err := Open(path)
	must(t, err)
	entries := int64(0)
	for range 10 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), appender+"="+path)
		must(t, cmd.Start())
		for { // until it has begun
			s, err := verify(contentOf(t, path))
			must(t, err)
			if s.Entries > entries {
				entries = s.Entries
				break
			}
			time.Sleep(time.Millisecond)
		}
		must(t, cmd.Process.Kill())
		_ = cmd.Wait()
		checkRecovery(t, path)
		entries++
	}
}
