package ask

import (
	"encoding/hex"

	"github.com/matchd/matchd/index"
)

// ParseMAID reads "maid:" and a UUID with dashes: what those do who know mobile
// ids alone, and hold them under their 16 bytes.
func ParseMAID(text []byte) (u [16]byte, ok bool) {
	const prefix = len(index.MAID) + 1
	if len(text) != prefix+36 || string(text[:prefix]) != index.MAID+":" {
		return u, false
	}
	s := text[prefix:]
	if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	var digits [32]byte
	copy(digits[:8], s[:8])
	copy(digits[8:12], s[9:13])
	copy(digits[12:16], s[14:18])
	copy(digits[16:20], s[19:23])
	copy(digits[20:], s[24:])
	_, err := hex.Decode(u[:], digits[:])
	return u, err == nil
}
