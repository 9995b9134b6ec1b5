package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// changes makes an overlay of changes as clients say them, at storyTime or when
// they say.
func changes(t testing.TB, e *engine.Engine, store *snapshot.Store, list ...string) *overlay.Overlay {
	t.Helper()
	secret, err := store.Secret()
	ok(t, err)
	names := &event.Names{Hasher: snapshot.IdentifierHasher(secret), Key: secret.ID()}
	ok(t, store.WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error {
		var err error
		names.Namespaces, err = index.NewNamespaces(s.Namespaces.All())
		for _, tenant := range s.Tenants {
			names.Tenants = append(names.Tenants, tenant.Name)
		}
		return err
	}))
	b := overlay.NewBuilder(0)
	for i, text := range list {
		ev, err := event.Parse(fmt.Appendf(nil, `{"id":"e-%d",%s}`, i, text))
		ok(t, err)
		bound, err := ev.Bind(names, "c", storyTime.Add(time.Hour))
		ok(t, err)
		if bound.Type == event.Erase && strings.Contains(text, "bob") {
			h, err := names.Hash("cookie.a:bob's") // stands for a contact of his
			ok(t, err)
			bound.Contacts = []index.Hash{h}
		}
		change, err := overlay.NewChange(uint64(i+1), bound, names)
		ok(t, err)
		b.Add(&change)
	}
	return b.Build()
}

