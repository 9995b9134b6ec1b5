package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/engine/swap"
	"github.com/matchd/matchd/snapshot"
)

// currentName reads what CURRENT names.
func currentName(t *testing.T, dir string) string {
	t.Helper()
	store, err := snapshot.OpenStore(dir)
	must(t, err)
	cur, err := store.Current()
	must(t, err)
	return cur.Name
}

// TestSwapByCommands publishes a build of a fraction of the input: the daemon
// refuses it, takes it by force, and goes back.
func TestSwapByCommands(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	succeed(t, buildArgs(world(t, 60), store)...)
	first := currentName(t, store)
	bounds := swap.DefaultBounds()
	bounds.Minimum = 1
	log := filepath.Join(t.TempDir(), "audit.ndjson")
	d := startDaemon(t, daemonOptions{
		Config: server.Config{Stores: []server.StoreConfig{server.StoreAt(store)}, Swap: &bounds, Audit: log},
		open:   "acme", watch: time.Hour,
	})
	succeed(t, buildArgs(world(t, 10), store)...)
	second := currentName(t, store)
	serving := func() string {
		t.Helper()
		var all []server.StoreSwaps
		must(t, json.Unmarshal([]byte(succeed(t, "swap", "--status", "--json", "--admin", d.admin)), &all))
		return all[0].Serving
	}
	if code, _, errOut := command(t, "swap", "--admin", d.admin); code != exitFailed || !strings.Contains(errOut, "identifiers") || !strings.Contains(errOut, "--force") {
		t.Errorf("swap: exit %d, %s", code, errOut)
	}
	if code, body := fetch(t, "POST", d.admin+"/admin/v1/reload", ""); code != 409 || !strings.Contains(body, "bounds") {
		t.Errorf("reload: %d %s", code, body)
	}
	if _, body := fetch(t, "GET", d.admin+"/metrics", ""); !strings.Contains(body, `matchd_swaps_refused_total{reason="identifiers",store="store"} 2`) ||
		!strings.Contains(body, `matchd_swap_held{store="store"} 1`) {
		t.Error("the metrics do not tell of the refusal")
	}
	text := succeed(t, "swap", "--status", "--admin", d.admin)
	for _, want := range []string{"store: serving " + first, "CURRENT names " + second, "refused: "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"swap", "--force"}, second},
		{[]string{"rollback"}, first},
		{[]string{"swap", "--force"}, first}, // pinned
		{[]string{"pin", second}, second},
		{[]string{"unpin"}, second},
	} {
		succeed(t, append(step.args, "--admin", d.admin)...)
		if got := serving(); got != step.want {
			t.Fatalf("%v: serving %s, not %s", step.args, got, step.want)
		}
	}
	for _, bad := range [][]string{{"pin", "../x"}, {"pin", "20200101T000000Z-0123456789ab"}, {"swap", "--store", "other"}} {
		if code, _, _ := command(t, append(bad, "--admin", d.admin)...); code != exitFailed {
			t.Errorf("%v: exit %d", bad, code)
		}
	}
	for _, path := range []string{"swap?force=perhaps", "swap?forced=true", "pin?snapshot=a&snapshot=b"} {
		if code, _ := fetch(t, "POST", d.admin+"/admin/v1/"+path, ""); code != 400 {
			t.Errorf("%s: %d", path, code)
		}
	}
	must(t, d.stop())
	entries, err := os.ReadFile(log)
	must(t, err)
	for _, action := range []string{audit.AdminSwap, audit.AdminRollback, audit.AdminPin, audit.AdminUnpin} {
		if !strings.Contains(string(entries), action) {
			t.Errorf("the audit log has no %s", action)
		}
	}
}

func TestDiffCommand(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	succeed(t, buildArgs(world(t, 60), store)...)
	if code, _, errOut := command(t, "diff", "--store", store); code != exitFailed || !strings.Contains(errOut, "before") {
		t.Errorf("of one: exit %d, %s", code, errOut)
	}
	first := currentName(t, store)
	succeed(t, buildArgs(world(t, 10), store)...)
	second := currentName(t, store)
	var d swap.Difference
	decode(t, succeed(t, "diff", "--store", store, "--json", "--worst", "2", first, second), &d)
	if d.From != first || d.To != second || d.Lost == 0 || len(d.WorstLost) != 2 || d.Persons.Before <= d.Persons.After {
		t.Errorf("%+v", d)
	}
	decode(t, succeed(t, "diff", "--store", store, "--json", second, second), &d)
	if d.Lost+d.Gained+d.Merged+d.Split+d.Renamed != 0 {
		t.Errorf("of itself: %+v", d)
	}
	text := succeed(t, "diff", "--store", store, filepath.Join(store, "snapshots", first), second)
	for _, want := range []string{"from       " + first, "persons    ", "reach      ", "lost       "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	if code, _, _ := command(t, "diff", "--store", store, first); code != exitUsage {
		t.Errorf("of one name: exit %d", code)
	}
}

// TestSwapsPage has the defaults that the docs show.
func TestSwapsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/swaps.md")
	must(t, err)
	_, text, _ := strings.Cut(string(page), "```yaml\n")
	text, _, ok := strings.Cut(text, "```")
	if !ok {
		t.Fatal("the page has no example")
	}
	c, err := server.ParseConfig("m.yaml", []byte("stores: [/s]\n"+text))
	must(t, err)
	want := swap.DefaultBounds()
	if *c.Swap != want || strings.Count(text, "\n") != len(want.Fields())+1 {
		t.Errorf("the page has %+v, and the defaults are %+v", *c.Swap, want)
	}
	for _, r := range swap.Reasons() {
		if !strings.Contains(string(page), "`"+string(r)+"`") {
			t.Errorf("the page has no reason %s", r)
		}
	}
}
