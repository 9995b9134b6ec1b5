package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/matchd/matchd/index"
)

// ErrLocked is of a store that a build is writing.
var ErrLocked = errors.New("another build is under way: wait for it or end it")

// Retire removes snapshots by their names, durably, and what a killed build or
// removal left; [ErrLocked] where a build is under way. It passes over the
// current snapshot, the one that daemons are pinned to and the one that they
// served last. gone are those that it removed. Whoever has one of them mapped
// keeps it. The lock is held for some renames alone.
func (s *Store) Retire(names ...string) (gone []string, err error) {
	hidden, gone, err := s.hide(names)
	for _, path := range hidden {
		err = errors.Join(err, s.fs.RemoveAll(path))
	}
	if err == nil && len(hidden) > 0 {
		err = s.fs.SyncDir(s.path(snapshotsName))
	}
	if err != nil {
		return nil, fmt.Errorf("store %s: remove snapshots: %w", s.dir, err)
	}
	return gone, nil
}

// hide gives snapshots, and all that is hidden already, names that nobody else
// uses, and returns where they lie then.
func (s *Store) hide(names []string) (hidden, gone []string, err error) {
	lock, err := lockFile(s.path(lockName))
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, unlockFile(lock)) }()
	var left []string
	if exclusive { // or a build may be writing them
		if left, err = s.left(); err != nil {
			return nil, nil, err
		}
	}
	n := 0
	move := func(from string) error {
		for ; ; n++ {
			to := s.path(snapshotsName, retiredPrefix+strconv.Itoa(n))
			if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
				continue // it is one of those left
			}
			hidden = append(hidden, to)
			return s.fs.Rename(from, to)
		}
	}
	for _, name := range left {
		if strings.HasPrefix(name, retiredPrefix) { // another one may be at it
			hidden = append(hidden, s.path(snapshotsName, name))
		} else if err := move(s.path(snapshotsName, name)); err != nil {
			return nil, nil, err
		}
	}
	for _, name := range names {
		needed, err := s.hideOne(name, move)
		if err != nil {
			return nil, nil, err
		}
		if !needed {
			gone = append(gone, name)
		}
	}
	return hidden, gone, nil
}

// retiredPrefix is a [draftPrefix], so that a build clears away what is left.
const retiredPrefix = draftPrefix + "retired-"

// hideOne moves a snapshot away, unless somebody needs it. One that is not there
// is gone.
func (s *Store) hideOne(name string, move func(string) error) (needed bool, err error) {
	if !snapshotName.MatchString(name) {
		return false, fmt.Errorf("%q is not the name of a snapshot: %w", name, fs.ErrInvalid)
	}
	if needed, err = s.wanted(name); needed || err != nil {
		return needed, err
	}
	// Under its hidden name first, from where it comes back if it was pinned
	// meanwhile; see Pin.
	dir, hidden := s.path(snapshotsName, name), s.path(snapshotsName, draftPrefix+name)
	if err := s.fs.Rename(dir, hidden); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	if needed, err = s.wanted(name); needed || err != nil {
		return needed, errors.Join(err, s.fs.Rename(hidden, dir))
	}
	return false, move(hidden)
}

// wanted is needed, or current.
func (s *Store) wanted(name string) (bool, error) {
	cur, err := s.Current()
	if err != nil && !errors.Is(err, ErrNoSnapshot) {
		return false, err
	}
	if err == nil && cur.Name == name {
		return true, nil
	}
	return s.needed(name)
}

// left lists the hidden folders.
func (s *Store) left() (names []string, err error) {
	list, err := os.ReadDir(s.path(snapshotsName))
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if strings.HasPrefix(e.Name(), draftPrefix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Holds reports which of some snapshots, by their names, the store has still,
// and whether there is anything hidden: what a build is writing, or what it or a
// removal left when it was killed, which may be a part of any snapshot.
func (s *Store) Holds(names []string) (kept []string, hidden bool, err error) {
	have, err := s.Snapshots()
	if err != nil {
		return nil, false, err
	}
	for _, n := range names {
		if slices.Contains(have, n) {
			kept = append(kept, n)
		}
	}
	left, err := s.left()
	return kept, len(left) > 0, err
}

// ReadManifest reads what a snapshot of the store says of itself, and nothing of
// what it holds.
func (s *Store) ReadManifest(c Current) (Manifest, error) {
	m, _, err := s.ReadDictionaries(c)
	return m, err
}

// ReadDictionaries is [Store.ReadManifest], with the names that the snapshot
// refers to.
func (s *Store) ReadDictionaries(c Current) (m Manifest, d Dictionaries, err error) {
	f, err := openFile(s.path(snapshotsName, c.Name), manifestName)
	if err != nil {
		return m, d, fmt.Errorf("open snapshot %s: %w", c.Name, err)
	}
	var p pace
	defer p.end()
	defer func() { err = errors.Join(err, f.close(&p)) }()
	snap := Snapshot{manifest: f}
	if err := snap.openManifest(c.Manifest); err != nil {
		return m, d, fmt.Errorf("open snapshot %s: %w", c.Name, err)
	}
	return snap.Manifest, snap.Dictionaries, nil
}

// Contains reports whether an identifier is in the snapshot, by its hash.
func (s *Snapshot) Contains(h index.Hash) (there bool, err error) {
	err = Guard(func() error {
		_, at, _, err := s.Find(h, nil, new(Record))
		there = at >= 0
		return err
	})
	return there, err
}
