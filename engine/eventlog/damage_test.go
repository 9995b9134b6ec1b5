package eventlog

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// copyOf is a copy of a disk.
func copyOf(mem *vfs.MemFS) *vfs.MemFS {
	return mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
}

// flips is how many bits are flipped.
func flips() int {
	if testing.Short() {
		return 60
	}
	return 1000
}

// refused checks that a log is refused as damaged, with what to do, that
// nothing of it was changed by trying, and how far it was replayed.
func refused(t *testing.T, mem *vfs.MemFS, what string) {
	t.Helper()
	before := contents(t, mem)
	l, err := Open("log", Options{FS: mem, Now: clock})
	if err == nil {
		t.Errorf("%s: opened, torn %+v", what, l.Torn())
		_ = l.Close()
		return
	}
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), advice) {
		t.Errorf("%s: %v", what, err)
	}
	if after := contents(t, mem); after != before {
		t.Errorf("%s: it was changed", what)
	}
}

// contents are all files but the lock.
func contents(t *testing.T, mem *vfs.MemFS) string {
	t.Helper()
	var b strings.Builder
	names, _ := mem.List("log")
	slices.Sort(names)
	for _, n := range names {
		if n == headName {
			b.Write(read(t, mem, "log/HEAD"))
		}
	}
	names, _ = mem.List("log/store")
	slices.Sort(names)
	for _, n := range names {
		if n != "LOCK" {
			b.WriteString(n)
			b.Write(read(t, mem, "log/store/"+n))
		}
	}
	return b.String()
}

