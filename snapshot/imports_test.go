package snapshot

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/matchd/matchd/"

// importRules say for each package, by the longest prefix of its path that is
// a key, which packages of the project it may import: those of a prefix, and
// its own subpackages where the prefix ends in "/...". Tests may import more;
// the rules are about what is shipped.
var importRules = map[string][]string{
	"index":                    {},
	"snapshot":                 {"index"},
	"snapshot/faultfs":         {"snapshot"}, // for tests
	"snapshot/resolve":         {"index", "snapshot"},
	"snapshot/build":           {"index", "snapshot", "snapshot/resolve", "snapshot/build/..."},
	"snapshot/build/fold":      {"index", "snapshot", "snapshot/build", "engine/event", "engine/eventlog", "engine/eventlog/feed", "engine/overlay"},
	"snapshot/build/rekey":     {"index", "snapshot", "snapshot/build", "snapshot/build/fold", "snapshot/build/spill", "engine/event", "engine/eventlog", "engine/overlay"},
	"engine":                   {"index", "snapshot", "snapshot/resolve", "engine/audit", "engine/event", "engine/eventlog", "engine/eventlog/feed", "engine/overlay", "engine/openrtb", "engine/persons", "engine/privacy", "engine/proof", "engine/swap"},
	"engine/audit":             {"index", "snapshot"},
	"engine/event":             {"index", "snapshot"},
	"engine/eventlog":          {},
	"engine/eventlog/feed":     {"engine/eventlog"},
	"engine/eventlog/faultvfs": {}, // for tests
	"engine/swap":              {"index", "snapshot"},
	"engine/livetest":          {}, // for tests
	"engine/overlay":           {"index", "snapshot", "engine/event"},
	"engine/persons":           {"index", "snapshot", "snapshot/resolve", "engine/overlay"},
	"engine/privacy":           {"index", "snapshot"},
	"engine/proof":             {"index", "snapshot", "engine/event", "engine/eventlog"},
	"engine/openrtb":           {"index", "snapshot", "engine/privacy"},
	"engine/server":            {"index", "snapshot", "engine", "engine/..."},
	"bench/peers":              {"index", "snapshot", "bench/ask", "bench/peer", "bench/world"}, // a module of its own
	"bench":                    {"index", "snapshot", "snapshot/...", "engine", "engine/...", "bench/..."},
	"cmd":                      {"index", "snapshot", "snapshot/build/...", "snapshot/build", "engine", "engine/...", "bench/...", "cmd/..."},
	"docs":                     {},
}

// mayUseFasthttp are the packages that may import fasthttp.
var mayUseFasthttp = []string{"engine/server", "bench"}

// mayUsePebble are the packages that may import Pebble: the log of live changes,
// what measures it and what has its disk fail, and the module of the embedded stores.
var mayUsePebble = []string{"engine/eventlog", "engine/eventlog/faultvfs", "bench/logbench", peers}

const pebble = "github.com/cockroachdb/pebble"

// peers is a module of its own, so that what only it uses is linked into
// nothing else: no other package may import these, nor it.
const peers = "bench/peers"

var ofPeers = []string{
	"github.com/dgraph-io/badger", "go.etcd.io/bbolt", module + peers,
}

// within reports whether a package is prefix, or lies below it.
func within(pkg, prefix string) bool { return pkg == prefix || strings.HasPrefix(pkg, prefix+"/") }

// allowed reports whether a rule lets a package of the project be imported.
func allowed(rule []string, imported string) bool {
	return slices.ContainsFunc(rule, func(r string) bool {
		if below, ok := strings.CutSuffix(r, "/..."); ok {
			return within(imported, below)
		}
		return imported == r
	})
}

// ruleOf returns the rule of a package.
func ruleOf(pkg string) (rule []string, ok bool) {
	for p := pkg; p != "."; p = path.Dir(p) {
		if rule, ok := importRules[p]; ok {
			return rule, true
		}
	}
	return nil, false
}

