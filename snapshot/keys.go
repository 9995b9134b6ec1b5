package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
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

// The folder of a store's keys beside the one that it has, a file each.
const (
	keysName  = "keys"
	keySuffix = ".key"
)

// Keys returns the store's secrets.
func (s *Store) Keys() (k Keys, err error) {
	if k.Secret, err = s.Secret(); err != nil {
		return k, err
	}
	list, err := os.ReadDir(s.path(keysName))
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, err
	}
	for _, f := range list {
		id, ok := strings.CutSuffix(f.Name(), keySuffix)
		if !ok || id == k.Secret.ID() {
			continue
		}
		former, err := ReadSecret(s.path(keysName, f.Name()))
		if err != nil {
			return k, err
		}
		if former.ID() != id {
			return k, fmt.Errorf("the key in %s is %s", s.path(keysName, f.Name()), former.ID())
		}
		k.Former = append(k.Former, former)
	}
	return k, nil
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

// Renamed is an identifier of a snapshot on which opt-outs and erasures hang
// under a hash of a former key of the store.
type Renamed struct {
	Old, New index.Hash
}

// Compare orders by Old, then by New.
func (r Renamed) Compare(o Renamed) int {
	if c := r.Old.Compare(o.Old); c != 0 {
		return c
	}
	return r.New.Compare(o.New)
}

const renamedSize = 32

// appendRenamed encodes what [Dictionaries].Renamed has: four words each.
func appendRenamed(dst []byte, list []Renamed) []byte {
	for _, r := range list {
		for _, word := range [...]uint64{r.Old.Hi, r.Old.Lo, r.New.Hi, r.New.Lo} {
			dst = binary.LittleEndian.AppendUint64(dst, word)
		}
	}
	return dst
}

func parseRenamed(b []byte) (list []Renamed, err error) {
	if len(b) == 0 || len(b)%renamedSize != 0 {
		return nil, fmt.Errorf("%d bytes, which are no number of entries", len(b))
	}
	for ; len(b) > 0; b = b[renamedSize:] {
		word := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
		r := Renamed{index.Hash{Hi: word(0), Lo: word(1)}, index.Hash{Hi: word(2), Lo: word(3)}}
		if n := len(list); n > 0 && list[n-1].Compare(r) >= 0 {
			return nil, fmt.Errorf("entry %d does not come after the one before", n)
		}
		list = append(list, r)
	}
	return list, nil
}
