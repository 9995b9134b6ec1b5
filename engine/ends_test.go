package engine_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// until is a grant that ends.
func until(tenant string, end time.Time) engine.Grant {
	g := grant(tenant)
	g.Until = end
	return g
}

// told is what a session says of an identifier: the tenants that match, or the
// reason for none.
func told(t testing.TB, s *engine.Session, text string) string {
	t.Helper()
	var b engine.Batch
	ok(t, s.Match(&b, [][]byte{[]byte(text)}))
	a := &b.Answers[0]
	if !a.Matched() {
		return string(a.Reason)
	}
	var out []string
	for _, p := range b.Profiles(a) {
		out = append(out, s.Tenant(p.Tenant).Name)
	}
	return strings.Join(out, "+")
}

// TestGrantsEnd: a grant holds until the second before its end, wherever within
// a second that lies, and whatever the others do.
func TestGrantsEnd(t *testing.T) {
	end := storyTime.Add(time.Hour)
	later := end.Add(time.Minute)
	second, instant := time.Second, time.Nanosecond
	type at struct {
		when time.Time
		want string
	}
	for _, c := range []struct {
		name   string
		grants []engine.Grant
		told   []at // of Ann's cookie
	}{
		{"one", []engine.Grant{until("acme", end)}, []at{
			{storyTime, "acme"},
			{end.Add(-second), "acme"},
			{end.Add(-instant), "acme"},
			{end, "invalid"},
			{end.Add(instant), "invalid"},
			{end.Add(second), "invalid"},
			{end.AddDate(1, 0, 0), "invalid"},
		}},
		{"within a second", []engine.Grant{until("acme", end.Add(second/2))}, []at{
			{end.Add(-instant), "acme"}, {end, "invalid"}, {end.Add(second * 3 / 4), "invalid"},
		}},
		{"in another zone", []engine.Grant{until("acme", end.In(time.FixedZone("", 5*3600)))}, []at{
			{end.Add(-second), "acme"}, {end, "invalid"},
		}},
		{"one of two", []engine.Grant{grant("acme"), until("bolt", end)}, []at{
			{end.Add(-second), "acme+bolt"}, {end, "acme"}, {later, "acme"},
		}},
		{"two, the first one first", []engine.Grant{until("acme", end), until("bolt", later)}, []at{
			{end.Add(-second), "acme+bolt"}, {end, "bolt"}, {later.Add(-second), "bolt"}, {later, "invalid"},
		}},
		{"two, the second one first", []engine.Grant{until("acme", later), until("bolt", end)}, []at{
			{end.Add(-second), "acme+bolt"}, {end, "acme"}, {later.Add(-second), "acme"}, {later, "invalid"},
		}},
		{"two a second apart", []engine.Grant{until("acme", end), until("bolt", end.Add(second))}, []at{
			{end.Add(-second), "acme+bolt"}, {end, "bolt"}, {end.Add(second), "invalid"},
		}},
		{"two at once", []engine.Grant{until("acme", end), until("bolt", end.Add(second/2))}, []at{
			{end.Add(-second), "acme+bolt"}, {end, "invalid"},
		}},
		{"one that is over, of a tenant that is not there", []engine.Grant{grant("acme"), until("nobody", end)}, []at{
			{end.Add(-second), "acme"}, {end, "acme"},
		}},
		{"over before the epoch", []engine.Grant{grant("bolt"), until("acme", time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC))}, []at{
			{storyTime, "bolt"}, {later, "bolt"},
		}},
		{"at the epoch", []engine.Grant{grant("bolt"), until("acme", time.Unix(0, 0))}, []at{{storyTime, "bolt"}}},
		{"in the year 9999", []engine.Grant{until("acme", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))}, []at{
			{storyTime, "acme"}, {later, "acme"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _, at := open(t, story(), engine.Client{Name: "c", Grants: c.grants})
			for _, moment := range c.told {
				at.set(moment.when)
				s := begin(t, e, "c")
				if got := told(t, s, "cookie.a:ann's"); got != moment.want {
					t.Errorf("at %v: %s, want %s", moment.when, got, moment.want)
				}
				s.End()
			}
		})
	}
}

// TestSessionsOutliveGrants: a session keeps the view of the moment at which it
// began, beside others that began later.
func TestSessionsOutliveGrants(t *testing.T) {
	end := storyTime.Add(time.Hour)
	a, b := until("acme", end), until("bolt", end.Add(time.Minute))
	a.Identifiers, b.Identifiers = true, true
	e, _, at := open(t, story(), engine.Client{Name: "c", Grants: []engine.Grant{a, b}})
	moments := []time.Time{end.Add(-time.Second), end, end.Add(time.Minute)}
	wants := []string{"acme+bolt", "bolt", "invalid"}
	listings := []int{4, 0, 0} // of acme's Ann: her cookies, and both customer ids
	var sessions []*engine.Session
	for i, when := range moments {
		at.set(when)
		sessions = append(sessions, begin(t, e, "c"))
		for k, s := range sessions {
			if got := told(t, s, "cookie.a:ann's"); got != wants[k] {
				t.Errorf("at moment %d, session %d says %s, want %s", i, k, got, wants[k])
			}
			if got := idsOf(must(s.Identifiers("acme", "ann"))(t)); len(got) != listings[k] {
				t.Errorf("at moment %d, session %d lists %q, want %d", i, k, got, listings[k])
			}
		}
	}
	for _, s := range sessions {
		s.End()
	}
	at.set(moments[0]) // a clock that is set back
	s := begin(t, e, "c")
	defer s.End()
	if got := told(t, s, "cookie.a:ann's"); got != wants[0] {
		t.Errorf("with the clock set back: %s, want %s", got, wants[0])
	}
}

