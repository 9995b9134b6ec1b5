package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/matchd/matchd/engine/eventlog/faultvfs"
)

// faulty is a file layer that counts what changes files, and fails one of
// those, or all from it on.
type faulty struct {
	count atomic.Int64
	at    atomic.Int64 // from 1; 0 is none
	last  int64        // the last that fails
	err   error
	kinds func(errorfs.Op) bool
	hit   atomic.Bool
	well  atomic.Bool // nothing fails any more
}

func (f *faulty) String() string { return "faulty" }

func (f *faulty) MaybeError(op errorfs.Op) error {
	if !faultvfs.Alters(op) || f.kinds != nil && !f.kinds(op) {
		return nil
	}
	if n, at := f.count.Add(1), f.at.Load(); at > 0 && n >= at && n <= f.last && !f.well.Load() {
		f.hit.Store(true)
		return f.err
	}
	return nil
}

// work makes a log do all it does, with flushes in between, and returns the
// receipts of what was acknowledged, by body.
func work(l *Log) (acked map[string]Receipt, err error) {
	acked = map[string]Receipt{}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	keep := func(list []Entry) error {
		r, err := l.Append(ctx, list)
		for i := range r {
			acked[string(list[i].Body)] = r[i]
		}
		return err
	}
	if err := keep(entries(0, 4)); err != nil {
		return acked, err
	}
	if err := l.Redact(ctx, []uint64{2}); err != nil {
		return acked, err
	}
	if err := l.Purge(ctx); err != nil {
		return acked, err
	}
	for i := 4; i < 8; i++ {
		if err := keep(entries(i, i+1)); err != nil {
			return acked, err
		}
	}
	r, err := l.Note(ctx, []byte("note"))
	if err != nil {
		return acked, err
	}
	acked["note"] = r
	if err := l.Trim(ctx, 4, func(r Record) bool { return r.Seq == 3 }); err != nil {
		return acked, err
	}
	if err := keep(entries(8, 10)); err != nil {
		return acked, err
	}
	return acked, l.Purge(ctx)
}

// holds checks that a log has all that was acknowledged, whole, by asking for
// it by its token.
func holds(t *testing.T, l *Log, acked map[string]Receipt) {
	t.Helper()
	byHash := map[Hash]Record{}
	for _, r := range all(t, l, 0) {
		byHash[r.Hash] = r
	}
	trimmed := 0
	for body, receipt := range acked {
		r, ok := byHash[receipt.Hash]
		if !ok && receipt.Seq < 4 && receipt.Seq != 3 {
			trimmed++
			continue
		}
		if !ok || r.Seq != receipt.Seq || string(r.Body) != body && !(r.Redacted && r.Seq == 2) {
			t.Errorf("%q was acknowledged as %d, and is %+v", body, receipt.Seq, r)
		}
	}
	if first, err := l.First(); err != nil || trimmed > 0 && first != 4 {
		t.Errorf("%d records are missing, and the first is %d: %v", trimmed, first, err)
	}
}

// within fails a test that hangs.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatalf("%s hangs", what)
	}
}

