package engine_test

import (
	"maps"
	"testing"

	"github.com/matchd/matchd/engine"
)

// TestStats counts: one result an identifier, one for several asked as one,
// one a listing; and nothing before the session has ended.
func TestStats(t *testing.T) {
	p := story()
	p.profiles[2].consent.Expires = storyTime.Unix() // bob's
	p.profiles[3].tenant = 0                         // carl's, which is acme's now and has no consent
	p.profiles[3].segments = nil
	p.ids[6] = poolID{"crm.acme", "carl", 2}
	acme := engine.Client{Name: "a", Grants: []engine.Grant{grant("acme")}}
	acme.Grants[0].Identifiers = true
	e, _, _ := open(t, p, acme)
	s := begin(t, e, "a")
	var b engine.Batch
	ids := [][]byte{
		[]byte("cookie.a:ann's"), []byte("cookie.a:bob's"), []byte("cookie.a:carl's"), []byte("cookie.a:nobody's"), []byte("no.such:1"),
		[]byte("cookie.b:ann's"),
	}
	s.Match(&b, ids)
	s.Resolve(&b, ids[:1])
	s.Resolve(&b, [][]byte{ids[0], ids[3]})
	if a, _ := s.Resolve(&b, [][]byte{[]byte("crm.acme:ann"), []byte("crm.acme:bob")}); a.Reason != engine.Ambiguous {
		t.Errorf("two customers as one: %s", a.Reason)
	}
	for _, customer := range []string{"ann", "bob", "nobody"} {
		must(s.Identifiers("acme", customer))(t)
	}
	if got := e.Stats().Results; got[engine.ResultMatched] > 0 {
		t.Errorf("counted before the end: %v", got)
	}
	s.End()
	want := map[engine.Result]uint64{
		engine.ResultMatched: 2 + 1 + 1 + 1, engine.ResultConsentExpired: 1 + 1, engine.ResultNoConsent: 1,
		engine.ResultUnknown: 1 + 1, engine.ResultInvalid: 1, engine.ResultAmbiguous: 1, engine.ResultSuppressed: 0, engine.ResultOptedOut: 0, engine.ResultFault: 0,
	}
	if got := e.Stats().Results; !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}
