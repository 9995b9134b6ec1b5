package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/engine/server"
)

// clientLine is a client in a line of a config.
func clientLine(name string) string {
	return fmt.Sprintf("  - {name: %s, key_sha256: %v, grants: [{tenant: acme}]}\n", name, server.HashKey(name))
}

// writeConfig writes a matchd.yaml into a folder of its own.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "matchd.yaml")
	must(t, os.WriteFile(path, []byte(text), 0o640))
	must(t, os.Chmod(path, 0o640))
	return path
}

// The names of the clients of a config.
func clientNames(t *testing.T, config string) string {
	t.Helper()
	c, err := server.ReadConfig(config)
	must(t, err)
	var names []string
	for _, c := range c.Clients {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}

// Whichever client is revoked, all comments stay but its own.
func TestClientRevokeKeepsTheConfig(t *testing.T) {
	const before = `# our daemon
stores: [store] # the pool

# who may ask
clients:
  # the first
  - name: one # inside one
    key_sha256: KEY-one
    # also inside one
    grants: [{tenant: acme}]
    # at the end of one

  # between one and two

  # the second
  # in two lines
  - name: two
    key_sha256: KEY-two
    # at the end of two
  - {name: four, key_sha256: KEY-four}

  # before three

  - name: three
    key_sha256: KEY-three
    grants:
      - {tenant: acme} # inside three

# before listen
listen: unix:/s # the socket
`
	own := map[string][]string{"one": {"the first", "inside one", "also inside one", "at the end of one"}, "two": {"the second", "in two lines", "at the end of two"}, "four": {}, "three": {"inside three"}}
	all := []string{"our daemon", "the pool", "who may ask", "between one and two", "before three", "before listen", "the socket"}
	config := before
	for _, name := range []string{"one", "two", "four", "three"} {
		config = strings.Replace(config, "KEY-"+name, server.HashKey(name).String(), 1)
	}
	for _, order := range []string{"one two three four", "four three two one", "two one four three"} {
		path := writeConfig(t, config)
		left := []string{"one", "two", "four", "three"}
		for _, name := range strings.Fields(order) {
			out := succeed(t, "client", "revoke", name, "--config", path)
			if !strings.Contains(out, "revoked client "+name) || !strings.Contains(out, "within a second") {
				t.Errorf("said %q", out)
			}
			i := 0
			for left[i] != name {
				i++
			}
			left = append(left[:i:i], left[i+1:]...)
			if got := clientNames(t, path); got != strings.Join(left, " ") {
				t.Fatalf("without %s there are %q", name, got)
			}
			text, err := os.ReadFile(path)
			must(t, err)
			want := append([]string{}, all...)
			for _, l := range left {
				want = append(want, own[l]...)
			}
			for _, comment := range want {
				if strings.Count(string(text), "# "+comment+"\n") != 1 {
					t.Errorf("%s, without %s: %q is not there once in\n%s", order, name, comment, text)
				}
			}
			for _, part := range append(own[name], server.HashKey(name).String()) {
				if strings.Contains(string(text), part) {
					t.Errorf("%s, without %s: %q is still there in\n%s", order, name, part, text)
				}
			}
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%v, %v", info, err)
		}
	}
}

// A client may be written in many ways.
func TestClientRevokeForms(t *testing.T) {
	a, b := server.HashKey("a").String(), server.HashKey("b").String()
	for name, c := range map[string]struct{ before, after string }{
		"in one line":     {"{stores: [s], clients: [{name: a, key_sha256: " + a + "}, {name: b, key_sha256: " + b + "}]}\n", ""},
		"a list of lines": {"stores: [s]\nclients: [{name: a, key_sha256: " + a + "},\n  {name: b, key_sha256: " + b + "}]\n", ""},
		"no indent": {
			"clients:\n- name: a\n  key_sha256: " + a + "\n- name: b\n  key_sha256: " + b + "\nstores:\n- s\n",
			"clients:\n- name: b\n  key_sha256: " + b + "\nstores:\n- s\n",
		},
		"a dash alone": {"clients:\n  -\n    name: a\n    key_sha256: " + a + "\n  - {name: b, key_sha256: " + b + "}\nstores: [s]\n", ""},
		"an anchor":    {"stores: [s]\nclients: &x\n  - {name: a, key_sha256: " + a + "}\n  - {name: b, key_sha256: " + b + "}\n", ""},
		"carriage returns": {
			"stores: [s]\r\nclients:\r\n  - name: a\r\n    key_sha256: " + a + "\r\n\r\n  - {name: b, key_sha256: " + b + "}\r\n",
			"stores: [s]\r\nclients:\r\n\r\n  - {name: b, key_sha256: " + b + "}\r\n",
		},
		"lists of lines": {
			"stores: [s]\nclients:\n  - name: a\n    key_sha256: >-\n      " + a + "\n    grants: [\n      {tenant: t,\n       segments: [x]},\n    ]\n  - {name: b, key_sha256: " + b + "}",
			"stores: [s]\nclients:\n  - {name: b, key_sha256: " + b + "}",
		},
		"many spaces": {
			"clients:   # who\n     -   name: a\n         key_sha256: " + a + "\n     -   {name: b, key_sha256: " + b + "}\n\n\nstores: [s]\n",
			"clients:   # who\n     -   {name: b, key_sha256: " + b + "}\n\n\nstores: [s]\n",
		},
	} {
		path := writeConfig(t, c.before)
		succeed(t, "client", "revoke", "a", "--config", path)
		if got := clientNames(t, path); got != "b" {
			t.Errorf("%s: there are %q", name, got)
		}
		if text, err := os.ReadFile(path); err != nil || c.after != "" && string(text) != c.after {
			t.Errorf("%s: got\n%s\nwant\n%s", name, text, c.after)
		}
		succeed(t, "client", "revoke", "b", "--config", path)
		if got := clientNames(t, path); got != "" {
			t.Errorf("%s: there are %q", name, got)
		}
	}
}

func TestClientRevokeRefuses(t *testing.T) {
	two := "stores: [store]\nclients:\n" + clientLine("acme-ads") + clientLine("globex")
	for name, c := range map[string]struct {
		config string
		args   []string
		code   int
		want   string
	}{
		"no name":      {two, nil, exitUsage, "arg"},
		"two names":    {two, []string{"acme-ads", "globex"}, exitUsage, "arg"},
		"a slip":       {two, []string{"acme-add"}, exitFailed, `has no client "acme-add"; did you mean "acme-ads"? known are acme-ads, globex`},
		"nothing near": {two, []string{"zzz"}, exitFailed, `has no client "zzz"; known are acme-ads, globex`},
		"no clients":   {"stores: [store]\n", []string{"acme-ads"}, exitFailed, "has no clients"},
		"a bad config": {two + "listn: a\n", []string{"acme-ads"}, exitFailed, `did you mean "listen"`},
	} {
		path := writeConfig(t, c.config)
		code, out, errOut := command(t, append([]string{"client", "revoke", "--config", path}, c.args...)...)
		if code != c.code || out != "" || !strings.Contains(errOut, c.want) {
			t.Errorf("%s: exit code %d, printed %q, said %q", name, code, out, errOut)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != c.config {
			t.Errorf("%s: the config is now %q", name, after)
		}
	}
	missing := filepath.Join(t.TempDir(), "matchd.yaml")
	for _, sub := range []string{"revoke a", "list"} {
		args := append([]string{"client"}, strings.Fields(sub)...)
		if code, _, errOut := command(t, append(args, "--config", missing)...); code != exitFailed || !strings.Contains(errOut, missing) {
			t.Errorf("%s: exit code %d, said %q", sub, code, errOut)
		}
	}
}

// Changes of a config that come at once are all in it.
func TestClientChangesAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "matchd.yaml")
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			name := fmt.Sprintf("c%d", i)
			// Whoever is first makes the file; the others are told that it is there.
			args := []string{"client", "add", name, "--config", path, "--tenant", "acme", "--segments", "*", "--namespaces", "*"}
			if code, _, errOut := command(t, append(args, "--store", "store")...); code == exitUsage && strings.Contains(errOut, "leave --store away") {
				succeed(t, args...)
			} else if code != exitDone {
				t.Errorf("%s: exit code %d: %s", name, code, errOut)
			}
			if i%3 == 0 {
				succeed(t, "client", "revoke", name, "--config", path)
			}
		})
	}
	all.Wait()
	got := " " + clientNames(t, path) + " "
	for i := range 12 {
		if there := strings.Contains(got, fmt.Sprintf(" c%d ", i)); there != (i%3 != 0) {
			t.Errorf("c%d: %v in %s", i, there, got)
		}
	}
}

