package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
)

// killable is a daemon in a process of its own.
type killable struct {
	*exec.Cmd
	out        *bufio.Scanner
	url, admin string
}

// startKillable starts matchd serve as a process.
func startKillable(t *testing.T, config string) *killable {
	t.Helper()
	cmd := exec.Command(os.Args[0], "serve", "--config", config)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	k := &killable{Cmd: cmd, out: bufio.NewScanner(out)}
	t.Cleanup(k.kill)
	return k
}

// serveKillable starts one, and waits until it answers.
func serveKillable(t *testing.T, config string) *killable {
	t.Helper()
	k := startKillable(t, config)
	for k.admin == "" && k.out.Scan() {
		if url, ok := strings.CutPrefix(k.out.Text(), "lookups: "); ok {
			k.url = url
		}
		if url, ok := strings.CutPrefix(k.out.Text(), "admin:   "); ok {
			k.admin = url
		}
	}
	if k.url == "" || k.admin == "" {
		t.Fatal("the daemon did not say where it listens")
	}
	return k
}

// kill is kill -9.
func (k *killable) kill() {
	if k.ProcessState == nil {
		_ = k.Process.Kill()
		_ = k.Wait()
	}
}

// asked posts a body where there is one, and returns the answer.
func (k *killable) asked(t *testing.T, key, target, body string) string {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequest(method, k.url+target, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+key)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	res, err := client.Do(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	must(t, err)
	return string(answer)
}

// TestLogInTheStore is refused: it would be restored with the store.
func TestLogInTheStore(t *testing.T) {
	store := emptyStore(t)
	for _, in := range []string{store, filepath.Join(store, "events"), store + "/x/../events"} {
		if code, _, errOut := command(t, "serve", "--store", store, "--events", in, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"); code != 1 || !strings.Contains(errOut, "lies in the store") {
			t.Errorf("%s: exit code %d, %s", in, code, errOut)
		}
	}
	if within(store, store+"-events") || within(store, "") || within(filepath.Join(store, "a"), store) {
		t.Error("what is beside is within")
	}
}

// TestOptOutStays: a customer is matched, opts out, is gone from the next answer,
// and stays so when the daemon is killed and when the snapshot is built anew from
// the same files; until an opt-in.
func TestOptOutStays(t *testing.T) {
	t.Setenv(asCommand, "1")
	data, store := builtStore(t)
	var world struct {
		Examples []struct{ Name, Tenant, Identifier string }
	}
	decode(t, succeed(t, "gen", "--out", filepath.Join(t.TempDir(), "again"), "--customers", "2000", "--seed", "3", "--json"), &world)
	id, tenant := world.Examples[0].Identifier, world.Examples[0].Tenant
	dir := t.TempDir()
	const key = "mk_for_a_test"
	config := filepath.Join(dir, "matchd.yaml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, `stores: [{name: pool, path: %s, events: %s}]
listen: 127.0.0.1:0
admin: 127.0.0.1:0
swap: off
clients:
  - name: brand
    key_sha256: %s
    scopes: [match, privacy]
    grants: [{tenant: %s, segments: ["*"], namespaces: ["*"]}]
`, store, filepath.Join(dir, "events"), server.HashKey(key), tenant), 0o600))
	lookup := "/v1/match?id=" + id
	is := func(d *killable, when, want string) {
		t.Helper()
		if got := d.asked(t, key, lookup, ""); !strings.Contains(got, want) {
			t.Errorf("%s: %s, not %s", when, got, want)
		}
	}
	change := func(d *killable, name, kind string) {
		t.Helper()
		body := fmt.Sprintf(`{"id":%q,"type":%q,"tenant":%q,"identifier":%q}`, name, kind, tenant, id)
		if got := d.asked(t, key, "/v1/events", body); !strings.Contains(got, `"accepted":1`) {
			t.Fatalf("%s: %s", kind, got)
		}
	}
	d := serveKillable(t, config)
	is(d, "at first", `"matched"`)
	change(d, "1", "opt_out")
	is(d, "after the opt-out", `"opted_out"`)
	d.kill()
	d = serveKillable(t, config)
	is(d, "after kill -9", `"opted_out"`)
	d.kill()
	again := func(day string) {
		t.Helper()
		succeed(t, buildArgs(data, store, "--as-of", day, "--live", filepath.Join(dir, "events"))...)
		d = serveKillable(t, config)
	}
	again("2026-11-02")
	is(d, "after a build of the same files", `"opted_out"`)
	change(d, "2", "opt_in")
	is(d, "after the opt-in", `"unknown"`) // the snapshot does not have it
	d.kill()
	again("2026-11-03")
	is(d, "after a build with the opt-in", `"matched"`)
}

// TestStoreHasALog refuses to build, serve and look up without the log that
// belongs to a store, says what to do, and changes nothing.
func TestStoreHasALog(t *testing.T) {
	data, store := builtStore(t)
	events := filepath.Join(t.TempDir(), "events")
	none, other := filepath.Join(t.TempDir(), "none"), filepath.Join(t.TempDir(), "other")
	for _, dir := range []string{events, other} {
		log, err := eventlog.Open(dir, eventlog.Options{})
		must(t, err)
		must(t, log.Close())
	}
	const id = "crm.acme:C-1"
	fresh := filepath.Join(t.TempDir(), "fresh")
	if code, _, errOut := command(t, buildArgs(data, fresh, "--live", none)...); code != exitFailed || !strings.Contains(errOut, none) {
		t.Errorf("--live of no log: exit code %d, %s", code, errOut)
	}
	var r struct {
		Live struct {
			Log string
			Seq uint64
		} `json:"live_changes"`
	}
	decode(t, succeed(t, buildArgs(data, store, "--json", "--live", events)...), &r)
	if len(r.Live.Log) != 32 || r.Live.Seq != 0 {
		t.Errorf("the report says %+v", r)
	}
	if out := succeed(t, buildArgs(data, store, "--live", events)...); !strings.Contains(out, r.Live.Log+" up to change 0") {
		t.Errorf("it does not say from what log:\n%s", out)
	}
	before := snapshotNames(t, store)
	for _, c := range []struct {
		says string
		args []string
	}{
		{"--live", buildArgs(data, store)},
		{r.Live.Log, buildArgs(data, store, "--live", other)},
		{"--events", []string{"serve", "--store", store, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}},
		{none, []string{"serve", "--store", store, "--events", none, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}},
		{r.Live.Log, []string{"serve", "--store", store, "--events", other, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}},
		{"--without-log", []string{"lookup", "--store", store, id}},
		{none, []string{"lookup", "--store", store, "--events", none, id}},
		{r.Live.Log, []string{"lookup", "--store", store, "--events", other, id}},
	} {
		code, out, errOut := command(t, c.args...)
		if code != exitFailed || !strings.Contains(errOut, c.says) || out != "" {
			t.Errorf("%q: exit code %d; it does not say %q:\n%s%s", c.args, code, c.says, out, errOut)
		}
		if _, err := os.Stat(none); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%q made a log", c.args)
		}
	}
	if after := snapshotNames(t, store); !slices.Equal(before, after) {
		t.Errorf("snapshots %q, and %q before", after, before)
	}
	if code, _, _ := command(t, "lookup", "--store", store, "--events", events, "--without-log", id); code != exitUsage {
		t.Errorf("both: exit code %d", code)
	}
	if out := succeed(t, "lookup", "--store", store, "--without-log", id); !strings.Contains(out, "opted out") {
		t.Errorf("it does not say what it leaves aside: %s", out)
	}
	if out := succeed(t, "lookup", "--store", store, "--without-log", "--json", id); !strings.Contains(out, `"without_log":true`) {
		t.Errorf("nor as JSON: %s", out)
	}
	if out := succeed(t, "lookup", "--store", store, "--events", events, "--json", id); strings.Contains(out, "without_log") {
		t.Errorf("with its log: %s", out)
	}
	log, err := eventlog.Open(events, eventlog.Options{})
	must(t, err)
	defer func() { must(t, log.Close()) }()
	for says, args := range map[string][]string{
		"--live-key-file": buildArgs(data, store, "--live", events),
		"ask the daemon":  {"lookup", "--store", store, "--events", events, id},
	} {
		if code, _, errOut := command(t, args...); code != exitFailed || !strings.Contains(errOut, says) {
			t.Errorf("%q of a log that is open: exit code %d, %s", args, code, errOut)
		}
	}
}

func snapshotNames(t *testing.T, dir string) []string {
	t.Helper()
	store, err := snapshot.OpenStore(dir)
	must(t, err)
	names, err := store.Snapshots()
	must(t, err)
	return names
}

// TestBuildFromADaemon reads the log from the daemon that has it open, and the
// daemon goes on with what came of it.
func TestBuildFromADaemon(t *testing.T) {
	t.Setenv(asCommand, "1")
	data, store := builtStore(t)
	dir := t.TempDir()
	const admin, brand = "mk_admin_for_a_test", "mk_brand_for_a_test"
	config := filepath.Join(dir, "matchd.yaml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, `stores: [{name: pool, path: %s, events: %s}]
listen: 127.0.0.1:0
admin: 127.0.0.1:0
swap: off
clients:
  - {name: operator, key_sha256: %s, scopes: [admin]}
  - name: brand
    key_sha256: %s
    scopes: [match, events, privacy]
    grants: [{tenant: acme, segments: ["*"], namespaces: ["*"]}]
`, store, filepath.Join(dir, "events"), server.HashKey(admin), server.HashKey(brand)), 0o600))
	keyFile := func(name, key string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(key+"\n"), mode))
		return path
	}
	d := serveKillable(t, config)
	id := ""
	for _, row := range readCSV(t, filepath.Join(data, "truth.csv"))[1:] {
		if strings.HasPrefix(row[0], "crm.acme:") {
			id = strings.TrimPrefix(row[0], "crm.")
			break
		}
	}
	before := d.asked(t, brand, "/v1/match?id=crm."+id, "")
	if !strings.Contains(before, `"matched"`) {
		t.Fatal(before)
	}
	body := fmt.Sprintf(`{"id":"1","type":"segment_add","customer":%q,"segment":"live.only"}
{"id":"2","type":"opt_out","tenant":"acme","identifier":"maid:6d92078a-8246-4ba4-ae5b-76104861e7dc"}`, id)
	if got := d.asked(t, brand, "/v1/events", body); !strings.Contains(got, `"accepted":2`) {
		t.Fatal(got)
	}
	live := func(more ...string) []string {
		return buildArgs(data, store, append([]string{"--as-of", "2026-11-01", "--json", "--live", d.url}, more...)...)
	}
	for says, c := range map[string]struct {
		code int
		args []string
	}{
		"--live-key-file":    {exitUsage, live()},
		"no such file":       {exitFailed, live("--live-key-file", filepath.Join(dir, "none"))},
		"chmod 600":          {exitFailed, live("--live-key-file", keyFile("open", admin, 0o644))},
		"403":                {exitFailed, live("--live-key-file", keyFile("brand", brand, 0o600))},
		"401":                {exitFailed, live("--live-key-file", keyFile("wrong", "mk_nobody", 0o600))},
		"go with the URL":    {exitUsage, buildArgs(data, store, "--live", dir, "--live-store", "pool")},
		"belongs to a store": {exitFailed, buildArgs(data, filepath.Join(dir, "fresh"), "--live", d.url, "--live-key-file", keyFile("admin", admin, 0o600))},
	} {
		code, out, errOut := command(t, c.args...)
		if code != c.code || !strings.Contains(errOut, says) || out != "" {
			t.Errorf("%q: exit code %d; it does not say %q:\n%s%s", c.args, code, says, out, errOut)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "fresh")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a store was made")
	}
	var r struct {
		Snapshot string
		Live     build.LiveReport `json:"live_changes"`
	}
	decode(t, succeed(t, live("--live-key-file", filepath.Join(dir, "admin"), "--live-store", "pool")...), &r)
	if r.Live.Seq != 2 || r.Live.Segments != 1 {
		t.Errorf("the report says %+v", r.Live)
	}
	for range 300 {
		if got := d.asked(t, brand, "/v1/match?id=crm."+id, ""); strings.Contains(got, r.Snapshot) {
			if !strings.Contains(got, "live.only") {
				t.Errorf("a code that no file has: %s", got)
			}
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("the daemon does not serve the new snapshot")
}
