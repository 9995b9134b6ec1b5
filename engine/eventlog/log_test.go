package eventlog_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/matchd/matchd/engine/eventlog"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const dir = "live/log"

// entry is one that is told apart by a number.
func entry(n int) eventlog.Entry {
	e := eventlog.Entry{Body: fmt.Appendf(nil, "entry %d %s", n, strings.Repeat("x", n%40))}
	binary.LittleEndian.PutUint64(e.Token[:], uint64(n))
	binary.LittleEndian.PutUint64(e.Digest[:], uint64(n))
	return e
}

func entries(from, n int) (list []eventlog.Entry) {
	for i := range n {
		list = append(list, entry(from+i))
	}
	return list
}

// opened is a log and what it replayed.
type opened struct {
	*eventlog.Log
	replayed []string
	seqs     []uint64
}

func openOn(fs vfs.FS, o eventlog.Options) (*opened, error) {
	out := &opened{}
	o.FS = fs
	o.Replay = func(r *eventlog.Record) error {
		out.replayed = append(out.replayed, fmt.Sprint(r.Kind, " ", string(r.Body)))
		out.seqs = append(out.seqs, r.Seq)
		return nil
	}
	var err error
	out.Log, err = eventlog.Open(dir, o)
	return out, err
}

func open(t testing.TB, fs vfs.FS) *opened {
	t.Helper()
	l, err := openOn(fs, eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func appendAll(t testing.TB, l *opened, list []eventlog.Entry) []eventlog.Result {
	t.Helper()
	results, err := l.Append(list)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func shut(t testing.TB, l *opened) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestAppend writes, tells what is known from what is new, and has all of it
// when it is opened anew.
func TestAppend(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	first := appendAll(t, l, entries(1, 3))
	for i, r := range first {
		if r.Seq != uint64(i+1) || r.Known || r.Err != nil || r.Log != l.ID() {
			t.Errorf("%+v", r)
		}
	}
	other := entry(2)
	other.Digest[15] = 1
	again := appendAll(t, l, []eventlog.Entry{entry(3), entry(4), entry(4), other})
	if again[0].Receipt != first[2].Receipt || !again[0].Known || again[1].Seq != 4 || again[1].Known ||
		again[2].Receipt != again[1].Receipt || !again[2].Known || !errors.Is(again[3].Err, eventlog.ErrTokenReused) {
		t.Errorf("%+v", again)
	}
	if last := l.Last(); last != again[1].Receipt {
		t.Errorf("the last one is %+v", last)
	}
	if _, err := l.Append([]eventlog.Entry{{Body: make([]byte, eventlog.MaxBody+1)}}); err == nil {
		t.Error("a body is longer than may be, and is taken")
	}
	id := l.ID()
	shut(t, l)
	if _, err := l.Append(entries(9, 1)); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}

	l = open(t, fs)
	if l.ID() != id || len(l.replayed) != 4 || l.Last() != again[1].Receipt || l.Torn() != (eventlog.Torn{}) {
		t.Errorf("%v %q %+v", l.ID(), l.replayed, l.Last())
	}
	if r := appendAll(t, l, entries(4, 2)); !r[0].Known || r[0].Receipt != again[1].Receipt || r[1].Seq != 5 {
		t.Errorf("%+v", r)
	}
	shut(t, l)
}

// TestScan reads what is there after a number, and stops where it is told to.
func TestScan(t *testing.T) {
	l := open(t, vfs.NewMem())
	defer shut(t, l)
	appendAll(t, l, entries(1, 5))
	var got []uint64
	read := func(r *eventlog.Record) error {
		if want := entry(int(r.Seq)); string(r.Body) != string(want.Body) || r.Kind != eventlog.Whole || r.When().IsZero() {
			t.Errorf("%+v", r)
		}
		got = append(got, r.Seq)
		return nil
	}
	for after, want := range map[uint64]string{0: "[1 2 3 4 5]", 3: "[4 5]", 5: "[]", 99: "[]"} {
		got = []uint64{}
		if err := l.Scan(after, read); err != nil || fmt.Sprint(got) != want {
			t.Errorf("after %d: %v, %v", after, got, err)
		}
	}
	if err := l.Scan(0, func(*eventlog.Record) error { return io.EOF }); err != io.EOF {
		t.Errorf("%v", err)
	}
}

// TestWait waits for the next record, for the end of the context, and for that
// of the log.
func TestWait(t *testing.T) {
	l := open(t, vfs.NewMem())
	appendAll(t, l, entries(1, 1))
	if err := l.Wait(t.Context(), 0); err != nil {
		t.Error(err)
	}
	waited := make(chan error)
	go func() { waited <- l.Wait(t.Context(), 1) }()
	appendAll(t, l, entries(2, 1))
	if err := <-waited; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Wait(ctx, 2); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	go func() { waited <- l.Wait(t.Context(), 2) }()
	shut(t, l)
	if err := <-waited; !errors.Is(err, eventlog.ErrClosed) {
		t.Error(err)
	}
}

// TestApplied sees every record once, in order, before its Append returns.
func TestApplied(t *testing.T) {
	var mu sync.Mutex
	applied := map[uint64]bool{}
	var last uint64
	l, err := openOn(vfs.NewMem(), eventlog.Options{Applied: func(list []eventlog.Record) {
		mu.Lock()
		defer mu.Unlock()
		for i := range list {
			if list[i].Seq != last+1 {
				t.Errorf("record %d is applied after %d", list[i].Seq, last)
			}
			last = list[i].Seq
			applied[last] = true
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, l)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 50 {
				results, err := l.Append(entries(1000*w+3*i, 3))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, r := range results {
					if !applied[r.Seq] {
						t.Errorf("record %d is acknowledged and not applied", r.Seq)
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if last != 16*50*3 {
		t.Errorf("%d records", last)
	}
}

// TestTimesNeverGoBack holds although the clock does.
func TestTimesNeverGoBack(t *testing.T) {
	fs := vfs.NewMem()
	now := time.Unix(1000, 0)
	for range 3 {
		l, err := openOn(fs, eventlog.Options{Now: func() time.Time { now = now.Add(-time.Second); return now }})
		if err != nil {
			t.Fatal(err)
		}
		n := int(l.Last().Seq)
		for i := range 3 {
			if r := appendAll(t, l, entries(n+i, 1)); r[0].Time != time.Unix(999, 0).UnixNano() {
				t.Errorf("%v", time.Unix(0, r[0].Time))
			}
		}
		shut(t, l)
	}
}

// TestRedact takes bodies out of the log and off the disk, and leaves the chain
// whole.
func TestRedact(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	const secret = "customer C-123"
	hidden := entry(7)
	hidden.Body = []byte(secret)
	appendAll(t, l, append(entries(1, 3), hidden, entry(8)))
	if err := l.Redact([]uint64{4, 99}); err != nil {
		t.Fatal(err)
	}
	if err := l.Redact([]uint64{4}); err != nil {
		t.Errorf("once more: %v", err)
	}
	receipt := appendAll(t, l, []eventlog.Entry{hidden})[0]
	if !receipt.Known || receipt.Seq != 4 {
		t.Errorf("a redacted entry is known no more: %+v", receipt)
	}
	shut(t, l)
	if found := search(t, fs, dir, secret); found != "" {
		t.Errorf("%s still holds the body", found)
	}
	l = open(t, fs)
	defer shut(t, l)
	if len(l.replayed) != 5 || l.replayed[3] != fmt.Sprint(eventlog.Redacted, " ") || l.replayed[2] != fmt.Sprint(eventlog.Whole, " ", string(entry(3).Body)) {
		t.Errorf("%q", l.replayed)
	}
}

// search returns the name of a file that holds some text.
func search(t *testing.T, fs vfs.FS, at, text string) (found string) {
	t.Helper()
	names, err := fs.List(at)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := fs.PathJoin(at, name)
		info, err := fs.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			if in := search(t, fs, path, text); in != "" {
				return in
			}
			continue
		}
		if strings.Contains(string(readFile(t, fs, path)), text) {
			return name
		}
	}
	return ""
}

func readFile(t testing.TB, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, fs vfs.FS, path string, b []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestOneProcess refuses a log that is open.
func TestOneProcess(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	if _, err := openOn(fs, eventlog.Options{}); err == nil {
		t.Error("it is opened twice")
	}
	shut(t, l)
	shut(t, open(t, fs))
}

// TestMissing refuses a log of which a part is gone, and one whose parts are of
// two logs.
func TestMissing(t *testing.T) {
	made := func() *vfs.MemFS {
		fs := vfs.NewMem()
		l := open(t, fs)
		appendAll(t, l, entries(1, 3))
		shut(t, l)
		return fs
	}
	for name, harm := range map[string]func(fs *vfs.MemFS) error{
		"HEAD is gone": func(fs *vfs.MemFS) error { return fs.Remove(dir + "/HEAD") },
		"db is gone":   func(fs *vfs.MemFS) error { return fs.RemoveAll(dir + "/db") },
		"another HEAD": func(fs *vfs.MemFS) error {
			writeFile(t, fs, dir+"/HEAD", readFile(t, made(), dir+"/HEAD"))
			return nil
		},
		"an empty HEAD": func(fs *vfs.MemFS) error { writeFile(t, fs, dir+"/HEAD", nil); return nil },
	} {
		fs := made()
		if err := harm(fs); err != nil {
			t.Fatal(err)
		}
		if _, err := openOn(fs, eventlog.Options{}); !errors.Is(err, eventlog.ErrCorrupt) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReplayRefuses passes on what the caller says of a record.
func TestReplayRefuses(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	appendAll(t, l, entries(1, 3))
	shut(t, l)
	_, err := eventlog.Open(dir, eventlog.Options{FS: fs, Replay: func(r *eventlog.Record) error {
		if r.Seq == 2 {
			return io.ErrUnexpectedEOF
		}
		return nil
	}})
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "record 2") {
		t.Errorf("%v", err)
	}
}

// TestFormatPage checks that FORMAT.md is about this version.
func TestFormatPage(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil || !strings.Contains(string(doc), "version "+strconv.Itoa(eventlog.Version)+",") {
		t.Errorf("FORMAT.md does not name version %d: %v", eventlog.Version, err)
	}
}
