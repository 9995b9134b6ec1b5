package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// contents reads everything that a snapshot answers with.
func contents(t testing.TB, s *Snapshot) string {
	t.Helper()
	var out strings.Builder
	var r Record
	var p Profile
	for shard := range s.RecordShards {
		for addr := range s.Addrs(shard) {
			if _, err := s.Record(addr, nil, &r); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%v %d\n", r.ID, r.Born)
			for i := range r.Len() {
				fmt.Fprintf(&out, "%+v\n", r.Node(i))
			}
			for i := range r.Spares() {
				fmt.Fprintf(&out, "%+v\n", r.Spare(i))
			}
			ps := r.Profiles()
			for ps.Next(&p) {
				fmt.Fprintf(&out, "%+v\n", p)
			}
			if ps.Err() != nil {
				t.Fatal(ps.Err())
			}
			block, err := s.ReadCold(s.ColdBlockOf(addr, &r))
			if err != nil {
				t.Fatal(err)
			}
			cold, err := s.Cold(block, &r)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%+v\n", *cold)
		}
	}
	in, err := s.Inspect(1000)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "%+v\n", in)
	return out.String()
}

// What was written is what is read, whichever memory it is served from.
func TestCopyEqualsMap(t *testing.T) {
	store, cur, files := sampleStore(t, 4000)
	want := contents(t, openSample(t, files, cur.Manifest))
	for _, m := range []Memory{Map, Copy} {
		s, err := store.Open(cur, m)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(IdentifierHasher(sampleSecret())); err != nil {
			t.Fatal(err)
		}
		if got := contents(t, s); got != want {
			t.Errorf("memory %s: the contents differ from those of the bytes", m)
		}
		for _, f := range s.files {
			if (f.copied != nil) != (m == Copy) {
				t.Errorf("memory %s: %s has a copy of %d bytes", m, f.name, len(f.copied))
			}
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	}
	if _, err := store.Open(cur, "disk"); err == nil {
		t.Error("an unknown kind of memory is accepted")
	}
}

// Records come back as they were written.
func TestRecordsAreWhatWasWritten(t *testing.T) {
	files, hash := sampleFiles(t, 1, 4, 500)
	s := openSample(t, files, hash)
	for _, p := range samplePersons(t, s.Dictionaries, 500) {
		r, _, ok := lookup(t, s, p.Nodes[0].Hash)
		if !ok || r.ID != p.ID || r.Born != p.Born || r.Len() != len(p.Nodes) || r.Spares() != len(p.Spares) {
			t.Fatalf("person %v is %+v", p.ID, r)
		}
		for i, n := range p.Nodes {
			want := RecordNode{int(n.Parent), n.Namespace, n.Method, n.Source, n.Seen}
			if got := r.Node(i); got != want {
				t.Fatalf("identifier %d of %v is %+v, want %+v", i, p.ID, got, want)
			}
		}
		for i := range p.Spares {
			if got := r.Spare(i); got != p.Spares[i] {
				t.Fatalf("spare %d of %v is %+v, want %+v", i, p.ID, got, p.Spares[i])
			}
		}
		var q Profile
		ps := r.Profiles()
		for i := range p.Profiles {
			if !ps.Next(&q) || fmt.Sprint(q) != fmt.Sprint(p.Profiles[i]) {
				t.Fatalf("profile %d of %v is %+v, want %+v", i, p.ID, q, p.Profiles[i])
			}
		}
		if ps.Next(&q) || ps.Err() != nil {
			t.Fatalf("%v: a profile too many, or %v", p.ID, ps.Err())
		}
	}
}

// A record lies in the caller's buffer: the snapshot may be closed, or its
// bytes overwritten, and what was read stays.
func TestRecordDoesNotPointIntoTheSnapshot(t *testing.T) {
	files, hash := sampleFiles(t, 1, 1, 20)
	s, err := OpenBytes(files, hash)
	if err != nil {
		t.Fatal(err)
	}
	var r Record
	for addr := range s.Addrs(0) {
		if _, err = s.Record(addr, nil, &r); err != nil {
			t.Fatal(err)
		}
	}
	text := func() string {
		var p Profile
		out := fmt.Sprint(r.ID, r.Born, r.confirms)
		for i := range r.Len() {
			out += fmt.Sprint(r.Node(i))
		}
		for ps := r.Profiles(); ps.Next(&p); {
			out += fmt.Sprint(p)
		}
		return out
	}
	want := text()
	for _, data := range files {
		clear(data)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := text(); got != want {
		t.Errorf("the record changed to %s", got)
	}
}

// A record that changes after Open is not answered from, nor is a cold block.
func TestRecordThatChangesIsRefused(t *testing.T) {
	files, hash := sampleFiles(t, 1, 1, 200)
	s, err := OpenBytes(files, hash)
	if err != nil {
		t.Fatal(err)
	}
	var r Record
	refused := 0
	for addr := range s.Addrs(0) {
		_, at := s.Place(addr)
		body := at + recordHead + 3
		s.hot[0][body] ^= 1
		if _, err := s.Record(addr, nil, &r); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("record at %d: %v", at, err)
		}
		s.hot[0][body] ^= 1
		refused++
	}
	if refused != 200 {
		t.Fatalf("%d records", refused)
	}
	s.cold[0].blocks[5] ^= 1
	if _, err := s.ReadCold(ColdBlock{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("cold block: %v", err)
	}
}

// A record of another place does not pass for the one that is due there.
func TestRecordOfAnotherPlaceIsRefused(t *testing.T) {
	files, hash := sampleFiles(t, 1, 1, 200)
	s, err := OpenBytes(files, hash)
	if err != nil {
		t.Fatal(err)
	}
	var places []uint64
	for addr := range s.Addrs(0) {
		_, at := s.Place(addr)
		places = append(places, at)
	}
	moved := 0
	for i := 1; i+5 < len(places); i++ {
		// The record five on, which is as long.
		from, to, size := places[i+5-1], places[i-1], places[i]-places[i-1]
		if places[i+5]-places[i+5-1] != size {
			continue
		}
		old := bytes.Clone(s.hot[0][to : to+size])
		copy(s.hot[0][to:to+size], s.hot[0][from:from+size])
		var r Record
		if _, err := s.Record(to/recordAlign, nil, &r); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("the record of %d is served from %d: %v", from, to, err)
		}
		copy(s.hot[0][to:], old)
		moved++
	}
	if moved == 0 {
		t.Fatal("no two records are of one length")
	}
}

// Any address may be asked for: what is none is refused, and nothing crashes.
func TestAnyAddressIsSafe(t *testing.T) {
	files, hash := sampleFiles(t, 1, 2, 50)
	s := openSample(t, files, hash)
	addrs := []uint64{1, 3, 5, 1 << 20, 1 << 40, 1 << 60, 1 << 61, 1 << 62, 1 << 63, ^uint64(0)}
	for i := range uint64(64) {
		addrs = append(addrs, ^uint64(0)-i, ^uint64(0)>>i, uint64(len(s.hot[0]))/recordAlign<<s.recordBits-i)
	}
	var r Record
	for _, addr := range addrs {
		s.Prefetch(addr)
		if _, err := s.Record(addr, nil, &r); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("address %#x: %v", addr, err)
		}
	}
	for _, b := range []uint32{1, 1000, 1<<32 - 1} {
		if _, err := s.ReadCold(ColdBlock{Block: b}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cold block %d: %v", b, err)
		}
	}
}

