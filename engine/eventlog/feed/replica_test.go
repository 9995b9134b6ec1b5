package feed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/matchd/matchd/engine/eventlog"
)

// whole is all that a log has, and how far it reaches.
func whole(t testing.TB, l *eventlog.Log) (e eventlog.Extent, list []eventlog.Sealed) {
	t.Helper()
	must(t, l.Export(0, func(x eventlog.Extent) error { e = x; return nil }, func(s *eventlog.Sealed) error {
		c := *s
		c.Salt, c.Body = append([]byte(nil), s.Salt...), append([]byte(nil), s.Body...)
		list = append(list, c)
		return nil
	}))
	e.Time = time.Time{} // of a record that was trimmed, it is not known
	return e, list
}

// equal checks that two logs are the same, record by record and field by field.
// What the leader redacted after it was copied, the copy may have still.
func equal(t testing.TB, what string, leader, replica *eventlog.Log) {
	t.Helper()
	_, want := whole(t, leader)
	var gone []uint64
	for _, s := range want {
		if s.Redacted {
			gone = append(gone, s.Seq)
		}
	}
	must(t, replica.Redact(t.Context(), gone))
	we, want := whole(t, leader)
	ge, got := whole(t, replica)
	if leader.ID() != replica.ID() || ge != we {
		t.Fatalf("%s: the replica reaches\n%+v\nand not\n%+v", what, ge, we)
	}
	if !slices.EqualFunc(got, want, func(a, b eventlog.Sealed) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Fatalf("%s: the replica has\n%v\nand not\n%v", what, numbers(got), numbers(want))
	}
}

func numbers(list []eventlog.Sealed) (out []uint64) {
	for _, s := range list {
		out = append(out, s.Seq)
	}
	return out
}

// copying is a replica under test, on files that forget what was not synced.
type copying struct {
	fs      *vfs.MemFS
	log     *eventlog.Log
	applied map[uint64]int
	*Replica
}

func (c *copying) open(t testing.TB, client *Client, of eventlog.ID) {
	t.Helper()
	if c.applied == nil {
		c.applied = map[uint64]int{}
	}
	log, err := eventlog.Open("replica", eventlog.Options{
		FS: c.fs, Replica: func() (eventlog.ID, error) { return of, nil },
		Applied: func(list []eventlog.Record) {
			for _, r := range list {
				c.applied[r.Seq]++
			}
		},
	})
	must(t, err)
	t.Cleanup(func() { _ = log.Close() })
	c.log, c.Replica = log, NewReplica(client, log, ReplicaOptions{Key: "k"})
}

// Whatever the leader does, whatever is cut on the way, and however often the
// replica is restarted or loses its power: in the end it is the same log.
func TestReplica(t *testing.T) {
	rounds := uint64(25)
	if testing.Short() {
		rounds = 8
	}
	first := rand.Uint64()
	for seed := first; seed < first+rounds; seed++ {
		replicate(t, seed)
	}
}

