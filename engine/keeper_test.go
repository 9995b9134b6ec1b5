package engine_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/proof"
	"github.com/matchd/matchd/snapshot"
)

// keeping is an engine whose log is tended, by a clock of its own.
type keeping struct {
	*live
	at      *clock
	r       engine.Retention
	removed []string
	log     bytes.Buffer
	made    int
}

func newKeeping(t *testing.T, r engine.Retention) *keeping {
	t.Helper()
	k := &keeping{at: &clock{}, r: r}
	k.at.set(storyTime)
	store := newStore(t)
	k.live = &live{store: store, log: filepath.Join(t.TempDir(), "log")}
	k.publish(t, 0)
	k.open(t)
	return k
}

func (k *keeping) open(t *testing.T) {
	t.Helper()
	e := newEngine(t, engine.Options{Store: k.store, Now: k.at.now, Retention: k.r, Log: slog.New(slog.NewTextHandler(&k.log, nil))})
	ok(t, e.OpenChanges(k.live.log))
	reload(t, e)
	k.Engine = e
}

func (k *keeping) restart(t *testing.T) {
	t.Helper()
	ok(t, k.Close())
	k.open(t)
}

// publish publishes the story without some customers of acme, as of a time of its
// own, from a build that says to contain the log up to a number.
func (k *keeping) publish(t *testing.T, applied uint64, without ...string) snapshot.Current {
	t.Helper()
	k.made++
	c := story().contents(t, uint64(k.made))
	c.meta.AsOf = c.meta.AsOf.Add(time.Duration(k.made) * time.Second)
	if k.Engine != nil {
		c.meta.Applied = map[string]uint64{k.Changes().Log().ID().String(): applied}
	}
	c.persons = slices.DeleteFunc(c.persons, func(p *snapshot.Person) bool {
		return slices.ContainsFunc(p.Nodes, func(n snapshot.Node) bool {
			return slices.ContainsFunc(without, func(name string) bool { return n.Hash == hashOf("crm.acme:"+name) })
		})
	})
	return publish(t, k.store, c)
}

func (k *keeping) tend(t *testing.T) {
	t.Helper()
	ok(t, k.Changes().Tend(t.Context(), func(names []string) { k.removed = append(k.removed, names...) }))
}

func (k *keeping) erase(t *testing.T, name string) uint64 {
	t.Helper()
	return k.says(t, "erase", name)
}

// says takes a change of a customer of acme, at the time that it is.
func (k *keeping) says(t *testing.T, kind, name string) uint64 {
	t.Helper()
	now := k.at.now()
	k.at.set(now.Add(time.Nanosecond)) // one after the other
	out := k.take(t, fmt.Sprintf(`"id":"%s-%s-%d","type":"%s","tenant":"acme","customer":"acme:%s"`, kind, name, now.UnixNano(), kind, name))
	ok(t, out[0].Err)
	return out[0].Seq
}

// notes are the notes in the log.
func (k *keeping) notes(t *testing.T) (list []proof.Note) {
	t.Helper()
	ok(t, k.Changes().Log().Scan(0, func(r eventlog.Record) error {
		if r.Kind != eventlog.Note {
			return nil
		}
		n, err := proof.DecodeNote(r.Body)
		list = append(list, n)
		return err
	}))
	return list
}

