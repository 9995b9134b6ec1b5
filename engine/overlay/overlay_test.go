package overlay_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// history makes changes of events, numbered from 1.
func history(t testing.TB, n *event.Names, events ...event.Bound) []overlay.Change {
	t.Helper()
	var list []overlay.Change
	for i, e := range events {
		list = append(list, change(t, n, uint64(i+1), e))
	}
	return list
}

func link(at int64, left, right string, m snapshot.Method) event.Bound {
	return event.Bound{Type: event.Link, At: at, Left: min(left, right), Right: max(left, right), Method: m}
}

func unlink(at int64, left, right string) event.Bound {
	b := link(at, left, right, 0)
	b.Type = event.Unlink
	return b
}

func segment(typ event.Type, at, until int64, customer, code string) event.Bound {
	return event.Bound{Type: typ, At: at, Until: until, Subject: customer, Segment: code}
}

func consent(at, until int64, customer string, p snapshot.Purposes) event.Bound {
	return event.Bound{Type: event.Consent, At: at, Until: until, Subject: customer, Granted: p != 0, Purposes: p}
}

// about makes an opt-out, an opt-in or an erasure.
func about(t testing.TB, n *event.Names, typ event.Type, at int64, tenant, text string, contacts ...string) event.Bound {
	t.Helper()
	b := event.Bound{Type: typ, At: at, Tenant: tenant, Key: n.Key, Hash: hashOf(t, n, text), OfCustomer: typ == event.Erase}
	for _, c := range contacts {
		b.Contacts = append(b.Contacts, hashOf(t, n, c))
	}
	slices.SortFunc(b.Contacts, index.Hash.Compare)
	return b
}

func lift(t testing.TB, n *event.Names, at int64, tenant, customer string) event.Bound {
	t.Helper()
	b := about(t, n, event.OptIn, at, tenant, customer)
	b.OfCustomer = true
	return b
}

const (
	ada    = "crm.acme:ada"
	bob    = "crm.bolt:bob"
	laptop = "cookie.acme:laptop"
	phone  = "cookie.acme:phone"
	email  = "email_sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
)

// The text of an identifier goes with the last fact that needs it.
func TestTextsGo(t *testing.T) {
	n := names(t)
	o := overlay.New(0).With(history(t, n,
		link(1, ada, laptop, 0), about(t, n, event.OptOut, 1, "acme", laptop), segment(event.SegmentAdd, 1, 0, ada, "vip")))
	text := func(o *overlay.Overlay, of string) string {
		e, _ := o.Get(hashOf(t, n, of))
		return string(e.Text())
	}
	if text(o, ada) != ada || text(o, laptop) != laptop {
		t.Errorf("texts %q, %q", text(o, ada), text(o, laptop))
	}
	o = o.With([]overlay.Change{change(t, n, 4, about(t, n, event.Erase, 2, "acme", ada))})
	if text(o, ada) != "" || text(o, laptop) != "" {
		t.Errorf("texts after the erasure: %q, %q", text(o, ada), text(o, laptop))
	}
}

// A segment says nothing from its end on.
func TestUntil(t *testing.T) {
	for _, c := range []struct {
		until, now int64
		want       bool
	}{{0, 1 << 40, true}, {10, 9, true}, {10, 10, false}, {10, 11, false}} {
		if got := (overlay.Segment{Until: c.until}).InForce(c.now); got != c.want {
			t.Errorf("until %d, at %d: %t", c.until, c.now, got)
		}
	}
}

