package engine_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// listing is what a client is told of a customer's identifiers.
type listing struct {
	Reason      engine.Reason
	Person      int
	Identifiers []listed
}

type listed struct {
	ID      string
	Link    strength
	Sources []string // any of them may be named
}

// list is the model of [engine.Session.Identifiers].
func (m *model) list(c engine.Client, now time.Time, tenant, customer string) listing {
	unknown := listing{Reason: engine.Unknown, Person: -1}
	g, _ := m.grant(c, now, tenant)
	if !g.Identifiers {
		return unknown
	}
	i := slices.IndexFunc(m.pool.profiles, func(q poolProfile) bool {
		return m.tenants[q.tenant].Name == tenant && m.ids[q.id].value == customer
	})
	if i < 0 {
		return unknown
	}
	q := m.pool.profiles[i]
	if m.withheld(c, now, q) {
		return unknown
	}
	if reason := m.ruling(c, now, q); reason != engine.Matched {
		return listing{Reason: reason, Person: -1}
	}
	out := listing{Reason: engine.Matched, Person: m.ids[q.id].person}
	denied := func(id int) bool {
		return !m.vouched(c, now, id) ||
			slices.ContainsFunc(m.pool.profiles, func(o poolProfile) bool { return o.id == id && m.ruling(c, now, o) != engine.Matched })
	}
	for id := range m.told(c, q.id, now, denied) {
		if m.sees(c, now, tenant, m.ids[id].space) && !denied(id) {
			if shown, ok := m.describe(c, id, now, denied); ok {
				out.Identifiers = append(out.Identifiers, shown)
			}
		}
	}
	slices.SortFunc(out.Identifiers, func(a, b listed) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// foreign reports whether a name, of a namespace of customer ids or of a
// tenant's own source, is that of a tenant whose identifiers c may not list.
func (m *model) foreign(c engine.Client, now time.Time, name string) bool {
	tenant, own := strings.CutPrefix(name, "crm.")
	g, _ := m.grant(c, now, tenant)
	return own && !g.Identifiers
}

// tells reports whether a link is fresh and one that the client may know of.
func (m *model) tells(c engine.Client, l poolLink, now time.Time, denied func(id int) bool) bool {
	return m.fresh(l, now) && !denied(l.a) && !denied(l.b) &&
		!m.foreign(c, now, m.sources[l.source].Name) && !m.foreign(c, now, m.ids[l.a].space) && !m.foreign(c, now, m.ids[l.b].space)
}

// told are the identifiers that links lead to from one, of which the client may
// know.
func (m *model) told(c engine.Client, from int, now time.Time, denied func(id int) bool) map[int]bool {
	out := map[int]bool{from: true}
	for grown := true; grown; {
		grown = false
		for _, l := range m.links[m.ids[from].person] {
			if out[l.a] != out[l.b] && m.tells(c, l, now, denied) {
				out[l.a], out[l.b], grown = true, true, true
			}
		}
	}
	return out
}

// describe is the strongest fresh link of an identifier that the client may
// know of. The customer asked for may be without; then its tenant says that it
// is there.
func (m *model) describe(c engine.Client, id int, now time.Time, denied func(id int) bool) (listed, bool) {
	out := listed{ID: m.text(id), Link: strength{snapshot.Authenticated, snapshot.Day(dayOf(m.asOf))}, Sources: []string{m.ids[id].space}}
	some := false
	for _, l := range m.links[m.ids[id].person] {
		if l.a != id && l.b != id || !m.tells(c, l, now, denied) {
			continue
		}
		link := strength{l.method, l.last}
		if !some || link.beats(out.Link) {
			some, out.Link, out.Sources = true, link, nil
		}
		if link == out.Link {
			out.Sources = append(out.Sources, m.sources[l.source].Name)
		}
	}
	return out, !m.foreign(c, now, m.ids[id].space) && (some || strings.HasPrefix(m.ids[id].space, "crm."))
}

func (h *harness) compareListings(t *testing.T, where string, s *engine.Session, m *model, c engine.Client, now time.Time) {
	t.Helper()
	customers := [][2]string{{"nobody", "C-1"}, {m.tenants[0].Name, "no such"}, {m.tenants[0].Name, ""}, {m.tenants[0].Name, "null"}}
	for _, id := range m.ids {
		for _, tenant := range m.tenants { // its own customer, and somebody else's of that name
			customers = append(customers, [2]string{tenant.Name, id.value})
		}
	}
	for _, at := range customers {
		want := m.list(c, now, at[0], at[1])
		l, err := s.Identifiers(at[0], at[1])
		if err != nil {
			t.Fatalf("%s: %q: %v", where, at, err)
		}
		got := listing{Reason: l.Reason, Person: h.persons.number(t, l.Person, c, want.Person)}
		for i, id := range l.Identifiers {
			sources := []string{id.Source}
			if i < len(want.Identifiers) && slices.Contains(want.Identifiers[i].Sources, id.Source) {
				sources = want.Identifiers[i].Sources
			}
			got.Identifiers = append(got.Identifiers, listed{ID: id.ID, Link: strength{id.Method, id.Seen}, Sources: sources})
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: identifiers of %q:\n got %+v\nwant %+v", where, at, got, want)
		}
		if len(want.Identifiers) > 1 {
			h.listed++
		}
	}
}

// compareExplanations holds what the operator is told against the model.
func (h *harness) compareExplanations(t *testing.T, where string, s *engine.Session, m *model, c engine.Client, now time.Time) {
	t.Helper()
	for i, id := range m.ids {
		for _, text := range m.texts(i) {
			x := must(s.Explain(text))(t)
			if !x.Found || !x.Filter && !x.Live || x.Error != "" || x.Identifiers != m.size(id.person) || x.Identifier != text {
				t.Errorf("%s: %q explained as %+v", where, text, x)
			}
			if got, want := linksShown(x), m.linksOf(id.person, now); !slices.Equal(got, want) {
				t.Errorf("%s: links of %q:\n got %q\nwant %q", where, text, got, want)
			}
			if want := m.verdicts(c, i, now); !slices.EqualFunc(x.Profiles, want, sameVerdict) {
				t.Errorf("%s: verdicts on %q:\n got %+v\nwant %+v", where, text, x.Profiles, want)
			}
		}
	}
	for _, text := range malformed {
		if x := must(s.Explain(text))(t); x.Error == "" || x.Found {
			t.Errorf("%s: %q explained as %+v", where, text, x)
		}
	}
	if x := must(s.Explain("cookie.a:absent"))(t); x.Error != "" || x.Found || x.Hash == "" {
		t.Errorf("%s: an absent identifier explained as %+v", where, x)
	}
}

func (m *model) size(person int) (n int) {
	for _, id := range m.ids {
		n += boolInt(id.person == person)
	}
	return n
}

// linkText is a link as a line, whichever way round.
func linkText(a, b string, rest ...any) string {
	return min(a, b) + " " + max(a, b) + fmt.Sprint(rest...)
}

func linksShown(x engine.Explanation) (out []string) {
	for _, l := range x.Links {
		out = append(out, linkText(l.A, l.B, []string{l.Method, l.Source, l.Party, l.First, l.Last}, l.Aged))
	}
	slices.Sort(out)
	return out
}

func (m *model) linksOf(person int, now time.Time) (out []string) {
	for _, l := range m.links[person] {
		src := m.sources[l.source]
		out = append(out, linkText(m.text(l.a), m.text(l.b),
			[]string{l.method.String(), src.Name, src.Party.String(), l.first.String(), l.last.String()}, !m.fresh(l, now)))
	}
	slices.Sort(out)
	return out
}

func (m *model) verdicts(c engine.Client, id int, now time.Time) (out []engine.ProfileVerdict) {
	for _, i := range m.profiles[m.ids[id].person] {
		q := m.pool.profiles[i]
		tenant := m.tenants[q.tenant]
		v := engine.ProfileVerdict{
			Tenant: tenant.Name, Customer: m.ids[q.id].value, Basis: tenant.LegalBasis.String(),
			Granted: m.sees(c, now, tenant.Name, m.ids[id].space), Consent: string(m.ruling(c, now, q)),
			ConsentAt: timeText(q.consent.At), ConsentExpires: timeText(q.consent.Expires),
		}
		if v.Consent == string(engine.Matched) {
			v.Consent = "allowed"
		}
		if path, ok := m.reach(id, now)[q.id]; ok {
			v.Reached, v.Method, v.Seen = true, path.method.String(), path.seen.String()
		}
		out = append(out, v)
	}
	return out
}

func sameVerdict(a, b engine.ProfileVerdict) bool { return a == b }

func timeText(sec int64) string {
	if sec == 0 {
		return ""
	}
	return time.Unix(sec, 0).UTC().Format(time.RFC3339)
}
