package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/faultfs"
)

// cutter cuts the power of a disk and looks at what is left.
type cutter struct {
	disk    *faultfs.Disk
	store   string // relative to the disk's folder
	scratch string // where to lay out what is left
	// seen has what was left before and has been checked.
	seen   map[string]bool
	losses int
}

// check opens the store after each way in which the power cut may end, and
// fails where it then has a snapshot that is none of want. Ways that leave the
// same as one before are not tried again.
func (c *cutter) check(t testing.TB, when string, want ...string) {
	t.Helper()
	for _, loss := range c.disk.Losses(3) {
		key := fmt.Sprintf("%x %q", c.disk.Sum(loss), want)
		if c.seen[key] {
			continue
		}
		c.seen[key] = true
		dir, err := os.MkdirTemp(c.scratch, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.disk.Cut(dir, loss); err != nil {
			t.Fatal(err)
		}
		now, ok := currentName(t, filepath.Join(dir, c.store)), false
		for _, name := range want {
			ok = ok || now == name
		}
		if !ok {
			t.Fatalf("power cut %s, leaving %+v: the store has snapshot %q, none of %q", when, loss, now, want)
		}
		c.losses++
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// newCutter makes a disk, with a store of the snapshot before where that is
// asked for; the store lies some folders deep.
func newCutter(t *testing.T, config string, before bool) (c *cutter, o Options, name string) {
	t.Helper()
	root := t.TempDir()
	c = &cutter{scratch: t.TempDir(), seen: map[string]bool{}, store: filepath.Join("a", "b", "store")}
	o = options(config, filepath.Join(root, c.store))
	o.Keep = 1
	if before {
		old := o
		old.AsOf = testAsOf.AddDate(0, -1, 0)
		name = run(t, old).Snapshot
	}
	var err error
	if c.disk, err = faultfs.NewDisk(root); err != nil {
		t.Fatal(err)
	}
	return c, o, name
}

var errStopped = errors.New("the process has been killed")

// The power is cut before each step of a build: in each way in which that may
// end, the store has the old snapshot or the new one. Once the build has said
// that it is done, it is the new one.
func TestPowerCutAtEveryStep(t *testing.T) {
	t.Parallel()
	config := writeInputs(t, small)
	after := run(t, options(config, filepath.Join(t.TempDir(), "store"))).Snapshot
	for name, before := range map[string]bool{"first build": false, "second build": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, o, old := newCutter(t, config, before)
			steps := &faultfs.Steps{FS: c.disk, Tear: true, Before: func(_ int, what string) error {
				c.check(t, "before "+what, old, after)
				return nil
			}}
			o.FS = gathered{steps}
			if got := run(t, o).Snapshot; got != after {
				t.Fatalf("the build made %q", got)
			}
			c.check(t, "after the build", after)
			if steps.Count() < 25 || c.losses < 25 {
				t.Fatalf("%d different losses at %d steps: too few", c.losses, steps.Count())
			}
			// The store is whole: nothing but the snapshot is left.
			if list := leftovers(t, o.Store); len(list) > 0 {
				t.Errorf("the build leaves %q", list)
			}
		})
	}
}

// A build is killed at each step and started again, and then the power is cut
// at each step of the second run: what the first one had not made durable, the
// second may not take for granted.
func TestPowerCutAfterAKill(t *testing.T) {
	t.Parallel()
	config := writeInputs(t, small)
	after := run(t, options(config, filepath.Join(t.TempDir(), "store"))).Snapshot
	for name, before := range map[string]bool{"first build": false, "second build": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := map[string]bool{}
			for kill := 1; ; kill += stride() {
				c, o, old := newCutter(t, config, before)
				c.seen = seen
				first := &faultfs.Steps{FS: c.disk, Before: func(step int, _ string) error {
					if step >= kill {
						return errStopped
					}
					return nil
				}}
				o.FS = gathered{first}
				_, err := Run(context.Background(), o)
				if err == nil {
					break
				}
				if !errors.Is(err, errStopped) {
					t.Fatal(err)
				}
				o.FS = gathered{&faultfs.Steps{FS: c.disk, Before: func(_ int, what string) error {
					c.check(t, fmt.Sprintf("after a kill before step %d, before %s", kill, what), old, after)
					return nil
				}}}
				run(t, o)
				c.check(t, "after the second run", after)
			}
		})
	}
}

// A store whose current snapshot was damaged on disk is repaired by building
// the same again.
func TestBuildRepairsADamagedSnapshot(t *testing.T) {
	o := options(writeInputs(t, small), filepath.Join(t.TempDir(), "store"))
	name := run(t, o).Snapshot
	good := tree(t, o.Store)
	if got := run(t, o).Snapshot; got != name {
		t.Fatalf("built again it is %q, not %q", got, name)
	}
	sameTree(t, "built again", good, tree(t, o.Store))
	path := filepath.Join(o.Store, "snapshots", name, "records-0000")
	damage := map[string]func() error{
		"a bit": func() error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b[100] ^= 1
			return os.WriteFile(path, b, 0o600)
		},
		"a cut file":     func() error { return os.Truncate(path, 10) },
		"a missing file": func() error { return os.Remove(path) },
		"an empty folder": func() error {
			return errors.Join(os.RemoveAll(filepath.Dir(path)), os.Mkdir(filepath.Dir(path), 0o755))
		},
	}
	for what, harm := range damage {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		run(t, o)
		sameTree(t, what+" repaired", good, tree(t, o.Store))
		openCurrent(t, o.Store)
	}
}

// A second build at once is refused by the lock and changes nothing.
func TestSecondBuildAtOnceIsRefused(t *testing.T) {
	o := options(writeInputs(t, small), filepath.Join(t.TempDir(), "store"))
	run(t, o)
	store, err := snapshot.OpenStore(o.Store)
	if err != nil {
		t.Fatal(err)
	}
	draft, err := store.Begin()
	if err != nil {
		t.Fatal(err)
	}
	before := tree(t, o.Store)
	o.AsOf = testAsOf.AddDate(0, 1, 0)
	o.Progress = func(p Progress) { t.Errorf("the second build comes to the stage %q", p.Stage) }
	if _, err := Run(context.Background(), o); err == nil {
		t.Fatal("a second build at once succeeds")
	}
	o.Progress = nil
	sameTree(t, "refused build", before, tree(t, o.Store))
	if err := draft.Close(); err != nil {
		t.Fatal(err)
	}
	run(t, o)
}