// What client add is told is what the config says, and client list.
func TestClientRoundTrip(t *testing.T) {
	path := writeConfig(t, "stores: [energy, retail]\ntls: {cert: a, key: b, client_ca: c}\n")
	key := strings.TrimSpace(succeed(t, "client", "add", "partner", "--config", path, "--client-of", "globex", "--tenant", "acme", "--tenant", "umbra",
		"--segments", "vip,churn.high", "--namespaces", "maid,cookie.site", "--scopes", "segments,enrich", "--rate", "2500.5", "--burst", "9000",
		"--certificate", "dsp.example", "--id-space", "ours", "--purposes", "use,share", "--until", "2999-01-31", "--store-name", "retail",
		"--vendor", "755", "--vendor-purposes", "1,3", "--jurisdiction", "gdpr"))
	succeed(t, "client", "add", "own", "--config", path, "--tenant", "acme", "--segments", "*", "--namespaces", "*")
	succeed(t, "client", "add", "lister", "--config", path, "--client-of", "acme", "--tenant", "umbra", "--segments", "*", "--namespaces", "*", "--identifiers")
	succeed(t, "client", "add", "blind", "--config", path, "--tenant", "acme", "--segments", "", "--namespaces", "*", "--customers=false")
	c, err := server.ReadConfig(path)
	must(t, err)
	p := c.Clients[0]
	if p.Tenant != "globex" || p.Scopes != server.ScopeSegments|server.ScopeEnrich || p.Rate != 2500.5 || p.Burst != 9000 || p.Certificate != "dsp.example" ||
		p.IDSpace != "ours" || p.Privacy.Vendor != 755 || p.Privacy.Purposes != 0b101 || p.Privacy.Jurisdiction != privacy.UnderGDPR || len(p.Grants) != 2 {
		t.Errorf("got %+v", p)
	}
	for i, g := range p.Grants {
		if g.Tenant != []string{"acme", "umbra"}[i] || g.Store != "retail" || fmt.Sprint(g.Segments, g.Namespaces) != "[vip churn.high] [maid cookie.site]" ||
			g.Customers || g.Identifiers || g.Purposes != 3 || !g.Until.Equal(time.Date(2999, 1, 31, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("got %+v", g)
		}
	}
	for i, want := range []string{"true false", "true true", "false false"} {
		if g := c.Clients[i+1].Grants[0]; fmt.Sprint(g.Customers, g.Identifiers) != want {
			t.Errorf("%s: got %+v", c.Clients[i+1].Name, g)
		}
	}
	table := succeed(t, "client", "list", "--config", path)
	hash := server.HashKey(key).String()
	for _, want := range []string{
		"CLIENT", "partner  " + hash[:8] + "  globex", "segments,enrich", "2500.5/s", "retail", "vip,churn.high", "maid,cookie.site", "use,share", "2999-01-31\n",
		"segments,customers,identifiers", "match,segments,identifiers",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in\n%s", want, table)
		}
	}
	if strings.Contains(table, hash[:9]) || strings.Contains(table, key) {
		t.Errorf("the table tells too much:\n%s", table)
	}
	if lines := strings.Count(table, "\n"); lines != 1+5 {
		t.Errorf("there are %d lines in\n%s", lines, table)
	}
	var list []listedClient
	must(t, json.Unmarshal([]byte(succeed(t, "client", "list", "--json", "--config", path)), &list))
	if len(list) != 4 || list[0].KeyID != hash[:8] || list[0].Tenant != "globex" || list[1].Tenant != "acme" || len(list[0].Grants) != 2 || list[0].Grants[1].Ended {
		t.Errorf("got %+v", list)
	}
}

