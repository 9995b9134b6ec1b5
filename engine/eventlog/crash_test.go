package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/matchd/matchd/engine/eventlog/faultvfs"
)

// moment is what was on a disk at some moment, and what a client knew then.
type moment struct {
	at   int64
	op   string
	kept []*vfs.MemFS // after a power cut, without what was not synced, with half of it, and with all
	know knowledge
}

// knowledge is what a client was told.
type knowledge struct {
	acked    map[string]Receipt // by body
	redacted map[uint64]bool
	trimmed  uint64 // below
}

// camera takes a picture of a disk before each operation that changes it.
type camera struct {
	mu    sync.Mutex
	mem   *vfs.MemFS
	rng   *rand.Rand
	know  knowledge
	every int64
	n     int64
	taken []moment
}

func (c *camera) String() string { return "camera" }

func (c *camera) MaybeError(op errorfs.Op) error {
	if !faultvfs.Alters(op) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n++; c.n%c.every != 0 {
		return nil
	}
	m := moment{at: c.n, op: fmt.Sprint(op.Kind, " ", op.Path), know: knowledge{maps.Clone(c.know.acked), maps.Clone(c.know.redacted), c.know.trimmed}}
	for _, percent := range []int{0, 50, 100} {
		m.kept = append(m.kept, c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng}))
	}
	c.taken = append(c.taken, m)
	return nil
}

// told notes what a client is told.
func (c *camera) told(f func(*knowledge)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.know)
}

func newCamera() *camera {
	c := &camera{mem: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(1, 2)), every: 1}
	c.know = knowledge{acked: map[string]Receipt{}, redacted: map[uint64]bool{}}
	if testing.Short() {
		c.every = 7
	}
	return c
}

func (c *camera) fs() vfs.FS { return errorfs.Wrap(c.mem, c) }

// keepEven is what trimmings in these tests keep.
func keepEven(r Record) bool { return r.Seq%2 == 0 }

