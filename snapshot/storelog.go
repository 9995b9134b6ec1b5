package snapshot

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// The file that says which log of live changes belongs to a store, one line: a
// word, a version, the log's id.
const (
	logName   = "LOG"
	logPrefix = "matchd-log 1 "
	logDigits = 32
)

// Log returns the id of the log of live changes that belongs to the store, 32
// hexadecimal digits, or "" where it has none. Of a store that has one, nothing
// may be built or answered without it: opt-outs and erasures are in it. A LOG
// that cannot be read is an error, and no store without a log.
func (s *Store) Log() (string, error) {
	b, err := os.ReadFile(s.path(logName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	line, ended := strings.CutSuffix(string(b), "\n")
	id, ok := strings.CutPrefix(line, logPrefix)
	if !ok || !ended || !isLogID(id) {
		return "", corrupt(logName, "file", -1, "it does not name a log of live changes")
	}
	return id, nil
}

// SetLog says, durably, which log belongs to the store. A store has one log for
// good: another is refused.
func (s *Store) SetLog(id string) error {
	if !isLogID(id) {
		return fmt.Errorf("%q is not the id of a log of live changes", id)
	}
	have, err := s.Log()
	switch {
	case err != nil || have == id:
		return err
	case have != "":
		return &OtherLogError{Store: s.dir, Has: have, Given: id}
	}
	if err := writeFile(s.fs, s.path(logName), []byte(logPrefix+id+"\n"), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", logName, err)
	}
	return nil
}

// OtherLogError says that a log of live changes is not the store's.
type OtherLogError struct {
	Store string
	// Has is the id of the store's log, Given that of the other, or empty where
	// none was given.
	Has, Given string
}

func (e *OtherLogError) Error() string {
	if e.Given == "" {
		return fmt.Sprintf("live changes belong to store %s, in the log %s: without them, who opted out or was erased would come back", e.Store, e.Has)
	}
	return fmt.Sprintf("the log of live changes is %s, and that of store %s is %s: without its own, who opted out or was erased would come back", e.Given, e.Store, e.Has)
}

func isLogID(id string) bool {
	_, err := hex.DecodeString(id)
	return err == nil && len(id) == logDigits && strings.ToLower(id) == id
}
