package faultfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot"
)

// cut returns the names and contents of a disk after a power cut.
func cut(t *testing.T, d *Disk, l Loss) string {
	t.Helper()
	dir := t.TempDir()
	if err := d.Cut(dir, l); err != nil {
		t.Fatal(err)
	}
	var out []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out = append(out, rel+"="+strings.ReplaceAll(string(b), "\x00", "0"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestDiskForgetsWhatWasNotSynced(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "old"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := NewDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string, l Loss) {
		t.Helper()
		if got := cut(t, d, l); got != want {
			t.Fatalf("%+v leaves %q, want %q", l, got, want)
		}
	}
	keep := []bool{true, true}
	f, err := d.Create(filepath.Join(dir, "new"), 0o600)
	must(err)
	_, err = f.Write([]byte("abcd"))
	must(err)
	expect("old=1", Loss{})
	expect("old=1", Loss{Bytes: Saved})
	expect("new= old=1", Loss{Kept: keep})
	expect("new=ab old=1", Loss{Bytes: Torn, Kept: keep})
	expect("new=0000 old=1", Loss{Bytes: Zeroed, Kept: keep})
	expect("new=abcd old=1", Loss{Bytes: Saved, Kept: keep})
	must(f.Sync())
	expect("old=1", Loss{})
	expect("new=abcd old=1", Loss{Kept: keep})
	must(d.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "old")))
	expect("old=1", Loss{})
	expect("old=abcd", Loss{Kept: keep})
	must(d.SyncDir(dir))
	expect("old=abcd", Loss{})
	must(d.MkdirAll(filepath.Join(dir, "a", "b"), 0o755))
	f, err = d.Create(filepath.Join(dir, "a", "b", "c"), 0o600)
	must(err)
	must(f.Close())
	if n := len(d.Losses(9)); n != 4*8 {
		t.Fatalf("%d losses for three folders", n)
	}
	expect("old=abcd", Loss{Kept: keep})
	expect("a/b/c= old=abcd", Loss{Kept: []bool{true, true, true}})
	must(d.RemoveAll(filepath.Join(dir, "old")))
	expect("old=abcd", Loss{})
	expect("", Loss{Kept: keep})
}

func TestStepsFailWhereTheyAreTold(t *testing.T) {
	dir := t.TempDir()
	stop := errors.New("stop")
	for want := 1; ; want++ {
		var done []string
		s := &Steps{FS: snapshot.OS{}, Tear: true, Before: func(step int, name string) error {
			if step == want {
				return stop
			}
			done = append(done, name)
			return nil
		}}
		err := func() error {
			f, err := s.Create(filepath.Join(dir, "x"), 0o600)
			if err != nil {
				return err
			}
			if _, err := f.Write([]byte("ab")); err != nil {
				return errors.Join(err, f.Close())
			}
			return errors.Join(f.Sync(), f.Close(), s.Rename(filepath.Join(dir, "x"), filepath.Join(dir, "y")), s.SyncDir(dir), s.RemoveAll(filepath.Join(dir, "y")))
		}()
		if err == nil {
			if want != 9 || s.Count() != 8 {
				t.Fatalf("%d steps: %v", s.Count(), done)
			}
			return
		}
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, "x")); err != nil {
			t.Fatal(err)
		}
	}
}
