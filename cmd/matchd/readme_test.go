package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/bench/gen"
	"github.com/matchd/matchd/engine/server"
)

// projectFile is the text of a file, by its path in the project.
func projectFile(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	must(t, err)
	return string(b)
}

// block is the code block in a page that is marked to be run under a name.
func block(t *testing.T, page, name string) string {
	t.Helper()
	found := regexp.MustCompile("(?s)<!-- run: "+name+" -->\n```[a-z]*\n(.*?)```\n").FindAllStringSubmatch(page, -1)
	if len(found) != 1 {
		t.Fatalf("%d blocks are marked %q, want 1", len(found), name)
	}
	return found[0][1]
}

// TestReadmeInGo: what the README shows in Go are statements of examples that
// package engine runs, all that stand between two blank lines of each, so that a
// reader who copies them has what was run.
func TestReadmeInGo(t *testing.T) {
	examples := projectFile(t, "engine", "example_test.go")
	shown := strings.Split(block(t, projectFile(t, "README.md"), "go"), "\n\n")
	names := []string{"ExamplePools_Enrich", "ExamplePools_Heed"} // of a bidder, of an ad server
	if len(shown) != len(names) {
		t.Fatalf("it shows %d pieces, want %d", len(shown), len(names))
	}
	for i, name := range names {
		_, rest, _ := strings.Cut(examples, "\nfunc "+name+"() {\n")
		body, _, ended := strings.Cut(rest, "\n}\n")
		if !ended || !strings.Contains(body, "\t// Output:\n\t// ") {
			t.Fatalf("%s is not there, or checks nothing", name)
		}
		lines := strings.Split(strings.TrimSuffix(shown[i], "\n"), "\n")
		if !strings.Contains(body, "\n\n\t"+strings.Join(lines, "\n\t")+"\n\n") {
			t.Errorf("this is not what %s runs:\n%s", name, shown[i])
		}
		if len(lines) > 12 {
			t.Errorf("%s takes %d lines in a bidder or ad server", name, len(lines))
		}
	}
}

// TestReadmeOverHTTP runs what the README shows of HTTP, with the key that its
// first steps make, against a daemon that serves a generated store.
func TestReadmeOverHTTP(t *testing.T) {
	for _, tool := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s on this machine", tool)
		}
	}
	dir := t.TempDir()
	world := readmeWorld(t, dir)
	readme := projectFile(t, "README.md")
	add := regexp.MustCompile(`(?s)\nKEY=\$\((bin/matchd client add .*?)\)\n`).FindStringSubmatch(readme)
	if add == nil || !strings.Contains(readme, "\nMATCHD=http://"+server.DefaultListen+" MAID=") {
		t.Fatal("the first steps make no key, or do not say where the daemon is")
	}
	key := strings.TrimSpace(shell(t, dir, add[1]))

	c, err := server.ReadConfig(filepath.Join(dir, "matchd.yaml"))
	must(t, err)
	c.Admin = "" // as startDaemon has it
	d := startDaemon(t, daemonOptions{Config: c})
	becomes(t, d.url+"/health/ready", 200)
	maid := strings.TrimPrefix(world.BidRequest.Identifier, "maid:")
	got := shell(t, dir, block(t, readme, "http"), "KEY="+key, "MATCHD="+d.url, "MAID="+maid)
	must(t, d.stop())

	ids, err := json.Marshal(world.BidRequest.BidStream)
	must(t, err)
	segment := regexp.MustCompile(`"[^"]+"`).ReplaceAllString(string(ids), `{"id":$0}`)
	segments, err := json.Marshal(world.BidRequest.Segments)
	must(t, err)
	want := `{"id":"1","device":{"ifa":"` + maid + `"},"user":{"data":[{"name":"acme.example","ext":{"segtax":501},"segment":` + segment + `}]}}` +
		"204" +
		`{"status":"matched","segments":{"acme":` + string(segments) + `}}` +
		`{"id":"maid:` + maid + `","status":"none","reason":"suppressed","signal":"us_privacy"}`
	if got != want {
		t.Errorf(" got %s\nwant %s", got, want)
	}
}

// readmeWorld makes files and a store in dir as of today, so that nothing in
// them is too old, with matchd where the README has it.
func readmeWorld(t *testing.T, dir string) (world gen.Summary) {
	t.Helper()
	today := time.Now().UTC().Format(time.DateOnly)
	data := filepath.Join(dir, "data")
	decode(t, succeed(t, "gen", "--out", data, "--customers", "10000", "--seed", "1", "--as-of", today, "--json"), &world)
	succeed(t, "build", "--config", filepath.Join(data, "onboard.yaml"), "--store", filepath.Join(dir, "store"), "--as-of", today)
	if world.BidRequest == nil {
		t.Fatal("the world has no example for bid requests")
	}
	self, err := os.Executable()
	must(t, err)
	must(t, os.Mkdir(filepath.Join(dir, "bin"), 0o700))
	must(t, os.Symlink(self, filepath.Join(dir, "bin", "matchd")))
	return world
}

// shell runs a script in dir and returns what it prints. The test binary is
// matchd to it.
func shell(t *testing.T, dir, script string, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", script)
	// Neither a proxy nor the settings of whoever tests are the README's.
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, asCommand + "=1"}, env...)
	var errOut strings.Builder
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s%s\n%s", err, out, errOut.String(), script)
	}
	return string(out)
}
