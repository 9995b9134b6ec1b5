package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matchd/matchd/index"
)

func named(i int) Current {
	return Current{Name: fmt.Sprintf("20260101T000000Z-%012x", i), Manifest: make(HexBytes, 32)}
}

func newServingStore(t *testing.T, snapshots int) *Store {
	t.Helper()
	s, err := CreateStore(OS{}, t.TempDir()+"/store", &index.Secret{1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range snapshots {
		if err := os.MkdirAll(s.path(snapshotsName, named(i).Name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestServedIsAListWithoutDoubles(t *testing.T) {
	s := newServingStore(t, 0)
	var want []string
	for _, i := range []int{1, 2, 2, 3, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 3} {
		if err := s.NoteServed(named(i)); err != nil {
			t.Fatal(err)
		}
		want = slices.DeleteFunc(want, func(n string) bool { return n == named(i).Name })
		want = slices.Insert(want, 0, named(i).Name)
		want = want[:min(len(want), MaxServed)]
		list, err := s.Served()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range list {
			got = append(got, c.Name)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("after %d: %v, want %v", i, got, want)
		}
	}
}

// TestDamagedPinIsNoUnpinnedStore refuses each way in which PIN and SERVED can
// be damaged by a byte.
func TestDamagedPinIsNoUnpinnedStore(t *testing.T) {
	s := newServingStore(t, 0)
	for _, f := range []struct {
		name, prefix string
		read         func() error
	}{
		{pinName, pinPrefix, func() error { _, _, err := s.Pinned(); return err }},
		{servedName, servedPrefix, func() error { _, err := s.Served(); return err }},
	} {
		sound := named(1).line(f.prefix)
		try := func(text string) error {
			if err := os.WriteFile(s.path(f.name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			return f.read()
		}
		if err := try(sound); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		for _, bad := range []string{
			sound[:len(sound)-1], sound[1:], sound[:40], strings.Replace(sound, " 1 ", " 2 ", 1),
			strings.Replace(sound, "20260101T", "../60101T", 1), strings.ToUpper(sound), sound + "x",
		} {
			if err := try(bad); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s %q: %v", f.name, bad, err)
			}
		}
	}
}

// TestPruneKeepsWhatDaemonsNeed prunes ten snapshots down to one.
func TestPruneKeepsWhatDaemonsNeed(t *testing.T) {
	s := newServingStore(t, 10)
	for _, err := range []error{
		writeFile(s.fs, s.path(currentName), named(9).format(), 0o644),
		s.NoteServed(named(2)), s.NoteServed(named(4)),
		writeFile(s.fs, s.path(pinName), []byte(named(1).line(pinPrefix)), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	d, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	gone, err := d.Prune(1)
	if err = errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	left, err := s.Snapshots()
	if want := []string{named(1).Name, named(4).Name, named(9).Name}; err != nil || len(gone) != 7 || !slices.Equal(left, want) {
		t.Errorf("left %v, gone %v, %v", left, gone, err)
	}
}

// renames calls back after each rename.
type renames struct {
	FS
	after func(from string)
}

func (r renames) Rename(from, to string) error {
	err := r.FS.Rename(from, to)
	r.after(from)
	return err
}

// TestPruneOfWhatIsPinnedMeanwhile pins a snapshot just when it has been moved
// away: it comes back, and the pin is told that it was not there.
func TestPruneOfWhatIsPinnedMeanwhile(t *testing.T) {
	s := newServingStore(t, 3)
	if err := writeFile(s.fs, s.path(currentName), named(2).format(), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	moved := "" // the first that is
	s.fs = renames{OS{}, func(from string) {
		if moved == "" {
			moved = filepath.Base(from)
			if err := s.Pin(Current{moved, make(HexBytes, 32)}); !errors.Is(err, fs.ErrNotExist) {
				t.Error("the pin found what had been moved away")
			}
		}
	}}
	_, err = d.Prune(1)
	if err = errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	if left, err := s.Snapshots(); err != nil || !slices.Contains(left, moved) || len(left) != 2 {
		t.Errorf("left %v, %v", left, err)
	}
}
