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