// What a snapshot contains is folded: queries pass over it, and changes that
// come late still lose to it, until it is dropped.
func TestRebase(t *testing.T) {
	n := names(t)
	o := overlay.New(0).With(history(t, n,
		unlink(50, ada, laptop), segment(event.SegmentAdd, 10, 0, ada, "vip"), consent(10, 0, ada, 1), // 1 to 3
		about(t, n, event.OptOut, 10, "acme", phone), about(t, n, event.Erase, 10, "bolt", bob, email), // 4, 5
		segment(event.SegmentAdd, 10, 0, ada, "late"))) // 6
	rebase := func(o *overlay.Overlay, applied uint64, before int64) *overlay.Overlay {
		t.Helper()
		next, err := o.Rebase(applied, before)
		if err != nil {
			t.Fatal(err)
		}
		if next.Applied() != applied || next.Seq() != o.Seq() {
			t.Errorf("applied %d, sequence %d; want %d, %d", next.Applied(), next.Seq(), applied, o.Seq())
		}
		return next
	}
	check := func(what string, o *overlay.Overlay, of, want string) {
		t.Helper()
		if got := describe(t, n, o, of); got != want {
			t.Errorf("%s: %s: %q, want %q", what, of, got, want)
		}
	}
	folded := rebase(o, 5, 0)
	check("folded", folded, ada, "late true until 0")
	check("folded", folded, phone, "withheld for acme")
	check("folded", folded, bob, "withheld for bolt")
	check("folded", folded, email, "withheld for bolt")
	check("up to the last that is folded", rebase(o, 6, 0), ada, "")
	check("the version before", o, laptop, "unlinked")
	if folded.Len() != o.Len() {
		t.Errorf("%d entries of %d are left, though nothing is to be dropped", folded.Len(), o.Len())
	}

	late := []overlay.Change{change(t, n, 7, link(40, ada, laptop, 0))}
	check("a delayed link", folded.With(late), laptop, "")
	check("a newer link", folded.With([]overlay.Change{change(t, n, 7, link(60, ada, laptop, 0))}), laptop, "authenticated")

	kept := rebase(o, 5, 50)
	check("dropped but for the last", kept.With(late), laptop, "")
	check("dropped but for the last", kept, phone, "withheld for acme")
	if _, err := kept.Rebase(2, 0); !errors.Is(err, overlay.ErrDropped) {
		t.Errorf("back to a snapshot that lacks what was dropped: %v", err)
	}
	check("back to one that does not", rebase(kept, 3, 0), ada, "late true until 0")
	check("back before anything", rebase(folded, 0, 0), laptop, "unlinked")

	dropped := rebase(o, 5, 51)
	check("all dropped", dropped, laptop, "nothing")
	check("all dropped", dropped.With(late), laptop, "authenticated")
	check("all dropped", dropped, ada, "late true until 0")
	check("all dropped", dropped, bob, "withheld for bolt")
	check("all dropped", dropped, email, "withheld for bolt")

	again := rebase(dropped, 6, 1<<60)
	if _, err := again.Rebase(5, 0); !errors.Is(err, overlay.ErrDropped) {
		t.Errorf("what a second rebase dropped is forgotten: %v", err)
	}
	if _, err := rebase(again, 7, 0).Rebase(5, 0); !errors.Is(err, overlay.ErrDropped) {
		t.Errorf("what an earlier rebase dropped is forgotten: %v", err)
	}
}

func TestNewChangeRefuses(t *testing.T) {
	n := names(t)
	other := about(t, n, event.OptOut, 1, "acme", laptop)
	other.Key = "another"
	if _, err := overlay.NewChange(1, other, n); !errors.Is(err, overlay.ErrKey) {
		t.Errorf("a hash of another key: %v", err)
	}
	for want, b := range map[string]event.Bound{
		"left":     link(1, "gone:x", "nowhere:y", 0),
		"right":    {Type: event.Unlink, At: 1, Left: ada, Right: "nowhere:y"},
		"customer": segment(event.SegmentAdd, 1, 0, "crm.gone:x", "vip"),
	} {
		_, err := overlay.NewChange(1, b, n)
		if !errors.Is(err, index.ErrInvalid) || err.Error()[:len(want)] != want {
			t.Errorf("%s of a namespace that is not declared: %v", want, err)
		}
	}
}

// numbered is an identifier of many.
func numbered(i int) string { return fmt.Sprintf("cookie.acme:c%d", i) }

// Growing loses nothing and finds nothing that is not there.
func TestGrows(t *testing.T) {
	n := names(t)
	const many = 5000
	b, o := overlay.NewBuilder(0), overlay.New(0)
	var group []overlay.Change
	for i := range many {
		c := change(t, n, uint64(i+1), link(int64(i+1), numbered(2*i), numbered(2*i+1), 0))
		b.Add(&c)
		if group = append(group, c); len(group) == 100 {
			o, group = o.With(group), nil
		}
	}
	built := b.Build()
	got, _ := read(t, o)
	if want, _ := read(t, built); !maps.Equal(got, want) || built.Len() != 2*many || o.Len() != 2*many || o.Bytes() != built.Bytes() {
		t.Errorf("%d entries of %d bytes in groups, %d of %d built", o.Len(), o.Bytes(), built.Len(), built.Bytes())
	}
	for i := range 2 * many {
		e, ok := o.Get(hashOf(t, n, numbered(i)))
		links := slices.Collect(e.Links())
		if !ok || len(links) != 1 || links[0].Other != hashOf(t, n, numbered(i^1)) || links[0].Seq != uint64(i/2+1) {
			t.Fatalf("identifier %d: %t, %+v", i, ok, links)
		}
		if _, ok := o.Get(hashOf(t, n, numbered(i+2*many))); ok {
			t.Fatalf("identifier %d is there", i+2*many)
		}
	}
}

