package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever comes with a wrong key is told which one that command needs.
func TestWrongKey(t *testing.T) {
	d := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"detail":"send a valid key"}`)) // the command reads it
	}))
	t.Cleanup(d.Close)
	changes := filepath.Join(t.TempDir(), "changes.ndjson")
	must(t, os.WriteFile(changes, []byte(`{"id":"1"}`), 0o600))
	t.Setenv(adminKey, "wrong")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"put a key with the scope admin into " + adminKey, []string{"swap", "--status", "--admin", d.URL}},
		{"name in --key-file, or put into " + adminKey + ", a key with the scope events", []string{"events", "--file", changes, "--url", d.URL}},
	} {
		code, _, errOut := command(t, c.args...)
		if code != exitFailed || !strings.Contains(errOut, "send a valid key: "+c.want) {
			t.Errorf("%v: exit code %d, %s", c.args, code, errOut)
		}
	}
}
