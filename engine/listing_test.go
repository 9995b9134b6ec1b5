package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// Two tenants know one woman by her email, and only bolt has her phone. Who may
// ask for acme alone is not told that bolt knows her, nor what bolt knows.
func TestListingNamesNoOtherTenant(t *testing.T) {
	p := story()
	day := snapshot.Day(dayOf(storyTime))
	email, phone := strings.Repeat("\x01\x23", 16), strings.Repeat("\x45\x67", 16)
	p.ids = append(p.ids, poolID{"email_sha256", email, 0}, poolID{"phone_sha256", phone, 0})
	p.links = append(
		p.links,
		poolLink{0, 8, snapshot.Authenticated, 3, day, day}, // by acme's file
		poolLink{1, 8, snapshot.Authenticated, 4, day, day}, // by bolt's
		poolLink{1, 9, snapshot.Authenticated, 4, day, day},
	)
	list := func(grants ...engine.Grant) string {
		for i := range grants {
			grants[i].Identifiers = true
		}
		c := engine.Client{Name: "client", Grants: grants}
		e, _, _ := open(t, p, c)
		s := begin(t, e, c.Name)
		defer s.End()
		l, err := s.Identifiers("acme", "ann")
		ok(t, err)
		var out []string
		for _, id := range l.Identifiers {
			out = append(out, id.ID+" by "+id.Source)
		}
		return strings.Join(out, "\n")
	}
	alone, both := list(grant("acme")), list(grant("acme"), grant("bolt"))
	if strings.Contains(alone, "bolt") || strings.Contains(alone, "phone_sha256") {
		t.Errorf("a client of acme is told\n%s", alone)
	}
	if !strings.Contains(alone, "email_sha256:") || !strings.Contains(alone, "by crm.acme") || !strings.Contains(alone, "cookie.a:ann's") {
		t.Errorf("a client of acme is not told what is acme's:\n%s", alone)
	}
	if !strings.Contains(both, "crm.bolt:B-1") || !strings.Contains(both, "phone_sha256:") {
		t.Errorf("a client of both is told\n%s", both)
	}
}

// An identifier that thousands of customers share, asked for thousands of
// times, does not make an answer without bounds.
func TestAnswersAreBounded(t *testing.T) {
	p := story()
	day := snapshot.Day(dayOf(storyTime))
	for i := range 3000 {
		id := len(p.ids)
		p.ids = append(p.ids, poolID{"crm.bolt", fmt.Sprintf("H-%d", i), 2})
		p.links = append(p.links, poolLink{7, id, snapshot.Inferred, 2, day, day})
		p.profiles = append(p.profiles, poolProfile{id: id, tenant: 1, segments: []uint32{2, 3}})
	}
	e, _, _ := open(t, p, engine.Client{Name: "client", Grants: []engine.Grant{grant("bolt")}})
	s := begin(t, e, "client")
	defer s.End()
	var b engine.Batch
	hub := []byte("cookie.a:carl's")
	ok(t, s.Match(&b, [][]byte{hub}))
	if n := len(b.Profiles(&b.Answers[0])); n != 3001 {
		t.Fatalf("%d profiles, want 3001", n)
	}
	many := make([][]byte, 5000)
	for i := range many {
		many[i] = hub
	}
	if err := s.Match(&b, many); !errors.Is(err, engine.ErrTooLarge) || len(b.Answers) != 0 {
		t.Errorf("%d answers, %v", len(b.Answers), err)
	}
	if _, err := s.Resolve(&b, many); !errors.Is(err, engine.ErrTooLarge) {
		t.Errorf("asked as one: %v", err)
	}
	if held := b.Bytes(); held > 4*engine.MaxBatchBytes {
		t.Errorf("the batch holds %d bytes", held)
	}
	ok(t, s.Match(&b, [][]byte{hub}))
}

// Customers without consent take no room in an answer, and time all the same:
// a call that would look at too many of them ends.
func TestWorkIsBounded(t *testing.T) {
	p := story()
	day := snapshot.Day(dayOf(storyTime))
	email := len(p.ids)
	p.ids = append(p.ids, poolID{"email_sha256", strings.Repeat("\x01\x23", 16), 2})
	// The cookie's link to the inbox that they all share has aged out, and a
	// spare has taken over, so that paths go around it.
	p.links = append(
		p.links,
		poolLink{6, email, snapshot.Authenticated, 0, day, day},
		poolLink{7, email, snapshot.Authenticated, 0, day - 600, day - 600},
	)
	for i := range 2000 {
		id := len(p.ids)
		p.ids = append(p.ids, poolID{"crm.acme", fmt.Sprintf("N-%d", i), 2})
		p.links = append(p.links, poolLink{email, id, snapshot.Authenticated, 0, day, day})
		p.profiles = append(p.profiles, poolProfile{id: id, tenant: 0})
	}
	e, _, _ := open(t, p, engine.Client{Name: "client", Grants: []engine.Grant{grant("acme")}})
	s := begin(t, e, "client")
	defer s.End()
	var b engine.Batch
	shared := []byte("cookie.a:carl's")
	ok(t, s.Match(&b, [][]byte{shared}))
	if a := &b.Answers[0]; a.Reason != engine.NoConsent {
		t.Fatalf("one alone is answered %q", a.Reason)
	}
	many := make([][]byte, 5000)
	for i := range many {
		many[i] = shared
	}
	if err := s.Match(&b, many); !errors.Is(err, engine.ErrTooLarge) || len(b.Answers) != 0 {
		t.Errorf("%d answers, %v", len(b.Answers), err)
	}
	ok(t, s.Match(&b, [][]byte{shared})) // and the batch is good for the next call
}

// What only a customer without consent has is not listed for one who shares a
// cookie with her.
func TestListingLeavesOutWhatTheDeniedHave(t *testing.T) {
	p := story()
	day := snapshot.Day(dayOf(storyTime))
	eve := len(p.ids)
	p.ids = append(p.ids, poolID{"crm.acme", "eve", 0}, poolID{"phone_sha256", strings.Repeat("\x45\x67", 16), 0})
	p.links = append(
		p.links,
		poolLink{2, eve, snapshot.Authenticated, 0, day, day},
		poolLink{eve, eve + 1, snapshot.Authenticated, 3, day, day},
	)
	p.profiles = append(p.profiles, poolProfile{id: eve, tenant: 0})
	g := grant("acme")
	g.Identifiers = true
	e, _, _ := open(t, p, engine.Client{Name: "client", Grants: []engine.Grant{g, grant("bolt")}})
	s := begin(t, e, "client")
	defer s.End()
	l, err := s.Identifiers("acme", "ann")
	ok(t, err)
	var ids []string
	for _, id := range l.Identifiers {
		ids = append(ids, id.ID)
	}
	// bolt is granted, and listing its identifiers is not.
	if got := strings.Join(ids, " "); got != "cookie.a:ann's cookie.b:ann's crm.acme:ann" {
		t.Errorf("ann's listing is %s", got)
	}
}
