package engine_test

import (
	"strings"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// shares is [story] to a client of acme's to whom bolt shares its customers,
// of whom only Carl has agreed; it may list all.
func shares() (*pool, engine.Client) {
	p := story()
	p.profiles[3].consent = snapshot.ConsentState{At: storyTime.Unix() - 1, Purposes: snapshot.Use | snapshot.Share}
	a, b := grant("acme"), grant("bolt")
	a.Identifiers, b.Identifiers = true, true
	return p, engine.Client{Name: "c", Tenant: "acme", Grants: []engine.Grant{a, b}}
}

// TestWithheldCustomersLeadNowhere: the id of a customer who is not shared is
// as unknown as one that bolt does not have, though she is Ann.
func TestWithheldCustomersLeadNowhere(t *testing.T) {
	p, c := shares()
	e, _, _ := open(t, p, c)
	s := begin(t, e, "c")
	defer s.End()
	for text, want := range map[string]string{
		"crm.bolt:B-2": "bolt", "cookie.a:ann's": "acme", "crm.bolt:B-9": "unknown", "crm.bolt:B-1": "unknown",
	} {
		if got := told(t, s, text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestCustomersWithoutAProfileAreNotShared: a customer id that only a link
// names has agreed to nothing.
func TestCustomersWithoutAProfileAreNotShared(t *testing.T) {
	p, c := shares()
	p.profiles = append(p.profiles[:1], p.profiles[2:]...) // B-1's
	e, _, _ := open(t, p, c)
	s := begin(t, e, "c")
	defer s.End()
	if got := idsOf(must(s.Identifiers("acme", "ann"))(t)); strings.Contains(strings.Join(got, " "), "crm.bolt") {
		t.Errorf("ann is listed as %q", got)
	}
	if got := told(t, s, "crm.bolt:B-1"); got != "unknown" {
		t.Errorf("asked by: %s", got)
	}
}

// TestListingsStopAtHiddenCustomers: what only a customer leads to whom the
// client may not know of is not listed, however many links lie behind.
func TestListingsStopAtHiddenCustomers(t *testing.T) {
	p, c := shares()
	day := snapshot.Day(dayOf(storyTime))
	email := len(p.ids)
	p.ids = append(p.ids, poolID{"email_sha256", strings.Repeat("\x01\x23", 16), 0}, poolID{"cookie.b", "the other's", 0})
	p.links = append(
		p.links,
		poolLink{1, email, snapshot.Authenticated, 4, day, day}, // by bolt's file
		poolLink{email, email + 1, snapshot.Observed, 0, day, day},
	)
	for name, grants := range map[string][]engine.Grant{"bolt shares": c.Grants, "bolt grants nothing": c.Grants[:1]} {
		c.Grants = grants
		e, _, _ := open(t, p, c)
		s := begin(t, e, "c")
		if got := idsOf(must(s.Identifiers("acme", "ann"))(t)); strings.Contains(strings.Join(got, " "), "email_sha256") {
			t.Errorf("%s: ann is listed as %q", name, got)
		}
		s.End()
	}
}
