package process

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// A server that ends before it accepts connections is an error that has the end
// of what it said.
func TestProcessEnds(t *testing.T) {
	core, _, err := Cores()
	if err != nil {
		t.Skip(err)
	}
	p, err := Start(t.Context(), "the server", core, "/bin/sh", "-c", "echo no such flag >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	err = p.Accepts(t.Context(), "unix", filepath.Join(t.TempDir(), "s"))
	if err == nil || !strings.Contains(err.Error(), "the server ended (exit status 3) and said: no such flag") {
		t.Errorf("the error is %v", err)
	}
	p.Close()
	p.Close()
	if _, err := Start(t.Context(), "nothing", core, filepath.Join(t.TempDir(), "not")); err == nil {
		t.Error("what is not there is started")
	}
}

func TestTail(t *testing.T) {
	var said tail
	all := ""
	for i := range 1000 {
		line := fmt.Sprintf("line %d\n", i)
		all += line
		if n, err := said.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := said.String(); got != strings.TrimSpace(all[len(all)-tailSize:]) {
		t.Errorf("it ends in %q", got)
	}
}

func TestSocket(t *testing.T) {
	dir := "/" + strings.Repeat("d", longestSocket-3)
	if path, err := Socket(dir, "s"); err != nil || len(path) != longestSocket {
		t.Error(path, err)
	}
	if path, err := Socket(dir, "so"); err == nil {
		t.Errorf("%s is no path of a socket", path)
	}
}