// A start that finds more of one identifier than waits at a time comes to what
// groups come to.
func TestBuilderWithFullRuns(t *testing.T) {
	n := names(t)
	b, o := overlay.NewBuilder(0), overlay.New(0)
	for i := range 9000 {
		e := about(t, n, event.Type(int(event.OptOut)+i%2), int64(i*7919%9000+1), "acme", laptop)
		if i%3 == 0 {
			e = link(int64(i*7919%9000+1), laptop, numbered(i%30), snapshot.Method(i%4))
		}
		c := change(t, n, uint64(i+1), e)
		b.Add(&c)
		o = o.With([]overlay.Change{c})
	}
	got, seqs := read(t, b.Build())
	want, wantSeqs := read(t, o)
	if !maps.Equal(got, want) || !maps.Equal(seqs, wantSeqs) {
		t.Errorf("built\n%v, numbers %v\nin groups\n%v, numbers %v", got, seqs, want, wantSeqs)
	}
}

// No version changes once it is there, whatever becomes of the ones after it.
func TestVersionsStay(t *testing.T) {
	n := names(t)
	type version struct {
		o     *overlay.Overlay
		facts map[key]value
	}
	b := overlay.NewBuilder(0)
	for i := range 250 {
		c := change(t, n, uint64(i+1), link(1, numbered(i), ada, 0))
		b.Add(&c)
	}
	var kept []version
	for o, i := b.Build(), 0; i < 60; i++ {
		facts, _ := read(t, o)
		kept = append(kept, version{o, facts})
		seq := uint64(1000 + 10*i)
		o = o.With([]overlay.Change{
			change(t, n, seq, unlink(int64(i+2), numbered(i), ada)),
			change(t, n, seq+1, link(1, numbered(i+500), phone, 0)),
			change(t, n, seq+2, segment(event.SegmentAdd, int64(i+2), 0, ada, fmt.Sprint("s", i%7))),
			change(t, n, seq+3, about(t, n, event.OptOut, int64(i+1), "acme", numbered(i))),
		})
		if i%20 == 19 {
			o = o.With([]overlay.Change{change(t, n, seq+4, about(t, n, event.Erase, int64(i), "acme", ada, email))})
		}
		if i%25 == 24 {
			var err error
			if o, err = o.Rebase(seq, 10); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, v := range kept {
		if facts, _ := read(t, v.o); !maps.Equal(facts, v.facts) {
			t.Errorf("version %d has changed", i)
		}
	}
}

// Readers beside a writer see one version whole: each link at both its ends.
func TestReadersBesideAWriter(t *testing.T) {
	n := names(t)
	const many = 400
	var hashes [many]index.Hash
	for i := range hashes {
		hashes[i] = hashOf(t, n, numbered(i))
	}
	var now atomic.Pointer[overlay.Overlay]
	now.Store(overlay.New(0))
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				o := now.Load()
				for _, h := range hashes {
					e, _ := o.Get(h)
					for l := range e.Links() {
						other, ok := o.Get(l.Other)
						if !ok || !slices.ContainsFunc(slices.Collect(other.Links()), func(k overlay.Link) bool {
							return k.Other == h && k.Fact == l.Fact && k.Linked == l.Linked
						}) {
							t.Errorf("version %d has a link at one end alone", o.Seq())
							return
						}
					}
				}
			}
		})
	}
	for i := range 2000 {
		c := change(t, n, uint64(i+1), link(int64(i+1), numbered(i%many), numbered((i*7+1)%many+many), 0))
		if i%3 == 0 {
			c = change(t, n, uint64(i+1), unlink(int64(i+1), numbered(i%many), numbered((i*7+1)%many+many)))
		}
		now.Store(now.Load().With([]overlay.Change{c}))
	}
	close(done)
	readers.Wait()
}

// Queries allocate nothing.
func TestQueriesDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	n := names(t)
	o := overlay.New(0).With(history(t, n, link(1, ada, laptop, 0), segment(event.SegmentAdd, 1, 0, ada, "vip"), consent(1, 0, ada, 1),
		about(t, n, event.OptOut, 1, "acme", laptop), about(t, n, event.Erase, 1, "bolt", bob, email)))
	all := []index.Hash{hashOf(t, n, ada), hashOf(t, n, laptop), hashOf(t, n, email), hashOf(t, n, phone)}
	seen := 0
	if allocs := testing.AllocsPerRun(100, func() {
		for _, h := range all {
			if e, ok := o.Get(h); ok && !e.Withheld("acme") {
				seen++
			}
			o.Withheld(h, "bolt")
			e, _ := o.Get(h)
			for l := range e.Links() {
				seen += int(l.Other.Lo&1) + 1
			}
			for s := range e.Segments() {
				seen += len(s.Code)
			}
			if c, ok := e.Consent(); ok {
				seen += int(c.Purposes)
			}
		}
	}); allocs != 0 || seen == 0 {
		t.Errorf("%v allocations, %d seen", allocs, seen)
	}
}
