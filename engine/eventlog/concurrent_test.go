package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
)

// Of a store whose opening fails late, Pebble leaves a goroutine that looks for
// compactions.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/cockroachdb/pebble/v2.(*ConcurrencyLimitScheduler).periodicGranter"))
}

// Many append, some the same, while others follow, redact, trim and purge: each
// event has one place, each follower sees all in order, Applied comes before the
// answer, and nothing runs on after Close.
func TestConcurrent(t *testing.T) {
	const writers, each = 16, 60
	fs := vfs.NewMem()
	var lock sync.Mutex
	applied := map[uint64]Hash{}
	l := open(t, fs, Options{PurgeAfter: 10 * time.Millisecond, Applied: func(list []Record) {
		lock.Lock()
		defer lock.Unlock()
		for _, r := range list {
			if len(applied) > 0 && applied[r.Seq-1] != r.Prev {
				t.Errorf("record %d is applied out of order", r.Seq)
			}
			applied[r.Seq] = r.Hash
		}
	}})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	receipts := make([]sync.Map, 1)
	var group, others sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				name := fmt.Sprint(w/2, " ", i) // two writers have the same events
				r, err := l.Append(ctx, []Entry{entry(name), entry(name + "'")})
				if err != nil {
					t.Error(err)
					return
				}
				lock.Lock()
				if applied[r[0].Seq] != r[0].Hash || applied[r[1].Seq] != r[1].Hash {
					t.Errorf("%+v was acknowledged and not applied", r)
				}
				lock.Unlock()
				if old, loaded := receipts[0].LoadOrStore(name, r[0].Hash); loaded && old != r[0].Hash {
					t.Errorf("%s was taken twice", name)
				}
			}
		})
	}
	const total = writers / 2 * each * 2
	done := make(chan struct{})
	for range 2 {
		others.Go(func() {
			var last Record
			events := 0
			for events < total {
				if err := l.Wait(ctx, last.Seq); err != nil {
					t.Error(err)
					return
				}
				if err := l.Scan(last.Seq, func(r Record) error {
					if r.Seq != last.Seq+1 || r.Prev != last.Hash {
						return fmt.Errorf("%d follows %d", r.Seq, last.Seq)
					}
					if r.Kind == Event {
						events++
					}
					last = r
					last.Body = nil
					return nil
				}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	others.Go(func() {
		for seq := uint64(1); ; seq += 3 {
			select {
			case <-done:
				return
			default:
			}
			if err := errors.Join(l.Redact(ctx, []uint64{seq, seq + 1}), l.Purge(ctx)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	group.Wait()
	close(done)
	others.Wait()
	if err := l.Trim(ctx, total/2, func(r Record) bool { return r.Seq%2 == 0 }); err != nil {
		t.Error(err)
	}
	l = reopen(t, l, fs, Options{})
	if seq, _, _ := l.Last(); seq != total+1 {
		t.Errorf("the last is %d, not %d", seq, total+1)
	}
	for _, r := range all(t, l, 0) {
		if lock.Lock(); applied[r.Seq] != r.Hash {
			t.Errorf("record %d was not applied", r.Seq)
		}
		lock.Unlock()
	}
}

// Close answers those that wait, ends scans, and can be called again.
func TestClose(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs, Options{})
	add(t, l, entries(0, 9)...)
	ctx := context.Background()
	waited := make(chan error)
	go func() { waited <- l.Wait(ctx, 9) }()
	closed := make(chan error, 1)
	err := l.Scan(0, func(r Record) error {
		if r.Seq == 1 {
			go func() { closed <- l.Close() }()
			if err := <-waited; !errors.Is(err, ErrClosed) {
				t.Errorf("waiting: %v", err)
			}
		}
		return nil
	})
	if !errors.Is(err, ErrClosed) {
		t.Errorf("scan: %v", err)
	}
	if err := errors.Join(<-closed, l.Close()); err != nil {
		t.Errorf("close: %v", err)
	}
	_, appended := l.Append(ctx, entries(9, 10))
	_, first := l.First()
	for what, err := range map[string]error{
		"append": appended, "first": first, "redact": l.Redact(ctx, []uint64{1}), "trim": l.Trim(ctx, 2, nil), "purge": l.Purge(ctx),
		"scan": l.Scan(0, func(Record) error { return nil }), "err": l.Err(),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A log is open once, and a caller may give up.
func TestOnceAndContext(t *testing.T) {
	fs := vfs.NewMem()
	hold := make(chan struct{})
	l := open(t, fs, Options{Applied: func([]Record) { <-hold }})
	if _, err := Open("log", Options{FS: fs}); err == nil || errors.Is(err, ErrCorrupt) {
		t.Errorf("opened twice: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	body := []byte("body")
	go func() {
		_, err := l.Append(ctx, []Entry{{Token: [16]byte{1}, Body: body}})
		result <- err
	}()
	time.Sleep(time.Millisecond)
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	copy(body, "xxxx") // the log has its own
	if err := l.Wait(ctx, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("wait: %v", err)
	}
	close(hold)
	r := add(t, l, Entry{Token: [16]byte{1}, Body: []byte("body")})
	if list := all(t, l, 0); len(list) != 1 || string(list[0].Body) != "body" || r[0].Seq != 1 {
		t.Errorf("%+v, %+v", list, r)
	}
	for _, list := range [][]Entry{{{Body: make([]byte, MaxBody+1)}}, make17()} {
		if _, err := l.Append(context.Background(), list); !errors.Is(err, ErrTooLarge) {
			t.Errorf("too large: %v", err)
		}
	}
	large := Entry{Body: make([]byte, MaxBody)}
	large.Body[MaxBody-1] = 7
	add(t, l, large)
	l = reopen(t, l, fs, Options{})
	if list := all(t, l, 1); len(list) != 1 || string(list[0].Body) != string(large.Body) {
		t.Error("the large one is not as it was")
	}
}

func make17() (list []Entry) {
	for range 17 {
		list = append(list, Entry{Body: make([]byte, MaxBody)})
	}
	return list
}

// An error of Replay ends Open, and is returned.
func TestReplayFails(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs, Options{})
	add(t, l, entries(0, 5)...)
	_ = l.Close()
	want := errors.New("no")
	if _, err := Open("log", Options{FS: fs, Replay: func(r Record) error {
		if r.Seq == 3 {
			return want
		}
		return nil
	}}); !errors.Is(err, want) || errors.Is(err, ErrCorrupt) {
		t.Errorf("%v", err)
	}
	if n := len(all(t, open(t, fs, Options{}), 0)); n != 5 {
		t.Errorf("%d records", n)
	}
}
