package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// long is a log of several parts, some of its bodies larger than what is checked
// at once, redacted here and there, with a trimmed beginning of which few records
// are left. It is made once, and not to be changed.
func long(t *testing.T) (*vfs.MemFS, []Record) {
	t.Helper()
	longLog.Do(func() { longLog.mem, longLog.records = makeLong(t) })
	if longLog.mem == nil {
		t.Fatal("another test could not make it")
	}
	return longLog.mem, longLog.records
}

var longLog struct {
	sync.Once
	mem     *vfs.MemFS
	records []Record
}

func makeLong(t *testing.T) (*vfs.MemFS, []Record) {
	t.Helper()
	const n, every = 5 * partRecords, 4*partRecords/5 - 9
	mem, ctx, rng := vfs.NewCrashableMem(), context.Background(), rand.New(rand.NewPCG(1, 2))
	l := open(t, mem, Options{})
	list := entries(0, n)
	for i := range list {
		switch {
		case i%every == every-1:
			list[i].Body = make([]byte, min(partBytes/2+rng.IntN(2*partBytes), MaxBody))
		case i%3 == 0:
			list[i].Token = [16]byte{}
		}
	}
	if _, err := l.Append(ctx, list); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		l.Redact(ctx, []uint64{partRecords, partRecords + 1, 2*partRecords + 7}),
		l.Trim(ctx, 3*partRecords/2, func(r Record) bool { return r.Seq%97 == 0 || r.Seq > 700 && r.Seq < 720 }),
	); err != nil {
		t.Fatal(err)
	}
	want := all(t, l, 0)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return mem, want
}

// onCores runs a test with different numbers of goroutines that read.
func onCores(t *testing.T, f func(*testing.T)) {
	for _, n := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(n, " cores"), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
			f(t)
		})
	}
}

func sameRecord(a, b Record) bool {
	return bytes.Equal(a.Body, b.Body) && a.Seq == b.Seq && a.Time.Equal(b.Time) && a.Kind == b.Kind && a.Token == b.Token &&
		a.Redacted == b.Redacted && a.Commitment == b.Commitment && a.Prev == b.Prev && a.Hash == b.Hash
}

// A log is replayed as a scan has it, record by record, and its tokens are known
// afterwards.
func TestReplay(t *testing.T) {
	mem, want := long(t)
	onCores(t, func(t *testing.T) {
		var got []Record
		l := open(t, copyOf(mem), Options{Replay: func(r Record) error {
			r.Body = bytes.Clone(r.Body)
			got = append(got, r)
			return nil
		}})
		if !slices.EqualFunc(got, want, sameRecord) {
			t.Errorf("%d records, not the %d that a scan has", len(got), len(want))
		}
		for _, r := range want {
			if r.Token == ([16]byte{}) {
				continue
			}
			found := false
			l.tokens.find(&r.Token, func(seq uint64) bool {
				found = seq == r.Seq
				return found
			})
			if !found {
				t.Fatalf("the token of record %d is not known", r.Seq)
			}
		}
	})
}

// What is damaged first, by place, is what the log is refused for, and no record
// after it is replayed.
func TestFirstDamage(t *testing.T) {
	mem, want := long(t)
	rng := rand.New(rand.NewPCG(3, 4))
	onCores(t, func(t *testing.T) {
		rounds := 30
		if testing.Short() {
			rounds = 3
		}
		for range rounds {
			damaged := copyOf(mem)
			at := []int{rng.IntN(len(want)), rng.IntN(len(want))}
			change(t, damaged, want[at[0]].Seq, func(v []byte) []byte { v[30]++; return v })
			if at[1] != at[0] {
				change(t, damaged, want[at[1]].Seq, func([]byte) []byte { return []byte("no record") })
			}
			first, next := want[slices.Min(at)].Seq, uint64(0)
			_, err := Open("log", Options{FS: damaged, Now: clock, Replay: func(r Record) error { next = r.Seq; return nil }})
			if err == nil || !errors.Is(err, ErrCorrupt) {
				t.Fatalf("records %v: %v", at, err)
			}
			// Of what a trimming kept, the sum of all tells.
			if strings.Contains(err.Error(), "were kept when") {
				first = want[slices.IndexFunc(want, func(r Record) bool { return r.Seq >= 3*partRecords/2 })].Seq
			} else if !strings.Contains(err.Error(), fmt.Sprintf("record %d: ", first)) {
				t.Fatalf("records %d and %d are damaged: %v", want[at[0]].Seq, want[at[1]].Seq, err)
			}
			if next >= first {
				t.Fatalf("record %d is damaged, and %d was replayed", first, next)
			}
		}
	})
}

// change changes what the store has of a record.
func change(t testing.TB, mem *vfs.MemFS, seq uint64, f func([]byte) []byte) {
	t.Helper()
	db, err := openEdit(mem)
	if err != nil {
		t.Fatal(err)
	}
	v, err := get(db, recordKey(seq))
	if err == nil {
		err = db.Set(recordKey(seq), f(v), pebble.Sync)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// An error of who replays ends it there.
func TestReplayEnds(t *testing.T) {
	mem, want := long(t)
	onCores(t, func(t *testing.T) {
		places := []int{partRecords, 0, 5, len(want) - 1}
		if testing.Short() {
			places = places[:2]
		}
		for _, at := range places {
			stop, calls := errors.New("enough"), 0
			_, err := Open("log", Options{FS: copyOf(mem), Now: clock, Replay: func(r Record) error {
				if calls++; r.Seq == want[at].Seq {
					return stop
				}
				return nil
			}})
			if !errors.Is(err, stop) || calls != at+1 {
				t.Errorf("at %d: %d calls, %v", at, calls, err)
			}
		}
	})
}
