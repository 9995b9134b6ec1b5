package index

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/dchest/siphash"
)

// Hash is the 128-bit keyed hash of an identifier.
type Hash struct{ Hi, Lo uint64 }

// Less orders hashes as 128-bit numbers.
func (h Hash) Less(o Hash) bool { return h.Hi < o.Hi || h.Hi == o.Hi && h.Lo < o.Lo }

// Compare orders hashes as 128-bit numbers: -1, 0 or 1.
func (h Hash) Compare(o Hash) int {
	switch {
	case h == o:
		return 0
	case h.Less(o):
		return -1
	}
	return 1
}

// Secret is the 256-bit secret that all keys of a store are derived from.
type Secret [32]byte

// ID names the secret without revealing it: 16 hexadecimal digits.
func (s Secret) ID() string {
	sum := sha256.Sum256(append([]byte("matchd key id\x00"), s[:]...))
	return fmt.Sprintf("%x", sum[:8])
}

// Hasher derives the hasher of one purpose by HKDF-SHA256 (RFC 5869) with the
// purpose as its info. Hashes of two purposes cannot be joined without the
// secret.
func (s Secret) Hasher(purpose string) Hasher {
	key, err := hkdf.Key(sha256.New, s[:], nil, "matchd/1 "+purpose, 16)
	if err != nil {
		panic(err) // only lengths can be wrong, and they are constants
	}
	return Hasher{binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[8:])}
}

// Hasher computes SipHash-2-4 with 128 bits of output, a pseudo-random
// function: who does not know the key can neither choose identifiers that
// collide nor ones that fall into one shard.
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012).
type Hasher struct{ k0, k1 uint64 }

// Sum hashes a key made by [Namespaces.AppendKey], or any other bytes.
func (h Hasher) Sum(key []byte) Hash {
	hi, lo := siphash.Hash128(h.k0, h.k1, key)
	return Hash{hi, lo}
}
