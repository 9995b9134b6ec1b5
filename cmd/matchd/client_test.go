package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine/server"
)

func TestClientAddMakesAConfig(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "matchd.yaml")
	code, out, errOut := command(t, "client", "add", "ads", "--config", config, "--store", filepath.Join(dir, "store"),
		"--tenant", "acme", "--tenant", "globex", "--segments", "vip,churn.high", "--namespaces", "*", "--identifiers", "--id-space", "pool")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, errOut)
	}
	key := strings.TrimSuffix(out, "\n")
	if !strings.HasPrefix(key, "mk_") || strings.ContainsAny(key, " \n") {
		t.Errorf("standard output is %q, want a key alone", out)
	}
	info, err := os.Stat(config)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("config: %v, %v", info, err)
	}
	c, err := server.ReadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if c.Stores[0].Path != filepath.Join(dir, "store") || len(c.Clients) != 1 {
		t.Fatalf("got %+v", c)
	}
	got := c.Clients[0]
	if got.Name != "ads" || got.Key != server.HashKey(key) || got.IDSpace != "pool" || len(got.Grants) != 2 {
		t.Errorf("got %+v", got)
	}
	for i, g := range got.Grants {
		if g.Tenant != []string{"acme", "globex"}[i] || strings.Join(g.Segments, " ") != "vip churn.high" ||
			strings.Join(g.Namespaces, " ") != "*" || !g.Identifiers {
			t.Errorf("got %+v", g)
		}
	}
	if text, err := os.ReadFile(config); err != nil || strings.Contains(string(text), key) {
		t.Errorf("the config holds the key itself (%v)", err)
	}
}

func TestClientAddKeepsTheConfig(t *testing.T) {
	for name, before := range map[string]string{
		"clients": "# our daemon\nstores: [store] # the pool\n\n# who may ask\nclients:\n  # the old one\n  - name: old\n    key_sha256: " +
			server.HashKey("k").String() + "\n    grants: [{tenant: acme, segments: [], namespaces: []}] # nothing yet\n",
		"no clients":       "# our daemon\nlisten: clients:80\nstores: [store] # the pool\n",
		"an empty list":    "stores: [store]\nclients: [] # nobody\n",
		"all in one line":  "{stores: [store], listen: 'unix:/s'}\n",
		"a starting block": "---\n# our daemon\nstores:\n- store\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			config, link := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "matchd.yaml")
			must(t, os.WriteFile(config, []byte(before), 0o640))
			must(t, os.Chmod(config, 0o640))
			must(t, os.Symlink(config, link))
			had, err := server.ReadConfig(config)
			must(t, err)
			succeed(t, "client", "add", "new", "--config", link, "--tenant", "acme", "--segments", "*", "--namespaces", "*")
			has, err := server.ReadConfig(config)
			must(t, err)
			if len(has.Clients) != len(had.Clients)+1 || has.Clients[len(has.Clients)-1].Name != "new" ||
				has.Stores[0] != had.Stores[0] || has.Listen != had.Listen {
				t.Errorf("got %+v, had %+v", has, had)
			}
			text, err := os.ReadFile(config)
			must(t, err)
			for line := range strings.Lines(before) {
				if _, comment, ok := strings.Cut(line, "#"); ok && !strings.Contains(string(text), strings.TrimSpace(comment)) {
					t.Errorf("the comment %q is gone from\n%s", comment, text)
				}
			}
			info, err := os.Lstat(config)
			must(t, err)
			if info.Mode() != 0o640 {
				t.Errorf("mode is %v", info.Mode())
			}
			if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestClientAddRefuses(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "matchd.yaml")
	good := "stores: [store]\nclients: [{name: old, key_sha256: " + server.HashKey("k").String() + "}]\n"
	const all, every = "--segments=*", "--namespaces=*"
	for name, c := range map[string]struct {
		file string
		args []string
		code int
		want string
	}{
		"no config, no store":  {"", []string{"new", "--tenant", "acme", all, every}, exitUsage, "--store"},
		"no name":              {good, []string{"--tenant", "acme", all, every}, exitUsage, "arg"},
		"no tenant":            {good, []string{"new", all, every}, exitUsage, "tenant"},
		"no segments":          {good, []string{"new", "--tenant", "acme", every}, exitUsage, "segments"},
		"no namespaces":        {good, []string{"new", "--tenant", "acme", all}, exitUsage, "namespaces"},
		"a store and a config": {good, []string{"new", "--tenant", "acme", all, every, "--store", "s"}, exitUsage, "leave --store away"},
		"a name twice":         {good, []string{"old", "--tenant", "acme", all, every}, exitFailed, "two clients are named old"},
		"a tenant twice":       {good, []string{"new", "--tenant", "acme", "--tenant", "acme", all, every}, exitFailed, "two grants"},
		"an end that is past":  {good, []string{"new", "--tenant", "acme", all, every, "--until", "2020-01-01"}, exitUsage, "2020-01-01 is past"},
		"an end that is none":  {good, []string{"new", "--tenant", "acme", all, every, "--until", "soon"}, exitUsage, "neither a date"},
		"an unknown scope":     {good, []string{"new", "--tenant", "acme", all, every, "--scopes", "mach"}, exitFailed, `did you mean "match"`},
		"an unknown store":     {good, []string{"new", "--tenant", "acme", all, every, "--store-name", "stor"}, exitFailed, `did you mean "store"`},
		"a negative rate":      {good, []string{"new", "--tenant", "acme", all, every, "--rate", "-1"}, exitFailed, "rate"},
		"a burst alone":        {good, []string{"new", "--tenant", "acme", all, every, "--burst", "3"}, exitFailed, "needs a rate"},
		"listing unseen ones":  {good, []string{"new", "--tenant", "acme", all, every, "--identifiers", "--customers=false"}, exitFailed, "takes a customer id"},
		"a bad config":         {"stores: [a]\nlissten: b\n", []string{"new", "--tenant", "acme", all, every}, exitFailed, ":2: "},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(config)
			if c.file != "" {
				must(t, os.WriteFile(config, []byte(c.file), 0o600))
			}
			code, out, errOut := command(t, append([]string{"client", "add", "--config", config}, c.args...)...)
			if code != c.code || out != "" || !strings.Contains(errOut, c.want) {
				t.Errorf("exit code %d, printed %q, said %q", code, out, errOut)
			}
			if after, _ := os.ReadFile(config); string(after) != c.file {
				t.Errorf("the config is now %q", after)
			}
		})
	}
}
