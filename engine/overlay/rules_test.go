package overlay_test

import (
	"fmt"
	"testing"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/snapshot"
)

// describe tells in words what hangs on an identifier.
func describe(t testing.TB, n *event.Names, o *overlay.Overlay, text string) (words string) {
	t.Helper()
	e, ok := o.Get(hashOf(t, n, text))
	if !ok {
		return "nothing"
	}
	sep := func() {
		if words != "" {
			words += ", "
		}
	}
	for l := range e.Links() {
		sep()
		words += map[bool]string{true: l.Method.String(), false: "unlinked"}[l.Linked]
	}
	for s := range e.Segments() {
		sep()
		words += fmt.Sprintf("%s %t until %d", s.Code, s.Added, s.Until)
	}
	if c, ok := e.Consent(); ok {
		sep()
		words += fmt.Sprintf("consent %t for %d until %d", c.Granted, c.Purposes, c.Until)
	}
	for _, tenant := range []string{"acme", "bolt"} {
		if e.Withheld(tenant) {
			sep()
			words += "withheld for " + tenant
		}
	}
	return words
}

// Each rule by itself: the events of a row come to what it says in any order.
func TestRules(t *testing.T) {
	n := names(t)
	out := func(at int64, tenant string) event.Bound { return about(t, n, event.OptOut, at, tenant, laptop) }
	in := func(at int64, tenant string) event.Bound { return about(t, n, event.OptIn, at, tenant, laptop) }
	erase := func(at int64, tenant string, contacts ...string) event.Bound {
		return about(t, n, event.Erase, at, tenant, ada, contacts...)
	}
	add := func(at, until int64) event.Bound { return segment(event.SegmentAdd, at, until, ada, "vip") }
	remove := func(at, until int64) event.Bound { return segment(event.SegmentRemove, at, until, ada, "vip") }
	all := func(list ...event.Bound) []event.Bound { return list }
	const both = snapshot.Use | snapshot.Share
	for _, c := range []struct {
		name   string
		events []event.Bound
		of     string
		want   string
	}{
		{"a link", all(link(1, laptop, ada, snapshot.Observed)), laptop, "observed"},
		{"is one of both ends", all(link(1, laptop, ada, snapshot.Observed)), ada, "observed"},
		{"the later unlinks", all(link(1, laptop, ada, 0), unlink(2, laptop, ada)), laptop, "unlinked"},
		{"the later links", all(link(3, laptop, ada, 0), unlink(2, laptop, ada)), ada, "authenticated"},
		{"of one time: unlinked", all(link(2, laptop, ada, 0), unlink(2, ada, laptop)), ada, "unlinked"},
		{"of one time: the weaker method", all(link(2, laptop, ada, 0), link(2, laptop, ada, 3)), ada, "inferred"},
		{"links are by pair", all(link(1, laptop, ada, 0), unlink(2, phone, ada)), laptop, "authenticated"},

		{"the later removes", all(add(1, 0), remove(2, 0)), ada, "vip false until 0"},
		{"the later adds", all(add(3, 9), remove(2, 0)), ada, "vip true until 9"},
		{"of one time: removed", all(add(2, 0), remove(2, 9)), ada, "vip false until 9"},
		{"of two stays: the shorter", all(add(2, 8), add(2, 9)), ada, "vip true until 8"},
		{"a stay for ever is the longest", all(add(2, 0), add(2, 9)), ada, "vip true until 9"},
		{"of two removals: the longer", all(remove(2, 8), remove(2, 9)), ada, "vip false until 9"},
		{"a removal for ever is the longest", all(remove(2, 0), remove(2, 9)), ada, "vip false until 0"},

		{"a consent", all(consent(1, 7, ada, both)), ada, "consent true for 3 until 7"},
		{"the later withdraws", all(consent(1, 0, ada, both), consent(2, 0, ada, 0)), ada, "consent false for 0 until 0"},
		{"the later grants", all(consent(3, 0, ada, 1), consent(2, 0, ada, 0)), ada, "consent true for 1 until 0"},
		{"of one time: withdrawn", all(consent(2, 0, ada, both), consent(2, 0, ada, 0)), ada, "consent false for 0 until 0"},
		{"of two grants: what both grant", all(consent(2, 9, ada, 1), consent(2, 5, ada, both)), ada, "consent true for 1 until 5"},
		{"which may be nothing", all(consent(2, 0, ada, 1), consent(2, 5, ada, 2)), ada, "consent true for 0 until 5"},

		{"an opt-out", all(out(1, "acme")), laptop, "withheld for acme"},
		{"is lifted by a later opt-in", all(out(1, "acme"), in(2, "acme")), laptop, ""},
		{"not by an earlier one", all(out(3, "acme"), in(2, "acme")), laptop, "withheld for acme"},
		{"nor by one of the same time", all(out(2, "acme"), in(2, "acme")), laptop, "withheld for acme"},
		{"nor by another tenant's", all(out(1, "acme"), in(2, "bolt")), laptop, "withheld for acme"},
		{"for all tenants", all(out(1, "*")), laptop, "withheld for acme, withheld for bolt"},
		{"one tenant does not lift it for all", all(out(1, "*"), in(2, "acme")), laptop, "withheld for acme, withheld for bolt"},
		{"all do not lift it for one", all(out(1, "acme"), in(2, "*")), laptop, "withheld for acme"},
		{"a link lifts no opt-out", all(out(1, "acme"), link(2, laptop, ada, 0)), laptop, "authenticated, withheld for acme"},

		{"an erasure", all(erase(2, "acme")), ada, "withheld for acme"},
		{"cuts what is not later", all(erase(2, "acme"), add(2, 0), consent(1, 0, ada, both), link(2, ada, laptop, 0)), ada, "withheld for acme"},
		{"at the other end too", all(erase(2, "acme"), link(2, ada, laptop, 0)), laptop, "nothing"},
		{"leaves others' links", all(erase(2, "acme"), link(1, ada, laptop, 0), link(1, phone, laptop, 0)), laptop, "authenticated"},
		{"is lifted by a later opt-in of the customer", all(erase(2, "acme"), lift(t, n, 3, "acme", ada)), ada, ""},
		{"not by one of the same time", all(erase(2, "acme"), lift(t, n, 2, "acme", ada)), ada, "withheld for acme"},
		{"nor by the identifier's", all(erase(2, "acme"), about(t, n, event.OptIn, 3, "acme", ada)), ada, "withheld for acme"},
		{"what it cut stays cut", all(erase(2, "acme"), add(1, 0), lift(t, n, 3, "acme", ada)), ada, ""},
		{"what is later is there", all(erase(2, "acme"), add(4, 0), lift(t, n, 3, "acme", ada)), ada, "vip true until 0"},
		{"withholds contacts", all(erase(2, "acme", email)), email, "withheld for acme"},
		{"for all tenants where it is for all", all(erase(2, "*", email)), email, "withheld for acme, withheld for bolt"},
		{"whichever erasure named them", all(erase(2, "acme", email), lift(t, n, 3, "acme", ada), erase(1, "*")), email, "withheld for acme, withheld for bolt"},
		{"lets contacts go with the customer", all(erase(2, "acme", email), lift(t, n, 3, "acme", ada)), email, ""},
		{"of two customers, while one is erased", all(erase(2, "acme", email), lift(t, n, 3, "acme", ada),
			about(t, n, event.Erase, 2, "bolt", bob, email)), email, "withheld for bolt"},
		{"no opt-in lets a contact of it go", all(erase(2, "acme", email), about(t, n, event.OptIn, 9, "acme", email)), email, "withheld for acme"},
		{"nor does a second erasure forget contacts", all(erase(2, "acme", email), lift(t, n, 3, "acme", ada), erase(4, "acme")), email, "withheld for acme"},
	} {
		t.Run(c.name, func(t *testing.T) {
			permute(c.events, func(events []event.Bound) {
				o := overlay.New(0).With(history(t, n, events...))
				if got := describe(t, n, o, c.of); got != c.want {
					t.Errorf("%s: %q, want %q, of %+v", c.of, got, c.want, events)
				}
			})
		})
	}
}

func permute[T any](list []T, f func([]T)) {
	var with func(k int)
	with = func(k int) {
		if k == len(list) {
			f(list)
			return
		}
		for i := k; i < len(list); i++ {
			list[k], list[i] = list[i], list[k]
			with(k + 1)
			list[k], list[i] = list[i], list[k]
		}
	}
	with(0)
}
