package main

import (
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/engine/livetest"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/rekey"
)

// rekeyed is a daemon whose store is moved from key to key.
type rekeyed struct {
	erased
	makes    *livetest.Generator
	withheld bool // whether opt-outs, opt-ins and erasures are among the changes
}

func newRekeyed(t *testing.T, withheld bool) *rekeyed {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	e := &rekeyed{erased: erased{living: newLiving(t, 150), r: r, client: &http.Client{Timeout: time.Minute}}, withheld: withheld}
	t.Cleanup(e.client.CloseIdleConnections)
	e.model, e.makes = e.world.Model(), e.world.Generator("rekey", r)
	e.start(t)
	return e
}

// change sends changes at random.
func (e *rekeyed) change(t *testing.T, n int) {
	t.Helper()
	var list []livetest.Change
	for len(list) < n {
		c := e.makes.Next()
		c.Until = nil // what comes back at an end does so at the next build
		if e.withheld || c.Type != "opt_out" && c.Type != "opt_in" && c.Type != "erase" {
			list = append(list, c)
		}
	}
	e.send(t, list)
}

// is compares all answers with the model's.
func (e *rekeyed) is(t *testing.T, when string) {
	t.Helper()
	matched, not := 0, 0
	for _, tenant := range livetest.Tenants() {
		ids, want := e.model.Answers(tenant, time.Now())
		got := answersTo(t, e.client, e.url, tenant, ids)
		for i := range ids {
			if got[i] != want[i] {
				t.Errorf("%s: %s about %s: %q, not %q", when, tenant, ids[i], got[i], want[i])
			}
			if strings.HasPrefix(got[i], "matched") {
				matched++
			} else {
				not++
			}
		}
	}
	if matched < 20 || not < 20 {
		t.Errorf("%s: %d answers and %d refusals: too few to tell", when, matched, not)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// rekey stops the daemon, moves the store and starts the daemon again.
func (e *rekeyed) rekey(t *testing.T, args ...string) (r rekey.Report) {
	t.Helper()
	must(t, e.stop())
	decode(t, succeed(t, append([]string{"rekey", "--store", e.store, "--events", e.log, "--json"}, args...)...), &r)
	succeed(t, "verify", "--store", e.store)
	e.start(t)
	return r
}

// TestRekey moves a store under a daemon's links, segments and consents, whose
// answers stay as they are, and goes on: to a given key, and over a move that was
// killed after its switch.
func TestRekey(t *testing.T) {
	e := newRekeyed(t, false)
	e.change(t, 300)
	e.is(t, "at first")
	if code, _, errOut := command(t, "rekey", "--store", e.store, "--events", e.log); code != exitFailed || !strings.Contains(errOut, "stop it") {
		t.Errorf("while the daemon runs: exit code %d, %s", code, errOut)
	}
	first := e.rekey(t)
	e.is(t, "after a move")
	if first.Completed || first.From == first.To || len(first.FormerKeys) > 0 || first.Renamed > 0 {
		t.Errorf("moved: %+v", first)
	}
	e.change(t, 300)
	e.is(t, "after changes")
	e.build(t, "--live", e.restarted(t), "--as-of", e.world.AsOf.Format(time.RFC3339))
	e.start(t)
	e.is(t, "after a build")

	given := filepath.Join(t.TempDir(), "new.key")
	secret := index.Secret{7}
	must(t, os.WriteFile(given, snapshot.FormatSecret(secret), 0o600))
	former, err := os.ReadFile(filepath.Join(e.store, "secret.key"))
	must(t, err)
	second := e.rekey(t, "--key-file", given)
	e.is(t, "after a second move")
	if second.From != first.To || second.To != secret.ID() || len(second.Removed) != 2 {
		t.Errorf("moved again: %+v", second)
	}
	if code, _, errOut := command(t, "rekey", "--store", e.store, "--events", e.log, "--key-file", given); code != exitFailed {
		t.Errorf("to the key that it has: exit code %d, %s", code, errOut)
	}

	// As it lies there when it was killed after the switch.
	must(t, e.stop())
	must(t, os.Mkdir(filepath.Join(e.store, "keys"), 0o700))
	must(t, os.Rename(filepath.Join(e.store, "secret.key"), filepath.Join(e.store, "keys", secret.ID()+".key")))
	must(t, os.WriteFile(filepath.Join(e.store, "secret.key"), former, 0o600))
	must(t, os.WriteFile(filepath.Join(e.store, "keys", "MOVE"), []byte("matchd-move 1 "+secret.ID()+"\n"), 0o600))
	succeed(t, "verify", "--store", e.store)
	e.start(t)
	e.is(t, "in the middle of a move")
	must(t, e.stop())
	if out := succeed(t, "rekey", "--store", e.store, "--events", e.log); !strings.Contains(out, "nothing was moved again") || !strings.Contains(out, secret.ID()) {
		t.Errorf("it says %q", out)
	}
	if now, err := snapshot.ReadSecret(filepath.Join(e.store, "secret.key")); err != nil || now != secret {
		t.Errorf("secret.key is %s: %v", now.ID(), err)
	}
	e.start(t)
	e.is(t, "after it")
}

// restarted stops the daemon and returns the folder of its log.
func (e *rekeyed) restarted(t *testing.T) string {
	t.Helper()
	must(t, e.stop())
	return e.log
}

// TestRekeyKeepsWithheld moves a store of which many are opted out and erased, and
// lets some back, under one key and the next: answers are as the changes say, over
// builds of the original files too.
func TestRekeyKeepsWithheld(t *testing.T) {
	e := newRekeyed(t, true)
	e.change(t, 300)
	e.is(t, "at first")
	var former []string
	for n, when := range []string{"after a move", "after a second one", "after a third one"} {
		r := e.rekey(t)
		e.is(t, when)
		former = append(former, r.From)
		slices.Sort(former)
		if r.Completed || !slices.Equal(r.FormerKeys, former) || n == 0 && r.Renamed == 0 {
			t.Errorf("%s: %+v", when, r)
		}
		if out := succeed(t, "inspect", "--store", e.store); strings.Contains(out, "renamed ") != (r.Renamed > 0) || !strings.Contains(out, "key "+r.To) {
			t.Errorf("inspected: %s", out)
		}
		e.change(t, 200)
		if n < 2 { // an opt-in of who is not in the snapshot is for the next build
			e.is(t, when+" and changes")
		}
		if n > 0 {
			e.build(t, "--live", e.restarted(t), "--as-of", e.world.AsOf.Format(time.RFC3339))
			e.start(t)
			e.is(t, when+" and a build")
		}
	}
}

// TestRekeyAudit finds a customer in the audit log by the pseudonyms of former keys.
func TestRekeyAudit(t *testing.T) {
	e := newRekeyed(t, true)
	e.send(t, []livetest.Change{{Type: "opt_out", Tenant: livetest.All, Identifier: e.world.Persons[0].Email}})
	must(t, e.stop())
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	log, err := audit.Open(path)
	must(t, err)
	store, err := snapshot.OpenStore(e.store)
	must(t, err)
	for _, action := range []string{"privacy.before", "privacy.after"} {
		secret, err := store.Secret()
		must(t, err)
		_, err = log.Append(audit.Entry{Actor: "cli", Action: action, Subject: audit.Pseudonym(audit.Hasher(secret), "acme:C-0")})
		must(t, err)
		if action == "privacy.before" {
			succeed(t, "rekey", "--store", e.store, "--events", e.log)
		}
	}
	if out := succeed(t, "audit", "show", path, "--customer", "acme:C-0", "--store", e.store); strings.Count(out, "\n") != 2 {
		t.Errorf("it shows %q", out)
	}
	if out := succeed(t, "audit", "show", path, "--customer", "acme:C-1", "--store", e.store); out != "" {
		t.Errorf("of another it shows %q", out)
	}
}
