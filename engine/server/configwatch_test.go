package server

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// watched is a server whose clients are those of a file.
type watched struct {
	*Server
	*ConfigWatch
	path string
	log  bytes.Buffer // of what was said since it was last read
}

// clientsOf is a config of clients with a grant each, "name:tenant".
func clientsOf(clients ...string) string {
	out := "stores: [pool]\nclients:\n"
	for _, c := range clients {
		name, tenant, _ := strings.Cut(c, ":")
		out += fmt.Sprintf("  - {name: %s, key_sha256: %v, grants: [{tenant: %s, segments: ['*'], namespaces: ['*']}]}\n", name, HashKey("key-"+name), tenant)
	}
	return out
}

func watch(t *testing.T, config string) *watched {
	t.Helper()
	w := &watched{path: filepath.Join(t.TempDir(), "matchd.yaml")}
	w.write(t, config)
	c, err := ReadConfig(w.path)
	must(t, err)
	w.Server = newServer(t, c.Clients...)
	w.ConfigWatch = NewConfigWatch(w.path, c, w.Server, slog.New(slog.NewTextHandler(&w.log, nil)))
	w.rest = func(context.Context) {}
	return w
}

// write writes the file in place.
func (w *watched) write(t *testing.T, config string) {
	t.Helper()
	must(t, os.WriteFile(w.path, []byte(config), 0o600))
}

// looked looks, and returns what it has logged.
func (w *watched) looked(t *testing.T, sound bool) string {
	t.Helper()
	if err := w.Look(t.Context()); sound != (err == nil) {
		t.Errorf("looking: %v", err)
	}
	defer w.log.Reset()
	return w.log.String()
}

// answers checks whose key is told of which tenant; "" is a key of nobody.
func (w *watched) answers(t *testing.T, want map[string]string) {
	t.Helper()
	for name, tenant := range want {
		status, body := as(t, w.Server, "key-"+name, askOne)
		if tenant == "" && status != 401 || tenant != "" && !strings.Contains(body, `"`+tenant+`"`) {
			t.Errorf("%s got %d %s, want %q", name, status, body, tenant)
		}
	}
}

func TestConfigIsFollowed(t *testing.T) {
	w := watch(t, clientsOf("a:acme", "b:globex"))
	if log := w.looked(t, true); log != "" {
		t.Errorf("nothing has changed: %s", log)
	}
	for _, step := range []struct {
		config string
		logged string // added, removed, changed
		want   map[string]string
	}{
		{clientsOf("a:acme", "b:globex", "c:globex"), `added=c removed="" changed=""`, map[string]string{"a": "acme", "b": "globex", "c": "globex"}},
		{clientsOf("b:globex"), `added="" removed="a, c" changed=""`, map[string]string{"a": "", "b": "globex", "c": ""}},
		{clientsOf("a:acme", "b:acme"), `added=a removed="" changed=b`, map[string]string{"a": "acme", "b": "acme"}},
		{"# no more than a comment\n" + clientsOf("a:acme", "b:acme"), "", map[string]string{"a": "acme", "b": "acme"}},
		{clientsOf("b:acme", "a:acme"), "", map[string]string{"a": "acme", "b": "acme"}},
		{"stores: [pool]\n", `added="" removed="a, b" changed=""`, map[string]string{"a": "", "b": ""}},
	} {
		w.write(t, step.config)
		if log := w.looked(t, true); !strings.Contains(log, step.logged) || step.logged == "" && log != "" || strings.Contains(log, HashKey("key-a").String()) {
			t.Errorf("logged %q, want %q", log, step.logged)
		}
		w.answers(t, step.want)
		w.rest = func(context.Context) { t.Error("what was seen is waited for") }
		if log := w.looked(t, true); log != "" {
			t.Errorf("looking again logs %q", log)
		}
		w.rest = func(context.Context) {}
	}
}

// A file that is replaced, and one behind a link that is turned elsewhere, are
// seen, though size and time may be the same.
func TestConfigIsReplaced(t *testing.T) {
	w := watch(t, clientsOf("a:acme"))
	stamp := time.Now().Add(-time.Hour)
	replace := func(config string) {
		must(t, os.WriteFile(w.path+".new", []byte(config), 0o600))
		must(t, os.Chtimes(w.path+".new", stamp, stamp))
		must(t, os.Rename(w.path+".new", w.path))
	}
	replace(clientsOf("b:acme"))
	w.looked(t, true)
	w.answers(t, map[string]string{"a": "", "b": "acme"})
	replace(clientsOf("c:acme"))
	w.looked(t, true)
	w.answers(t, map[string]string{"b": "", "c": "acme"})
	must(t, os.WriteFile(w.path+".d", []byte(clientsOf("d:acme")), 0o600))
	must(t, os.Remove(w.path))
	must(t, os.Symlink(w.path+".d", w.path))
	w.looked(t, true)
	w.answers(t, map[string]string{"c": "", "d": "acme"})
}

