package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/eventlog/faultvfs"
	"github.com/matchd/matchd/engine/livetest"
)

// fates are what a power cut may leave of a file layer, in percent of what was
// not synced.
var fates = [...]int{0, 50, 100}

// diary is a file layer that is copied before each operation that alters it, as
// a power cut would leave it, with what clients knew then.
type diary struct {
	mu    sync.Mutex
	mem   *vfs.MemFS
	r     *rand.Rand
	every int
	n     int
	log   string // the id of that of the store, once it has one
	acked []acked
	days  []day
}

// acked is a change that was acknowledged.
type acked struct {
	livetest.Change
	eventlog.Receipt
}

type day struct {
	before string
	left   [len(fates)]*vfs.MemFS
	log    string
	acked  []acked
}

func (d *diary) String() string { return "diary" }

func (d *diary) MaybeError(op errorfs.Op) error {
	if !faultvfs.Alters(op) {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n++; d.n%d.every != 0 {
		return nil
	}
	today := day{before: fmt.Sprint(d.n, " ", op.Kind, " ", op.Path), log: d.log, acked: slices.Clip(d.acked)}
	for i, percent := range fates {
		today.left[i] = d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: d.r})
	}
	d.days = append(d.days, today)
	return nil
}

// note notes what was acknowledged.
func (d *diary) note(list []livetest.Change, out []engine.Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range out {
		d.acked = append(d.acked, acked{list[i], out[i].Receipt})
	}
}

// logged makes a model of those changes that a log has, and reports their
// records by id.
func (l *lived) logged(t testing.TB, sent []livetest.Change) (*livetest.Model, map[string]eventlog.Record) {
	t.Helper()
	m, by := l.world.Model(), map[string]eventlog.Record{}
	tokens := map[[16]byte]*livetest.Change{}
	for i := range sent {
		tokens[livetest.Token("shop", sent[i].ID)] = &sent[i]
	}
	ok(t, l.Changes().Log().Scan(0, func(r eventlog.Record) error {
		if r.Kind == eventlog.Note {
			return nil // the engine's own
		}
		c := tokens[r.Token]
		if r.Kind != eventlog.Event || c == nil {
			return fmt.Errorf("record %d was never sent", r.Seq)
		}
		m.Add(c)
		by[c.ID] = r
		return nil
	}))
	return m, by
}

// TestLivedPowerCut cuts the power before each operation on the log's files: an
// engine that starts on what is left, whatever that is, obeys all that was
// acknowledged and nothing that was not sent, and knows what is sent again.
func TestLivedPowerCut(t *testing.T) {
	h := newInhabited(t, 6)
	r := rand.New(rand.NewPCG(5, 5))
	d := &diary{mem: vfs.NewCrashableMem(), r: rand.New(rand.NewPCG(5, 6)), every: 1} // whose writers are other goroutines
	if testing.Short() || raceEnabled {
		d.every = 7
	}
	g := h.world.Generator("shop", r)
	var sent []livetest.Change
	for range 3 {
		l := must(h.serve(t, errorfs.Wrap(d.mem, d), "log"))(t)
		d.mu.Lock()
		d.log = must(h.store.Log())(t)
		d.mu.Unlock()
		for range 8 {
			list := make([]livetest.Change, 1+r.IntN(3))
			for i := range list {
				list[i] = g.Next()
			}
			some, out := taken(list, must(l.takes(t, list))(t))
			sent = append(sent, some...)
			d.note(some, out)
		}
		h.swap(t, l.Engine)
		ok(t, l.Close())
	}
	if len(d.days) < 150/d.every {
		t.Errorf("only %d moments", len(d.days))
	}
	whole := h.world.Model()
	for i := range sent {
		whole.Add(&sent[i])
	}
	beyond := 0
	for _, today := range d.days {
		for i, fs := range today.left {
			when := fmt.Sprintf("before %s, with %d %%", today.before, fates[i])
			h.rebind(t, today.log)
			l, err := h.serve(t, fs, "log")
			if err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			m, by := l.logged(t, sent)
			for _, a := range today.acked {
				if got := by[a.ID]; got.Seq != a.Seq || got.Hash != a.Hash {
					t.Errorf("%s: %s was acknowledged as %d and is %d", when, a.ID, a.Seq, got.Seq)
				}
			}
			if len(by) > len(today.acked) {
				beyond++
			}
			l.is(t, m, when)
			for k, o := range must(l.takes(t, sent))(t) {
				if was, there := by[sent[k].ID]; o.Known != there || there && (o.Seq != was.Seq || o.Hash != was.Hash) {
					t.Errorf("%s: %s, sent again, is %+v", when, sent[k].ID, o)
				}
			}
			l.is(t, whole, when+", sent again")
			ok(t, l.Close())
			if t.Failed() {
				return
			}
		}
	}
	if beyond == 0 {
		t.Error("nothing was ever there that was not acknowledged yet")
	}
}

// disk is a file layer on which one kind of operation fails, from one of them
// on and as long as it is broken.
type disk struct {
	kinds  func(errorfs.Op) bool
	err    error
	at     int64 // from 1
	only   bool  // that one alone
	count  atomic.Int64
	broken atomic.Bool
}

