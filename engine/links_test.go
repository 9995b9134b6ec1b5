package engine_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	livepersons "github.com/matchd/matchd/engine/persons"
	"github.com/matchd/matchd/snapshot"
)

// linkedStory is the story with a link between Ann's two customers, without which
// her cookie is nobody's, by the rules; Carl was born a day before the others.
func linkedStory(t *testing.T, seed uint64) contents {
	t.Helper()
	p := story()
	day := snapshot.Day(dayOf(storyTime)) - 7
	p.links = append(p.links, poolLink{0, 1, snapshot.Authenticated, 0, day, day})
	c := p.contents(t, seed)
	for _, p := range c.persons {
		if p.ID == personID(2) {
			p.Born -= 86400
		}
	}
	return c
}

// newLinked is newLive of that, for both tenants together.
func newLinked(t *testing.T) *live {
	t.Helper()
	store := newStore(t)
	publish(t, store, linkedStory(t, 1))
	l := openLive(t, store, filepath.Join(t.TempDir(), "log"))
	l.clients(t)
	return l
}

func (l *live) clients(t *testing.T) {
	t.Helper()
	both := engine.Client{Name: "both", Grants: []engine.Grant{grant("acme"), grant("bolt")}}
	both.Grants[0].Identifiers, both.Grants[1].Identifiers = true, true
	ok(t, l.SetClients([]engine.Client{both}))
}

// who is the answer to an identifier, with its person's name and a star where it
// is by live links.
func (l *live) who(t *testing.T, id string) string {
	t.Helper()
	s := begin(t, l.Engine, "both")
	defer s.End()
	var b engine.Batch
	ok(t, s.Match(&b, [][]byte{[]byte(id)}))
	a := b.Answers[0]
	if !a.Matched() {
		return string(a.Reason)
	}
	out := "?"
	for i, name := range []string{"Ann", "Bob", "Carl"} {
		if a.InternalID() == personID(i) {
			out = name
		}
	}
	for i := range b.Profiles(&a) {
		p := &b.Profiles(&a)[i]
		out += fmt.Sprintf(" %s (%v %v)", b.Customer(p), p.Strength.Method, p.Strength.Seen)
	}
	if a.Live {
		out += "*"
	}
	return out
}

const (
	annAlone  = "Ann ann (authenticated 2026-11-21) B-1 (authenticated 2026-11-14)"
	bobAlone  = "Bob bob (authenticated 2026-11-21)"
	carlAlone = "Carl B-2 (inferred 2026-11-20)"
)

