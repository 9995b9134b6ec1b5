package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// inFiles are the files of a log that hold a text.
func inFiles(t *testing.T, fs *vfs.MemFS, text string) (list []string) {
	t.Helper()
	for _, name := range files(t, fs) {
		f, err := fs.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // it was deleted just now
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(text)) {
			list = append(list, name)
		}
	}
	return list
}

// What is redacted is gone for readers at once, and from the files after a
// purge; its hash stays, and so does the chain.
func TestRedact(t *testing.T) {
	for _, flush := range []bool{false, true} {
		fs, ctx := vfs.NewMem(), context.Background()
		l := open(t, fs, Options{})
		receipts := add(t, l, entries(0, 9)...)
		if flush { // in a table, and the write-ahead log after that
			if err := l.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		before := all(t, l, 0)
		if err := l.Redact(ctx, []uint64{7, 3, 3, 99, 0}); err != nil {
			t.Fatal(err)
		}
		if len(inFiles(t, fs, "body of event 2")) == 0 {
			t.Fatal("nothing to purge")
		}
		for range 2 {
			list := all(t, l, 0)
			for i, r := range list {
				gone := r.Seq == 3 || r.Seq == 7
				if r.Redacted != gone || (r.Body == nil) != gone || r.Hash != receipts[i].Hash || r.Commitment != before[i].Commitment {
					t.Errorf("%+v, and before %+v", r, before[i])
				}
				if r.Chain(r.Prev) != r.Hash || i > 0 && r.Prev != list[i-1].Hash {
					t.Errorf("record %d is not chained to the one before", r.Seq)
				}
			}
			// Its token stands for any content now.
			other := entry("event 2")
			other.Digest[0]++
			if r := add(t, l, other); !r[0].Known || r[0].Seq != 3 {
				t.Errorf("sent again: %+v", r)
			}
			l = reopen(t, l, fs, Options{})
		}
		if err := l.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"body of event 2", "body of event 6"} {
			if f := inFiles(t, fs, text); len(f) > 0 {
				t.Errorf("%q is in %v", text, f)
			}
		}
		if len(inFiles(t, fs, "body of event 5")) == 0 {
			t.Error("record 6 is nowhere")
		}
		if v, err := get(l.db, keyOwed); v != nil || err != nil {
			t.Errorf("%x is owed: %v", v, err)
		}
		reopen(t, l, fs, Options{})
	}
}

// A scan that began before sees what it saw, and holds up a purge, which does
// not hold up appends.
func TestPurgeWaitsForScans(t *testing.T) {
	l := open(t, vfs.NewMem(), Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	add(t, l, entries(0, 9)...)
	if err := l.db.Flush(); err != nil {
		t.Fatal(err)
	}
	purged := make(chan error, 1)
	err := l.Scan(0, func(r Record) error {
		if r.Seq == 1 {
			if err := l.Redact(ctx, []uint64{9}); err != nil {
				return err
			}
			go func() { purged <- l.Purge(ctx) }()
			add(t, l, entries(20, 30)...)
		}
		if r.Redacted || r.Seq > 9 {
			t.Errorf("%+v", r)
		}
		select {
		case err := <-purged:
			t.Errorf("purged while somebody reads: %v", err)
		default:
		}
		return nil
	})
	if err = errors.Join(err, <-purged); err != nil {
		t.Fatal(err)
	}
}

// What is redacted while a purge is under way is owed still when that is done.
func TestPurgeOwesWhatCameLater(t *testing.T) {
	l, ctx := open(t, vfs.NewMem(), Options{}), context.Background()
	add(t, l, entries(0, 9)...)
	if err := l.Redact(ctx, []uint64{2, 8}); err != nil {
		t.Fatal(err)
	}
	before, err := l.readOwed()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Redact(ctx, []uint64{5}); err != nil {
		t.Fatal(err)
	}
	if err := l.ask(ctx, &request{do: func() error { return l.settle(*before) }}); err != nil {
		t.Fatal(err)
	}
	if owed, err := l.readOwed(); err != nil || owed == nil || owed.span != (span{2, 8}) {
		t.Errorf("%+v is owed: %v", owed, err)
	}
}

// Without being asked, the log purges after a while, and does what it had not
// come to when it is opened again.
func TestPurgeLater(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs, Options{PurgeAfter: time.Hour})
	add(t, l, entries(0, 3)...)
	if err := l.Redact(context.Background(), []uint64{2}); err != nil {
		t.Fatal(err)
	}
	l = reopen(t, l, fs, Options{PurgeAfter: time.Millisecond})
	for len(inFiles(t, fs, "body of event 1")) > 0 {
		time.Sleep(time.Millisecond)
	}
	if err := l.Redact(context.Background(), []uint64{3}); err != nil {
		t.Fatal(err)
	}
	for len(inFiles(t, fs, "body of event 2")) > 0 {
		time.Sleep(time.Millisecond)
	}
}