// TestLive tells the story with live changes: what is asked, by whom, and what
// is answered. A profile is written as its tenant, customer and segments.
func TestLive(t *testing.T) {
	acme := engine.Client{Name: "acme", Tenant: "acme", Grants: []engine.Grant{grant("acme")}}
	bolt := engine.Client{Name: "bolt", Tenant: "bolt", Grants: []engine.Grant{grant("bolt")}}
	both := engine.Client{Name: "both", Grants: []engine.Grant{grant("acme"), grant("bolt")}}
	friend := engine.Client{Name: "friend", Tenant: "bolt", Grants: []engine.Grant{grant("bolt"), grant("acme")}}
	friend.Grants[1].Purposes = snapshot.Share
	e, store, at := open(t, story(), acme, bolt, both, friend)
	at.set(storyTime.Add(2 * time.Hour))
	for i, c := range []struct {
		changes     string // separated by |
		client, ask string // identifiers separated by spaces
		want        string
	}{
		{"", "acme", "cookie.a:ann's", "acme ann new,vip"},
		{"", "both", "cookie.a:ann's", "acme ann new,vip; bolt B-1 new,vip"},

		// An opt-out holds for its tenant, as input.
		{`"type":"opt_out","tenant":"acme","identifier":"cookie.a:ann's"`, "acme", "cookie.a:ann's", "opted_out"},
		{`"type":"opt_out","tenant":"acme","identifier":"cookie.a:ann's"`, "bolt", "cookie.a:ann's", "bolt B-1 new,vip"},
		{`"type":"opt_out","tenant":"acme","identifier":"cookie.a:ann's"`, "both", "cookie.a:ann's", "bolt B-1 new,vip"},
		{`"type":"opt_out","tenant":"*","identifier":"cookie.a:ann's"`, "both", "cookie.a:ann's", "opted_out"},
		// As a bridge: cookie.b is linked to ann's customers over cookie.a alone.
		{`"type":"opt_out","tenant":"acme","identifier":"cookie.a:ann's"`, "acme", "cookie.b:ann's", "unknown"},
		{`"type":"opt_out","tenant":"acme","identifier":"cookie.a:ann's"`, "both", "cookie.b:ann's", "bolt B-1 new,vip"},
		{`"type":"opt_out","tenant":"acme","identifier":"cookie.b:ann's"`, "acme", "cookie.a:ann's", "acme ann new,vip"},
		// As output: the customer id itself.
		{`"type":"opt_out","tenant":"acme","identifier":"crm.acme:ann"`, "acme", "cookie.a:ann's", "unknown"},
		{`"type":"opt_out","tenant":"acme","identifier":"crm.acme:ann"`, "acme", "crm.acme:ann", "opted_out"},
		// Of what nobody has ever seen.
		{`"type":"opt_out","tenant":"acme","identifier":"cookie.a:new"`, "acme", "cookie.a:new", "opted_out"},
		{`"type":"opt_out","tenant":"acme","identifier":"cookie.a:new"`, "bolt", "cookie.a:new", "unknown"},
		// One of several makes it the answer.
		{`"type":"opt_out","tenant":"acme","identifier":"cookie.a:new"`, "acme", "cookie.a:new cookie.a:ann's", "opted_out"},
		{`"type":"opt_out","tenant":"acme","identifier":"cookie.a:new"`, "both", "cookie.a:new cookie.a:ann's", "bolt B-1 new,vip"},
		{`"type":"opt_out","tenant":"acme","identifier":"cookie.a:new"`, "bolt", "cookie.a:new cookie.a:ann's", "bolt B-1 new,vip"},
		// Until a later opt-in.
		{`"type":"opt_out","tenant":"acme","identifier":"cookie.a:ann's","at":"2026-11-21T10:00:00Z"|"type":"opt_in","tenant":"acme","identifier":"cookie.a:ann's"`, "acme", "cookie.a:ann's", "acme ann new,vip"},

		// Who is erased was never there, and says no word of it.
		{`"type":"erase","tenant":"acme","customer":"acme:bob"`, "acme", "crm.acme:bob", "unknown"},
		{`"type":"erase","tenant":"acme","customer":"acme:bob"`, "acme", "cookie.a:bob's", "unknown"},
		{`"type":"erase","tenant":"acme","customer":"acme:ann"`, "both", "cookie.a:ann's", "bolt B-1 new,vip"},
		{`"type":"erase","tenant":"acme","customer":"acme:bob"|"type":"opt_in","tenant":"acme","customer":"acme:bob","at":"2026-11-21T11:01:00Z"`, "acme", "cookie.a:bob's", "acme bob vip"},

		// Consent: the later word holds, in files too.
		{`"type":"consent","customer":"acme:ann","status":"withdrawn"`, "acme", "cookie.a:ann's", "no_consent"},
		{`"type":"consent","customer":"acme:ann","status":"withdrawn","at":"2026-11-21T09:59:59Z"`, "acme", "cookie.a:ann's", "no_consent"},
		{`"type":"consent","customer":"acme:ann","status":"withdrawn","at":"2026-11-21T09:59:58Z"`, "acme", "cookie.a:ann's", "acme ann new,vip"},
		{`"type":"consent","customer":"acme:ann","status":"granted","until":"2026-11-21T12:00:00Z"`, "acme", "cookie.a:ann's", "consent_expired"},
		{`"type":"consent","customer":"acme:ann","status":"granted","until":"2026-11-21T12:00:01Z"`, "acme", "cookie.a:ann's", "acme ann new,vip"},
		{`"type":"consent","customer":"bolt:B-1","status":"withdrawn"`, "bolt", "cookie.a:ann's", "no_consent"}, // who says no is heard under a contract too

		// A share holds from the moment it is agreed to.
		{"", "friend", "cookie.a:ann's", "bolt B-1 new,vip"},
		{`"type":"consent","customer":"acme:ann","status":"granted","purposes":["use","share"]`, "friend", "cookie.a:ann's", "acme ann new,vip; bolt B-1 new,vip"},
		{`"type":"consent","customer":"acme:ann","status":"granted","purposes":["share"]|"type":"opt_out","tenant":"acme","identifier":"cookie.a:carl's"`, "friend", "cookie.a:carl's", "bolt B-2 vip"}, // nothing is told of acme

		// Segments.
		{`"type":"segment_remove","customer":"acme:ann","segment":"new"`, "acme", "cookie.a:ann's", "acme ann vip"},
		{`"type":"segment_add","customer":"acme:bob","segment":"new"`, "acme", "cookie.a:bob's", "acme bob new,vip"},
		{`"type":"segment_add","customer":"acme:bob","segment":"new","until":"2026-11-21T12:00:00Z"`, "acme", "cookie.a:bob's", "acme bob vip"},
		{`"type":"segment_add","customer":"acme:bob","segment":"gold"`, "acme", "cookie.a:bob's", "acme bob vip"},
		{`"type":"segment_remove","customer":"acme:ann","segment":"new","at":"2026-11-21T09:00:00Z"`, "acme", "cookie.a:ann's", "acme ann vip"}, // the files may be old ones
		{`"type":"segment_remove","customer":"acme:ann","segment":"new","at":"2026-11-21T10:00:00Z"`, "acme", "cookie.a:ann's", "acme ann vip"},
		{`"type":"segment_add","customer":"acme:bob","segment":"new","at":"2026-11-21T10:00:00Z"`, "acme", "cookie.a:bob's", "acme bob vip"},
	} {
		var list []string
		for text := range strings.SplitSeq(c.changes, "|") {
			if text != "" {
				list = append(list, text)
			}
		}
		e.SetOverlay(changes(t, e, store, list...))
		if got := toldLive(t, e, c.client, strings.Fields(c.ask)); got != c.want {
			t.Errorf("row %d: %s\n%s asks for %s: %q, not %q", i, c.changes, c.client, c.ask, got, c.want)
		}
	}
	e.SetOverlay(nil)
	if got := toldLive(t, e, "acme", []string{"cookie.a:ann's"}); got != "acme ann new,vip" {
		t.Errorf("without an overlay: %q", got)
	}
}