// What is not right changes nothing, and is told of once.
func TestBadConfigIsRefused(t *testing.T) {
	good := clientsOf("a:acme")
	w := watch(t, good)
	for name, bad := range map[string]string{
		"empty":            "",
		"half a line":      clientsOf("b:acme")[:40],
		"an unknown key":   clientsOf("b:acme") + "clint: 3\n",
		"one name twice":   clientsOf("b:acme", "b:globex"),
		"no YAML":          "{",
		"a scope too many": strings.Replace(clientsOf("b:acme"), "grants", "scopes: [all], grants", 1),
		"gone":             "-",
	} {
		if w.write(t, bad); bad == "-" {
			must(t, os.Remove(w.path))
		}
		if log := w.looked(t, false); strings.Count(log, "refused the config") != 1 || !strings.Contains(log, "matchd.yaml") {
			t.Errorf("%s: logged %q", name, log)
		}
		if log := w.looked(t, false); log != "" {
			t.Errorf("%s: logged again: %q", name, log)
		}
		w.answers(t, map[string]string{"a": "acme", "b": ""})
		w.write(t, good)
		if log := w.looked(t, true); !strings.Contains(log, "sound again") {
			t.Errorf("%s: when it was mended: logged %q", name, log)
		}
	}
}

// The server may refuse what the file may say.
func TestConfigThatTheServerRefuses(t *testing.T) {
	w := watch(t, clientsOf("a:acme"))
	var err error
	w.Server, err = New(Options{Pools: w.pools, Clients: w.started.Clients, Open: "acme"})
	must(t, err)
	w.ConfigWatch.server = w.Server
	w.write(t, clientsOf("open:acme"))
	if log := w.looked(t, false); !strings.Contains(log, "open") {
		t.Errorf("logged %q", log)
	}
	w.answers(t, map[string]string{"a": "acme"})
}

// A file that is being written in place is not taken before it is at rest.
func TestConfigAtRest(t *testing.T) {
	w := watch(t, clientsOf("a:acme", "b:globex"))
	parts := []string{clientsOf("a:acme"), clientsOf("a:acme", "c:acme"), clientsOf("a:acme", "c:acme", "b:globex")}
	w.rest = func(context.Context) {
		w.answers(t, map[string]string{"a": "acme", "b": "globex", "c": ""})
		if len(parts) > 0 {
			w.write(t, parts[0])
			parts = parts[1:]
		}
	}
	w.write(t, "stores: [pool]\n")
	if log := w.looked(t, true); !strings.Contains(log, `added=c removed="" changed=""`) || len(parts) > 0 {
		t.Errorf("logged %q, %d parts are unwritten", log, len(parts))
	}
	w.answers(t, map[string]string{"a": "acme", "b": "globex", "c": "acme"})
	// Whoever stops the daemon does not wait for a file to come to rest.
	ctx, cancel := context.WithCancel(t.Context())
	w.rest = func(context.Context) { cancel() }
	w.write(t, clientsOf("a:acme"))
	if err := w.Look(ctx); err != nil {
		t.Errorf("stopped: %v", err)
	}
	w.answers(t, map[string]string{"b": "globex"})
}

// What is not taken before a restart is named; the clients are taken, but where
// their stores may be others than those that are open.
func TestConfigThatNeedsARestart(t *testing.T) {
	w := watch(t, clientsOf("a:acme", "b:globex"))
	for config, keys := range map[string]string{
		"listen: 127.0.0.1:1":                "listen",
		"admin: 127.0.0.1:1":                 "admin",
		"memory: copy\nlink_max_age: 3":      "memory, link_max_age",
		"limits: {connections: 3}":           "limits",
		"tls: {cert: a, key: b}\naudit: log": "tls, audit",
	} {
		w.write(t, clientsOf("a:acme", "c:globex")+config+"\n")
		if log := w.looked(t, true); !strings.Contains(log, "needs a restart") || !strings.Contains(log, "keys="+keys) && !strings.Contains(log, `keys="`+keys+`"`) {
			t.Errorf("%s: logged %q", config, log)
		}
		w.answers(t, map[string]string{"a": "acme", "b": "", "c": "globex"})
		w.write(t, clientsOf("a:acme", "b:globex"))
		w.looked(t, true)
	}
	for _, stores := range []string{"[other]", "[pool, other]", "[{name: pool, path: other}]"} {
		w.write(t, strings.Replace(clientsOf("a:globex", "c:globex"), "[pool]", stores, 1))
		if log := w.looked(t, true); !strings.Contains(log, "keys=stores") || !strings.Contains(log, `added="" removed=b changed=""`) {
			t.Errorf("%s: logged %q", stores, log)
		}
		w.answers(t, map[string]string{"a": "acme", "b": "", "c": ""})
		// A key that is another's now is not the old client's any more.
		w.write(t, strings.NewReplacer("[pool]", stores, HashKey("key-a").String(), HashKey("key-c").String()).Replace(clientsOf("a:acme")))
		w.looked(t, true)
		w.answers(t, map[string]string{"a": "", "b": "", "c": ""})
		w.write(t, clientsOf("a:acme", "b:globex"))
		w.looked(t, true)
	}
}

// Watching looks by itself, until it is told to stop.
func TestConfigWatch(t *testing.T) {
	w := watch(t, clientsOf("a:acme"))
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { w.Watch(ctx, time.Millisecond) })
	w.write(t, clientsOf("b:acme"))
	waitFor(t, func() bool { status, _ := as(t, w.Server, "key-b", askOne); return status == 200 })
	w.answers(t, map[string]string{"a": ""})
	cancel()
	all.Wait()
}