// live has a log do all it does: appends of one and of many, notes, redactions,
// trimmings, flushes, compactions, and opening it again.
func (c *camera) live(t *testing.T) {
	ctx := context.Background()
	n := 0
	for round := range 3 {
		l, err := Open("log", Options{FS: c.fs(), Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		put := func(count int) {
			list := entries(n, n+count)
			n += count
			r, err := l.Append(ctx, list)
			if err != nil {
				t.Fatal(err)
			}
			c.told(func(k *knowledge) {
				for i := range r {
					k.acked[string(list[i].Body)] = r[i]
				}
			})
		}
		put(1)
		put(3)
		last, _, _ := l.Last()
		if err := l.Redact(ctx, []uint64{last, last - 2}); err != nil {
			t.Fatal(err)
		}
		c.told(func(k *knowledge) { k.redacted[last], k.redacted[last-2] = true, true })
		put(2)
		body := fmt.Sprint("note ", round)
		r, err := l.Note(ctx, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		c.told(func(k *knowledge) { k.acked[body] = r })
		if round > 0 {
			if err := l.Trim(ctx, last-1, keepEven); err != nil {
				t.Fatal(err)
			}
			c.told(func(k *knowledge) { k.trimmed = last - 1 })
		}
		if round != 1 {
			if err := l.Purge(ctx); err != nil {
				t.Fatal(err)
			}
		}
		put(1)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// sound checks a log against what a client knows.
func sound(t *testing.T, l *Log, k knowledge, m *moment) {
	t.Helper()
	if l.Torn() != nil {
		t.Errorf("%d %s: torn: %+v", m.at, m.op, l.Torn())
	}
	first, err := l.First()
	if err != nil || first < k.trimmed {
		t.Errorf("%d %s: trimmed below %d, and the first is %d: %v", m.at, m.op, k.trimmed, first, err)
	}
	bySeq := map[uint64]Record{}
	for _, r := range all(t, l, 0) {
		bySeq[r.Seq] = r
		if r.Seq < first && !keepEven(r) {
			t.Errorf("%d %s: record %d is there, and was trimmed", m.at, m.op, r.Seq)
		}
		if k.redacted[r.Seq] && !r.Redacted {
			t.Errorf("%d %s: record %d is not redacted", m.at, m.op, r.Seq)
		}
	}
	for body, receipt := range k.acked {
		r, ok := bySeq[receipt.Seq]
		switch {
		case !ok && receipt.Seq < first && receipt.Seq%2 == 1:
		case !ok:
			t.Errorf("%d %s: record %d is lost", m.at, m.op, receipt.Seq)
		case (r.Kind == Note) != strings.HasPrefix(body, "note "):
			t.Errorf("%d %s: record %d is of kind %d", m.at, m.op, receipt.Seq, r.Kind)
		case r.Hash != receipt.Hash || !r.Redacted && string(r.Body) != body:
			t.Errorf("%d %s: record %d is %+v", m.at, m.op, receipt.Seq, r)
		}
	}
}

// whole checks that of the appends of several entries all or none are there.
func wholeAppends(t *testing.T, l *Log, m *moment) {
	t.Helper()
	first, _ := l.First()
	there := map[string]bool{}
	for _, r := range all(t, l, 0) {
		if r.Seq >= first && !r.Redacted {
			there[string(r.Body)] = true
		}
	}
	for from := 0; from < 21; from += 7 {
		a, b := there[string(entry(fmt.Sprint("event ", from+4)).Body)], there[string(entry(fmt.Sprint("event ", from+5)).Body)]
		if a != b && first == 1 {
			t.Errorf("%d %s: half of an append is there", m.at, m.op)
		}
	}
}

// The machine loses its power before any operation: all that was acknowledged
// is there, and no more than what was asked for; what is sent again afterwards
// is taken once.
func TestPowerCut(t *testing.T) {
	c := newCamera()
	c.live(t)
	if len(c.taken) < 20 {
		t.Fatalf("%d moments", len(c.taken))
	}
	for i := range c.taken {
		m := &c.taken[i]
		for _, mem := range m.kept {
			l, err := Open("log", Options{FS: mem, Now: clock})
			if err != nil {
				t.Fatalf("%d %s: %v", m.at, m.op, err)
			}
			sound(t, l, m.know, m)
			wholeAppends(t, l, m)
			first, _ := l.First()
			r, err := l.Append(context.Background(), entries(0, 22))
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range entries(0, 22) {
				old, acked := m.know.acked[string(e.Body)]
				if acked && old.Seq >= first && (!r[i].Known || r[i].Seq != old.Seq || r[i].Hash != old.Hash) {
					t.Errorf("%d %s: sent again, record %d is %+v", m.at, m.op, old.Seq, r[i])
				}
			}
			l = reopen(t, l, mem, Options{})
			sound(t, l, m.know, m)
			_ = l.Close()
		}
		if t.Failed() {
			return
		}
	}
}

// tearable is a log whose last commit is in the write-ahead log, of a process
// that was killed.
func tearable(t *testing.T, n int) (_ *vfs.MemFS, sizes []int) {
	t.Helper()
	mem := vfs.NewCrashableMem()
	l := open(t, mem, Options{})
	for i := range n {
		add(t, l, entries(i, i+1)...)
		b := read(t, mem, logFile(t, mem))
		sizes = append(sizes, len(b))
	}
	kill := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return kill, sizes
}

// A machine that loses its power while a torn end is being noted has either
// noted it or notes it the next time, with numbers that are not used again.
func TestPowerCutWhileTorn(t *testing.T) {
	killed, sizes := tearable(t, 5)
	name := logFile(t, killed)
	c := newCamera()
	c.mem = killed
	flip(t, killed, name, sizes[3]+20, 3)
	l, err := Open("log", Options{FS: c.fs(), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	if torn := l.Torn(); torn == nil || *torn != (Torn{5, 5, 6}) {
		t.Fatalf("torn: %+v", torn)
	}
	_ = l.Close()
	noted := 0
	for _, m := range c.taken {
		for _, mem := range m.kept {
			l := open(t, mem, Options{})
			list := all(t, l, 0)
			if len(list) != 5 || list[4].Kind != Gap || list[4].Seq != 6 {
				t.Errorf("%d %s: %+v", m.at, m.op, list)
			}
			if l.Torn() == nil {
				noted++
			}
			if r := add(t, l, entry("another")); r[0].Seq != 7 {
				t.Errorf("the next is %+v", r)
			}
			_ = l.Close()
		}
	}
	if noted == 0 || noted == len(c.taken)*3 {
		t.Errorf("noted in %d of %d", noted, len(c.taken)*3)
	}
}

// logFile is the newest write-ahead log.
func logFile(t testing.TB, fs vfs.FS) (name string) {
	t.Helper()
	for _, n := range files(t, fs) {
		if isLog(n) {
			name = max(name, n)
		}
	}
	if name == "" {
		t.Fatal("there is no write-ahead log")
	}
	return name
}

// files lists a log's files.
func files(t testing.TB, fs vfs.FS) (list []string) {
	t.Helper()
	names, err := fs.List("log/store")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		list = append(list, "log/store/"+n)
	}
	return append(list, "log/HEAD")
}

func read(t testing.TB, fs *vfs.MemFS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

// flip flips a bit of a file.
func flip(t testing.TB, fs *vfs.MemFS, name string, at int, bit uint) {
	t.Helper()
	b := read(t, fs, name)
	b[at] ^= 1 << bit
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(b, 0)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}
