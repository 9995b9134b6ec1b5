package engine_test

import (
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
