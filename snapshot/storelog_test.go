package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A store has one log, for good, and what does not name one is no store without.
func TestLogOfAStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, err := CreateStore(OS{}, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	one, other := strings.Repeat("0a", 16), strings.Repeat("0b", 16)
	if id, err := s.Log(); id != "" || err != nil {
		t.Errorf("at first: %q, %v", id, err)
	}
	for _, bad := range []string{"", "0a", strings.ToUpper(one), one + "0a", "../" + one[3:]} {
		if err := s.SetLog(bad); err == nil {
			t.Errorf("%q is an id", bad)
		}
	}
	for range 2 {
		if err := s.SetLog(one); err != nil {
			t.Fatal(err)
		}
	}
	var is *OtherLogError
	if err := s.SetLog(other); !errors.As(err, &is) || is.Has != one || is.Given != other || !strings.Contains(err.Error(), dir) {
		t.Errorf("another: %v", err)
	}
	if id, err := s.Log(); id != one || err != nil {
		t.Errorf("it has %q, %v", id, err)
	}
	for _, bad := range []string{"", one, "matchd-log 1 " + one, "matchd-log 2 " + one + "\n", "matchd-log 1 " + one[1:] + "\n", "matchd-log 1 " + one + "\n\n"} {
		if err := os.WriteFile(filepath.Join(dir, "LOG"), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Log(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("of %q: %v", bad, err)
		}
		if err := s.SetLog(one); !errors.Is(err, ErrCorrupt) {
			t.Errorf("over %q: %v", bad, err)
		}
	}
}
