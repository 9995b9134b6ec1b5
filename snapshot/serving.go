package snapshot

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Names and forms of the files that say what a daemon serves.
const (
	pinName      = "PIN"
	pinPrefix    = "matchd-pin 1 "
	servedName   = "SERVED"
	servedPrefix = "matchd-served 1 "
)

// MaxServed is how many snapshots SERVED remembers.
const MaxServed = 16

// parseCurrent parses one line, without its line feed, of a file that names
// snapshots.
func parseCurrent(line, prefix string) (Current, bool) {
	rest, ok := strings.CutPrefix(line, prefix)
	name, hash, _ := strings.Cut(rest, " ")
	raw, err := hex.DecodeString(hash)
	c := Current{name, raw}
	return c, ok && err == nil && len(raw) == 32 && snapshotName.MatchString(name) && c.line(prefix) == line+"\n"
}

func (c Current) line(prefix string) string {
	return prefix + c.Name + " " + c.Manifest.String() + "\n"
}

// Same reports whether both name one snapshot.
func (c Current) Same(o Current) bool { return c.Name == o.Name && bytes.Equal(c.Manifest, o.Manifest) }

// Pinned reads which snapshot daemons are to stay on; ok is false where they
// follow CURRENT. A PIN that cannot be read is an error, and no unpinned store.
func (s *Store) Pinned() (c Current, ok bool, err error) {
	b, err := os.ReadFile(s.path(pinName))
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	line, ended := strings.CutSuffix(string(b), "\n")
	if c, ok = parseCurrent(line, pinPrefix); !ok || !ended {
		return Current{}, false, corrupt(pinName, "file", -1, "it does not name a snapshot: remove it, or run matchd pin")
	}
	return c, true, nil
}

// Pin makes daemons stay on a snapshot of the store, durably, until [Store.Unpin].
func (s *Store) Pin(c Current) error {
	if err := writeFile(s.fs, s.path(pinName), []byte(c.line(pinPrefix)), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", pinName, err)
	}
	// A build that prunes moves a snapshot away and then looks for a pin: one of
	// the two sees the other.
	_, err := s.Named(c.Name)
	return err
}

// Unpin makes daemons follow CURRENT again, durably.
func (s *Store) Unpin() error {
	if err := s.fs.RemoveAll(s.path(pinName)); err != nil {
		return err
	}
	return s.fs.SyncDir(s.dir)
}

// Served lists the snapshots that daemons have served, the last one first, and
// each once: at most [MaxServed]. Some may be gone from the store by now. It is
// empty where no daemon has noted any.
func (s *Store) Served() ([]Current, error) {
	b, err := os.ReadFile(s.path(servedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Current
	for line := range strings.Lines(string(b)) {
		line, ended := strings.CutSuffix(line, "\n")
		c, ok := parseCurrent(line, servedPrefix)
		if !ok || !ended {
			return nil, corrupt(servedName, "file", -1, "line %d does not name a snapshot", len(out)+1)
		}
		out = append(out, c)
	}
	return out, nil
}

// NoteServed puts a snapshot before all others that were served, durably. Of a
// list that is damaged nothing is kept.
func (s *Store) NoteServed(c Current) error {
	list, err := s.Served()
	if err != nil && !errors.Is(err, ErrCorrupt) {
		return err
	}
	if err == nil && len(list) > 0 && list[0].Same(c) {
		return nil
	}
	list = slices.DeleteFunc(list, func(o Current) bool { return o.Name == c.Name })
	return s.SetServed(slices.Insert(list, 0, c))
}

// SetServed replaces the list of what was served, durably.
func (s *Store) SetServed(list []Current) error {
	var b []byte
	for _, o := range list[:min(len(list), MaxServed)] {
		b = append(b, o.line(servedPrefix)...)
	}
	if err := writeFile(s.fs, s.path(servedName), b, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", servedName, err)
	}
	return nil
}

// needed reports whether daemons are to stay on a snapshot, or served it last.
// It is an error where that cannot be told.
func (s *Store) needed(name string) (bool, error) {
	pin, ok, err := s.Pinned()
	if err != nil || ok && pin.Name == name {
		return ok, err
	}
	list, err := s.Served()
	if err != nil {
		return false, err
	}
	return len(list) > 0 && list[0].Name == name, nil
}
