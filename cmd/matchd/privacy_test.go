package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/server"
)

// TestPrivacyByCommands answers a person: what is held, then the erasure, and the
// certificate, from the daemon and from its log, checked without either.
func TestPrivacyByCommands(t *testing.T) {
	store, dir := filepath.Join(t.TempDir(), "store"), t.TempDir()
	succeed(t, buildArgs(world(t, 20), store)...)
	at := server.StoreAt(store)
	at.Events = filepath.Join(dir, "events")
	d := startDaemon(t, daemonOptions{Config: server.Config{Stores: []server.StoreConfig{at}}, open: "acme", watch: time.Hour})
	const id = "crm.acme:C-10012"
	show := func() server.StoreHoldings {
		t.Helper()
		var list []server.StoreHoldings
		must(t, json.Unmarshal([]byte(succeed(t, "privacy", "show", id, "--json", "--admin", d.admin)), &list))
		return list[0]
	}
	if h := show(); !h.Found || len(h.Profiles) == 0 || h.Profiles[0].Withheld {
		t.Fatalf("%+v", h)
	}
	var receipts []server.StoreReceipt
	must(t, json.Unmarshal([]byte(succeed(t, "privacy", "erase", "--tenant", "acme", "--customer", "acme:C-10012", "--json", "--admin", d.admin)), &receipts))
	if h := show(); !h.Profiles[0].Withheld || len(h.Live) == 0 {
		t.Errorf("%+v", h)
	}
	seq := strconv.FormatUint(receipts[0].Seq, 10)
	certified := func(args ...string) string {
		t.Helper()
		file := filepath.Join(dir, "certificate.json")
		must(t, os.WriteFile(file, []byte(succeed(t, append([]string{"privacy", "certificate", seq}, args...)...)), 0o600))
		return succeed(t, "privacy", "certificate", "--verify", file)
	}
	text := certified("--admin", d.admin)
	for until := time.Now().Add(time.Minute); strings.Contains(text, "not noted yet") && time.Now().Before(until); {
		time.Sleep(20 * time.Millisecond)
		text = certified("--admin", d.admin)
	}
	must(t, d.stop())
	text = certified("--events", at.Events)
	for _, want := range []string{receipts[0].Hash, "of tenant acme", "held     ", "first refused  2", "kept snapshots gone by  2"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %q", text, want)
		}
	}
	// A certificate that was changed is refused.
	file := filepath.Join(dir, "certificate.json")
	b, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file, []byte(strings.Replace(string(b), `"held"`, `"absent"`, 1)), 0o600))
	if code, _, errOut := command(t, "privacy", "certificate", "--verify", file); code != exitFailed || !strings.Contains(errOut, "does not prove") {
		t.Errorf("forged: exit %d, %s", code, errOut)
	}
	for _, args := range [][]string{
		{"certificate"}, {"certificate", "x"}, {"certificate", "1", "--verify", file}, {"erase", "--tenant", "acme"}, {"show"},
	} {
		if code, _, _ := command(t, append([]string{"privacy"}, args...)...); code != exitUsage {
			t.Errorf("%q: exit %d", args, code)
		}
	}
	if code, _, errOut := command(t, "privacy", "certificate", "1", "--events", filepath.Join(dir, "nothing")); code != exitFailed || !strings.Contains(errOut, "nothing") {
		t.Errorf("no log: exit %d, %s", code, errOut)
	}
	empty := t.TempDir()
	if code, _, errOut := command(t, "privacy", "certificate", "1", "--events", empty); code != exitFailed || !strings.Contains(errOut, "no log") {
		t.Errorf("an empty folder: exit %d, %s", code, errOut)
	}
	if made, err := os.ReadDir(empty); err != nil || len(made) != 0 {
		t.Errorf("a log was made: %v, %v", made, err)
	}
}
