package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/matchd/matchd/index"
)

// Keys are the secrets of a store. Hashes are keyed with Secret. Before the store
// was moved to it, they were keyed with one of Former: opt-outs and erasures of
// that time are known by these hashes alone.
type Keys struct {
	Secret index.Secret
	// Former are those that the store still has, ascending by their ids.
	Former []index.Secret
}

// The folder of the keys that a store had before, and of the one that it is moved
// to, a file each.
const (
	keysName  = "keys"
	keySuffix = ".key"
)

// Secret returns the secret that the store's current snapshot was made with.
// That is the one in secret.key, but while the store is moved to another: what
// CURRENT names says which of the two it is; see [Store.BeginMove].
func (s *Store) Secret() (secret index.Secret, err error) {
	if secret, err = s.secretKey(); err != nil {
		return secret, err
	}
	id, err := s.currentKey()
	if err != nil || id == "" || id == secret.ID() {
		return secret, err
	}
	other, err := s.keyFile(id)
	if errors.Is(err, fs.ErrNotExist) {
		return s.secretKey() // the move may have ended meanwhile
	}
	return other, err
}

// secretKey returns the secret in secret.key.
func (s *Store) secretKey() (index.Secret, error) { return ReadSecret(s.path(secretName)) }

// currentKey names the key of the current snapshot. It is empty where only
// secret.key can say which one the store has: no move is under way, or there is no
// snapshot whose manifest can be read.
func (s *Store) currentKey() (string, error) {
	_, err := os.Stat(s.path(keysName, moveName))
	if err == nil {
		var cur Current
		if cur, err = s.Current(); err == nil {
			var m Manifest
			if m, err = s.ReadManifest(cur); err == nil {
				return m.KeyID, nil
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoSnapshot) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrVersion) {
		return "", nil
	}
	return "", err
}

// keyPath is where a key lies within the folder of keys.
func (s *Store) keyPath(id string) string { return s.path(keysName, id+keySuffix) }

// keyFile reads a key in the folder of keys.
func (s *Store) keyFile(id string) (secret index.Secret, err error) {
	secret, err = ReadSecret(s.keyPath(id))
	if err == nil && secret.ID() != id {
		err = fmt.Errorf("the key in %s is %s", s.keyPath(id), secret.ID())
	}
	return secret, err
}

// keyFiles lists the ids of the keys in the folder of keys, ascending.
func (s *Store) keyFiles() (ids []string, err error) {
	list, err := os.ReadDir(s.path(keysName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, f := range list {
		if id, ok := strings.CutSuffix(f.Name(), keySuffix); ok {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// Keys returns the store's secrets.
func (s *Store) Keys() (k Keys, err error) {
	if k.Secret, err = s.Secret(); err != nil {
		return k, err
	}
	ids, err := s.keyFiles()
	if err != nil {
		return k, err
	}
	for _, id := range ids {
		former, err := s.keyFile(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a move ends
		}
		if err != nil {
			return k, err
		}
		k.Former = append(k.Former, former)
	}
	// Until a move is settled, secret.key is the former one.
	own, err := s.secretKey()
	k.Former = append(k.Former, own)
	slices.SortFunc(k.Former, func(a, b index.Secret) int { return strings.Compare(a.ID(), b.ID()) })
	k.Former = slices.DeleteFunc(slices.Compact(k.Former), func(f index.Secret) bool { return f == k.Secret })
	return k, err
}

// FormerIDs returns the ids of Former.
func (k Keys) FormerIDs() []string {
	var ids []string
	for _, former := range k.Former {
		ids = append(ids, former.ID())
	}
	return ids
}

// IdentifierHashers returns the hashers of identifiers under the secrets of
// Former.
func (k Keys) IdentifierHashers() []index.Hasher {
	var list []index.Hasher
	for _, former := range k.Former {
		list = append(list, IdentifierHasher(former))
	}
	return list
}