// TestLinks tells what live links do, one after the other, and the same again
// after a restart and over another snapshot.
func TestLinks(t *testing.T) {
	now := storyTime.Add(time.Second)
	link := func(kind, left, right, more string) string {
		return fmt.Sprintf(`"type":%q,"left":%q,"right":%q%s`, kind, left, right, more)
	}
	const strong = `,"method":"authenticated"`
	for name, steps := range map[string][]struct {
		change string // or empty
		want   map[string]string
	}{
		"one who was unknown": {
			{"", map[string]string{"cookie.b:new": "unknown", "cookie.a:bob's": bobAlone}},
			{link("link", "cookie.b:new", "crm.acme:bob", strong), map[string]string{
				"cookie.b:new": bobAlone + "*", "cookie.a:bob's": bobAlone + "*", "crm.acme:bob": bobAlone + "*", "cookie.a:carl's": carlAlone,
			}},
			{link("link", "cookie.b:newer", "cookie.b:new", `,"method":"cookie_sync"`), map[string]string{
				"cookie.b:newer": "Bob bob (cookie_sync 2026-11-21)*", "cookie.b:new": bobAlone + "*",
			}},
			{link("unlink", "crm.acme:bob", "cookie.b:new", ""), map[string]string{
				"cookie.b:new": "unknown", "cookie.b:newer": "unknown", "cookie.a:bob's": bobAlone,
			}},
			{link("link", "cookie.b:new", "crm.acme:bob", strong), map[string]string{"cookie.b:newer": "Bob bob (cookie_sync 2026-11-21)*"}},
		},
		"two who are one": {
			{link("link", "crm.acme:bob", "crm.bolt:B-2", strong), map[string]string{
				"cookie.a:bob's":  "Carl bob (authenticated 2026-11-21) B-2 (authenticated 2026-11-21)*", // who was born first
				"cookie.a:carl's": "Carl bob (inferred 2026-11-20) B-2 (inferred 2026-11-20)*",
				"cookie.a:ann's":  annAlone,
			}},
			{link("unlink", "crm.acme:bob", "crm.bolt:B-2", ""), map[string]string{"cookie.a:bob's": bobAlone, "cookie.a:carl's": "Carl B-2 (inferred 2026-11-20)"}},
		},
		"a link of the files is withdrawn": {
			{link("unlink", "crm.acme:ann", "crm.bolt:B-1", ""), map[string]string{ // her cookie is of two now
				"cookie.a:ann's": "unknown", "cookie.b:ann's": "unknown", "crm.acme:ann": "Ann ann (authenticated 2026-11-21)", "crm.bolt:B-1": "? B-1 (authenticated 2026-11-21)",
			}},
			{link("unlink", "cookie.a:bob's", "crm.acme:bob", ""), map[string]string{"cookie.a:bob's": "unknown", "crm.acme:bob": bobAlone}},
			{link("link", "cookie.a:bob's", "crm.bolt:B-2", ""), map[string]string{"cookie.a:bob's": "Carl B-2 (authenticated 2026-11-21)*"}},
		},
		"an older word than that of the files": {
			{link("unlink", "cookie.a:carl's", "crm.bolt:B-2", `,"at":"2026-11-19T23:59:59Z"`), map[string]string{"cookie.a:carl's": carlAlone}},
			{link("unlink", "cookie.a:carl's", "crm.bolt:B-2", `,"at":"2026-11-20T10:00:00Z"`), map[string]string{"cookie.a:carl's": "unknown"}},
		},
		"two log in on one device": {
			{link("link", "cookie.b:tv", "crm.acme:ann", strong), map[string]string{"cookie.b:tv": annAlone + "*"}},
			{link("link", "cookie.b:tv", "crm.acme:bob", strong), map[string]string{
				"cookie.b:tv": "unknown", "cookie.a:ann's": annAlone, "cookie.a:bob's": bobAlone,
			}},
		},
		"a device of somebody becomes shared": {
			{link("link", "cookie.a:bob's", "crm.acme:ann", strong), map[string]string{
				"cookie.a:bob's": "unknown", "crm.acme:bob": bobAlone, "cookie.a:ann's": annAlone,
			}},
		},
		"an erased customer is cut off": {
			{link("link", "cookie.b:new", "crm.acme:bob", strong), map[string]string{"cookie.b:new": bobAlone + "*"}},
			{`"type":"erase","tenant":"acme","customer":"acme:bob"`, map[string]string{"cookie.b:new": "unknown", "cookie.a:bob's": "unknown", "crm.acme:bob": "unknown"}},
			{`"type":"opt_in","tenant":"acme","customer":"acme:bob"`, map[string]string{"cookie.b:new": "unknown", "cookie.a:bob's": bobAlone}},
		},
		"one whom no file knows is erased": {
			{link("link", "crm.bolt:B-2", "crm.acme:new", strong), map[string]string{"crm.acme:new": "Carl B-2 (authenticated 2026-11-21)*", "cookie.a:carl's": carlAlone + "*"}},
			{`"type":"erase","tenant":"acme","customer":"acme:new"`, map[string]string{"crm.acme:new": "unknown", "cookie.a:carl's": carlAlone}},
			{`"type":"opt_in","tenant":"acme","customer":"acme:new"`, map[string]string{"crm.acme:new": "unknown"}},
		},
		"an opt-out is no bridge": {
			{link("link", "cookie.b:new", "cookie.a:bob's", strong), map[string]string{"cookie.b:new": bobAlone + "*"}},
			{`"type":"opt_out","tenant":"acme","identifier":"cookie.a:bob's"`, map[string]string{"cookie.b:new": "unknown", "cookie.a:bob's": "opted_out"}},
			{`"type":"opt_out","tenant":"acme","identifier":"cookie.b:new"`, map[string]string{"cookie.b:new": "opted_out"}},
		},
		"consent and segments count": {
			{link("link", "cookie.b:new", "crm.acme:bob", strong), nil},
			{`"type":"consent","customer":"acme:bob","status":"withdrawn"`, map[string]string{"cookie.b:new": "no_consent"}},
		},
		"nobody with nobody": {
			{link("link", "cookie.b:x", "cookie.b:y", ""), map[string]string{"cookie.b:x": "unknown"}},
			{link("link", "cookie.b:y", "crm.bolt:B-2", ""), map[string]string{"cookie.b:x": "Carl B-2 (authenticated 2026-11-21)*"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLinked(t)
			want := map[string]string{}
			check := func(when string) {
				t.Helper()
				for id, says := range want {
					if got := l.who(t, id); got != says {
						t.Errorf("%s: %s is\n %s, not\n %s", when, id, got, says)
					}
				}
			}
			for i, step := range steps {
				if step.change != "" {
					at := ""
					if !strings.Contains(step.change, `"at"`) {
						at = fmt.Sprintf(`,"at":%q`, now.Add(time.Duration(i)*time.Second).Format(time.RFC3339))
					}
					clear(want)
					if out := l.take(t, fmt.Sprintf(`"id":"%d",%s%s`, i, step.change, at)); out[0].Err != nil {
						t.Fatal(out[0].Err)
					}
				}
				for id, says := range step.want {
					want[id] = says
				}
				check(fmt.Sprintf("after step %d", i))
			}
			l = l.again(t)
			l.clients(t)
			check("after a restart")
			publish(t, l.store, linkedStory(t, 2))
			reload(t, l.Engine)
			check("over another snapshot")
		})
	}
}

// TestLinksAreListed lists what a live link leads to, of a source named live.
func TestLinksAreListed(t *testing.T) {
	l := newLinked(t)
	l.take(t, `"id":"1","type":"link","left":"cookie.b:new","right":"crm.acme:bob","method":"authenticated"`)
	s := begin(t, l.Engine, "both")
	defer s.End()
	list, err := s.Identifiers("acme", "bob")
	ok(t, err)
	got := ""
	for _, id := range list.Identifiers {
		got += fmt.Sprintln(id.ID, id.Method, id.Seen, id.Source)
	}
	want := "cookie.a:bob's authenticated 2026-11-21 site\ncookie.b:new authenticated 2026-11-21 live\ncrm.acme:bob authenticated 2026-11-21 live\n"
	if got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

// TestLinkedCrowd: of those who hang together by too many live links, only what
// was withdrawn counts; and who leaves the crowd is linked again.
func TestLinkedCrowd(t *testing.T) {
	l := newLinked(t)
	var list []string
	before := "cookie.a:bob's"
	for i := range livepersons.MaxSet {
		id := fmt.Sprintf("cookie.b:c%d", i)
		list = append(list, fmt.Sprintf(`"id":"%d","type":"link","left":%q,"right":%q`, i, before, id))
		if i%2 == 0 {
			before = id
		}
	}
	l.take(t, list...)
	is := func(when string, want map[string]string) {
		t.Helper()
		for id, says := range want {
			if got := l.who(t, id); got != says {
				t.Errorf("%s: %s is %s, not %s", when, id, got, says)
			}
		}
	}
	crowd := map[string]string{"cookie.a:bob's": bobAlone, "cookie.b:c0": "unknown", "cookie.b:c1": "unknown", "cookie.b:c1999": "unknown"}
	is("a crowd", crowd)
	l.take(t, `"id":"far","type":"unlink","left":"cookie.b:c0","right":"cookie.b:c2","at":"2026-11-21T10:00:01Z"`)
	is("most of it has left", map[string]string{"cookie.a:bob's": bobAlone + "*", "cookie.b:c0": bobAlone + "*", "cookie.b:c1": bobAlone + "*", "cookie.b:c2": "unknown"})
	l.take(t, `"id":"back","type":"link","left":"cookie.b:c0","right":"cookie.b:c2","at":"2026-11-21T10:00:02Z"`)
	is("a crowd again", crowd)
	l.take(t, `"id":"own","type":"unlink","left":"cookie.a:bob's","right":"crm.acme:bob","at":"2026-11-21T10:00:03Z"`)
	is("a link of the files is withdrawn", map[string]string{"cookie.a:bob's": "unknown", "crm.acme:bob": bobAlone, "cookie.b:c0": "unknown"})
}

// TestLinksOfTheUnreadable: where the links that a snapshot holds of somebody
// cannot be read, what live links touch is nobody's, and all else is as it was.
func TestLinksOfTheUnreadable(t *testing.T) {
	l := newLinked(t)
	files := must(filepath.Glob(filepath.Join(l.store.Dir(), "snapshots", "*", "records-*")))(t)
	damaged := 0
	for _, name := range files {
		f := must(os.OpenFile(name, os.O_RDWR, 0))(t)
		b := must(os.ReadFile(name))(t)
		for at := 0; ; at++ {
			i := bytes.Index(b[at:], []byte{0x28, 0xb5, 0x2f, 0xfd}) // a frame of Zstandard, as cold blocks are
			if i < 0 {
				break
			}
			at += i
			must(f.WriteAt([]byte{b[at+5] ^ 1}, int64(at+5)))(t)
			damaged++
		}
		ok(t, f.Close())
	}
	if damaged == 0 {
		t.Fatal("there is no cold block")
	}
	l.take(t, `"id":"1","type":"link","left":"cookie.b:new","right":"crm.acme:bob"`)
	for id, want := range map[string]string{"cookie.b:new": "unknown", "crm.acme:bob": "unknown", "cookie.a:bob's": "unknown", "cookie.a:ann's": annAlone, "cookie.a:carl's": carlAlone} {
		if got := l.who(t, id); got != want {
			t.Errorf("%s is %s, not %s", id, got, want)
		}
	}
	publish(t, l.store, linkedStory(t, 2))
	reload(t, l.Engine)
	if got := l.who(t, "cookie.b:new"); got != bobAlone+"*" {
		t.Errorf("over a sound snapshot: %s", got)
	}
}
