package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/matchd/matchd/bench/ask"
	"github.com/matchd/matchd/bench/peer"
	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/snapshot"
)

// embedded is one of the stores.
type embedded interface {
	// load fills the store, which is new, and makes it ready to be read.
	load(ctx context.Context, s *sorted) error
	// warm reads all that it holds once, so that it is in memory, and returns
	// how many pairs that is.
	warm() (pairs int, err error)
	// lookup returns a way to look up for one goroutine: the sum of the record
	// of a key, 0 where there is none. release comes before close.
	lookup() (find lookup, release func() error, err error)
	close() error
}

type lookup func(key []byte, read *ask.Reader) (sum uint64, err error)

// kinds are the stores by name.
var kinds = map[string]struct {
	module   string
	settings string
	create   func(dir string) embedded
}{
	peer.Pebble: {"github.com/cockroachdb/pebble/v2", pebbleSettings, newPebble},
	peer.Badger: {"github.com/dgraph-io/badger/v4", badgerSettings, newBadger},
	peer.Bbolt:  {"go.etcd.io/bbolt", bboltSettings, newBbolt},
}

// holder is the [peer.Holder] of all of them.
type holder struct {
	name, from, dir string
	world           *world.World

	store     embedded
	snap      *snapshot.Snapshot
	answerers []*answerer
	draws     map[drawKey][][]byte
}

type drawKey struct {
	world.Draw
	pool int
	seed uint64
}

// Load implements [peer.Holder].
func (h *holder) Load(ctx context.Context) (r peer.Ready, err error) {
	kind, ok := kinds[h.name]
	if !ok {
		return r, fmt.Errorf("there is no peer %q: give one of %q", h.name, peer.Names())
	}
	if err := h.prepare(); err != nil {
		return r, err
	}
	pairs, err := sortPairs(ctx, h.world, h.snap)
	if err != nil {
		return r, err
	}
	fmt.Fprintf(os.Stderr, "loading %d identifiers, %d MB\n", h.world.IDs, pairs.bytes>>20)
	start := time.Now()
	h.store = kind.create(h.dir)
	if err := errors.Join(h.store.load(ctx, pairs), ctx.Err()); err != nil {
		return r, err
	}
	r = peer.Ready{
		Ready: h.name, Version: version(kind.module), Settings: kind.settings,
		LoadSeconds: time.Since(start).Seconds(),
	}
	pairs.entries = nil
	if n, err := h.store.warm(); err != nil {
		return r, err
	} else if n != h.world.IDs {
		return r, fmt.Errorf("the store holds %d of %d identifiers", n, h.world.IDs)
	}
	if err := h.check(); err != nil {
		return r, err
	}
	debug.FreeOSMemory()
	r.Disk, err = diskBytes(h.dir)
	return r, err
}

// prepare opens the snapshot and makes the folder.
func (h *holder) prepare() error {
	if h.dir == "" {
		return errors.New("give --dir, a folder for the store's files")
	}
	store, err := snapshot.OpenStore(h.from)
	if err != nil {
		return err
	}
	current, err := store.Current()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return err
	}
	if entries, err := os.ReadDir(h.dir); err != nil {
		return err
	} else if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: give another --dir", h.dir)
	}
	h.snap, err = store.Open(current, snapshot.Map)
	return err
}

// sample is how many identifiers are checked against the world after loading.
const sample = 4096

// check asks for some of the world's identifiers, and as many others, and
// compares with what the world says that they have.
func (h *holder) check() error {
	if err := h.open(1); err != nil {
		return err
	}
	a, w := h.answerers[0], h.world
	step := max(1, w.IDs/sample)
	for i := 0; i < w.IDs; i += step {
		person := i / world.PerPerson
		want := ask.SumAnswer(w.Customer(person), w.Segments(person))
		for at, want := range map[int]uint64{i: want, i + w.IDs: 0} {
			if got := a.Ask([][]byte{w.AppendText(nil, at)}); got != want || a.err != nil {
				return errors.Join(fmt.Errorf("identifier %d is answered with the sum %d, not %d", at, got, want), a.err)
			}
		}
	}
	return nil
}

// open makes sure that there are answerers for n goroutines.
func (h *holder) open(n int) error {
	for len(h.answerers) < n {
		find, release, err := h.store.lookup()
		if err != nil {
			return err
		}
		h.answerers = append(h.answerers, &answerer{find: find, release: release, read: ask.Reader{Snapshot: h.snap}})
	}
	return nil
}

// maxCores bounds how many goroutines ask.
const maxCores = 1024

// Time implements [peer.Holder].
func (h *holder) Time(q ask.Question, n, pool int, drawSeed uint64) (t ask.Timing, err error) {
	if q.Cores > maxCores {
		return t, fmt.Errorf("%d goroutines: at most %d", q.Cores, maxCores)
	}
	if err := h.open(q.Cores); err != nil {
		return t, err
	}
	key := drawKey{q.Draw, pool, drawSeed}
	if h.draws == nil {
		h.draws = map[drawKey][][]byte{}
	}
	if h.draws[key] == nil {
		h.draws[key] = h.world.Draw(q.Draw, pool, drawSeed)
	}
	list := make([]ask.Answerer, len(h.answerers))
	for i, a := range h.answerers {
		list[i] = a
	}
	t, err = ask.Time(q, list, h.draws[key], n)
	for _, a := range h.answerers {
		err = errors.Join(err, a.err)
		a.err = nil
	}
	return t, err
}

// Stats implements [peer.Holder].
func (h *holder) Stats() (s peer.Stats, err error) {
	h.draws = nil
	debug.FreeOSMemory()
	if s.Resident, err = resident(h.from); err != nil {
		return s, err
	}
	s.Disk, err = diskBytes(h.dir)
	return s, err
}

// close ends all that was opened. What it holds is thrown away, so that errors
// matter to nobody.
func (h *holder) close() {
	for _, a := range h.answerers {
		_ = a.release()
	}
	if h.store != nil {
		_ = h.store.close()
	}
	if h.snap != nil {
		_ = h.snap.Close()
	}
}

// answerer answers for one goroutine.
type answerer struct {
	find    lookup
	release func() error
	read    ask.Reader
	key     [keySize]byte
	err     error // the last
}

// Ask implements [ask.Answerer].
func (a *answerer) Ask(ids [][]byte) (sum uint64) {
	var ok bool
	for _, text := range ids {
		if a.key, ok = ask.ParseMAID(text); !ok {
			continue
		}
		s, err := a.find(a.key[:], &a.read)
		if err != nil {
			a.err = err
		}
		sum += s
	}
	return sum
}

// diskBytes is the size of all files below dir.
func diskBytes(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}

// version is that of a module that is linked in.
func version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == module {
				return m.Version
			}
		}
	}
	return "unknown"
}
