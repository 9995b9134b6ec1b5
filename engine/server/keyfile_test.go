package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadKeyFile refuses a key that others can read, and what is not one key;
// that of a follower too.
func TestReadKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	for _, c := range []struct {
		text, want string
		mode       os.FileMode
	}{
		{"mk_one\n", "", 0o600},
		{" mk_one", "", 0o400},
		{"mk_one\n", "chmod 600", 0o640},
		{"mk_one\n", "chmod 600", 0o604},
		{"mk_one\n", "chmod 600", 0o644},
		{"\n", "one API key", 0o600},
		{"mk_one\nmk_two\n", "one API key", 0o600},
	} {
		_ = os.Remove(path)
		must(t, os.WriteFile(path, []byte(c.text), c.mode))
		must(t, os.Chmod(path, c.mode))
		follower := StoreConfig{Follow: "http://c:1", Events: "events", FollowKeyFile: path}
		leader, errLeader := follower.Leader()
		key, err := ReadKeyFile(path)
		if c.want == "" {
			if err != nil || errLeader != nil || key != "mk_one" || leader.Key != key {
				t.Errorf("%q, %o: %q, %v; a leader's %q, %v", c.text, c.mode, key, err, leader.Key, errLeader)
			}
			continue
		}
		for _, err := range []error{err, errLeader} {
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "mk_") {
				t.Errorf("%q, %o: %v, not %q", c.text, c.mode, err, c.want)
			}
		}
	}
	if _, err := ReadKeyFile(filepath.Join(path, "none")); err == nil {
		t.Error("there is none")
	}
}
