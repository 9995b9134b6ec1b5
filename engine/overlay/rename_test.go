package overlay_test

import (
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// moved is a store that had another key before.
type moved struct {
	now    *event.Names
	before *event.Names
}

func movedStore(t testing.TB) moved {
	t.Helper()
	m := moved{names(t), names(t)}
	former := snapshot.Keys{Former: []index.Secret{{2}}}
	m.before.Hasher, m.before.Key = former.IdentifierHashers()[0], former.Former[0].ID()
	m.now.Former = event.FormerKeys(former)
	return m
}

// A store that has moved to another key withholds what it withheld before and
// would have withheld since: as one that had the new key all the time, for each
// identifier that is renamed, and for the others by both hashes together.
// That is so of any history, and whenever identifiers are renamed.
func TestRename(t *testing.T) {
	const worlds = 2000
	m := movedStore(t)
	contacts := []string{"cookie.acme:1", "cookie.acme:2", "cookie.acme:3"}
	customers := []string{"crm.acme:1", "crm.acme:2", "crm.bolt:1"}
	texts := slices.Concat(contacts, customers)
	denied, lifted := 0, 0
	for world := range uint64(worlds) {
		r := rand.New(rand.NewPCG(world, 1))
		pick := func(list []string) string { return list[r.IntN(len(list))] }
		// draw is a change under some names, which all the others name too.
		draw := func() func(n *event.Names) event.Bound {
			at, tenant := 1+r.Int64N(6), pick([]string{"acme", "bolt", event.All})
			customer, id, kind := pick(customers), pick(texts), r.IntN(5)
			named := slices.DeleteFunc(slices.Clone(contacts), func(string) bool { return r.IntN(2) == 0 })
			return func(n *event.Names) event.Bound {
				switch kind {
				case 0:
					return former(t, n, about(t, n, event.Erase, at, tenant, customer, named...), customer)
				case 1:
					return lets(t, n, at, tenant, customer, true)
				case 2:
					return lets(t, n, at, tenant, id, false)
				}
				return former(t, n, about(t, n, event.OptOut, at, tenant, id), id)
			}
		}
		renamed := map[string]bool{}
		rename := func(o *overlay.Overlay, text string) *overlay.Overlay {
			renamed[text] = true
			return o.Rename([]snapshot.Renamed{{Old: hashOf(t, m.before, text), New: hashOf(t, m.now, text)}})
		}
		now := *m.now // the store that had its key all the time
		now.Former = nil
		model, got := overlay.New(0), overlay.New(0)
		var list []overlay.Change
		add := func(seq int, under *event.Names) {
			one := draw()
			model = model.With([]overlay.Change{change(t, &now, uint64(seq), one(&now))})
			list = append(list, change(t, m.now, uint64(seq), one(under)))
			got = got.With(list[len(list)-1:])
		}
		before := r.IntN(6)
		for seq := 1; seq <= before; seq++ {
			add(seq, m.before)
		}
		for seq := before + 1; seq <= before+r.IntN(6); seq++ {
			if r.IntN(2) == 0 {
				got = rename(got, pick(texts))
			}
			add(seq, m.now)
		}
		if world%2 == 1 { // replayed
			b := overlay.NewBuilder(0)
			for i := range list {
				b.Add(&list[i])
			}
			got = b.Build()
		}
		for text := range renamed { // as where a snapshot is adopted
			got = rename(got, text)
		}
		for _, text := range texts {
			was, is := hashOf(t, m.before, text), hashOf(t, m.now, text)
			for _, tenant := range []string{"acme", "bolt"} {
				want, have := model.Withheld(is, tenant), got.Withheld(is, tenant)
				if !renamed[text] {
					have = have || got.Withheld(was, tenant)
				}
				if want {
					denied++
				} else if _, some := model.Get(is); some {
					lifted++
				}
				if want != have {
					t.Fatalf("world %d: %s is withheld from %s: %t, not %t (renamed: %t)", world, text, tenant, have, want, renamed[text])
				}
			}
		}
		if again := got.Rename([]snapshot.Renamed{{Old: index.Hash{Lo: 1}, New: index.Hash{Lo: 2}}}); again.Len() != got.Len() {
			t.Fatalf("world %d: an identifier on which nothing hangs came in", world)
		}
	}
	if denied < worlds || lifted < worlds {
		t.Errorf("%d identifiers were withheld and %d let back: the worlds are too poor", denied, lifted)
	}
}

// lets is an opt-in.
func lets(t testing.TB, n *event.Names, at int64, tenant, text string, customer bool) event.Bound {
	t.Helper()
	b := about(t, n, event.OptIn, at, tenant, text)
	b.OfCustomer = customer
	return former(t, n, b, text)
}

// former adds the former hashes.
func former(t testing.TB, n *event.Names, b event.Bound, text string) event.Bound {
	t.Helper()
	for _, f := range n.Former {
		was := *n
		was.Hasher = f.Hasher
		b.Former = append(b.Former, hashOf(t, &was, text))
	}
	return b
}

// A customer who was erased under a former key has no links, segments and consent
// of before the erasure either, once it is known who that is; in whatever order.
func TestRenameCuts(t *testing.T) {
	m := movedStore(t)
	ids := []snapshot.Renamed{{Old: hashOf(t, m.before, ada), New: hashOf(t, m.now, ada)}}
	list := history(t, m.now,
		link(2, laptop, ada, snapshot.Observed), link(3, phone, ada, snapshot.Observed), segment(event.SegmentAdd, 1, 0, ada, "vip"),
		segment(event.SegmentAdd, 3, 0, ada, "new"), consent(2, 0, ada, snapshot.Use), about(t, m.before, event.Erase, 2, "acme", ada, email))
	for range 100 {
		rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		at := rand.IntN(len(list) + 1)
		o := overlay.New(0).With(list[:at]).Rename(ids).With(list[at:]).Rename(ids)
		if got := describe(t, m.now, o, ada); got != "observed, new true until 0, withheld for acme" {
			t.Fatalf("%s, renamed after %d of %v", got, at, list)
		}
		if got := describe(t, m.now, o, laptop); got != "nothing" {
			t.Fatalf("the laptop: %s", got)
		}
		if got := describe(t, m.before, o, ada); got != "withheld for acme" {
			t.Fatalf("under the former key: %s", got)
		}
	}
}

// A customer and a contact of his that are renamed know of each other by all four
// hashes, whichever was first.
func TestRenameContacts(t *testing.T) {
	m := movedStore(t)
	erased := history(t, m.now, about(t, m.before, event.Erase, 2, "acme", ada, email))
	hashes := func(text string) [2]index.Hash {
		return [2]index.Hash{hashOf(t, m.before, text), hashOf(t, m.now, text)}
	}
	customer, contact := hashes(ada), hashes(email)
	for _, order := range [][2][2]index.Hash{{customer, contact}, {contact, customer}} {
		o := overlay.New(0).With(erased)
		for _, h := range order {
			o = o.Rename([]snapshot.Renamed{{Old: h[0], New: h[1]}})
		}
		others := func(of index.Hash, list func(overlay.Entry) iter.Seq[overlay.Contact]) (out []index.Hash) {
			e, _ := o.Get(of)
			for c := range list(e) {
				out = append(out, c.Other)
			}
			return out
		}
		for _, h := range customer {
			if got := others(h, overlay.Entry.Contacts); len(got) != 2 || !slices.Contains(got, contact[0]) || !slices.Contains(got, contact[1]) {
				t.Errorf("contacts of the customer: %v", got)
			}
		}
		for _, h := range contact {
			if got := others(h, overlay.Entry.ContactOf); len(got) != 2 || !slices.Contains(got, customer[0]) || !slices.Contains(got, customer[1]) {
				t.Errorf("customers of the contact: %v", got)
			}
		}
	}
}

// Hashes of a key that the store never had are refused.
func TestFormerKeyIsKnown(t *testing.T) {
	m := movedStore(t)
	b := about(t, m.before, event.OptOut, 1, "acme", laptop)
	if _, err := overlay.NewChange(1, b, m.now); err != nil {
		t.Errorf("of the former key: %v", err)
	}
	if _, err := overlay.NewChange(1, b, names(t)); !errors.Is(err, overlay.ErrKey) {
		t.Errorf("of another store's key: %v", err)
	}
}
