package eventlog

import (
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

// Hashes are those of crypto/sha256, of messages of each length, and whether or
// not they can be had the fast way.
func TestHasher(t *testing.T) {
	fast, slow := newHasher(), newHasher()
	if slow.digest = nil; fast.digest == nil {
		t.Error("messages are not hashed the fast way")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for size := range 400 {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		want := Hash(sha256.Sum256(b))
		padded := appendPadding(b, size)
		if len(padded)%64 != 0 || len(padded)-size > mostPadding {
			t.Fatalf("%d bytes are padded to %d", size, len(padded))
		}
		for _, h := range []*hasher{fast, slow} {
			if h.sum(padded, size) != want {
				t.Fatalf("the hash of %d bytes is another", size)
			}
			r := Record{Seq: uint64(size), Kind: Event, Prev: want, Commitment: Hash{1, 2}}
			if h.chained(&r) != r.Chain(want) {
				t.Fatalf("the hash of record %d is another", size)
			}
		}
	}
}
