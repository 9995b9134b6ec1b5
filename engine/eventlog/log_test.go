package eventlog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// clock is the time in tests.
func clock() time.Time { return time.Date(2026, 11, 28, 12, 0, 0, 500, time.UTC) }

// entry is an entry of a name: its token is of the name, its body too.
func entry(name string) Entry {
	body := []byte("body of " + name)
	sum, token := sha256.Sum256(body), sha256.Sum256([]byte(name))
	return Entry{Token: [16]byte(token[:16]), Digest: [16]byte(sum[:16]), Body: body}
}

func entries(from, to int) (list []Entry) {
	for i := from; i < to; i++ {
		list = append(list, entry(fmt.Sprint("event ", i)))
	}
	return list
}

// open opens a log that is closed with the test.
func open(t testing.TB, fs vfs.FS, o Options) *Log {
	t.Helper()
	o.FS = fs
	if o.Now == nil {
		o.Now = clock
	}
	l, err := Open("log", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// add appends entries one by one.
func add(t testing.TB, l *Log, list ...Entry) (receipts []Receipt) {
	t.Helper()
	for _, e := range list {
		r, err := l.Append(context.Background(), []Entry{e})
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, r...)
	}
	return receipts
}

// all scans all records.
func all(t testing.TB, l *Log, after uint64) (list []Record) {
	t.Helper()
	if err := l.Scan(after, func(r Record) error {
		r.Body = append([]byte(nil), r.Body...)
		list = append(list, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

// reopen closes a log and opens it again.
func reopen(t testing.TB, l *Log, fs vfs.FS, o Options) *Log {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, fs, o)
}

// What is appended is there, in order, before and after it is opened again, and
// is told to who replays, and to who applies.
func TestAppend(t *testing.T) {
	fs := vfs.NewMem()
	var applied, replayed []uint64
	var l *Log
	o := Options{
		Applied: func(list []Record) {
			for _, r := range list {
				applied = append(applied, r.Seq)
			}
			// Who scans and takes over from here has all: none falls between.
			if seq, _, _ := l.Last(); seq < applied[len(applied)-1] {
				t.Errorf("%d is handed over, and scans end at %d", applied[len(applied)-1], seq)
			}
		},
		Replay: func(r Record) error { replayed = append(replayed, r.Seq); return nil },
	}
	l = open(t, fs, o)
	id := l.ID()
	receipts := add(t, l, entries(0, 3)...)
	more, err := l.Append(context.Background(), entries(3, 6))
	if err != nil {
		t.Fatal(err)
	}
	receipts = append(receipts, more...)
	for range 2 {
		list := all(t, l, 0)
		if len(list) != 6 {
			t.Fatalf("%d records", len(list))
		}
		for i, r := range list {
			if want := fmt.Sprint("body of event ", i); r.Seq != uint64(i+1) || string(r.Body) != want || r.Hash != receipts[i].Hash || receipts[i].Seq != r.Seq || receipts[i].Log != id || receipts[i].Known || !r.Time.Equal(clock()) {
				t.Errorf("record %d is %+v, its receipt %+v", i, r, receipts[i])
			}
		}
		if seq, at, hash := l.Last(); seq != 6 || hash != receipts[5].Hash || !at.Equal(clock()) {
			t.Errorf("the last is %d, %s, %s", seq, at, hash)
		}
		if list := all(t, l, 4); len(list) != 2 || list[0].Seq != 5 {
			t.Errorf("after 4: %v", list)
		}
		l = reopen(t, l, fs, o)
		if l.ID() != id || l.Torn() != nil {
			t.Errorf("id %s, then %s; torn %v", id, l.ID(), l.Torn())
		}
	}
	if len(applied) != 6 || len(replayed) != 12 {
		t.Errorf("applied %v, replayed %v", applied, replayed)
	}
}

// An entry that is refused is not taken, but is known if it was before.
func TestRefused(t *testing.T) {
	l := open(t, vfs.NewMem(), Options{})
	refuse := func(e Entry) Entry {
		e.Refused = errors.New("no")
		return e
	}
	other := refuse(entry("a"))
	other.Digest[0]++
	got, err := l.Append(context.Background(), []Entry{refuse(entry("x")), entry("a"), refuse(entry("a")), other, refuse(Entry{}), entry("b")})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Receipt{{Err: errors.New("no")}, {Seq: 1}, {Seq: 1, Known: true}, {Err: ErrTokenReused}, {Err: errors.New("no")}, {Seq: 2}} {
		if r := got[i]; r.Log != l.ID() || r.Seq != want.Seq || r.Known != want.Known || fmt.Sprint(r.Err) != fmt.Sprint(want.Err) {
			t.Errorf("entry %d: %+v, not %+v", i, r, want)
		}
	}
	if got := all(t, l, 0); len(got) != 2 {
		t.Errorf("%d records", len(got))
	}
	// One that was refused is taken when it is not any more.
	if r, err := l.Append(context.Background(), []Entry{refuse(entry("x"))}); err != nil || r[0].Err == nil || r[0].Seq != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if r := add(t, l, entry("x")); r[0].Seq != 3 || r[0].Known {
		t.Errorf("%+v", r)
	}
}

// A token is taken once: sent again it gets the first receipt, with other
// content an error of its own, in one append, in the next, and after a restart.
func TestTokens(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs, Options{})
	other := entry("a")
	other.Digest[0]++
	ctx := context.Background()
	first, err := l.Append(ctx, []Entry{entry("a"), entry("b"), entry("a"), other})
	if err != nil {
		t.Fatal(err)
	}
	if first[1].Seq != 2 || first[2].Seq != 1 || !first[2].Known || first[2].Hash != first[0].Hash || !errors.Is(first[3].Err, ErrTokenReused) || first[3].Seq != 0 {
		t.Errorf("in one append: %+v", first)
	}
	for range 2 {
		again, err := l.Append(ctx, []Entry{other, entry("b"), entry("a")})
		if err != nil {
			t.Fatal(err)
		}
		want := first[1]
		want.Known = true
		if !errors.Is(again[0].Err, ErrTokenReused) || again[1] != want || again[2].Seq != 1 {
			t.Errorf("again: %+v", again)
		}
		l = reopen(t, l, fs, Options{})
	}
	none := Entry{Body: []byte("without token")}
	if r := add(t, l, none, none); r[0].Seq != 3 || r[1].Seq != 4 || r[1].Known {
		t.Errorf("without token: %+v", r)
	}
}

// A note is a record as any other, without a token: what is told alike are two.
// It is replayed, applied, not redacted, and trimmed unless it is kept.
func TestNote(t *testing.T) {
	fs, ctx := vfs.NewMem(), context.Background()
	var applied []Kind
	o := Options{Applied: func(list []Record) {
		for _, r := range list {
			applied = append(applied, r.Kind)
		}
	}}
	l := open(t, fs, o)
	add(t, l, entry("a"))
	for want := range uint64(2) {
		r, err := l.Note(ctx, []byte("told"))
		if err != nil || r.Seq != want+2 || r.Known || r.Log != l.ID() || !r.Time.Equal(clock()) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if _, err := l.Note(ctx, make([]byte, MaxBody+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large one: %v", err)
	}
	if err := l.Redact(ctx, []uint64{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := l.Trim(ctx, 3, func(r Record) bool { return r.Kind == Note }); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		list := all(t, l, 0)
		if !slices.Equal(seqs(list), []uint64{2, 3, 4}) || list[0].Kind != Note || list[0].Redacted || string(list[0].Body) != "told" || string(list[1].Body) != "told" {
			t.Errorf("%+v", list)
		}
		l = reopen(t, l, fs, o)
	}
	if !slices.Equal(applied, []Kind{Event, Note, Note, Trim}) {
		t.Errorf("applied: %v", applied)
	}
	if err := l.Trim(ctx, 3, nil); err != nil {
		t.Fatal(err)
	}
	if list := all(t, l, 0); !slices.Equal(seqs(list), []uint64{3, 4, 5}) {
		t.Errorf("%v", seqs(list))
	}
}

// A token is what is compared, and not what the index has of it.
func TestTokensThatCollide(t *testing.T) {
	l := open(t, vfs.NewMem(), Options{})
	add(t, l, entry("a"))
	b := entry("b")
	l.tokens.add(&b.Token, 1)
	if r := add(t, l, b, b); r[0].Seq != 2 || r[0].Known || r[1].Seq != 2 || !r[1].Known {
		t.Errorf("%+v", r)
	}
}