func replicate(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 3))
	l := openLog(t, eventlog.Options{})
	s := lead(t, l)
	s.most = 1 + r.IntN(9)
	client := s.client(t, Options{Retry: func(error) {}})
	c := copying{fs: vfs.NewCrashableMem()}
	c.open(t, client, l.ID())
	cuts := rand.New(rand.NewPCG(seed, 4))
	s.bad(func(size int) int { return cuts.IntN(size * 2) }, nil)
	ctx, next := context.Background(), 0
	for range 60 {
		last, _, _ := l.Last()
		switch r.IntN(12) {
		case 0, 1, 2:
			n := 1 + r.IntN(12)
			fill(t, l, next, next+n, r.IntN(40))
			next += n
		case 3:
			must(t, l.Redact(ctx, []uint64{1 + r.Uint64N(last+1), 1 + r.Uint64N(last+1)}))
		case 4:
			keep := r.Uint64N(4)
			must(t, l.Trim(ctx, r.Uint64N(last+2), func(rec eventlog.Record) bool { return rec.Seq%4 == keep || rec.Seq%5 == 0 }))
		case 5: // a restart
			must(t, c.log.Close())
			c.open(t, client, eventlog.ID{}) // nobody is asked again
		case 6: // a power cut, in the middle of what it does
			ended := make(chan error)
			go func() { ended <- c.step(ctx, 0) }()
			time.Sleep(time.Duration(r.IntN(1000)) * time.Microsecond) // wherever that is
			lost := c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: rand.New(rand.NewPCG(seed, r.Uint64()))})
			<-ended
			_ = c.log.Close()
			c.fs = lost
			c.open(t, client, eventlog.ID{})
		default:
			_ = c.step(ctx, 0) // whatever comes of it
		}
	}
	s.bad(nil, nil)
	for i := 0; ; i++ {
		err := c.step(ctx, 0)
		want, _, _ := l.Last()
		if got, _, _ := c.log.Last(); got == want && err == nil {
			break
		}
		if i == 1000 {
			t.Fatalf("seed %d: it does not come to the end: %v", seed, err)
		}
	}
	for range 2 { // what was trimmed is looked at once all else is there
		must(t, c.step(ctx, 0))
	}
	equal(t, fmt.Sprint("seed ", seed), l, c.log)
	must(t, c.log.Close())
	c.open(t, client, eventlog.ID{})
	equal(t, fmt.Sprint("opened again, seed ", seed), l, c.log)
	for seq := range c.applied {
		if last, _, _ := l.Last(); seq > last {
			t.Errorf("seed %d: record %d was applied, and is not there", seed, seq)
		}
	}
	must(t, c.log.Close())
	must(t, l.Close())
	s.Close()
}