// Trimming drops what is below a number and not kept, at once and in steps; the
// rest can be checked, kept records are asked about again, and go when they are
// not kept any more.
func TestTrim(t *testing.T) {
	fs, ctx := vfs.NewMem(), context.Background()
	var applied []Record
	o := Options{Applied: func(list []Record) { applied = append(applied, list...) }}
	l := open(t, fs, o)
	const n = 2*step + 100
	for i := 0; i < n; i += 1000 {
		if _, err := l.Append(ctx, entries(i, min(i+1000, n))); err != nil {
			t.Fatal(err)
		}
	}
	want := all(t, l, 0)
	check := func(below uint64, trims int, kept func(uint64) bool) {
		t.Helper()
		for range 2 {
			list := all(t, l, 0)
			own := 0
			for _, r := range list {
				if r.Kind == Trim {
					own++
					continue
				}
				if w := want[r.Seq-1]; r.Hash != w.Hash || r.Prev != w.Prev || !bytes.Equal(r.Body, w.Body) || r.Seq < below && !kept(r.Seq) {
					t.Fatalf("%+v, and before %+v", r, w)
				}
			}
			some := 0
			for _, r := range want {
				if r.Kind == Event && (r.Seq >= below || kept(r.Seq)) {
					some++
				}
			}
			if len(list)-own != some || own != trims {
				t.Fatalf("%d records and %d of the log's own, not %d and %d", len(list)-own, own, some, trims)
			}
			if first, err := l.First(); err != nil || first != below {
				t.Errorf("first is %d: %v", first, err)
			}
			if last, _, _ := l.Last(); list[len(list)-1].Seq != last {
				t.Errorf("the last is %d", last)
			}
			l = reopen(t, l, fs, o)
		}
	}
	thirds := func(r uint64) bool { return r%3 == 0 }
	by := func(f func(uint64) bool) func(Record) bool { return func(r Record) bool { return f(r.Seq) } }
	if err := l.Trim(ctx, step+10, by(thirds)); err != nil {
		t.Fatal(err)
	}
	check(step+10, 2, thirds)
	if len(applied) != n+2 || applied[n].Kind != Trim || applied[n].Seq != n+1 {
		t.Errorf("%d were applied", len(applied))
	}
	// The token of a record that was kept is known, of another it is not.
	r, err := l.Append(ctx, []Entry{entry("event 2"), entry("event 3")})
	if err != nil || !r[0].Known || r[0].Seq != 3 || r[1].Known || r[1].Seq != n+3 {
		t.Errorf("%+v, %v", r, err)
	}
	want = append(want, make([]Record, 3)...)
	for _, r := range all(t, l, n) {
		want[r.Seq-1] = r
	}
	sixths := func(r uint64) bool { return r%6 == 0 || r == n+3 }
	if err := l.Trim(ctx, 2*step+50, by(sixths)); err != nil {
		t.Fatal(err)
	}
	check(2*step+50, 4, sixths)
	// A kept record can be redacted, and the whole can be trimmed.
	if err := l.Redact(ctx, []uint64{6}); err != nil {
		t.Fatal(err)
	}
	l = reopen(t, l, fs, o)
	if err := l.Trim(ctx, 1<<40, nil); err != nil {
		t.Fatal(err)
	}
	l = reopen(t, l, fs, o)
	if list := all(t, l, 0); len(list) != 1 || list[0].Kind != Trim {
		t.Errorf("%d records", len(list))
	}
	if err := l.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 5, 77, n - 1} {
		if f := inFiles(t, fs, fmt.Sprintf("body of event %d", i)); len(f) > 0 {
			t.Errorf("event %d is in %v", i, f)
		}
	}
	// Nothing to trim adds nothing.
	last, _, _ := l.Last()
	if err := l.Trim(ctx, last, nil); err != nil {
		t.Fatal(err)
	}
	if again, _, _ := l.Last(); again != last {
		t.Errorf("a trimming of nothing went from %d to %d", last, again)
	}
}

// What was kept is vouched for: one that is missing, changed, or added, refuses
// the log.
func TestKeptIsVouchedFor(t *testing.T) {
	fs := vfs.NewCrashableMem()
	l := open(t, fs, Options{})
	add(t, l, entries(0, 9)...)
	if err := l.Trim(context.Background(), 8, func(r Record) bool { return r.Seq == 3 || r.Seq == 5 }); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// 4 is as if it had been kept: it has the hash of 3 before it.
	for name, f := range map[string]func(*stored) (uint64, []byte){
		"missing": func(*stored) (uint64, []byte) { return 5, nil },
		"changed": func(s *stored) (uint64, []byte) {
			s.Seq, s.secret = 5, bytes.Clone(s.secret)
			s.seal()
			s.Hash = s.Chain(s.Prev)
			return 5, s.encode(nil)
		},
		"added": func(s *stored) (uint64, []byte) {
			s.Seq, s.Prev = 4, s.Hash
			s.seal()
			s.Hash = s.Chain(s.Prev)
			return 4, s.encode(nil)
		},
	} {
		damaged := copyOf(fs)
		db, err := openEdit(damaged)
		if err != nil {
			t.Fatal(err)
		}
		v, err := get(db, recordKey(3))
		if err != nil {
			t.Fatal(err)
		}
		s, err := decode(3, v)
		if err != nil || !s.kept {
			t.Fatal(s, err)
		}
		seq, value := f(&s)
		if value == nil {
			err = db.Delete(recordKey(seq), nil)
		} else {
			err = db.Set(recordKey(seq), value, nil)
		}
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		refused(t, damaged, name)
		if _, err := Open("log", Options{FS: damaged}); err == nil || !strings.Contains(err.Error(), "were kept") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list := all(t, open(t, fs, Options{}), 0); !slices.Equal(seqs(list), []uint64{3, 5, 8, 9, 10}) {
		t.Errorf("%v", seqs(list))
	}
}

func seqs(list []Record) (s []uint64) {
	for _, r := range list {
		s = append(s, r.Seq)
	}
	return s
}
