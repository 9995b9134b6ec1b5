package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/spill"
	"github.com/matchd/matchd/snapshot/faultfs"
)

// storeBefore makes a store with a snapshot, and the options of a build over
// it that has it as its previous one.
func storeBefore(t *testing.T) (o Options, before map[string][]byte) {
	t.Helper()
	o = options(writeInputs(t, small), filepath.Join(t.TempDir(), "store"))
	run(t, o)
	o.AsOf, o.Previous = testAsOf.AddDate(0, 0, 1), Current
	return o, tree(t, o.Store)
}

// The disk is full at each write in turn, of spill files and of the snapshot:
// the build fails and says what it could not write and where, the store is as
// it was, byte for byte, and nothing is left behind, in the store or in the
// folder for temporary files.
func TestDiskFullAtEveryWrite(t *testing.T) {
	t.Parallel()
	for name, withTmp := range map[string]bool{"in the store": false, "in a folder": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, before := storeBefore(t)
			if withTmp {
				o.Tmp = t.TempDir()
			}
			failed := map[string]int{}
			for full := 1; ; full++ {
				n, what := 0, ""
				// A full disk stays full, and can still remove.
				fail := func(_ int, step string) error {
					if strings.HasPrefix(step, "write ") || strings.HasPrefix(step, "create ") || strings.HasPrefix(step, "mkdir ") {
						if n++; n >= full {
							if what == "" {
								what = step
							}
							return syscall.ENOSPC
						}
					}
					return nil
				}
				o.FS = gathered{&faultfs.Steps{FS: snapshot.OS{}, Before: fail}}
				spillAll(&o).before = fail
				_, err := Run(context.Background(), o)
				if what == "" {
					if err != nil {
						t.Fatal(err)
					}
					break
				}
				if strings.Contains(what, "CURRENT.tmp") {
					// The snapshot has its name already, and the old one is current.
					if err == nil || currentName(t, o.Store) == "" {
						t.Fatalf("%s: error %v", what, err)
					}
					break
				}
				if err == nil || !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("%s: error %v, want that the disk is full", what, err)
				}
				kind := "snapshot"
				if strings.Contains(what, "spill") || strings.Contains(what, "matchd-build-") {
					kind = "spill"
				}
				if kind == "spill" && !strings.Contains(err.Error(), "spill file ") && !strings.Contains(err.Error(), "temporary files") {
					t.Errorf("%s: %v does not say what was written", what, err)
				}
				sameTree(t, what, before, tree(t, o.Store))
				emptyDir(t, what, o.Tmp)
				failed[kind]++
			}
			if failed["spill"] < 25 || failed["snapshot"] < 10 {
				t.Errorf("the disk was full at %v: too few to be all writes", failed)
			}
		})
	}
}

// A bit of each spill file is flipped while the build runs: the build is
// refused, with the name of the file, and publishes nothing.
func TestDamagedSpillIsRefused(t *testing.T) {
	t.Parallel()
	o, _ := storeBefore(t)
	disk := spillAll(&o)
	run(t, o) // to learn which files there are
	o, before := storeBefore(t)
	for name := range disk.files {
		what := fmt.Sprintf("a damaged %q", name)
		var mu sync.Mutex // progress is said beside the stages
		damaged := false
		harm := func() error {
			mu.Lock()
			defer mu.Unlock()
			path := filepath.Join(o.Store, "snapshots", ".draft-spill", name)
			info, err := os.Stat(path)
			if damaged || errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
				return nil
			}
			damaged = true
			return errors.Join(err, flipBit(path, info.Size()/2))
		}
		spillAll(&o).before = func(int, string) error { return harm() }
		o.Progress = func(Progress) {
			if err := harm(); err != nil {
				t.Error(err)
			}
		}
		_, err := Run(context.Background(), o)
		if !damaged || !errors.Is(err, spill.ErrDamaged) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s (%t): error %v", what, damaged, err)
		}
		sameTree(t, what, before, tree(t, o.Store))
	}
	if len(disk.files) < 12 {
		t.Errorf("there are the files %v alone", disk.files)
	}
}

func flipBit(path string, at int64) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	b[0] ^= 4
	_, err = f.WriteAt(b, at)
	return err
}