// TestEndsTakeTheirCustomersAlong: with a grant, what it showed of its tenant
// is gone from what the others show.
func TestEndsTakeTheirCustomersAlong(t *testing.T) {
	end := storyTime.Add(time.Hour)
	a, b := grant("acme"), until("bolt", end)
	a.Identifiers, b.Identifiers = true, true
	e, _, at := open(t, story(), engine.Client{Name: "c", Grants: []engine.Grant{a, b}})
	for when, want := range map[time.Time]struct{ bolt, listed string }{
		end.Add(-time.Second): {"acme+bolt", "cookie.a:ann's cookie.b:ann's crm.acme:ann crm.bolt:B-1"},
		end:                   {"invalid", "cookie.a:ann's cookie.b:ann's crm.acme:ann"},
	} {
		at.set(when)
		s := begin(t, e, "c")
		if got := told(t, s, "crm.bolt:B-1"); got != want.bolt {
			t.Errorf("at %v: asked by bolt's customer id: %s, want %s", when, got, want.bolt)
		}
		if got := strings.Join(idsOf(must(s.Identifiers("acme", "ann"))(t)), " "); got != want.listed {
			t.Errorf("at %v: acme's ann is %s, want %s", when, got, want.listed)
		}
		s.End()
	}
}

// TestEndsChangeNobodysRules: what a client's grants decide together, its id
// space and what consent has to cover, does not change with the last of them.
func TestEndsChangeNobodysRules(t *testing.T) {
	end := storyTime.Add(time.Hour)
	for _, c := range []struct {
		tenant        string
		before, after string // of Ann, whom neither brand may share
	}{
		{"", "unknown", "unknown"},
		{"bolt", "bolt", "unknown"},
		{"acme", "acme", "acme"},
	} {
		t.Run("client of "+c.tenant, func(t *testing.T) {
			a, b := grant("acme"), until("bolt", end)
			a.Purposes, b.Purposes = 0, 0
			p := story()
			p.profiles[2].consent.Purposes = snapshot.Use | snapshot.Share // Bob's
			e, _, at := open(t, p, engine.Client{Name: "c", Tenant: c.tenant, Grants: []engine.Grant{b, a}})
			var ids [2]engine.PersonID
			for i, want := range []string{c.before, c.after} {
				at.set(end.Add(time.Duration(i-1) * time.Second))
				s := begin(t, e, "c")
				if got := told(t, s, "cookie.a:ann's"); got != want {
					t.Errorf("at %v: %s, want %s", at.now(), got, want)
				}
				var batch engine.Batch
				ok(t, s.Match(&batch, [][]byte{[]byte("cookie.a:bob's")}))
				ids[i] = s.Person(&batch.Answers[0])
				s.End()
			}
			if ids[0] == (engine.PersonID{}) || ids[0] != ids[1] {
				t.Errorf("bob is %v, and after the end %v", ids[0], ids[1])
			}
		})
	}
}

// TestManyEnds: of many grants that end in any order, those hold that have not
// ended.
func TestManyEnds(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 11))
		p := story()
		c := engine.Client{Name: "c"}
		var ends []time.Time
		p.tenants, p.profiles, p.ids, p.links, p.segments, p.persons = nil, nil, nil, nil, nil, 1
		p.ids = append(p.ids, poolID{"cookie.a", "x", 0})
		p.spaces, p.sources = spacesFor(), allSources[:3]
		for i := range 10 {
			name := fmt.Sprintf("t%d", i)
			p.tenants = append(p.tenants, snapshot.Tenant{Name: name, LegalBasis: snapshot.Contract})
			p.spaces = append(p.spaces, spacesFor(name)[len(spacesFor()):]...)
			p.ids = append(p.ids, poolID{"crm." + name, "C", 0})
			day := snapshot.Day(dayOf(storyTime))
			p.links = append(p.links, poolLink{0, i + 1, snapshot.Authenticated, 0, day, day})
			p.profiles = append(p.profiles, poolProfile{id: i + 1, tenant: i})
			ends = append(ends, storyTime.Add(time.Duration(1+r.IntN(6))*time.Second))
			c.Grants = append(c.Grants, until(name, ends[i]))
		}
		r.Shuffle(len(c.Grants), func(i, j int) { c.Grants[i], c.Grants[j] = c.Grants[j], c.Grants[i] })
		e, _, at := open(t, p, c)
		for sec := range 9 {
			now := storyTime.Add(time.Duration(sec) * time.Second)
			var want []string
			for i, end := range ends {
				if now.Before(end) {
					want = append(want, fmt.Sprintf("t%d", i))
				}
			}
			if len(want) == 0 {
				want = []string{"invalid"}
			}
			at.set(now)
			s := begin(t, e, "c")
			if got := told(t, s, "cookie.a:x"); got != strings.Join(want, "+") {
				t.Errorf("seed %d, second %d: %s, want %v", seed, sec, got, want)
			}
			s.End()
		}
	}
}