func (d *disk) String() string { return "disk" }

func (d *disk) MaybeError(op errorfs.Op) error {
	if !faultvfs.Alters(op) || !d.kinds(op) {
		return nil
	}
	if n := d.count.Add(1); d.at > 0 && (n == d.at || n > d.at && !d.only) {
		d.broken.Store(true)
		return d.err
	}
	return nil
}

// TestLivedFaults fails each write and each fsync of the log in turn: no change
// is acknowledged that is not there after a power cut, no lookup fails or
// forgets what was acknowledged, swaps go on, and a restart takes changes again.
func TestLivedFaults(t *testing.T) {
	h := newInhabited(t, 6)
	by := int64(1)
	if testing.Short() || raceEnabled {
		by = 6
	}
	for _, c := range []struct {
		name  string
		kinds func(errorfs.Op) bool
		err   error
		only  bool
	}{
		{"EIO at a write", faultvfs.Writes, syscall.EIO, true},
		{"EIO at an fsync", faultvfs.Syncs, syscall.EIO, true},
		{"ENOSPC from a write on", faultvfs.Writes, syscall.ENOSPC, false},
		{"ENOSPC from an fsync on", faultvfs.Syncs, syscall.ENOSPC, false},
		{"short write", faultvfs.Writes, faultvfs.ErrShort, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			failed := 0
			for at := int64(1); ; at += by {
				d := &disk{kinds: c.kinds, err: c.err, only: c.only, at: at}
				if h.faultAt(t, d) {
					failed++
				}
				if t.Failed() {
					t.Fatalf("operation %d", at)
				}
				if !d.broken.Load() {
					break // there are no more operations
				}
			}
			if failed < 10/int(by) {
				t.Errorf("only %d faults ended writing", failed)
			}
		})
	}
}

// faultAt takes changes on a disk that fails, with lookups and a swap going on,
// and reports whether that ended writing.
func (h *inhabited) faultAt(t *testing.T, d *disk) (ended bool) {
	r := rand.New(rand.NewPCG(uint64(d.at), 6))
	mem := vfs.NewCrashableMem()
	g := h.world.Generator("shop", r)
	var known []acked
	var sent []livetest.Change
	h.rebind(t, "")
	l, err := h.serve(t, faultvfs.Short(errorfs.Wrap(mem, d)), "log")
	if err == nil {
		stop := make(chan struct{})
		var asking sync.WaitGroup
		asking.Go(func() { l.askUntil(t, stop) })
		sure := h.world.Model() // of what was acknowledged
		for step := 0; step < 12 && !ended; step++ {
			list := []livetest.Change{g.Next(), g.Next()}
			sent = append(sent, list...)
			out, err := l.takes(t, list)
			if ended = err != nil; ended {
				if !errors.Is(err, eventlog.ErrFailed) || !errors.Is(l.Changes().Err(), eventlog.ErrFailed) || !d.broken.Load() {
					t.Errorf("a change was not taken: %v", err)
				}
				break
			}
			adds(t, sure, list, out)
			some, out := taken(list, out)
			for i := range out {
				known = append(known, acked{some[i], out[i].Receipt})
			}
			l.is(t, sure, fmt.Sprintf("step %d", step))
		}
		if ended {
			l.is(t, sure, "after the fault")
			h.swap(t, l.Engine)
			l.is(t, sure, "after the fault and a swap")
			if _, err := l.takes(t, sent); !errors.Is(err, eventlog.ErrFailed) {
				t.Errorf("after the fault: %v", err)
			}
		}
		close(stop)
		asking.Wait()
		if err := l.Close(); err != nil && !d.broken.Load() {
			t.Errorf("close: %v", err)
		}
	} else if !d.broken.Load() {
		t.Fatal(err)
	}
	id := must(h.store.Log())(t)
	for _, fs := range []*vfs.MemFS{mem.CrashClone(vfs.CrashCloneCfg{}), mem} {
		h.rebind(t, id)
		l := must(h.serve(t, fs, "log"))(t)
		m, by := l.logged(t, sent)
		for _, a := range known {
			if got := by[a.ID]; got.Seq != a.Seq || got.Hash != a.Hash {
				t.Errorf("%s was acknowledged as %d and is %d", a.ID, a.Seq, got.Seq)
			}
		}
		l.is(t, m, "after a restart")
		must(l.takes(t, []livetest.Change{g.Next()}))(t)
		ok(t, l.Close())
	}
	return ended
}

// askUntil looks persons up, none of which may fail.
func (l *lived) askUntil(t *testing.T, stop <-chan struct{}) {
	var b engine.Batch
	for {
		select {
		case <-stop:
			return
		case <-time.After(100 * time.Microsecond):
		}
		for _, p := range l.world.Of("acme") {
			s, err := l.Begin("acme")
			if err == nil {
				err = s.Match(&b, [][]byte{[]byte(p.Cookie)})
				s.End()
			}
			if err != nil || b.Answers[0].Fault() || b.Answers[0].Reason == engine.Invalid {
				t.Errorf("a lookup failed: %v", err)
				return
			}
		}
	}
}
