package rekey_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/rekey"
	"github.com/matchd/matchd/snapshot/faultfs"
)

// crash is a move that is looked at as if it were killed, or the power cut.
type crash struct {
	disk         *faultfs.Disk
	scratch, log string
	former       []string // that are to be there at the end
	seen         map[string]bool
	olds, news   int
	completed    int
}

// check lays out what is left in each way, looks at the store, which has one of two
// keys and a snapshot under it, and moves it again.
func (c *crash) check(t testing.TB, when string) {
	t.Helper()
	for _, loss := range c.disk.Losses(2) {
		sum := c.disk.Sum(loss)
		if c.seen[string(sum[:])] {
			continue
		}
		c.seen[string(sum[:])] = true
		dir, err := os.MkdirTemp(c.scratch, "")
		ok(t, err)
		ok(t, c.disk.Cut(dir, loss))
		c.left(t, when, filepath.Join(dir, "store"))
		ok(t, os.RemoveAll(dir))
		if t.Failed() {
			t.Fatalf("%s, leaving %+v", when, loss)
		}
	}
}

func (c *crash) left(t testing.TB, when, dir string) {
	store, err := snapshot.OpenStore(dir)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	keys, err := store.Keys()
	ok(t, err)
	switch keys.Secret {
	case key(1):
		c.olds++
	case key(2):
		c.news++
	default:
		t.Fatalf("%s: the store has key %s", when, keys.Secret.ID())
	}
	for _, id := range c.former {
		if id != keys.Secret.ID() && !slices.ContainsFunc(keys.Former, func(f index.Secret) bool { return f.ID() == id }) {
			t.Errorf("%s: key %s, which opt-outs are known by, is lost", when, id)
		}
	}
	err = store.WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error { return s.Verify(snapshot.IdentifierHasher(keys.Secret)) })
	if err != nil && !errors.Is(err, snapshot.ErrNoSnapshot) {
		t.Errorf("%s: %v", when, err)
	}
	if pin, pinned, err := store.Pinned(); err != nil {
		t.Errorf("%s: %v", when, err)
	} else if pinned {
		s, err := store.Open(pin, snapshot.Map)
		if err != nil {
			t.Fatalf("%s: daemons are pinned to what does not open: %v", when, err)
		}
		ok(t, s.Close())
	}
	to := key(2)
	r, err := rekey.Run(t.Context(), rekey.Options{Store: store, Log: c.log, Key: &to, Workers: 1})
	switch {
	case err == nil && r.Completed != (keys.Secret == to):
		t.Errorf("%s: with key %s it is %+v", when, keys.Secret.ID(), r)
	case err == nil && r.Completed:
		c.completed++
	case err != nil && (keys.Secret != to || !strings.Contains(err.Error(), "already")):
		t.Errorf("%s: moved again: %v", when, err)
	}
	whole(t, dir, to, c.former)
}

// A move is killed before each of its steps, and the power cut. The store has the
// former key or the new one, and a snapshot under it, and each key that the log
// needs; moved again, it is whole.
func TestMoveKilledAtEveryStep(t *testing.T) {
	for name, bare := range map[string]bool{"a store": false, "a store without a snapshot": true} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			p := &pool{dir: filepath.Join(root, "store")}
			c := &crash{scratch: t.TempDir(), seen: map[string]bool{}}
			secret := key(1)
			if bare {
				_, err := snapshot.CreateStore(snapshot.OS{}, p.dir, &secret)
				ok(t, err)
			} else {
				made := newPool(t, 1, 1)
				made.change(t, rand.New(rand.NewPCG(1, 1)), 5)
				p.log, c.log, c.former = made.log, filepath.Join(t.TempDir(), "log"), ids(key(1))
				ok(t, os.CopyFS(p.dir, os.DirFS(made.dir)))
				ok(t, os.Chmod(filepath.Join(p.dir, "secret.key"), 0o600))
				ok(t, os.CopyFS(c.log, os.DirFS(made.log)))
				cur, err := p.store(t).Current()
				ok(t, err)
				ok(t, p.store(t).NoteServed(cur))
				ok(t, p.store(t).Pin(cur))
				// One more snapshot, that cannot be opened even now.
				ok(t, os.MkdirAll(filepath.Join(p.dir, "snapshots", "20260101T000000Z-0123456789ab"), 0o755))
			}
			var err error
			c.disk, err = faultfs.NewDisk(root)
			ok(t, err)
			steps := &faultfs.Steps{FS: c.disk, Tear: true, Before: func(_ int, what string) error {
				if !strings.HasPrefix(what, "write ") || !strings.Contains(what, ".draft-new") { // nobody looks there
					c.check(t, "before "+what)
				}
				return nil
			}}
			store, err := snapshot.CreateStore(steps, p.dir, nil)
			ok(t, err)
			to := key(2)
			r, err := rekey.Run(t.Context(), rekey.Options{Store: store, FS: steps, Log: p.log, Key: &to, Workers: 1})
			ok(t, err)
			c.check(t, "after the move")
			whole(t, p.dir, to, c.former)
			if pin, pinned, err := store.Pinned(); err != nil || pinned == bare || pinned && pin.Name != r.Snapshot {
				t.Errorf("pinned to %q: %v", pin.Name, err)
			}
			if c.olds < 5 || c.news < 5 || c.completed < 3 {
				t.Errorf("%d with the former key, %d with the new one, %d completed: too few", c.olds, c.news, c.completed)
			}
			t.Logf("%d steps, %d with the former key, %d with the new one, %d completed", steps.Count(), c.olds, c.news, c.completed)
		})
	}
}