// toldLive is a client's answer to identifiers as one, as text.
func toldLive(t testing.TB, e *engine.Engine, client string, ids []string) string {
	t.Helper()
	s := begin(t, e, client)
	defer s.End()
	var b engine.Batch
	var raw [][]byte
	for _, id := range ids {
		raw = append(raw, []byte(id))
	}
	a, err := s.Resolve(&b, raw)
	ok(t, err)
	if !a.Matched() {
		return string(a.Reason)
	}
	var out []string
	for i := range b.Profiles(&a) {
		p := &b.Profiles(&a)[i]
		var codes []string
		for _, id := range b.Segments(p) {
			codes = append(codes, s.Segment(id))
		}
		out = append(out, fmt.Sprint(s.Tenant(p.Tenant).Name, " ", string(b.Customer(p)), " ", strings.Join(codes, ",")))
	}
	return strings.Join(out, "; ")
}

// TestLiveListing lists no identifier that is withheld, nor what only it joins
// to the customer.
func TestLiveListing(t *testing.T) {
	lists := engine.Client{Name: "acme", Tenant: "acme", Grants: []engine.Grant{grant("acme")}}
	lists.Grants[0].Identifiers = true
	e, store, _ := open(t, story(), lists)
	for changed, want := range map[string]string{
		"": "matched cookie.a:ann's cookie.b:ann's crm.acme:ann",
		`"type":"opt_out","tenant":"acme","identifier":"cookie.b:ann's"`: "matched cookie.a:ann's crm.acme:ann",
		`"type":"opt_out","tenant":"acme","identifier":"cookie.a:ann's"`: "matched crm.acme:ann",
		`"type":"opt_out","tenant":"bolt","identifier":"cookie.a:ann's"`: "matched cookie.a:ann's cookie.b:ann's crm.acme:ann",
		`"type":"opt_out","tenant":"acme","identifier":"crm.acme:ann"`:   "opted_out",
		`"type":"erase","tenant":"acme","customer":"acme:ann"`:           "unknown",
		`"type":"consent","customer":"acme:ann","status":"withdrawn"`:    "no_consent",
	} {
		e.SetOverlay(nil)
		if changed != "" {
			e.SetOverlay(changes(t, e, store, changed))
		}
		s := begin(t, e, "acme")
		l, err := s.Identifiers("acme", "ann")
		s.End()
		ok(t, err)
		got := string(l.Reason)
		for _, id := range l.Identifiers {
			got += " " + id.ID
		}
		if got != want {
			t.Errorf("%s: %q, not %q", changed, got, want)
		}
	}
}

// TestLiveOutlivesASwap goes on over another snapshot, and a session keeps the
// changes that it began with.
func TestLiveOutlivesASwap(t *testing.T) {
	client := engine.Client{Name: "acme", Tenant: "acme", Grants: []engine.Grant{grant("acme")}}
	e, store, _ := open(t, story(), client)
	before := begin(t, e, "acme")
	defer before.End()
	e.SetOverlay(changes(t, e, store, `"type":"opt_out","tenant":"acme","identifier":"cookie.a:ann's"`))
	publish(t, store, story().contents(t, 2))
	reload(t, e)
	ok(t, e.SetClients([]engine.Client{client}))
	if got := toldLive(t, e, "acme", []string{"cookie.a:ann's"}); got != "opted_out" {
		t.Errorf("after a swap: %q", got)
	}
	var b engine.Batch
	if a, err := before.Resolve(&b, [][]byte{[]byte("cookie.a:ann's")}); err != nil || !a.Matched() {
		t.Errorf("of a session that began before: %v, %v", a.Reason, err)
	}
}

// TestLiveAllocatesNothing looks up persons with and without changes.
func TestLiveAllocatesNothing(t *testing.T) {
	client := engine.Client{Name: "both", Grants: []engine.Grant{grant("acme"), grant("bolt")}}
	e, store, _ := open(t, story(), client)
	e.SetOverlay(changes(t, e, store,
		`"type":"opt_out","tenant":"acme","identifier":"cookie.a:ann's"`, `"type":"segment_add","customer":"acme:bob","segment":"new"`,
		`"type":"consent","customer":"acme:bob","status":"granted"`))
	ids := [][]byte{[]byte("cookie.a:ann's"), []byte("cookie.b:ann's"), []byte("cookie.a:bob's"), []byte("cookie.a:carl's"), []byte("cookie.a:nobody")}
	var b engine.Batch
	if n := testing.AllocsPerRun(200, func() {
		s, err := e.Begin("both")
		ok(t, err)
		ok(t, s.Match(&b, ids))
		_, err = s.Resolve(&b, ids)
		ok(t, err)
		s.End()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
