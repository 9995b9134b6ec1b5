package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Draft is a snapshot that is being built: a hidden folder in the store, and
// the store's lock.
type Draft struct {
	store *Store
	lock  *os.File
	name  string
	// before is the snapshot that was current when the draft was begun, or
	// empty: the one to go back to.
	before string
}

// Begin takes the store's lock, clears away what a killed build left, and
// makes an empty folder to write a snapshot into.
func (s *Store) Begin() (*Draft, error) {
	lock, err := lockFile(s.path(lockName))
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", s.dir, err)
	}
	d := &Draft{store: s, lock: lock, name: draftPrefix + "new"}
	if cur, err := s.Current(); err == nil {
		d.before = cur.Name
	}
	if err := d.clear(); err != nil {
		return nil, errors.Join(err, unlockFile(lock))
	}
	if err := s.fs.MkdirAll(d.Dir(), 0o755); err != nil {
		return nil, errors.Join(err, unlockFile(lock))
	}
	return d, nil
}

// Dir is the folder to write into.
func (d *Draft) Dir() string { return d.store.path(snapshotsName, d.name) }

// SpillDir makes, if need be, a folder for the build's temporary files, for
// its owner alone, and returns its name. It goes with the draft, or at the
// next [Store.Begin] where the build was killed.
func (d *Draft) SpillDir() (string, error) {
	dir := d.store.path(snapshotsName, draftPrefix+"spill")
	if err := d.store.fs.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a folder for temporary files: %w", err)
	}
	return dir, nil
}

// Names of files that a build may put beside a snapshot's own, into its folder,
// and sync. No checksum covers them and no reader of the snapshot opens them;
// they live and go with it.
const (
	ReportJSON     = "report.json"
	ReportHTML     = "report.html"
	QuarantineJSON = "quarantine.ndjson"
)

// clear removes all hidden folders.
func (d *Draft) clear() error {
	list, err := os.ReadDir(d.store.path(snapshotsName))
	if err != nil {
		return err
	}
	for _, e := range list {
		if strings.HasPrefix(e.Name(), draftPrefix) {
			err = errors.Join(err, d.store.fs.RemoveAll(d.store.path(snapshotsName, e.Name())))
		}
	}
	return err
}

// Close gives the lock back and removes what was not published.
func (d *Draft) Close() error {
	return errors.Join(d.clear(), unlockFile(d.lock))
}

// Publish makes the snapshot that was written into the draft the current one.
// The order is what makes it atomic: the files are durable already, then the
// folder gets its name, then CURRENT its new content, each made durable before
// the next step begins.
func (d *Draft) Publish(m Manifest, hash HexBytes) (Current, error) {
	// The key may have been another before the lock was taken.
	secret, err := d.store.Secret()
	if err != nil {
		return Current{}, err
	}
	if m.KeyID != secret.ID() {
		return Current{}, fmt.Errorf("it was made with key %s and store %s has key %s: build again", m.KeyID, d.store.dir, secret.ID())
	}
	return d.publish(m, hash)
}

func (d *Draft) publish(m Manifest, hash HexBytes) (Current, error) {
	s := d.store
	c := Current{Name: m.Name(hash), Manifest: hash}
	final := s.path(snapshotsName, c.Name)
	if _, err := os.Stat(final); err == nil {
		same, err := s.sound(c)
		if err != nil {
			return c, err
		}
		if same {
			if err := d.moveBeside(final); err != nil {
				return c, err
			}
			// Its name may be there and not durable yet, if the build that
			// gave it was killed.
			return c, s.point(c)
		}
		// It is damaged, or left from a lost write. Readers that have it
		// mapped keep it.
		if err := s.fs.Rename(final, s.path(snapshotsName, draftPrefix+"old")); err != nil {
			return c, err
		}
	}
	if err := s.fs.Rename(d.Dir(), final); err != nil {
		return c, err
	}
	return c, s.point(c)
}

// moveBeside moves the files beside the draft to a snapshot that is there
// already: they tell of the last build that made it.
func (d *Draft) moveBeside(final string) error {
	moved := false
	for _, name := range []string{ReportJSON, ReportHTML, QuarantineJSON} {
		from := filepath.Join(d.Dir(), name)
		if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := d.store.fs.Rename(from, filepath.Join(final, name)); err != nil {
			return err
		}
		moved = true
	}
	if !moved {
		return nil
	}
	return d.store.fs.SyncDir(final)
}

// sound reports whether the snapshot that c names is there, byte for byte. It
// is an error where that cannot be told.
func (s *Store) sound(c Current) (bool, error) {
	snap, err := Open(s.path(snapshotsName, c.Name), c.Manifest, Map)
	switch {
	case err == nil:
		return true, snap.Close()
	case errors.Is(err, ErrCorrupt) || errors.Is(err, ErrVersion) || errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, err
}

// point makes the names of snapshots durable, and then a CURRENT that names c.
func (s *Store) point(c Current) error {
	if err := s.fs.SyncDir(s.path(snapshotsName)); err != nil {
		return err
	}
	if old, err := s.Current(); err == nil && old.Name == c.Name && bytes.Equal(old.Manifest, c.Manifest) {
		return s.fs.SyncDir(s.dir) // it, too, may be there and not durable yet
	}
	return writeFile(s.fs, s.path(currentName), c.format(), 0o644)
}

// Prune removes all but keep snapshots: it keeps the current one, the one that
// was current before, and then the newest. The one that daemons are pinned to
// and the one that they served last stay, in addition. It needs the lock, so it
// is a draft's.
func (d *Draft) Prune(keep int) ([]string, error) {
	s := d.store
	cur, err := s.Current()
	if err != nil {
		return nil, err
	}
	names, err := s.Snapshots()
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == cur.Name })
	before := d.before
	if before == cur.Name && len(names) > 0 {
		// The same was published before, by a build that may have been killed
		// just then: what it replaced is most likely the last one written.
		before = slices.MaxFunc(names, func(a, b string) int { return s.written(a).Compare(s.written(b)) })
	}
	if i := slices.Index(names, before); i >= 0 {
		names = append(slices.Delete(names, i, i+1), before)
	}
	var gone []string
	for _, n := range names[:max(0, len(names)-max(keep-1, 0))] {
		removed, err := s.remove(n)
		if err != nil {
			return gone, err
		}
		if removed {
			gone = append(gone, n)
		}
	}
	return gone, nil
}

// remove removes a snapshot, unless a daemon needs it.
func (s *Store) remove(name string) (bool, error) {
	if needed, err := s.needed(name); needed || err != nil {
		return false, err
	}
	// Under a hidden name first: half a snapshot is never listed as one.
	dir, hidden := s.path(snapshotsName, name), s.path(snapshotsName, draftPrefix+name)
	if err := s.fs.Rename(dir, hidden); err != nil {
		return false, err
	}
	// It may have been pinned meanwhile; see Pin.
	if needed, err := s.needed(name); needed || err != nil {
		return false, errors.Join(err, s.fs.Rename(hidden, dir))
	}
	return true, s.fs.RemoveAll(hidden)
}
