package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/livetest"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot"
)

// TestErasedStayErased erases most customers, and then does in a random order
// what has brought people back elsewhere: a build of
// the original files, a rollback, a store restored from yesterday's copy, a
// restart, a move to another key. None of them ever answers, by its customer id, its email or its
// cookie, and everybody else does; an opt-in lets exactly that one back, from the
// next build on where the snapshot does not have it.
func TestErasedStayErased(t *testing.T) {
	persons := 12_000
	if testing.Short() {
		persons = 1_200
	}
	seed := number(t, seedEnv, time.Now().UnixNano()&(1<<40-1))
	t.Logf("%s=%d", seedEnv, seed)
	r := rand.New(rand.NewPCG(uint64(seed), 4))
	e := &erased{living: newLiving(t, persons), yesterday: filepath.Join(t.TempDir(), "yesterday"), r: r}
	e.client = &http.Client{Timeout: time.Minute}
	defer e.client.CloseIdleConnections()
	copyStore(t, e.yesterday, e.store)
	e.absent = map[string]map[string]bool{}
	e.key = filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(e.key, []byte(keyOf(shop)), 0o600))
	e.start(t)
	e.model = e.world.Model()
	e.rebuild(t)
	e.is(t, "at first")
	e.erase(t, r.Perm(persons)[:persons*10/12])
	e.is(t, "once they are erased")
	steps := []struct {
		name string
		do   func(*testing.T)
	}{
		{"a build of the original files", e.rebuild},
		{"a rollback", e.rollBack},
		{"a restored store", e.restore},
		{"a restart", e.restart},
		{"a move to another key", e.move},
	}
	for _, k := range r.Perm(len(steps)) {
		steps[k].do(t)
		e.is(t, "after "+steps[k].name)
		e.letBack(t)
		e.is(t, "after "+steps[k].name+" and an opt-in")
		if t.Failed() {
			t.FailNow()
		}
	}
	e.rebuild(t)
	e.is(t, "in the end")
	if n := len(e.absent[e.served(t)]); n != 4*len(e.gone) {
		t.Errorf("the last snapshot is without %d identifiers of %d customers", n, len(e.gone))
	}
}

// erased is a daemon whose customers are mostly erased.
type erased struct {
	*living
	*daemon
	client    *http.Client
	model     *livetest.Model
	gone      []int                      // persons
	absent    map[string]map[string]bool // by snapshot: the identifiers of those who were gone when it was built
	key       string                     // the file with the key that builds read the log with
	yesterday string
	moved     string // the file with the key that the store was moved to, if it was
	changes   int
	r         *rand.Rand
}

func (e *erased) start(t *testing.T) {
	t.Helper()
	c, err := server.ReadConfig(e.config)
	must(t, err)
	c.Admin = "" // as startDaemon has it
	e.daemon = startDaemon(t, daemonOptions{Config: c, watch: time.Hour})
}

// send sends changes, as many at once as a request may have, and has the model
// know them.
func (e *erased) send(t *testing.T, list []livetest.Change) {
	t.Helper()
	refuses := make([]bool, len(list))
	for i := range list {
		e.changes++
		list[i].ID, list[i].At = fmt.Sprint(e.changes), e.world.AsOf.Add(time.Duration(e.changes)*time.Second)
		if refuses[i] = e.model.Refuses(&list[i]); !refuses[i] {
			e.model.Add(&list[i])
		}
	}
	for len(list) > 0 {
		part := list[:min(len(list), server.MaxEvents)]
		list = list[len(part):]
		receipts, err := sent(e.client, e.url, part)
		must(t, err)
		for i, r := range receipts {
			if refuses[i] != (r == receipt{}) {
				t.Fatalf("refused: %t, which is wrong: %s", r == receipt{}, part[i].JSON())
			}
		}
		refuses = refuses[len(part):]
	}
}

func (e *erased) erase(t *testing.T, persons []int) {
	t.Helper()
	var list []livetest.Change
	for _, i := range persons {
		p := &e.world.Persons[i]
		c := livetest.Change{Type: "erase", Tenant: p.Tenant, Customer: p.Name()}
		list = append(list, c)
	}
	e.send(t, list)
	e.gone = persons
}

// letBack opts one of the erased in.
func (e *erased) letBack(t *testing.T) {
	t.Helper()
	p := &e.world.Persons[e.gone[0]]
	e.gone = e.gone[1:]
	e.send(t, []livetest.Change{{Type: "opt_in", Tenant: p.Tenant, Customer: p.Name()}})
}