// A mapped file that shrinks makes reads fail with an error, and no crash.
func TestGuardTurnsFaultsIntoErrors(t *testing.T) {
	store, cur, _ := sampleStore(t, 4000)
	s, err := store.Open(cur, Map)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(store.Dir(), snapshotsName, cur.Name, "records-0000"), 0); err != nil {
		t.Fatal(err)
	}
	var r Record
	err = Guard(func() error {
		_, err := s.Record(0, nil, &r)
		return err
	})
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("a record of a file that was truncated: %v", err)
	}
	if err := s.Verify(IdentifierHasher(sampleSecret())); !errors.Is(err, ErrCorrupt) {
		t.Errorf("verify: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// In a copy, a truncated file does not even show.
func TestCopySurvivesATruncatedFile(t *testing.T) {
	store, cur, _ := sampleStore(t, 1000)
	s, err := store.Open(cur, Copy)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"records-0000", "index-0000"} {
		if err := os.Truncate(filepath.Join(store.Dir(), snapshotsName, cur.Name, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range samplePersons(t, s.Dictionaries, 1000) {
		if r, _, ok := lookup(t, s, p.Nodes[0].Hash); !ok || r.ID != p.ID {
			t.Fatalf("person %v is not found", p.ID)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A mistake of the program is not taken for a damaged file.
func TestGuardLetsMistakesPass(t *testing.T) {
	var nothing *Record
	var none []byte
	for what, f := range map[string]func(){
		"nil dereference": func() { _ = nothing.Born },
		"out of range":    func() { _ = none[len(none)] },
		"a panic":         func() { panic("mistake") },
		"an error":        func() { panic(errors.New("mistake")) },
	} {
		caught := func() (r any) {
			defer func() { r = recover() }()
			err := Guard(func() error { f(); return nil })
			t.Errorf("%s: Guard returns %v", what, err)
			return nil
		}()
		if caught == nil {
			t.Errorf("%s: did not panic", what)
		}
		if e, ok := caught.(runtime.Error); ok && IsFault(e) {
			t.Errorf("%s: is taken for a fault", what)
		}
	}
	want := errors.New("as it is")
	if err := Guard(func() error { return want }); err != want {
		t.Errorf("an error comes out as %v", err)
	}
}