// said is the notes of the log in short, and those before it are cut off.
func (k *keeping) said(t *testing.T, after int) string {
	t.Helper()
	var b strings.Builder
	for _, n := range k.notes(t)[after:] {
		switch n.Kind {
		case proof.Refused:
			fmt.Fprintf(&b, "refused to %d:", n.UpTo)
			for _, s := range n.Since {
				fmt.Fprintf(&b, " %d since %v", s.Seq, s.At.Sub(storyTime).Round(time.Second))
			}
		case proof.Looked:
			fmt.Fprintf(&b, "looked %d-%d applied %d found %v held %v", n.From, n.To, n.Applied, n.Found, n.Held)
			if n.Lifted != nil {
				fmt.Fprintf(&b, " lifted %v", n.Lifted)
			}
		case proof.Removed:
			fmt.Fprintf(&b, "removed %d for %d", len(n.Removed), n.Erasure)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestNotesOfErasures notes since when an erasure is refused, and where the
// customer was looked for: once for each snapshot, over restarts.
func TestNotesOfErasures(t *testing.T) {
	k := newKeeping(t, engine.Retention{})
	is := func(after int, want string) {
		t.Helper()
		if got := k.said(t, after); got != want {
			t.Errorf("noted\n%sand not\n%s", got, want)
		}
	}
	k.tend(t)
	is(0, "")
	k.take(t, annOut)
	k.tend(t)
	is(0, "refused to 1:\n")
	k.tend(t)
	is(1, "")
	k.at.set(storyTime.Add(time.Minute))
	if seq := k.erase(t, "ann"); seq != 3 {
		t.Fatalf("it is %d", seq)
	}
	k.tend(t)
	is(1, "refused to 3: 3 since 1m0s\nlooked 1-3 applied 0 found [] held [3]\n")
	k.restart(t)
	k.tend(t)
	is(3, "")
	// A build that read the log, and one that says so and did not.
	k.publish(t, 3, "ann")
	reload(t, k.Engine)
	k.tend(t)
	is(3, "looked 1-3 applied 3 found [] held []\n")
	if got := k.Changes().Erased(); got != (engine.Erased{}) {
		t.Errorf("%+v", got)
	}
	k.publish(t, 3)
	reload(t, k.Engine)
	k.tend(t)
	is(4, "looked 1-3 applied 3 found [3] held []\n")
	if got := k.Changes().Erased(); got.Found != 1 || !strings.Contains(k.log.String(), "level=ERROR") || strings.Contains(k.log.String(), "ann") {
		t.Errorf("%+v; %s", got, k.log.String())
	}
	// Since then only who was erased since.
	k.erase(t, "bob")
	k.tend(t)
	is(5, "refused to 8: 8 since 1m0s\nlooked 4-8 applied 3 found [] held [8]\n")
	// Who came back may be there.
	k.says(t, "opt_in", "ann")
	k.publish(t, 11)
	reload(t, k.Engine)
	k.tend(t)
	is(7, "looked 1-8 applied 11 found [8] held [] lifted [3]\n")
	// So may who had come back at a later time when the erasure came.
	k.take(t, back("ahead", "zoe", 240), erase("late", "zoe", 1))
	k.tend(t)
	is(8, "refused to 14: 14 since 1m0s\nlooked 9-14 applied 11 found [] held [] lifted [14]\n")
}

// TestErasureAfterAKill is noted as refused since the restart, where nobody knows
// whether it was before.
func TestErasureAfterAKill(t *testing.T) {
	k := newKeeping(t, engine.Retention{})
	k.erase(t, "ann")
	k.at.set(storyTime.Add(time.Hour))
	k.restart(t) // without having been tended
	k.tend(t)
	if got := k.said(t, 0); !strings.HasPrefix(got, "refused to 1: 1 since 1h0m0s\n") {
		t.Error(got)
	}
}

// TestManyErasures are noted in parts.
func TestManyErasures(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of changes")
	}
	k := newKeeping(t, engine.Retention{})
	const n = proof.MostInNote + 10
	for from := 0; from < n; from += 1000 {
		var list []string
		for i := from; i < min(from+1000, n); i++ {
			list = append(list, fmt.Sprintf(`"id":"%d","type":"erase","tenant":"acme","customer":"acme:C-%d"`, i, i))
		}
		for i, o := range k.take(t, list...) {
			if o.Err != nil {
				t.Fatal(from+i, o.Err)
			}
		}
	}
	k.tend(t)
	since, last := 0, uint64(0)
	for _, note := range k.notes(t) {
		since += len(note.Since)
		if note.Kind == proof.Looked {
			if note.From != last+1 {
				t.Errorf("looked from %d after %d", note.From, last)
			}
			last = note.To
		}
	}
	if since != n || last != n {
		t.Errorf("%d are refused, and looked for up to %d", since, last)
	}
}

// TestRetire removes a snapshot that holds an erased customer when the time is
// up, and of one that it must not remove says how long it is overdue.
func TestRetireErased(t *testing.T) {
	const within = 48 * time.Hour
	for _, c := range []struct {
		name    string
		prepare func(k *keeping)
		left    int // of four snapshots, of which the first two hold her
		overdue time.Duration
	}{
		{"kept", func(*keeping) {}, 2, 0},
		{"pinned", func(k *keeping) { ok(t, k.Pin(must(k.store.Snapshots())(t)[0])) }, 3, time.Hour},
		{"served last by another", func(k *keeping) {
			ok(t, k.store.NoteServed(must(k.store.Named(must(k.store.Snapshots())(t)[1]))(t)))
		}, 3, time.Hour},
		{"she came back", func(k *keeping) { k.says(t, "opt_in", "ann") }, 4, 0},
	} {
		k := newKeeping(t, engine.Retention{EraseWithin: within, Unready: true})
		seq := k.erase(t, "ann")
		k.publish(t, 0)
		k.publish(t, seq, "ann")
		k.publish(t, seq, "ann")
		reload(t, k.Engine)
		c.prepare(k)
		all := must(k.store.Snapshots())(t)
		k.at.set(storyTime.Add(within))
		for range 5 {
			k.tend(t)
		}
		if left := must(k.store.Snapshots())(t); len(left) != 4 || len(k.removed) > 0 || k.Changes().Overdue() {
			t.Errorf("%s: before the time is up there are %d, removed %q, overdue %t", c.name, len(left), k.removed, k.Changes().Overdue())
		}
		k.at.set(storyTime.Add(within + time.Hour))
		k.restart(t)
		for range 5 {
			k.tend(t)
		}
		left, got := must(k.store.Snapshots())(t), k.Changes().Erased()
		if len(left) != c.left || len(k.removed) != 4-c.left || got.Overdue.Round(time.Second) != c.overdue || got.Removed != uint64(4-c.left) || k.Changes().Overdue() != (c.overdue > 0) {
			t.Errorf("%s: left are %q, removed %q of %q, %+v, overdue %t", c.name, left, k.removed, all, got, k.Changes().Overdue())
		}
		if loud := strings.Count(k.log.String(), "cannot be removed"); loud != min(1, int(c.overdue)) {
			t.Errorf("%s: told %d times", c.name, loud)
		}
		if said := strings.Count(k.said(t, 0), fmt.Sprintf("for %d\n", seq)); said == 0 && c.left < 4 {
			t.Errorf("%s: %s", c.name, k.said(t, 0))
		}
	}
}

// TestRetireUnreadable removes a snapshot that cannot be opened, unless it says
// to contain the erasures.
func TestRetireUnreadable(t *testing.T) {
	for _, contains := range []bool{false, true} {
		k := newKeeping(t, engine.Retention{EraseWithin: time.Hour})
		seq := k.erase(t, "ann")
		applied := uint64(0)
		if contains {
			applied = seq
		}
		damaged := k.publish(t, applied)
		ok(t, os.Remove(filepath.Join(k.store.Dir(), "snapshots", damaged.Name, "index-0000")))
		k.publish(t, seq, "ann")
		reload(t, k.Engine)
		k.at.set(storyTime.Add(2 * time.Hour))
		for range 5 {
			k.tend(t)
		}
		if got := !slices.Contains(k.removed, damaged.Name); got != contains {
			t.Errorf("contains %t: kept %t", contains, got)
		}
	}
}

// TestRetireWaits for a build, and removes what it or a removal left.
func TestRetireWaits(t *testing.T) {
	k := newKeeping(t, engine.Retention{EraseWithin: time.Hour})
	seq := k.erase(t, "ann")
	k.publish(t, seq, "ann")
	reload(t, k.Engine)
	k.at.set(storyTime.Add(2 * time.Hour))
	draft := must(k.store.Begin())(t)
	k.tend(t)
	if len(k.removed) > 0 || strings.Contains(k.said(t, 0), "removed") {
		t.Errorf("removed %q during a build", k.removed)
	}
	ok(t, draft.Close())
	k.tend(t)
	if len(k.removed) != 1 || strings.Count(k.said(t, 0), "removed 1 for 1\n") != 1 {
		t.Errorf("removed %q; %s", k.removed, k.said(t, 0))
	}
}

// TestErasedModel does all that may be done, in random order, and looks into
// every snapshot of the store by itself.
func TestErasedModel(t *testing.T) {
	const within = 10 * time.Hour
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 9))
		k := newKeeping(t, engine.Retention{EraseWithin: within})
		names := []string{"ann", "bob"}
		erased := map[string]time.Time{}
		for range 25 {
			name := names[r.IntN(2)]
			switch r.IntN(8) {
			case 0:
				if _, is := erased[name]; !is {
					erased[name] = k.at.now()
				}
				k.erase(t, name)
			case 1:
				k.says(t, "opt_in", name)
				delete(erased, name)
			case 2: // of stale files
				k.publish(t, 0)
			case 3:
				last, _, _ := k.Changes().Log().Last()
				var without []string
				for name := range erased {
					without = append(without, name)
				}
				k.publish(t, last, without...)
			case 4:
				if list := must(k.store.Snapshots())(t); r.IntN(2) == 0 {
					ok(t, k.Pin(list[r.IntN(len(list))]))
				} else {
					must(k.Unpin())(t)
				}
			case 5:
				if _, err := k.Reload(); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			case 6:
				k.restart(t)
			default:
				k.at.set(k.at.now().Add(time.Duration(r.IntN(8)) * time.Hour))
			}
		}
		list := must(k.store.Snapshots())(t)
		for range len(list) + 1 {
			k.tend(t)
		}
		k.judge(t, seed, erased, within)
		if t.Failed() {
			return
		}
	}
}

