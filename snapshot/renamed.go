package snapshot

import (
	"encoding/binary"
	"fmt"

	"github.com/matchd/matchd/index"
)

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
