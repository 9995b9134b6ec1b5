package engine_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/eventlog"
)

// left are the numbers of the changes that are in the log.
func (k *keeping) left(t *testing.T) (list []uint64) {
	t.Helper()
	ok(t, k.Changes().Log().Scan(0, func(r eventlog.Record) error {
		if r.Kind == eventlog.Event {
			list = append(list, r.Seq)
		}
		return nil
	}))
	return list
}

// TestTrimLog trims what every kept snapshot contains, but for opt-outs and
// erasures, for what a delayed change may have to lose to, and for what the next
// build has from nowhere else.
func TestTrimLog(t *testing.T) {
	const day = 24 * time.Hour
	k := newKeeping(t, engine.Retention{KeepErasures: 100 * day})
	out := k.take(
		t,
		`"id":"0","at":"2026-11-21T09:00:00Z","type":"consent","customer":"acme:ann","status":"granted"`,
		annOut,
		`"id":"3","type":"segment_add","customer":"acme:bob","segment":"vip"`,
		`"id":"4","type":"erase","tenant":"acme","customer":"acme:bob"`,
		`"id":"5","type":"consent","customer":"acme:ann","status":"withdrawn"`,
	)
	for _, o := range out {
		ok(t, o.Err)
	}
	last := func() uint64 {
		seq, _, _ := k.Changes().Log().Last()
		return seq
	}
	is := func(when string, want ...uint64) {
		t.Helper()
		for range 2 {
			k.tend(t)
			if got := k.left(t); !slices.Equal(got, want) {
				t.Errorf("%s: %v and not %v", when, got, want)
			}
		}
	}
	k.at.set(storyTime.Add(40 * day))
	is("no snapshot contains anything", 1, 2, 3, 4, 5)
	k.publish(t, last(), "bob")
	reload(t, k.Engine)
	// The first snapshot is from before, and holds bob: it was due.
	k.at.set(storyTime.Add(20 * day))
	is("all contain it, but it is young", 1, 2, 3, 4, 5)
	k.at.set(storyTime.Add(40 * day))
	is("all contain it", 2, 4, 5)
	k.restart(t)
	ok(t, k.SetClients([]engine.Client{{Name: "acme", Tenant: "acme", Grants: []engine.Grant{grant("acme")}}}))
	is("after a restart", 2, 4, 5)
	if said := k.said(t, 0); !strings.Contains(said, "4 since") || !strings.Contains(said, "held [4]") {
		t.Errorf("notes of erasures are gone: %s", said)
	}
	if got := toldLive(t, k.Engine, "acme", []string{"cookie.a:ann's"}); got != "opted_out" {
		t.Errorf("ann is %q", got)
	}
	// A snapshot that lacks what is gone is not served.
	k.publish(t, 0)
	if _, err := k.Reload(); err == nil || !strings.Contains(err.Error(), "was trimmed") {
		t.Errorf("a snapshot from before: %v", err)
	}
	k.publish(t, last(), "bob")
	reload(t, k.Engine)
	k.at.set(storyTime.Add(101 * day))
	for range 4 {
		k.tend(t)
	}
	is("beyond how long erasures are kept", 5)
}

// TestTrimKeepsTheRest keeps all where one snapshot, of those that are kept,
// contains nothing.
func TestTrimKeepsTheRest(t *testing.T) {
	k := newKeeping(t, engine.Retention{})
	k.take(t, `"id":"1","at":"2026-11-21T09:00:00Z","type":"segment_add","customer":"acme:bob","segment":"vip"`, `"id":"2","type":"segment_remove","customer":"acme:bob","segment":"vip"`)
	k.publish(t, 1)
	k.publish(t, 2)
	reload(t, k.Engine)
	k.at.set(storyTime.Add(1000 * time.Hour))
	k.tend(t)
	if got := k.left(t); !slices.Equal(got, []uint64{1, 2}) {
		t.Errorf("%v", got)
	}
	must(k.store.Retire(must(k.store.Snapshots())(t)[0]))(t)
	k.tend(t)
	if got := k.left(t); !slices.Equal(got, []uint64{2}) {
		t.Errorf("%v", got)
	}
}

// TestTrimKeepsTheYoung keeps what a delayed change may have to lose to.
func TestTrimKeepsTheYoung(t *testing.T) {
	const day = 24 * time.Hour
	k := newKeeping(t, engine.Retention{})
	k.take(t, `"id":"1","type":"segment_add","customer":"acme:bob","segment":"vip","at":"2026-11-21T08:00:00Z"`)
	k.at.set(storyTime.Add(20 * day))
	k.take(t, `"id":"2","type":"segment_remove","customer":"acme:bob","segment":"vip","at":"2026-11-21T09:00:00Z"`,
		`"id":"3","type":"segment_remove","customer":"acme:bob","segment":"vip","at":"2026-11-21T10:00:00Z"`) // which is in force
	k.publish(t, 3)
	reload(t, k.Engine)
	must(k.store.Retire(must(k.store.Snapshots())(t)[0]))(t)
	for _, c := range []struct {
		days  time.Duration
		want  []uint64
		first uint64 // what the log goes on from: a snapshot that lacks more is refused
	}{{29, []uint64{1, 2, 3}, 1}, {31, []uint64{2, 3}, 2}, {49, []uint64{2, 3}, 2}, {51, []uint64{3}, 4}} {
		k.at.set(storyTime.Add(c.days * day))
		k.tend(t)
		if got := k.left(t); !slices.Equal(got, c.want) {
			t.Errorf("after %d days: %v and not %v", c.days, got, c.want)
		}
		if got := must(k.Changes().Log().First())(t); got != c.first {
			t.Errorf("after %d days the log begins with record %d and not %d", c.days, got, c.first)
		}
	}
}
