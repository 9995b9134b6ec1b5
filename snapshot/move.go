package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/matchd/matchd/index"
)

// Move is a store that is being moved to another key: under the store's lock, a
// draft to write the current snapshot into under that key. The steps are
//
//  1. [Move.Prepare] puts the new key beside the one in secret.key, and a MOVE that
//     names it: once the store has that key, the move is unfinished;
//  2. [Move.Publish] publishes the snapshot under the new key: that CURRENT
//     names it is the switch, see [Store.Secret]. A store without a snapshot goes
//     without this step, and the next one is its switch;
//  3. [Move.Settle] puts the new key into secret.key, and the one that was there
//     beside it;
//  4. and removes what nobody can read or needs any more, MOVE at last.
//
// A store that a move was killed in has one of the two keys and opens.
type Move struct {
	*Draft
	// From and To are the store's secrets before and after.
	From, To index.Secret
	// Unfinished says that the store has the new key already, by a move that was
	// killed: it is to be settled.
	Unfinished bool

	pinned bool // to the current snapshot
}

// BeginMove takes the store's lock, as [Store.Begin] does, and finds out whether
// a move was killed. Daemons may be pinned to no snapshot but the current one: all
// others go.
func (s *Store) BeginMove() (m *Move, err error) {
	draft, err := s.Begin()
	if err != nil {
		return nil, err
	}
	m = &Move{Draft: draft}
	if err := m.look(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Move) look() (err error) {
	s := m.store
	if m.From, err = s.Secret(); err != nil {
		return err
	}
	if pin, ok, err := s.Pinned(); err != nil {
		return err
	} else if ok {
		if pin.Name != m.before {
			return fmt.Errorf("daemons are pinned to %s, which would go: run matchd unpin first", pin.Name)
		}
		m.pinned = true
	}
	line, err := os.ReadFile(s.path(keysName, moveName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if m.Unfinished = string(line) == moveLine(m.From); m.Unfinished {
		m.To = m.From
		m.From, err = s.secretKey()
		return err
	}
	return nil
}

// The file in the folder of keys that names the one that the store is moved to.
const (
	moveName   = "MOVE"
	movePrefix = "matchd-move 1 "
)

func moveLine(to index.Secret) string { return movePrefix + to.ID() + "\n" }

// Prepare puts a new key into the store, which goes on with the one that it has.
// had are its keys: one that it had before is refused. named are the ids of the keys
// by which opt-outs and erasures are known: others that lie in it go, which a move
// left that was killed before its switch.
func (m *Move) Prepare(to index.Secret, had Keys, named []string) error {
	s := m.store
	switch {
	case to == m.From:
		return fmt.Errorf("the store has the key %s already", to.ID())
	case slices.Contains(had.Former, to) && slices.Contains(named, to.ID()):
		return fmt.Errorf("the store had the key %s before: move it to one that it never had", to.ID())
	}
	m.To = to
	if err := m.sweep(append([]string{m.From.ID()}, named...)); err != nil {
		return fmt.Errorf("remove keys: %w", err)
	}
	if err := s.addKey(to); err != nil {
		return fmt.Errorf("write key %s: %w", to.ID(), err)
	}
	if err := writeFile(s.fs, s.path(keysName, moveName), []byte(moveLine(to)), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", moveName, err)
	}
	return nil
}

// addKey puts a key into the folder of keys, durably.
func (s *Store) addKey(secret index.Secret) error {
	if err := s.fs.MkdirAll(s.path(keysName), 0o700); err != nil {
		return err
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return err
	}
	return writeFile(s.fs, s.keyPath(secret.ID()), FormatSecret(secret), 0o600)
}

// sweep removes the keys in the folder of keys that are not named, but the new one.
func (m *Move) sweep(named []string) error {
	ids, err := m.store.keyFiles()
	if err != nil {
		return err
	}
	gone := false
	for _, id := range ids {
		if id == m.To.ID() || slices.Contains(named, id) {
			continue
		}
		if err := m.store.fs.RemoveAll(m.store.keyPath(id)); err != nil {
			return err
		}
		gone = true
	}
	if !gone {
		return nil
	}
	return m.store.fs.SyncDir(m.store.path(keysName))
}

// Publish makes the snapshot that was written into the draft, under the new key,
// the current one; see [Draft.Publish].
func (m *Move) Publish(manifest Manifest, hash HexBytes) (Current, error) {
	if manifest.KeyID != m.To.ID() {
		return Current{}, fmt.Errorf("it was made with key %s, and not with %s", manifest.KeyID, m.To.ID())
	}
	// A pin would hold daemons back from the only snapshot that they can read.
	if m.pinned {
		if err := m.store.Unpin(); err != nil {
			return Current{}, err
		}
	}
	cur, err := m.publish(manifest, hash)
	if err == nil && m.pinned {
		err = m.store.Pin(cur)
	}
	return cur, err
}

// Settled is what a move left and removed.
type Settled struct {
	// Removed are snapshots of other keys.
	Removed []string
	// Former are the ids of the keys that the store still has beside its own,
	// ascending.
	Former []string
}

// Settle ends a move after its switch. Former keys that are not named go.
func (m *Move) Settle(named []string) (out Settled, err error) {
	s := m.store
	own, err := s.secretKey()
	if err != nil {
		return out, err
	}
	if own != m.To {
		if err := s.addKey(own); err != nil {
			return out, fmt.Errorf("write key %s: %w", own.ID(), err)
		}
		if err := writeFile(s.fs, s.path(secretName), FormatSecret(m.To), 0o600); err != nil {
			return out, fmt.Errorf("write %s: %w", secretName, err)
		}
	}
	if out.Removed, err = m.removeOthers(); err != nil {
		return out, fmt.Errorf("remove snapshots of other keys: %w", err)
	}
	if err := m.sweep(named); err != nil {
		return out, fmt.Errorf("remove keys: %w", err)
	}
	for _, path := range []string{s.keyPath(m.To.ID()), s.path(keysName, moveName)} {
		if err := s.fs.RemoveAll(path); err != nil {
			return out, err
		}
		if err := s.fs.SyncDir(s.path(keysName)); err != nil {
			return out, err
		}
	}
	if out.Former, err = s.keyFiles(); err != nil || len(out.Former) > 0 {
		return out, err
	}
	if err := s.fs.RemoveAll(s.path(keysName)); err != nil {
		return out, err
	}
	return out, s.fs.SyncDir(s.dir)
}

// removeOthers removes all snapshots that are of another key, or do not say of
// which they are: nobody can open them. That they were served is forgotten first.
func (m *Move) removeOthers() (gone []string, err error) {
	s := m.store
	names, err := s.Snapshots()
	if err != nil {
		return nil, err
	}
	kept := map[string]bool{}
	for _, name := range names {
		of, err := s.keyOf(name)
		if err != nil {
			return nil, err
		}
		if kept[name] = of == m.To.ID(); !kept[name] {
			gone = append(gone, name)
		}
	}
	if err := m.forgetServed(kept); err != nil {
		return nil, err
	}
	for _, name := range gone {
		hidden := s.path(snapshotsName, draftPrefix+name)
		if err := s.fs.Rename(s.path(snapshotsName, name), hidden); err != nil {
			return nil, err
		}
		if err := s.fs.RemoveAll(hidden); err != nil {
			return nil, err
		}
	}
	return gone, s.fs.SyncDir(s.path(snapshotsName))
}

// keyOf names the key of a snapshot of the store, and is empty where that cannot
// be read.
func (s *Store) keyOf(name string) (string, error) {
	cur, err := s.Named(name)
	if err == nil {
		var m Manifest
		if m, err = s.ReadManifest(cur); err == nil {
			return m.KeyID, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrVersion) {
		return "", nil
	}
	return "", err
}

// forgetServed takes what goes from SERVED. Where daemons served it last, they
// serve the current snapshot next, which holds the same.
func (m *Move) forgetServed(kept map[string]bool) error {
	s := m.store
	list, err := s.Served()
	if err == nil && !slices.ContainsFunc(list, func(c Current) bool { return !kept[c.Name] }) {
		return nil
	}
	if err != nil && !errors.Is(err, ErrCorrupt) {
		return err
	}
	list = slices.DeleteFunc(list, func(c Current) bool { return !kept[c.Name] })
	if cur, err := s.Current(); err == nil && len(list) == 0 {
		list = []Current{cur}
	} else if err != nil && !errors.Is(err, ErrNoSnapshot) {
		return err
	}
	return s.SetServed(list)
}