// imports calls f for each import of each Go file of the module that is no
// test, and returns how many files there are, by package.
func imports(t *testing.T, f func(file, pkg, imported string)) map[string]int {
	t.Helper()
	root := ".."
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	files := map[string]int{}
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name != root && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		files[path.Dir(rel)]++
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f(rel, path.Dir(rel), imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Dependencies go one way: see the table of packages in the README.
func TestImports(t *testing.T) {
	inside, fasthttp := 0, 0
	stores := map[string]bool{}
	files := imports(t, func(file, pkg, imported string) {
		if imported == "github.com/valyala/fasthttp" || strings.HasPrefix(imported, "github.com/valyala/fasthttp/") {
			fasthttp++
			if !slices.ContainsFunc(mayUseFasthttp, func(p string) bool { return within(pkg, p) }) {
				t.Errorf("%s imports fasthttp, which only %q may", file, mayUseFasthttp)
			}
		}
		if within(imported, pebble) {
			stores[pebble] = stores[pebble] || pkg == peers
			if !slices.Contains(mayUsePebble, pkg) {
				t.Errorf("%s imports %s, which only %q may", file, imported, mayUsePebble)
			}
		}
		if i := slices.IndexFunc(ofPeers, func(p string) bool { return within(imported, p) }); i >= 0 {
			stores[ofPeers[i]] = true
			if pkg != peers {
				t.Errorf("%s imports %s, which only %s may", file, imported, peers)
			}
		}
		imported, ok := strings.CutPrefix(imported, module)
		if !ok {
			return
		}
		inside++
		rule, ok := ruleOf(pkg)
		if !ok {
			t.Errorf("%s: package %s has no rule: add one", file, pkg)
		} else if !allowed(rule, imported) {
			t.Errorf("%s: package %s imports %s, and may import %q alone", file, pkg, imported, rule)
		}
	})
	for _, pkg := range []string{"index", "snapshot", "snapshot/build", "snapshot/resolve", "engine", "bench/gen", "cmd/matchd"} {
		if files[pkg] == 0 {
			t.Errorf("no file of package %s was found", pkg)
		}
	}
	if want := len(ofPeers); len(stores) != want || !stores[pebble] { // without itself, with Pebble
		t.Errorf("%s imports %d stores, not %d: the list of them is wrong", peers, len(stores), want)
	}
	if inside < 50 || fasthttp == 0 {
		t.Errorf("%d imports within the project, %d of fasthttp: too few to be all", inside, fasthttp)
	}
}

// The rules themselves say what they should.
func TestImportRules(t *testing.T) {
	for _, c := range []struct {
		pkg, imported string
		ok            bool
	}{
		{"index", "snapshot", false},
		{"snapshot", "index", true},
		{"snapshot", "snapshot/build", false},
		{"snapshot", "engine", false},
		{"snapshot/build", "snapshot/resolve", true},
		{"snapshot/resolve", "snapshot", true},
		{"snapshot/build", "engine", false},
		{"snapshot/build", "engine/overlay", false},
		{"snapshot/build/fold", "engine/overlay", true},
		{"snapshot/build/fold", "engine", false},
		{"snapshot/build", "bench/gen", false},
		{"engine", "snapshot", true},
		{"engine", "engine/privacy", true},
		{"engine", "engine/server", false},
		{"engine", "snapshot/build", false},
		{"engine", "bench", false},
		{"engine/audit", "engine", false},
		{"engine/event", "engine/overlay", false},
		{"engine/overlay", "engine", false},
		{"engine/overlay", "engine/event", true},
		{"engine/eventlog", "index", false},
		{"engine/eventlog", "engine", false},
		{"engine/eventlog", "engine/eventlog/feed", false},
		{"engine/eventlog/feed", "engine", false},
		{"engine/privacy", "engine", false},
		{"engine/openrtb", "engine", false},
		{"engine/server", "engine", true},
		{"engine/server", "snapshot/build", false},
		{"bench", "cmd/matchd", false},
		{"bench/gen", "engine", true},
		{"cmd/matchd", "engine/server", true},
	} {
		rule, found := ruleOf(c.pkg)
		if !found || allowed(rule, c.imported) != c.ok {
			t.Errorf("%s imports %s: allowed is %t", c.pkg, c.imported, !c.ok)
		}
	}
}