// identifiers are those of all who are erased.
func (e *erased) identifiers() map[string]bool {
	gone := map[string]bool{}
	for _, i := range e.gone {
		for _, id := range e.world.Persons[i].Identifiers() {
			gone[id] = true
		}
	}
	return gone
}

// served is the name of the snapshot that the daemon answers from.
func (e *erased) served(t *testing.T) string {
	t.Helper()
	var answer struct{ Snapshot string }
	must(t, posted(e.client, e.url+"/v1/match", livetest.Tenants()[0], strings.NewReader(`{"ids":["cookie.a:x"]}`), &answer))
	if answer.Snapshot == "" {
		t.Fatal("an answer does not say of which snapshot it is")
	}
	return answer.Snapshot
}

// is asks for everybody by all identifiers, and holds the answers against a
// model. That none of the erased answers is counted without it, too.
func (e *erased) is(t *testing.T, when string) {
	t.Helper()
	gone, absent := e.identifiers(), e.absent[e.served(t)]
	for _, tenant := range livetest.Tenants() {
		ids, want := e.model.Answers(tenant, time.Now())
		wrong := 0
		for i, got := range answersTo(t, e.client, e.url, tenant, ids) {
			if absent[ids[i]] {
				want[i] = "unknown"
			}
			if got == want[i] && (!gone[ids[i]] || got == "unknown") {
				continue
			}
			if wrong++; wrong <= 3 {
				t.Errorf("%s: %s is answered %q, not %q", when, ids[i], got, want[i])
			}
		}
		if wrong > 3 {
			t.Errorf("%s: %d answers in all are wrong", when, wrong)
		}
	}
}

// rebuild builds from the original files and the log: from the daemon, or while
// it is down.
func (e *erased) rebuild(t *testing.T) {
	t.Helper()
	live := []string{"--live", e.url, "--live-key-file", e.key}
	down := e.r.IntN(2) == 0
	if down {
		must(t, e.stop())
		live = []string{"--live", e.log}
	}
	e.absent[e.build(t, live...)] = e.identifiers()
	if down {
		e.start(t)
	}
	succeed(t, "unpin", "--admin", e.admin)
	succeed(t, "swap", "--admin", e.admin)
}

// rollBack goes back to a snapshot of before the erasures, or of one that is
// kept.
func (e *erased) rollBack(t *testing.T) {
	t.Helper()
	if code, _, errOut := command(t, "rollback", "--admin", e.admin); code != exitDone {
		t.Log(errOut) // the restored store has served but one
		names, err := filepath.Glob(filepath.Join(e.store, "snapshots", "*"))
		must(t, err)
		succeed(t, "pin", filepath.Base(names[0]), "--admin", e.admin)
	}
}

// copyStore copies a store, whose key nobody else may read.
func copyStore(t *testing.T, to, from string) {
	t.Helper()
	must(t, os.CopyFS(to, os.DirFS(from)))
	must(t, os.Chmod(filepath.Join(to, "secret.key"), 0o600))
}

// restore puts yesterday's copy in the place of the store.
func (e *erased) restore(t *testing.T) {
	t.Helper()
	must(t, e.stop())
	must(t, os.RemoveAll(e.store))
	copyStore(t, e.store, e.yesterday)
	if e.moved != "" { // from the key that the copy has
		c, err := server.ReadConfig(e.config)
		must(t, err)
		c.Listen = "127.0.0.1:0"
		if err := runDaemon(t.Context(), daemonOptions{Config: c}, io.Discard); !errors.Is(err, overlay.ErrKey) {
			t.Fatalf("a store without the key of the log's hashes: %v", err)
		}
		e.rekey(t, "--key-file", e.moved)
	}
	e.start(t)
}

// move moves the store to another key.
func (e *erased) move(t *testing.T) {
	t.Helper()
	succeed(t, "unpin", "--admin", e.admin)
	must(t, e.stop())
	e.rekey(t)
	e.moved = filepath.Join(t.TempDir(), "secret.key")
	must(t, os.Link(filepath.Join(e.store, "secret.key"), e.moved))
	e.start(t)
}

// rekey moves the store, while no daemon has it, with who is in its snapshot.
func (e *erased) rekey(t *testing.T, args ...string) {
	t.Helper()
	store, err := snapshot.OpenStore(e.store)
	must(t, err)
	before, err := store.Current()
	must(t, err)
	var r struct{ Snapshot string }
	decode(t, succeed(t, append([]string{"rekey", "--store", e.store, "--events", e.log, "--json"}, args...)...), &r)
	e.absent[r.Snapshot] = e.absent[before.Name]
}

func (e *erased) restart(t *testing.T) {
	t.Helper()
	must(t, e.stop())
	e.start(t)
}
