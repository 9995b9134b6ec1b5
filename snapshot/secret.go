package snapshot

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/matchd/matchd/index"
)

const secretPrefix = "matchd-key 1 "

// FormatSecret is the content of a key file: a line with a word, a version
// and 64 hexadecimal digits.
func FormatSecret(s index.Secret) []byte {
	return []byte(secretPrefix + hex.EncodeToString(s[:]) + "\n")
}

// ReadSecret reads a key file, which nobody but its owner may be able to read.
func ReadSecret(path string) (s index.Secret, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return s, err
	}
	if info.Mode().Perm()&0o077 != 0 && filepath.Separator == '/' {
		return s, fmt.Errorf("key file %s can be read by others (mode %04o): run chmod 600", path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	text, ok := strings.CutPrefix(string(b), secretPrefix)
	raw, err := hex.DecodeString(strings.TrimSuffix(text, "\n"))
	if !ok || err != nil || len(raw) != len(s) {
		return s, fmt.Errorf("%s is not a key file", path)
	}
	return index.Secret(raw), nil
}

// IdentifierHasher returns the hasher of the identifiers of all snapshots that
// are made under secret.
func IdentifierHasher(secret index.Secret) index.Hasher { return secret.Hasher("identifier") }

// PersonHasher returns the hasher that makes the ids of persons who are new in
// a snapshot, or beside it; see [NewPersonID].
func PersonHasher(secret index.Secret) index.Hasher { return secret.Hasher("person") }

// NewPersonID returns the id of a person who is heir of none: a keyed hash of its
// strongest identifier's hash and of the snapshot before, so that one who is new
// never gets the id that another has kept.
func NewPersonID(hasher index.Hasher, strongest index.Hash, previous []byte) (id PersonID) {
	b := binary.BigEndian.AppendUint64(nil, strongest.Hi)
	b = append(binary.BigEndian.AppendUint64(b, strongest.Lo), previous...)
	sum := hasher.Sum(b)
	binary.BigEndian.PutUint64(id[:], sum.Hi)
	binary.BigEndian.PutUint64(id[8:], sum.Lo)
	return id
}
