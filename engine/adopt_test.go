package engine_test

import (
	"maps"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
)

// TestLinksBetweenScans takes links while a snapshot is adopted, after the log was
// read for the first time: they are obeyed once it is open, as after a restart.
func TestLinksBetweenScans(t *testing.T) {
	link := func(id, left, right string) string {
		return `"id":"` + id + `","type":"link","left":"` + left + `","right":"` + right + `"`
	}
	unlink := func(id, left, right string) string {
		return `"id":"` + id + `","type":"unlink","left":"` + left + `","right":"` + right + `"`
	}
	for name, c := range map[string]struct {
		before, between []string
		want            map[string]string // of some identifiers
	}{
		"the first link":           {nil, []string{link("1", "cookie.a:new", "crm.acme:bob")}, map[string]string{"cookie.a:new": "bob"}},
		"a link beside others":     {[]string{link("1", "cookie.a:old", "crm.acme:bob")}, []string{link("2", "cookie.a:new", "crm.acme:bob")}, map[string]string{"cookie.a:new": "bob", "cookie.a:old": "bob"}},
		"a link of another person": {[]string{link("1", "cookie.a:old", "crm.acme:bob")}, []string{link("2", "cookie.a:new", "crm.acme:ann")}, map[string]string{"cookie.a:new": "ann", "cookie.a:old": "bob"}},
		"a link to a live one":     {[]string{link("1", "cookie.a:old", "crm.acme:bob")}, []string{link("2", "cookie.a:new", "cookie.a:old")}, map[string]string{"cookie.a:new": "bob", "cookie.a:old": "bob"}},
		"an unlink of the files":   {nil, []string{unlink("1", "cookie.a:bob's", "crm.acme:bob")}, map[string]string{"cookie.a:bob's": "unknown"}},
		"an unlink of a link":      {[]string{link("1", "cookie.a:old", "crm.acme:bob")}, []string{unlink("2", "cookie.a:old", "crm.acme:bob")}, map[string]string{"cookie.a:old": "unknown"}},
		"an erasure of who is linked": {
			[]string{link("1", "cookie.a:old", "crm.acme:bob")},
			[]string{`"id":"2","type":"erase","tenant":"acme","customer":"acme:bob"`},
			map[string]string{"cookie.a:old": "unknown", "cookie.a:bob's": "unknown"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, at := newStore(t), &clock{}
			at.set(storyTime)
			e := newEngine(t, engine.Options{Store: store, Now: at.now})
			dir := filepath.Join(t.TempDir(), "log")
			ok(t, e.OpenChanges(dir))
			l := &live{e, store, dir}
			var armed atomic.Bool
			var scans atomic.Int64
			e.AfterScans(func() {
				scans.Add(1)
				if armed.CompareAndSwap(true, false) {
					allTaken(t, l.take(t, c.between...))
				}
			})
			publish(t, store, story().contents(t, 1))
			reload(t, e)
			awaitScans(t, &scans)
			allTaken(t, l.take(t, c.before...))
			publish(t, store, story().contents(t, 2))
			armed.Store(true)
			reload(t, e)
			if armed.Load() {
				t.Fatal("the log was not scanned")
			}
			all := func(l *live) map[string]string {
				l.clients(t)
				out := map[string]string{}
				for _, id := range []string{"cookie.a:new", "cookie.a:old", "cookie.a:ann's", "cookie.a:bob's", "cookie.a:carl's", "crm.acme:ann", "crm.acme:bob"} {
					out[id] = l.who(t, id)
				}
				return out
			}
			got := all(l)
			for id, want := range c.want {
				if !strings.Contains(got[id], want) {
					t.Errorf("%s is %s, not %s", id, got[id], want)
				}
			}
			if again := all(l.again(t)); !maps.Equal(got, again) {
				t.Errorf("answers are %q, and after a restart %q", got, again)
			}
		})
	}
}

func allTaken(t *testing.T, out []engine.Outcome) {
	t.Helper()
	for _, o := range out {
		ok(t, o.Err)
	}
}

// awaitScans waits for those of a first snapshot: both of an empty log, and that for
// what is to be redacted.
func awaitScans(t *testing.T, scans *atomic.Int64) {
	t.Helper()
	for end := time.Now().Add(time.Minute); scans.Load() < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d scans", scans.Load())
		}
	}
}