// A replica takes nothing but from its leader, and only what is sound.
func TestReplicaRefuses(t *testing.T) {
	l := openLog(t, eventlog.Options{})
	fill(t, l, 0, 5, 3)
	s := lead(t, l)
	client := s.client(t, Options{})
	c := copying{fs: vfs.NewCrashableMem()}
	c.open(t, client, l.ID())
	ctx := t.Context()
	must(t, c.step(ctx, 0))
	if _, err := c.log.Append(ctx, []eventlog.Entry{{Body: []byte("x")}}); !errors.Is(err, eventlog.ErrReplica) {
		t.Errorf("append: %v", err)
	}
	if err := c.log.Trim(ctx, 3, nil); !errors.Is(err, eventlog.ErrReplica) {
		t.Errorf("trim: %v", err)
	}
	if err := l.Import(ctx, nil); err == nil {
		t.Error("a log that is no replica imports")
	}
	if _, err := l.Rebase(eventlog.Base{}); err == nil {
		t.Error("a log that is no replica is rebased")
	}
	fill(t, l, 5, 12, 3)
	_, sound := whole(t, l)
	for name, list := range map[string][]eventlog.Sealed{
		"one that it has": sound[4:6], "one too far": sound[6:7], "out of order": {sound[6], sound[5]}, "twice": {sound[5], sound[5]},
		"kept":                        {func() eventlog.Sealed { x := sound[5]; x.Kept = true; return x }()},
		"of a kind that is not known": {func() eventlog.Sealed { x := sound[5]; x.Kind = 9; x.Hash = x.Chain(x.Prev); return x }()},
		"no salt":                     {func() eventlog.Sealed { x := sound[5]; x.Salt = nil; return x }()},
		"a body":                      {func() eventlog.Sealed { x := sound[5]; x.Body = []byte("y"); return x }()},
	} {
		if err := c.log.Import(ctx, list); !errors.Is(err, eventlog.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if last, _, _ := c.log.Last(); last != 5 {
		t.Errorf("it has %d records", last)
	}
	no := errors.New("no")
	c.o.Check = func(r eventlog.Record) error {
		if r.Seq == 8 {
			return no
		}
		return nil
	}
	s.most = 100
	if err := c.step(ctx, 0); !errors.Is(err, no) {
		t.Errorf("a record that is refused: %v", err)
	}
	if last, _, _ := c.log.Last(); last != 7 {
		t.Errorf("before the one that is refused it has %d records", last)
	}
	s.key = "other"
	if err := c.step(ctx, 0); !errors.Is(err, ErrKey) {
		t.Errorf("another key: %v", err)
	}
}

// Another log, or one that went another way, is no leader.
func TestReplicaDiffers(t *testing.T) {
	ctx := t.Context()
	fs := vfs.NewMem()
	l := openLog(t, eventlog.Options{FS: fs})
	fill(t, l, 0, 8, 3)
	s := lead(t, l)
	client := s.client(t, Options{})
	c := copying{fs: vfs.NewCrashableMem()}
	c.open(t, client, l.ID())
	for range 3 {
		must(t, c.step(ctx, 0))
	}
	id := l.ID()
	// fork is another log of the same id, of so many records.
	fork := func(n int) *eventlog.Log {
		f := copying{fs: vfs.NewCrashableMem()}
		f.open(t, client, id)
		must(t, f.log.Close())
		log, err := eventlog.Open("replica", eventlog.Options{FS: f.fs})
		must(t, err)
		t.Cleanup(func() { _ = log.Close() })
		fill(t, log, 100, 100+n, 3)
		return log
	}
	before, _ := c.log.Base()
	trimmed := fork(20)
	must(t, trimmed.Trim(ctx, 15, func(r eventlog.Record) bool { return r.Seq%2 == 0 }))
	for name, other := range map[string]*eventlog.Log{
		"another log": openLog(t, eventlog.Options{}), "shorter": fork(5), "as long": fork(8), "longer": fork(12), "trimmed": trimmed,
	} {
		s.log.Store(other)
		if err := c.step(ctx, 0); !errors.Is(err, eventlog.ErrDiffers) {
			t.Errorf("%s: %v", name, err)
		}
		if base, err := c.log.Base(); err != nil || base != before {
			t.Errorf("%s: the chain begins elsewhere: %+v %v", name, base, err)
		}
	}
	s.log.Store(l)
	must(t, c.step(ctx, 0))
	equal(t, "in the end", l, c.log)
}

// What the leader says it has kept is checked before anything is dropped.
func TestReplicaRebaseTampered(t *testing.T) {
	ctx := t.Context()
	l := openLog(t, eventlog.Options{})
	fill(t, l, 0, 30, 3)
	s := lead(t, l)
	client := s.client(t, Options{})
	c := copying{fs: vfs.NewCrashableMem()}
	c.open(t, client, l.ID())
	for range 6 {
		must(t, c.step(ctx, 0))
	}
	_, before := whole(t, c.log)
	must(t, l.Trim(ctx, 20, func(r eventlog.Record) bool { return r.Seq%2 == 0 }))
	must(t, c.step(ctx, 0)) // as far as what tells of it
	s.bad(nil, func(_ *Header, list []eventlog.Sealed) []eventlog.Sealed {
		return slices.DeleteFunc(list, func(s eventlog.Sealed) bool { return s.Seq == 10 })
	})
	if err := c.step(ctx, 0); !errors.Is(err, eventlog.ErrCorrupt) {
		t.Errorf("one is left out: %v", err)
	}
	if _, after := whole(t, c.log); len(after) != len(before)+1 {
		t.Errorf("%d records, and there were %d", len(after), len(before))
	}
	s.bad(nil, nil)
	must(t, c.step(ctx, 0))
	equal(t, "in the end", l, c.log)
}

// A replica that begins with a log that was trimmed has what was kept, redacted
// where that is, and is told by the leader's own record that it is all.
func TestReplicaOfWhatWasTrimmed(t *testing.T) {
	ctx := t.Context()
	l := openLog(t, eventlog.Options{})
	fill(t, l, 0, 30, 3)
	s := lead(t, l)
	client := s.client(t, Options{})
	open := func() *copying {
		c := &copying{fs: vfs.NewCrashableMem()}
		c.open(t, client, l.ID())
		return c
	}
	old := open()
	for range 5 {
		must(t, old.step(ctx, 0))
	}
	must(t, l.Redact(ctx, []uint64{6}))
	must(t, l.Trim(ctx, 21, func(r eventlog.Record) bool { return r.Seq%3 == 0 && r.Seq < 16 }))
	for range 2 { // what tells of it, and what it tells of
		must(t, old.step(ctx, 0))
	}
	fresh := open()
	must(t, fresh.step(ctx, 0))
	want, err := l.Base()
	must(t, err)
	got, err := fresh.log.Base()
	must(t, err)
	if last, _, _ := fresh.log.Last(); last != want.Seq || got.Trim != 0 {
		t.Errorf("at first it ends with record %d, and %d tells of what was trimmed", last, got.Trim)
	}
	for last, _, _ := fresh.log.Last(); last < 31; last, _, _ = fresh.log.Last() {
		must(t, fresh.step(ctx, 0))
	}
	for name, c := range map[string]*copying{"old": old, "fresh": fresh} {
		if got, err := c.log.Base(); err != nil || got != want {
			t.Errorf("%s: it begins with %+v, %v", name, got, err)
		}
		_, list := whole(t, c.log)
		if i := slices.IndexFunc(list, func(s eventlog.Sealed) bool { return s.Seq == 6 }); i < 0 || !list[i].Redacted {
			t.Errorf("%s: record 6 is not redacted", name)
		}
		equal(t, name, l, c.log)
	}
	if len(fresh.applied) != 31-20+5 || len(old.applied) != 31 {
		t.Errorf("%d and %d records were applied", len(fresh.applied), len(old.applied))
	}
	// Opened as no replica, it goes on by itself.
	must(t, fresh.log.Close())
	log, err := eventlog.Open("replica", eventlog.Options{FS: fresh.fs})
	must(t, err)
	fill(t, log, 50, 51, 3)
	if last, _, _ := log.Last(); last != 32 || log.ID() != l.ID() {
		t.Errorf("it goes on with record %d", last)
	}
	must(t, log.Close())
}

// The end of a replica that was torn off comes again; nothing is noted in the
// log, which has to stay the leader's.
func TestReplicaTorn(t *testing.T) {
	ctx := t.Context()
	l := openLog(t, eventlog.Options{})
	fill(t, l, 0, 14, 3)
	client := lead(t, l).client(t, Options{})
	c := copying{fs: vfs.NewCrashableMem()}
	c.open(t, client, l.ID())
	must(t, c.step(ctx, 0))
	before := c.fs.CrashClone(vfs.CrashCloneCfg{})
	must(t, c.step(ctx, 0))
	must(t, c.log.Close())
	from, err := c.fs.Open("replica/HEAD")
	must(t, err)
	head := make([]byte, 1<<13)
	n, _ := from.ReadAt(head, 0)
	must(t, from.Close())
	to, err := before.Create("replica/HEAD", vfs.WriteCategoryUnspecified)
	must(t, err)
	_, err = to.Write(head[:n])
	must(t, err)
	must(t, errors.Join(to.Sync(), to.Close()))
	c.fs = before
	c.open(t, client, l.ID())
	if torn := c.log.Torn(); torn == nil || torn.From != 8 || torn.To != 14 || torn.Gap != 0 {
		t.Errorf("torn: %+v", torn)
	}
	must(t, c.step(ctx, 0))
	equal(t, "in the end", l, c.log)
}

// A replica follows, and says since when it is whole and what is wrong.
func TestReplicaRun(t *testing.T) {
	l := openLog(t, eventlog.Options{})
	fill(t, l, 0, 20, 3)
	s := lead(t, l)
	wrong := make(chan error, 1)
	client := s.client(t, Options{Retry: func(err error) {
		select {
		case wrong <- err:
		default:
		}
	}})
	c := copying{fs: vfs.NewCrashableMem()}
	c.open(t, client, l.ID())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	must(t, c.log.Wait(ctx, 19))
	s.status.Store(503)
	if err := <-wrong; err == nil {
		t.Error("nothing is wrong")
	}
	for c.State().Err == nil {
		time.Sleep(time.Millisecond)
	}
	fill(t, l, 20, 30, 3)
	s.status.Store(0)
	must(t, c.log.Wait(ctx, 29))
	for c.State().Err != nil || c.State().Synced.IsZero() {
		time.Sleep(time.Millisecond)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	must(t, c.log.Close())
	if err := c.Run(t.Context()); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("of a log that is closed: %v", err)
	}
}
