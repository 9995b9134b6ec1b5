package overlay_test

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// names are those of a store with two tenants.
func names(t testing.TB) *event.Names {
	t.Helper()
	ns, err := index.NewNamespaces(append(index.Builtin(),
		index.Namespace{Name: "crm.acme"}, index.Namespace{Name: "crm.bolt"}, index.Namespace{Name: "cookie.acme"}))
	if err != nil {
		t.Fatal(err)
	}
	secret := index.Secret{1}
	return &event.Names{Namespaces: ns, Hasher: snapshot.IdentifierHasher(secret), Key: secret.ID(), Tenants: []string{"acme", "bolt"}}
}

func hashOf(t testing.TB, n *event.Names, text string) index.Hash {
	t.Helper()
	h, err := n.Hash(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func change(t testing.TB, n *event.Names, seq uint64, b event.Bound) overlay.Change {
	t.Helper()
	c, err := overlay.NewChange(seq, b, n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The model is a list of events. What holds is worked out from all of them at
// once, as the words of the design say it, without regard to their order.
type model struct {
	names  *event.Names
	hashes map[string]index.Hash
	events []event.Bound
}

func (m *model) hash(text string) index.Hash {
	h, ok := m.hashes[text]
	if !ok {
		var err error
		if h, err = m.names.Hash(text); err != nil {
			panic(err)
		}
		m.hashes[text] = h
	}
	return h
}

// cutAt is when a customer was erased last, for whomever.
func (m *model) cutAt(h index.Hash) (at int64) {
	for _, e := range m.events {
		if e.Type == event.Erase && e.Hash == h {
			at = max(at, e.At)
		}
	}
	return at
}

// latest returns the events among those of a fact that are of the latest time.
func latest(list []event.Bound) []event.Bound {
	last := slices.MaxFunc(list, func(a, b event.Bound) int { return cmp.Compare(a.At, b.At) }).At
	return slices.DeleteFunc(slices.Clone(list), func(e event.Bound) bool { return e.At != last })
}

func denied(list []event.Bound) bool {
	return slices.ContainsFunc(list, func(e event.Bound) bool { return e.Denies() })
}

// shortest and longest take 0 as for ever.
func shortest(list []event.Bound) (until int64) {
	for _, e := range list {
		if until == 0 || e.Until != 0 && e.Until < until {
			until = e.Until
		}
	}
	return until
}

func longest(list []event.Bound) (until int64) {
	for _, e := range list {
		if e.Until == 0 {
			return 0
		}
		until = max(until, e.Until)
	}
	return until
}

// facts are all facts of the model: by what they are about, what they say.
func (m *model) facts() map[key]value {
	out, by := map[key]value{}, map[key][]event.Bound{}
	for _, e := range m.events {
		switch e.Type {
		case event.Link, event.Unlink:
			l, r := m.hash(e.Left), m.hash(e.Right)
			if e.At > m.cutAt(l) && e.At > m.cutAt(r) {
				by[linkKey(l, r)] = append(by[linkKey(l, r)], e)
				by[linkKey(r, l)] = append(by[linkKey(r, l)], e)
				out[textKey(l)], out[textKey(r)] = value{text: e.Left}, value{text: e.Right}
			}
		case event.SegmentAdd, event.SegmentRemove, event.Consent:
			if h := m.hash(e.Subject); e.At > m.cutAt(h) {
				k := consentKey(h)
				if e.Type != event.Consent {
					k = segmentKey(h, e.Segment)
				}
				by[k] = append(by[k], e)
				out[textKey(h)] = value{text: e.Subject}
			}
		case event.Erase:
			for _, c := range e.Contacts {
				out[contactKey("contact", e.Hash, c)] = value{}
				out[contactKey("contact of", c, e.Hash)] = value{}
			}
			fallthrough
		default:
			k := optOutKey(e.Hash, e.Tenant)
			if e.OfCustomer {
				k = erasureKey(e.Hash, e.Tenant)
			}
			by[k] = append(by[k], e)
		}
	}
	for k, list := range by {
		out[k] = says(k.kind, list)
	}
	return out
}

// says is what the events of one fact come to.
func says(kind string, list []event.Bound) value {
	if kind == "erasure" {
		var erased, lifted int64
		for _, e := range list {
			if e.Type == event.Erase {
				erased = max(erased, e.At)
			} else {
				lifted = max(lifted, e.At)
			}
		}
		return value{at: erased, until: lifted, on: erased != 0 && erased >= lifted}
	}
	list = latest(list)
	e, no := list[0], denied(list)
	switch kind {
	case "link":
		if no {
			return value{at: e.At}
		}
		weakest := slices.MaxFunc(list, func(a, b event.Bound) int { return cmp.Compare(a.Method, b.Method) })
		return value{at: e.At, on: true, n: uint8(weakest.Method)}
	case "segment":
		list = slices.DeleteFunc(list, func(e event.Bound) bool { return e.Denies() != no })
		if no {
			return value{at: e.At, until: longest(list)}
		}
		return value{at: e.At, on: true, until: shortest(list)}
	case "consent":
		if no {
			return value{at: e.At}
		}
		both := snapshot.Use | snapshot.Share
		for _, e := range list {
			both &= e.Purposes
		}
		return value{at: e.At, on: true, n: uint8(both), until: shortest(list)}
	}
	return value{at: e.At, on: no}
}

// key is what a fact is about, value what it says of it.
type key struct {
	kind string
	h, o index.Hash
	name string // of a tenant or segment
}

type value struct {
	at, until int64
	on        bool
	n         uint8 // method or purposes
	text      string
}

func textKey(h index.Hash) key              { return key{kind: "text", h: h} }
func linkKey(h, o index.Hash) key           { return key{kind: "link", h: h, o: o} }
func segmentKey(h index.Hash, c string) key { return key{kind: "segment", h: h, name: c} }
func consentKey(h index.Hash) key           { return key{kind: "consent", h: h} }
func optOutKey(h index.Hash, t string) key  { return key{kind: "opt-out", h: h, name: t} }
func erasureKey(h index.Hash, t string) key { return key{kind: "erasure", h: h, name: t} }
func contactKey(kind string, h, o index.Hash) key {
	return key{kind: kind, h: h, o: o}
}

// read lists the facts of an overlay as the model does, and their numbers.
func read(t testing.TB, o *overlay.Overlay) (facts map[key]value, seqs map[key]uint64) {
	t.Helper()
	facts, seqs = map[key]value{}, map[key]uint64{}
	add := func(k key, v value, seq uint64) {
		if _, twice := facts[k]; twice {
			t.Fatalf("%v is there twice", k)
		}
		facts[k], seqs[k] = v, seq
	}
	n, before := 0, index.Hash{}
	for e := range o.All() {
		if n++; n > 1 && cmp.Or(cmp.Compare(before.Lo, e.Hash.Lo), cmp.Compare(before.Hi, e.Hash.Hi)) >= 0 {
			t.Fatalf("entry %d is not after the one before", n)
		}
		before = e.Hash
		if got, ok := o.Get(e.Hash); !ok || string(got.Text()) != string(e.Text()) {
			t.Fatalf("entry %x is listed and not found", e.Hash)
		}
		h := e.Hash
		if text := e.Text(); len(text) > 0 {
			add(textKey(h), value{text: string(text)}, 0)
		}
		for l := range e.Links() {
			add(linkKey(h, l.Other), value{at: l.At, on: l.Linked, n: uint8(l.Method)}, l.Seq)
		}
		for s := range e.Segments() {
			add(segmentKey(h, string(s.Code)), value{at: s.At, on: s.Added, until: s.Until}, s.Seq)
		}
		if c, ok := e.Consent(); ok {
			add(consentKey(h), value{at: c.At, on: c.Granted, n: uint8(c.Purposes), until: c.Until}, c.Seq)
		}
		for x := range e.OptOuts() {
			add(optOutKey(h, string(x.Tenant)), value{at: x.At, on: x.Denied}, x.Seq)
		}
		for x := range e.Erasures() {
			add(erasureKey(h, string(x.Tenant)), value{at: x.At, until: x.LiftedAt, on: x.InForce()}, x.Seq)
		}
		for c := range e.Contacts() {
			add(contactKey("contact", h, c.Other), value{}, c.Seq)
		}
		for c := range e.ContactOf() {
			add(contactKey("contact of", h, c.Other), value{}, c.Seq)
		}
	}
	if n != o.Len() {
		t.Fatalf("%d entries are listed, %d counted", n, o.Len())
	}
	return facts, seqs
}

var (
	texts     = []string{"crm.acme:a", "crm.acme:b", "crm.bolt:a", "cookie.acme:x", "cookie.acme:y"}
	customers = texts[:3]
	tenants   = []string{"acme", "bolt", event.All}
)

// randomEvent is one of few facts at one of few times, so that many meet.
func randomEvent(r *rand.Rand, m *model) event.Bound {
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	b := event.Bound{Type: event.Type(1 + r.IntN(8)), At: int64(1 + r.IntN(4)), Client: "c"}
	until := int64(r.IntN(3)) * 100
	switch b.Type {
	case event.Link, event.Unlink:
		for b.Left >= b.Right {
			b.Left, b.Right = pick(texts), pick(texts)
		}
		if b.Type == event.Link {
			b.Method = snapshot.Method(r.IntN(4))
		}
	case event.SegmentAdd, event.SegmentRemove:
		b.Subject, b.Segment, b.Until = pick(customers), pick([]string{"vip", "churn"}), until
	case event.Consent:
		b.Subject, b.Granted = pick(customers), r.IntN(3) > 0
		if b.Granted {
			b.Purposes, b.Until = snapshot.Purposes(1+r.IntN(3)), until
		}
	default:
		b.Tenant, b.Key = pick(tenants), m.names.Key
		b.OfCustomer = b.Type == event.Erase || b.Type == event.OptIn && r.IntN(2) == 0
		b.Hash = m.hash(pick(texts))
		if b.OfCustomer {
			b.Hash = m.hash(pick(customers))
		}
		if b.Type == event.Erase && r.IntN(2) == 0 {
			b.Contacts = []index.Hash{m.hash(pick(texts[3:]))}
		}
	}
	return b
}

// cases is how many histories are tried.
func cases(most int) int {
	switch {
	case testing.Short():
		return most / 100
	case raceEnabled:
		return most / 10
	}
	return most
}

// Events that come twice, late, in any order and in any groups come to the
// facts of the model.
func TestOverlayIsTheModel(t *testing.T) {
	n := names(t)
	hashes := map[string]index.Hash{}
	for seed := range uint64(cases(100_000)) {
		r := rand.New(rand.NewPCG(seed, 7))
		m := &model{names: n, hashes: hashes}
		for range 1 + r.IntN(14) {
			m.events = append(m.events, randomEvent(r, m))
		}
		arriving := slices.Clone(m.events)
		for range r.IntN(len(arriving) + 1) {
			arriving = append(arriving, m.events[r.IntN(len(m.events))])
		}
		r.Shuffle(len(arriving), func(i, j int) { arriving[i], arriving[j] = arriving[j], arriving[i] })

		want := m.facts()
		b, o := overlay.NewBuilder(0), overlay.New(0)
		var group []overlay.Change
		built := r.IntN(len(arriving) + 1) // how many the start finds in the log
		begun := overlay.NewBuilder(0)
		for i, e := range arriving {
			c := change(t, n, uint64(i+1), e)
			b.Add(&c)
			if i < built {
				begun.Add(&c)
				continue
			}
			if i == built {
				o = begun.Build()
			}
			if group = append(group, c); r.IntN(3) == 0 {
				o, group = o.With(group), nil
			}
		}
		if built == len(arriving) {
			o = begun.Build()
		}
		o = o.With(group)
		got, seqs := read(t, o)
		if !maps.Equal(got, want) {
			t.Fatalf("seed %d: groups come to\n%v\nwant\n%v\nof %+v", seed, got, want, arriving)
		}
		whole, same := read(t, b.Build())
		if !maps.Equal(whole, want) || !maps.Equal(same, seqs) {
			t.Fatalf("seed %d: the builder comes to\n%v\nwant\n%v\nof %+v", seed, whole, want, arriving)
		}
		if seed%20 == 0 {
			if want := numbers(n, hashes, arriving, want); !maps.Equal(seqs, want) {
				t.Fatalf("seed %d: numbers %v, want %v", seed, seqs, want)
			}
			checkWithheld(t, o, m)
		}
	}
}

// numbers are, for each fact, that of the event with which it became what it is.
func numbers(n *event.Names, hashes map[string]index.Hash, arriving []event.Bound, final map[key]value) map[key]uint64 {
	out, before := map[key]uint64{}, map[key]value{}
	for i := range arriving {
		m := &model{names: n, hashes: hashes, events: arriving[:i+1]}
		now := m.facts()
		for k, v := range now {
			if was, ok := before[k]; !ok || was != v {
				out[k] = uint64(i + 1)
			}
		}
		before = now
	}
	for k := range out {
		if _, ok := final[k]; !ok {
			delete(out, k)
		} else if k.kind == "text" {
			out[k] = 0
		}
	}
	return out
}

// checkWithheld compares the answers of queries to what the model's facts say.
func checkWithheld(t *testing.T, o *overlay.Overlay, m *model) {
	t.Helper()
	facts := m.facts()
	holds := func(k func(index.Hash, string) key, h index.Hash, tenant string) bool {
		return facts[k(h, tenant)].on || facts[k(h, event.All)].on
	}
	for _, text := range texts {
		h := m.hash(text)
		for _, tenant := range tenants[:2] {
			out, erased := holds(optOutKey, h, tenant), holds(erasureKey, h, tenant)
			withheld := out || erased
			for _, c := range customers {
				_, named := facts[contactKey("contact of", h, m.hash(c))]
				withheld = withheld || named && holds(erasureKey, m.hash(c), tenant)
			}
			if o.OptedOut(h, tenant) != out || o.Erased(h, tenant) != erased || o.Withheld(h, tenant) != withheld {
				t.Fatalf("%s for %s: opted out %t, erased %t, withheld %t; want %t, %t, %t", text, tenant,
					o.OptedOut(h, tenant), o.Erased(h, tenant), o.Withheld(h, tenant), out, erased, withheld)
			}
		}
	}
}
