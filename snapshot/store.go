package snapshot

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/matchd/matchd/index"
)

// Names within a store.
const (
	currentName   = "CURRENT"
	secretName    = "secret.key"
	lockName      = "LOCK"
	snapshotsName = "snapshots"
	draftPrefix   = ".draft-"
)

// ErrNoSnapshot says that a store has no current snapshot yet.
var ErrNoSnapshot = errors.New("the store has no snapshot yet: run matchd build")

// Store is a folder of snapshots:
//
//	CURRENT            names the current snapshot and its manifest's hash
//	PIN                names the one that daemons stay on, if any
//	SERVED             names those that daemons served, the last one first
//	LOG                names the log of live changes that belongs to it, if any
//	secret.key         the secret that hashes are keyed with; owner only
//	keys/ID.key        those of before that opt-outs are known by; see Keys
//	LOCK               held by the build that is under way
//	snapshots/NAME/    the snapshots
type Store struct {
	fs  FS
	dir string
}

// OpenStore opens a store that exists. It reads only its secret's presence.
func OpenStore(dir string) (*Store, error) {
	s := &Store{fs: OS{}, dir: dir}
	if _, err := s.Secret(); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	return s, nil
}

// CreateStore opens a store, making it first where there is none. secret, if
// not nil, is the secret of a new store; a store that has another is refused.
func CreateStore(fsys FS, dir string, secret *index.Secret) (*Store, error) {
	s := &Store{fs: fsys, dir: dir}
	have, err := s.Secret()
	switch {
	case err == nil && secret != nil && have != *secret:
		return nil, fmt.Errorf("store %s has key %s, not the key %s that was given", dir, have.ID(), secret.ID())
	case err == nil:
		return s, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	if _, err := s.Current(); !errors.Is(err, ErrNoSnapshot) {
		return nil, fmt.Errorf("store %s has a %s but no %s: put the key there that it was built with", dir, currentName, secretName)
	}
	if secret == nil {
		secret = new(index.Secret)
		_, _ = rand.Read(secret[:]) // never fails
	}
	if err := s.init(*secret); err != nil {
		return nil, fmt.Errorf("create store %s: %w", dir, err)
	}
	return s, nil
}

// init makes folders and secret, each durable before the next. It holds the
// lock, so that of two builds that make the store at once one is refused.
func (s *Store) init(secret index.Secret) (err error) {
	if err := s.makeFolders(); err != nil {
		return err
	}
	lock, err := lockFile(s.path(lockName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlockFile(lock)) }()
	if _, err := os.Stat(s.path(secretName)); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(errors.New("somebody else is making it: try again"), err)
	}
	return writeFile(s.fs, s.path(secretName), FormatSecret(secret), 0o600)
}

// makeFolders makes the store's folders and those above them one by one, and
// makes the name of each durable before the next.
func (s *Store) makeFolders() error {
	dir, err := filepath.Abs(s.path(snapshotsName))
	if err != nil {
		return err
	}
	var missing []string
	for ; ; dir = filepath.Dir(dir) {
		if _, err = os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, dir)
	}
	if err != nil {
		return err
	}
	// A build that was killed may have made dir and not its name durable. A
	// folder above it that we may not read is none of ours.
	if err := s.fs.SyncDir(filepath.Dir(dir)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	for _, dir := range slices.Backward(missing) {
		if err := s.fs.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := s.fs.SyncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// Dir is the store's folder.
func (s *Store) Dir() string { return s.dir }

// Current names a snapshot.
type Current struct {
	// Name is its folder within snapshots.
	Name string
	// Manifest is the SHA-256 of its manifest.
	Manifest HexBytes
}

// snapshotName is the form of a snapshot's name, so that a damaged CURRENT
// cannot lead out of the store.
var snapshotName = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}$`)

// CURRENT is one line: a word, a version, the name, the manifest's hash.
const currentPrefix = "matchd-current 1 "

func (c Current) format() []byte { return []byte(c.line(currentPrefix)) }

// Current reads which snapshot is current: [ErrNoSnapshot] where none is.
func (s *Store) Current() (c Current, err error) {
	b, err := os.ReadFile(s.path(currentName))
	if errors.Is(err, fs.ErrNotExist) {
		return c, ErrNoSnapshot
	}
	if err != nil {
		return c, err
	}
	line, ended := strings.CutSuffix(string(b), "\n")
	c, ok := parseCurrent(line, currentPrefix)
	if !ok || !ended {
		return c, corrupt(currentName, "file", -1, "it does not name a snapshot")
	}
	return c, nil
}

// Named finds a snapshot of the store by its name, whether it is current or
// not. The name holds the start of the manifest's hash, which must agree.
func (s *Store) Named(name string) (Current, error) {
	if !snapshotName.MatchString(name) {
		return Current{}, fmt.Errorf("%q is not the name of a snapshot, which looks like 20060102T150405Z-0123456789ab: %w", name, fs.ErrInvalid)
	}
	b, err := os.ReadFile(s.path(snapshotsName, name, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return Current{}, fmt.Errorf("store %s has no snapshot %s: %w", s.dir, name, err)
	}
	if err != nil {
		return Current{}, err
	}
	hash := sha256.Sum256(b)
	if !strings.HasSuffix(name, "-"+hex.EncodeToString(hash[:nameHash])) {
		return Current{}, corrupt(manifestName, "file", -1, "it is not the manifest that the snapshot's name %s tells of", name)
	}
	return Current{Name: name, Manifest: hash[:]}, nil
}

// Open opens the snapshot that c names and checks that the store's secret is
// the one that it was made with.
func (s *Store) Open(c Current, m Memory) (*Snapshot, error) {
	secret, err := s.Secret()
	if err != nil {
		return nil, err
	}
	snap, err := openDir(s.path(snapshotsName, c.Name), c.Manifest, m, secret.ID())
	if err == nil && snap.Name() != c.Name {
		err = errors.Join(fmt.Errorf("what is in its folder is %s", snap.Name()), snap.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("open snapshot %s: %w", c.Name, err)
	}
	return snap, nil
}

// WithCurrent opens the current snapshot, calls f with it, and closes it.
func (s *Store) WithCurrent(m Memory, f func(*Snapshot) error) (err error) {
	cur, err := s.Current()
	if err != nil {
		return err
	}
	snap, err := s.Open(cur, m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	return f(snap)
}

// Snapshots lists the snapshots in the store by the time that they are of, and
// those of one time by when they were written; the oldest first.
func (s *Store) Snapshots() ([]string, error) {
	list, err := os.ReadDir(s.path(snapshotsName))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range list {
		if snapshotName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	const asOf = len("20060102T150405Z")
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(strings.Compare(a[:asOf], b[:asOf]), s.written(a).Compare(s.written(b)), strings.Compare(a, b))
	})
	return names, nil
}

// written is when a snapshot's last file was made; zero where it is not there.
func (s *Store) written(name string) time.Time {
	info, err := os.Stat(s.path(snapshotsName, name))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