// judge looks into each snapshot that is left.
func (k *keeping) judge(t *testing.T, seed int, erased map[string]time.Time, within time.Duration) {
	t.Helper()
	cur := must(k.store.Current())(t).Name
	pin, _, err := k.store.Pinned()
	ok(t, err)
	overdue := false
	for _, name := range must(k.store.Snapshots())(t) {
		s := must(k.store.Open(must(k.store.Named(name))(t), snapshot.Map))(t)
		for who, when := range erased {
			late := k.at.now().Sub(when) > within && must(s.Contains(hashOf("crm.acme:"+who)))(t)
			needed := name == cur || name == pin.Name || name == k.Info().Snapshot
			overdue = overdue || late && needed
			if late && !needed {
				t.Errorf("seed %d: %s was erased at %v and is in %s at %v", seed, who, when, name, k.at.now())
			}
		}
		ok(t, s.Close())
	}
	if got := k.Changes().Erased(); (got.Overdue > 0) != overdue || got.Found > 0 {
		t.Errorf("seed %d: %+v, and overdue is %t", seed, got, overdue)
	}
	for _, n := range k.removed {
		if slices.Contains(must(k.store.Snapshots())(t), n) {
			t.Errorf("seed %d: %s was removed and is there", seed, n)
		}
	}
}
