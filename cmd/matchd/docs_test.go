package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine/server"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/resolve"
)

// doc is a page of the docs.
func doc(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// example is the first code block of a language in a page.
func example(t *testing.T, page, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, "```"+language+"\n")
	block, _, ended := strings.Cut(rest, "```\n")
	if !found || !ended {
		t.Fatalf("no example in %s", language)
	}
	return block
}

// The example of an onboard.yaml is one.
func TestInputsExample(t *testing.T) {
	c, err := config.Parse([]byte(example(t, doc(t, "inputs.md"), "yaml")), ".")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Tenants) != 1 || len(c.Links) != 2 || c.Rules != resolve.DefaultRules() {
		t.Errorf("it says %+v", c)
	}
}

// The page about building has the defaults, the reasons and the flags that there
// are, and its line of a quarantine has the fields of one.
func TestBuildingPage(t *testing.T) {
	page := doc(t, "building.md")
	limits := example(t, page, "yaml")
	c, err := config.Parse([]byte("version: 1\ntenants: [{name: a, profiles: [{path: x}]}]\n"+limits), ".")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range c.RulesText() {
		if name != "version" && !strings.Contains(limits, "  "+name+": "+value+"\n") {
			t.Errorf("%s: %s is not among\n%s", name, value, limits)
		}
	}
	if c.Rules != resolve.DefaultRules() || c.MaxConnected != config.DefaultMaxConnected {
		t.Errorf("these are not the defaults:\n%s", limits)
	}
	for _, r := range resolve.Reasons() {
		if !strings.Contains(page, "| `"+r.String()+"` |") {
			t.Errorf("reason %s is missing", r)
		}
	}
	flags := newBuildCommand().Flags()
	for _, f := range regexp.MustCompile("(?m)^\\| (`--.*?) \\|").FindAllStringSubmatch(page, -1) {
		for _, name := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(f[1], -1) {
			if flags.Lookup(name[1]) == nil {
				t.Errorf("there is no flag --%s", name[1])
			}
		}
	}
	_, store := builtStore(t)
	lines, err := filepath.Glob(filepath.Join(store, "snapshots", "*", "quarantine.ndjson"))
	if err != nil || len(lines) != 1 {
		t.Fatal(lines, err)
	}
	b, err := os.ReadFile(lines[0])
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	shown, real := fields(t, example(t, page, "json")), fields(t, line)
	for name := range real {
		if !shown[name] && !strings.HasSuffix(name, "shared") && !strings.HasSuffix(name, "customers") {
			t.Errorf("the example has no %s", name)
		}
	}
	for name := range shown {
		if !real[name] && !strings.HasSuffix(name, "customers") {
			t.Errorf("a real line has no %s", name)
		}
	}
}

// fields are the names in an object, those of inner objects after a dot.
func fields(t *testing.T, text string) map[string]bool {
	t.Helper()
	var object map[string]any
	decode(t, text, &object)
	names := map[string]bool{}
	for name, value := range object {
		names[name] = true
		if inner, ok := value.(map[string]any); ok {
			b, err := json.Marshal(inner)
			if err != nil {
				t.Fatal(err)
			}
			for below := range fields(t, string(b)) {
				names[name+"."+below] = true
			}
		}
	}
	return names
}

// The page about clients has an example that is one, and each scope and key of
// a grant.
func TestClientsPage(t *testing.T) {
	page := doc(t, "clients.md")
	c, err := server.ParseConfig("matchd.yaml", []byte(example(t, page, "yaml")))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Stores) != 2 || c.TLS == nil || c.Audit == "" || len(c.Clients) != 2 || len(c.Clients[0].Grants) != 2 || c.Clients[1].Browser == nil {
		t.Errorf("it says %+v", c)
	}
	for _, g := range c.Clients[0].Grants {
		if own := g.Tenant == "acme"; g.Customers != own {
			t.Errorf("tenant %s: customers %t, against what the page says", g.Tenant, g.Customers)
		}
	}
	for _, scope := range (server.ScopeAdmin<<1 - 1).Names() {
		if !strings.Contains(page, "`"+scope+"`") {
			t.Errorf("scope %s is missing", scope)
		}
	}
}

// Each test that the page about threats names is there.
func TestThreatsPage(t *testing.T) {
	var source strings.Builder
	for _, dir := range []string{"engine", "engine/*", "engine/eventlog/feed", "snapshot/build", "snapshot/build/*"} {
		files, err := filepath.Glob(filepath.Join("..", "..", dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(b)
		}
	}
	names := regexp.MustCompile("`((?:Test|Benchmark)[A-Za-z]+)(…?)`").FindAllStringSubmatch(doc(t, "threats.md"), -1)
	if len(names) < 20 {
		t.Fatalf("%d tests are named", len(names))
	}
	for _, n := range names {
		declared := "\nfunc " + n[1]
		if n[2] == "" {
			declared += "("
		}
		if !strings.Contains(source.String(), declared) {
			t.Errorf("there is no %s%s", n[1], n[2])
		}
	}
}