// A bit flipped anywhere in the write-ahead log of a killed process, but for
// its last commit: the log is refused. In the last commit: its end is torn off,
// and noted.
func TestFlipsInWriteAheadLog(t *testing.T) {
	killed, sizes := tearable(t, 400) // several blocks of 32 KiB
	name := logFile(t, killed)
	n := len(sizes)
	if sizes[n-1] < 2*32<<10 {
		t.Fatalf("the log is of %d bytes", sizes[n-1])
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range flips() {
		at, bit := rng.IntN(sizes[n-2]), uint(rng.IntN(8))
		mem := copyOf(killed)
		flip(t, mem, name, at, bit)
		refused(t, mem, "a flip in the middle")
		if t.Failed() {
			t.Fatalf("byte %d of %d, bit %d", at, sizes[n-1], bit)
		}
	}
	for range flips() / 4 {
		at, bit := sizes[n-2]+rng.IntN(sizes[n-1]-sizes[n-2]), uint(rng.IntN(8))
		mem := copyOf(killed)
		flip(t, mem, name, at, bit)
		tornOff(t, mem, uint64(n))
		if t.Failed() {
			t.Fatalf("byte %d of %d, bit %d", at, sizes[n-1], bit)
		}
	}
}

// tornOff checks that the last record of n is lost, and that this stays known.
func tornOff(t *testing.T, mem *vfs.MemFS, n uint64) {
	t.Helper()
	l, err := Open("log", Options{FS: mem, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	if torn := l.Torn(); torn == nil || *torn != (Torn{n, n, n + 1}) {
		t.Errorf("torn: %+v", torn)
	}
	if r := add(t, l, entries(int(n-1), int(n))...); r[0].Seq != n+2 || r[0].Known {
		t.Errorf("sent again: %+v", r[0])
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, mem, Options{})
	list := all(t, l, n-2)
	if l.Torn() != nil || len(list) != 3 || list[0].Seq != n-1 || list[1].Seq != n+1 || list[1].Kind != Gap || list[2].Seq != n+2 {
		t.Errorf("torn %+v; %+v", l.Torn(), list)
	}
	_ = l.Close()
}

// flushed is a log of n records whose records are in tables, closed.
func flushed(t *testing.T, n int) *vfs.MemFS {
	t.Helper()
	mem := vfs.NewCrashableMem()
	l := open(t, mem, Options{})
	add(t, l, entries(0, n)...)
	if err := l.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return mem
}

// A bit flipped in any record in a table, the last too: the log is refused.
// Anywhere else in a table: refused, or nothing of the log depends on it. The
// store looks for the flipped bit, in a time that grows with the square of a
// block; so most flips are in a block that is not full, and fewer in several
// that are.
func TestFlipsInTables(t *testing.T) {
	flipsInTables(t, 40, flips()/3)
	flipsInTables(t, 300, flips()/20)
}

func flipsInTables(t *testing.T, n, times int) {
	t.Helper()
	mem := flushed(t, n)
	rng := rand.New(rand.NewPCG(5, 6))
	table := ""
	for _, f := range files(t, mem) {
		if strings.HasSuffix(f, ".sst") && bytes.Contains(read(t, mem, f), []byte("body of event 7")) {
			table = f
		}
	}
	if table == "" {
		t.Fatal("no table has the records")
	}
	b := read(t, mem, table)
	for range times {
		body := entries(0, n)[rng.IntN(n)].Body
		i := bytes.Index(b, body)
		if i < 0 {
			t.Fatalf("%q is not in the table", body)
		}
		at, bit := i+len(body)-1-rng.IntN(fixedSize+saltSize+digestSize+len(body)), uint(rng.IntN(8))
		damaged := copyOf(mem)
		flip(t, damaged, table, at, bit)
		refused(t, damaged, "a flip in a record")
		if t.Failed() {
			t.Fatalf("byte %d, bit %d", at, bit)
		}
	}
	want := all(t, open(t, copyOf(mem), Options{}), 0)
	for range times / 2 {
		at, bit := rng.IntN(len(b)), uint(rng.IntN(8))
		damaged := copyOf(mem)
		flip(t, damaged, table, at, bit)
		l, err := Open("log", Options{FS: damaged, Now: clock})
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("byte %d, bit %d: %v", at, bit, err)
			}
			continue
		}
		if l.Torn() != nil || !slices.EqualFunc(all(t, l, 0), want, func(a, b Record) bool { return a.Hash == b.Hash && bytes.Equal(a.Body, b.Body) }) {
			t.Fatalf("byte %d, bit %d: other records", at, bit)
		}
		_ = l.Close()
	}
}

// A bit flipped in HEAD changes nothing, or refuses the log: it never tears it.
func TestFlipsInHead(t *testing.T) {
	killed, _ := tearable(t, 5)
	size := len(read(t, killed, "log/HEAD"))
	opened := 0
	for at := range size {
		if at >= slotSize && at < slotGap || testing.Short() && at%9 > 0 {
			continue
		}
		mem := copyOf(killed)
		flip(t, mem, "log/HEAD", at, uint(at%8))
		l, err := Open("log", Options{FS: mem, Now: clock})
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		if l.Torn() != nil || len(all(t, l, 0)) != 5 {
			t.Errorf("byte %d: torn %+v", at, l.Torn())
		}
		opened++
		_ = l.Close()
	}
	if !testing.Short() && opened != 2*slotSize {
		t.Errorf("%d flips", opened)
	}
}

// Damage of other kinds is refused too, and told apart from a log that is being
// made.
func TestDamage(t *testing.T) {
	remove := func(suffix string) func(*testing.T, *vfs.MemFS) {
		return func(t *testing.T, mem *vfs.MemFS) {
			n := 0
			for _, f := range files(t, mem) {
				if strings.Contains(f, suffix) {
					n++
					if err := mem.Remove(f); err != nil {
						t.Fatal(err)
					}
				}
			}
			if n == 0 {
				t.Fatalf("no file %s", suffix)
			}
		}
	}
	for _, c := range []struct {
		name string
		f    func(*testing.T, *vfs.MemFS)
		want string
	}{
		{"no HEAD", remove("HEAD"), "HEAD is missing"},
		{"no table", remove(".sst"), "type sstable"},
		{"no write-ahead log", remove(".log"), "more than a torn end"},
		{"no manifest", remove("MANIFEST-"), "no store"},
		{"no marker", remove("marker.manifest"), "store"},
		{"no store", func(t *testing.T, mem *vfs.MemFS) {
			if err := mem.RemoveAll("log/store"); err != nil {
				t.Fatal(err)
			}
		}, "store is missing"},
		{"an empty store", func(t *testing.T, mem *vfs.MemFS) {
			if err := errors.Join(mem.RemoveAll("log/store"), mem.MkdirAll("log/store", 0o755)); err != nil {
				t.Fatal(err)
			}
		}, "no store"},
		{"both slots of HEAD", func(t *testing.T, mem *vfs.MemFS) {
			flip(t, mem, "log/HEAD", 30, 1)
			flip(t, mem, "log/HEAD", slotGap+30, 1)
		}, "neither slot"},
		{"the HEAD of another log", func(t *testing.T, mem *vfs.MemFS) {
			other := flushed(t, 9)
			if _, err := vfs.Clone(other, mem, "log/HEAD", "log/HEAD"); err != nil {
				t.Fatal(err)
			}
		}, "of the log"},
		{"a HEAD that lags, and names another record", func(t *testing.T, mem *vfs.MemFS) {
			a, s, err := readHead(mem, "log/HEAD")
			if err != nil {
				t.Fatal(err)
			}
			s.commit, s.seq = s.commit-4, s.seq-4
			h, err := newHead(mem, "log", a, s)
			if err := errors.Join(err, h.close()); err != nil {
				t.Fatal(err)
			}
		}, "record 5 is not the one that HEAD names"},
		{"an older store", func(t *testing.T, mem *vfs.MemFS) {
			old := copyOf(mem)
			l := open(t, mem, Options{})
			add(t, l, entries(100, 104)...)
			_ = l.Close()
			if err := mem.RemoveAll("log/store"); err != nil {
				t.Fatal(err)
			}
			if _, err := vfs.Clone(old, mem, "log/store", "log/store"); err != nil {
				t.Fatal(err)
			}
		}, "more than a torn end"},
		{"a record changed", edit(func(b *pebble.Batch, s *stored) error {
			s.secret[len(s.secret)-1]++
			return b.Set(recordKey(3), s.encode(nil), nil)
		}), "record 3: what it holds"},
		{"the first record changed", func(t *testing.T, mem *vfs.MemFS) {
			change(t, mem, 1, func(v []byte) []byte { v[fixedSize-1]++; return v })
		}, "record 1: what it holds"},
		{"a record removed", edit(func(b *pebble.Batch, _ *stored) error { return b.Delete(recordKey(3), nil) }), "records 3 to 3 are missing"},
		{"the last record removed", edit(func(b *pebble.Batch, _ *stored) error { return b.Delete(recordKey(9), nil) }), "records 9 to 9 are missing"},
		{"a record added", edit(func(b *pebble.Batch, s *stored) error { return b.Set(recordKey(10), s.encode(nil), nil) }), "record 10"},
		{"a record of another kind", edit(func(b *pebble.Batch, s *stored) error {
			s.Kind = Trim
			return b.Set(recordKey(3), s.encode(nil), nil)
		}), "record 3"},
		{"a record written anew", edit(func(b *pebble.Batch, s *stored) error {
			s.secret[len(s.secret)-1]++
			s.seal()
			s.Hash = s.Chain(s.Prev)
			return b.Set(recordKey(3), s.encode(nil), nil)
		}), "record 4: what it holds"},
		{"a gap that is none", edit(func(b *pebble.Batch, _ *stored) error {
			s := own(Gap, gapBody(span{3, 2}, state{}))
			return b.Set(recordKey(3), s.encode(nil), nil)
		}), "record 3"},
		{"a key that is none", edit(func(b *pebble.Batch, _ *stored) error { return b.Set([]byte{prefixRecord, 7}, []byte("x"), nil) }), "is not of a record"},
		{"no state", edit(func(b *pebble.Batch, _ *stored) error { return b.Delete(keyState, nil) }), "state"},
		{"no id", edit(func(b *pebble.Batch, _ *stored) error { return b.Delete(keyAbout, nil) }), "which log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem := flushed(t, 5)
			l := open(t, mem, Options{})
			add(t, l, entries(5, 9)...)
			_ = l.Close()
			c.f(t, mem)
			refused(t, mem, c.name)
			if l, err := Open("log", Options{FS: mem}); err == nil {
				_ = l.Close()
			} else if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, and not %q", err, c.want)
			}
		})
	}
}