// An error of any operation that changes files, once or from then on, ends
// writing: nothing is acknowledged that is not there when the log is opened
// again, with what the disk has and with what of it was synced; reads go on;
// nothing hangs and nothing ends the process.
func TestFaults(t *testing.T) {
	count := &faulty{}
	l, err := Open("log", Options{FS: errorfs.Wrap(vfs.NewMem(), count), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	opened := count.count.Load()
	if _, err := work(l); err != nil {
		t.Fatal(err)
	}
	worked := count.count.Load()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	total := count.count.Load()
	if opened < 10 || worked < opened+30 || total <= worked {
		t.Fatalf("%d, %d and %d operations", opened, worked, total)
	}
	by := int64(1)
	if testing.Short() {
		by = 5
	}
	for _, c := range []struct {
		name string
		err  error
		all  bool
	}{{"EIO once", syscall.EIO, false}, {"ENOSPC from then on", syscall.ENOSPC, true}, {"short write", faultvfs.ErrShort, false}} {
		t.Run(c.name, func(t *testing.T) {
			failed := 0
			for at := int64(1); at <= total+5; at += by {
				f := &faulty{last: at, err: c.err}
				f.at.Store(at)
				if c.all {
					f.last = 1 << 60
				}
				if errors.Is(c.err, faultvfs.ErrShort) {
					f.kinds = faultvfs.Writes
				}
				if faultAt(t, f) {
					failed++
				}
				if t.Failed() {
					t.Fatalf("operation %d", at)
				}
			}
			if failed < int(worked-opened)/int(by)/4 {
				t.Errorf("only %d of %d operations that failed ended writing", failed, total)
			}
		})
	}
}

// faultAt works on a log on a disk that fails, and reports whether that ended
// writing.
func faultAt(t *testing.T, f *faulty) (ended bool) {
	mem := vfs.NewCrashableMem()
	var acked map[string]Receipt
	within(t, "a log whose disk fails", func() {
		l, err := Open("log", Options{FS: faultvfs.Short(errorfs.Wrap(mem, f)), Now: clock})
		if err != nil {
			if !f.hit.Load() {
				t.Error(err)
			}
			return
		}
		acked, err = work(l)
		ended = err != nil
		if err != nil && (!errors.Is(err, ErrFailed) || !f.hit.Load()) {
			t.Errorf("work: %v", err)
		}
		if ended {
			f.well.Store(true) // the disk is well again: the log stays as it is
			if _, err := l.Append(context.Background(), entries(50, 51)); !errors.Is(err, ErrFailed) || !errors.Is(l.Err(), ErrFailed) {
				t.Errorf("after it failed, an append returns %v, and the log has %v", err, l.Err())
			}
			if err := l.Wait(context.Background(), 1000); !errors.Is(err, ErrFailed) {
				t.Errorf("waiting: %v", err)
			}
			holds(t, l, acked)
		}
		if err := l.Close(); err != nil && !f.hit.Load() {
			t.Errorf("close: %v", err)
		}
	})
	for _, fs := range []vfs.FS{mem.CrashClone(vfs.CrashCloneCfg{}), mem} {
		l, err := Open("log", Options{FS: fs, Now: clock})
		if err != nil {
			t.Errorf("open again: %v", err)
			return ended
		}
		if l.Torn() != nil {
			t.Errorf("torn: %+v", l.Torn())
		}
		holds(t, l, acked)
		add(t, l, entries(60, 61)...)
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	return ended
}

// Many that append while the disk fails get an error each, at once.
func TestFaultAmongMany(t *testing.T) {
	for at := int64(1); at < 40; at += 3 {
		f := &faulty{last: 1 << 60, err: syscall.EIO, kinds: func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSync }}
		mem := vfs.NewCrashableMem()
		l, err := Open("log", Options{FS: errorfs.Wrap(mem, f), Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		f.at.Store(f.count.Load() + at) // the store's own goroutines are at work already
		var acked sync.Map
		var group sync.WaitGroup
		within(t, "appending", func() {
			for w := range 16 {
				group.Go(func() {
					for i := 0; ; i++ {
						e := entry(fmt.Sprint(w, " ", i))
						r, err := l.Append(context.Background(), []Entry{e})
						if err != nil {
							if !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EIO) {
								t.Errorf("writer %d: %v", w, err)
							}
							return
						}
						acked.Store(string(e.Body), r[0])
					}
				})
			}
			group.Wait()
			_ = l.Close()
		})
		l = open(t, mem.CrashClone(vfs.CrashCloneCfg{}), Options{})
		seen := map[string]Hash{}
		for _, r := range all(t, l, 0) {
			seen[string(r.Body)] = r.Hash
		}
		acked.Range(func(body, r any) bool {
			if seen[body.(string)] != r.(Receipt).Hash {
				t.Errorf("%q is lost", body)
			}
			return true
		})
		_ = l.Close()
	}
}