func TestClientList(t *testing.T) {
	path := writeConfig(t, "stores: [store]\n")
	if got := succeed(t, "client", "list", "--config", path); !strings.Contains(got, "no clients") {
		t.Errorf("got %q", got)
	}
	if got := succeed(t, "client", "list", "--json", "--config", path); got != "[]\n" {
		t.Errorf("got %q", got)
	}
	text := "stores: [store]\nclients:\n" + clientLine("plain") + fmt.Sprintf("  - {name: none, key_sha256: %v}\n", server.HashKey("none")) +
		fmt.Sprintf("  - {name: late, key_sha256: %v, grants: [{tenant: acme, until: 2020-01-31T12:00:00Z}]}\n", server.HashKey("late")) +
		fmt.Sprintf("  - {name: page, key_sha256: %v, grants: [{tenant: acme, namespaces: [cookie.shop]}], browser: {origins: [https://shop.example], cookie: uid, namespace: cookie.shop}}\n", server.HashKey("page"))
	must(t, os.WriteFile(path, []byte(text), 0o600))
	table := succeed(t, "client", "list", "--config", path)
	for name, want := range map[string]string{"plain": "acme", "none": "nothing", "late": "2020-01-31T12:00:00Z (ended)", "page": "segments"} {
		found := false
		for line := range strings.Lines(table) {
			found = found || strings.HasPrefix(line, name+" ") && strings.Contains(line, want)
		}
		if !found {
			t.Errorf("no %s with %s in\n%s", name, want, table)
		}
	}
	if strings.Count(table, "(ended)") != 1 {
		t.Errorf("got\n%s", table)
	}
	var list []listedClient
	must(t, json.Unmarshal([]byte(succeed(t, "client", "list", "--json", "--config", path)), &list))
	if !list[2].Grants[0].Ended || list[0].Grants[0].Ended || list[0].Grants[0].Until != nil || fmt.Sprint(list[3].Origins) != "[https://shop.example]" {
		t.Errorf("got %+v", list)
	}
}
