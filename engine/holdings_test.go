package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
)

// TestHoldings lists what is held of a person, whoever of it is asked for.
func TestHoldings(t *testing.T) {
	k := newKeeping(t, engine.Retention{})
	shared := grant("bolt")
	shared.Until = storyTime.Add(time.Hour)
	ok(t, k.SetClients([]engine.Client{
		{Name: "acme-ads", Tenant: "acme", Grants: []engine.Grant{grant("acme")}},
		{Name: "both", Tenant: "acme", Grants: []engine.Grant{grant("acme"), shared}},
	}))
	for _, id := range []string{"cookie.a:ann's", "crm.acme:ann", "crm.bolt:B-1"} {
		h := must(k.Holdings(id))(t)
		if !h.Found || h.Identifier != id || h.Snapshot != k.Info().Snapshot || len(h.Identifiers) != 4 || len(h.Profiles) != 2 || len(h.Live) > 0 {
			t.Fatalf("%s: %+v", id, h)
		}
		if text := string(must(json.Marshal(h))(t)); strings.Contains(text, "bob") || strings.Contains(text, "null") {
			t.Errorf("%s: %s", id, text)
		}
		for _, i := range h.Identifiers {
			if i.ID == "cookie.a:ann's" && (len(i.Links) != 3 || i.First >= i.Last || i.Links[0].Method == "" || i.Links[0].Source == "" || i.Links[0].Party == "") {
				t.Errorf("%+v", i)
			}
		}
		acme, bolt := h.Profiles[0], h.Profiles[1]
		if acme.Tenant != "acme" {
			acme, bolt = bolt, acme
		}
		if fmt.Sprintln(acme.Segments, acme.Consent.Purposes, acme.Consent.Use, acme.Consent.Source, acme.Withheld) != "[new vip] [use] allowed crm.acme false\n" {
			t.Errorf("%+v", acme)
		}
		if len(acme.SeenBy) != 2 || len(bolt.SeenBy) != 1 || bolt.SeenBy[0].Client != "both" || fmt.Sprint(bolt.SeenBy[0].Purposes) != "[use share]" || bolt.SeenBy[0].Until == "" {
			t.Errorf("acme is seen by %+v, bolt by %+v", acme.SeenBy, bolt.SeenBy)
		}
	}
	k.at.set(storyTime.Add(2 * time.Hour))
	for _, p := range must(k.Holdings("crm.bolt:B-1"))(t).Profiles {
		if p.Tenant == "bolt" && len(p.SeenBy) > 0 {
			t.Errorf("the grant has ended: %+v", p.SeenBy)
		}
	}
	if h := must(k.Holdings("cookie.a:nobody's"))(t); h.Found || len(h.Identifiers)+len(h.Profiles)+len(h.Live) > 0 {
		t.Errorf("nobody: %+v", h)
	}
	if _, err := k.Holdings("no identifier"); err == nil || strings.Contains(err.Error(), "no identifier\"") {
		t.Errorf("%v", err)
	}
}

// TestHoldingsLive tells of live changes: what they make of a profile, and which
// facts they are.
func TestHoldingsLive(t *testing.T) {
	k := newKeeping(t, engine.Retention{})
	k.at.set(storyTime.Add(time.Minute)) // after the snapshot's
	k.take(t,
		`"id":"s","type":"segment_remove","customer":"acme:ann","segment":"vip"`,
		`"id":"c","type":"consent","customer":"acme:ann","status":"withdrawn"`,
		`"id":"o","type":"opt_out","tenant":"acme","identifier":"cookie.b:ann's"`,
		`"id":"n","type":"opt_out","tenant":"*","identifier":"cookie.a:nobody's"`)
	kinds := func(h engine.Holdings) string {
		var list []string
		for _, f := range h.Live {
			list = append(list, fmt.Sprintf("%s %s %d", f.Identifier, f.Type, f.Seq))
			if f.At == "" {
				t.Errorf("%+v", f)
			}
		}
		return strings.Join(list, ", ")
	}
	h := must(k.Holdings("crm.acme:ann"))(t)
	for _, p := range h.Profiles {
		if want := "[new] [] no_consent live\n"; p.Tenant == "acme" && fmt.Sprintln(p.Segments, p.Consent.Purposes, p.Consent.Use, p.Consent.Source) != want {
			t.Errorf("%+v, not %s", p, want)
		}
	}
	for _, want := range []string{"crm.acme:ann segment_remove 1", "crm.acme:ann consent 2", "cookie.b:ann's opt_out 3"} {
		if !strings.Contains(kinds(h), want) {
			t.Errorf("%q lacks %q", kinds(h), want)
		}
	}
	if got := kinds(must(k.Holdings("cookie.a:nobody's"))(t)); got != "cookie.a:nobody's opt_out 4" {
		t.Error(got)
	}
	k.erase(t, "ann")
	h = must(k.Holdings("cookie.a:ann's"))(t)
	for _, p := range h.Profiles {
		if p.Withheld != (p.Tenant == "acme") {
			t.Errorf("%s: withheld %t", p.Tenant, p.Withheld)
		}
	}
	if got := kinds(h); !strings.Contains(got, "crm.acme:ann erase 5") || strings.Contains(got, "segment") {
		t.Error(got)
	}
	k.says(t, "opt_in", "ann")
	if got := kinds(must(k.Holdings("cookie.a:ann's"))(t)); !strings.Contains(got, "crm.acme:ann opt_in ") {
		t.Error(got)
	}
}

// TestHoldingsOfNothing is refused before there is a snapshot.
func TestHoldingsOfNothing(t *testing.T) {
	e := newEngine(t, engine.Options{Store: newStore(t)})
	ok(t, e.OpenChanges(filepath.Join(t.TempDir(), "log")))
	if _, err := e.Holdings("cookie.a:x"); !errors.Is(err, engine.ErrNotReady) {
		t.Errorf("%v", err)
	}
}