// edit changes the store of a log behind its back; record 3 is handed in.
func edit(f func(*pebble.Batch, *stored) error) func(*testing.T, *vfs.MemFS) {
	return func(t *testing.T, mem *vfs.MemFS) {
		t.Helper()
		db, err := openEdit(mem)
		if err != nil {
			t.Fatal(err)
		}
		v, err := get(db, recordKey(3))
		if err != nil {
			t.Fatal(err)
		}
		s, err := decode(3, v)
		if err != nil {
			t.Fatal(err)
		}
		before, err := get(db, recordKey(2))
		if err != nil {
			t.Fatal(err)
		}
		two, err := decode(2, before)
		if err != nil {
			t.Fatal(err)
		}
		s.Prev = two.Hash
		b := db.NewBatch()
		if err := errors.Join(f(b, &s), b.Commit(pebble.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// openEdit opens the store of a log as no log does.
func openEdit(mem *vfs.MemFS) (*pebble.DB, error) {
	return pebble.Open("log/store", &pebble.Options{FS: mem, FormatMajorVersion: pebble.FormatNewest, Logger: &watch{gate: newGate(mem)}})
}

// Without HEAD a log opens where one says so, and has one afterwards.
func TestWithoutHead(t *testing.T) {
	mem := flushed(t, 5)
	if err := mem.Remove("log/HEAD"); err != nil {
		t.Fatal(err)
	}
	l := open(t, mem, Options{WithoutHead: true})
	if n := len(all(t, l, 0)); n != 5 {
		t.Errorf("%d records", n)
	}
	reopen(t, l, mem, Options{})
}
