package index

import (
	"encoding/hex"
	"fmt"
	"math/bits"
	"testing"
)

// fixedSecret is the secret 00 01 02 ... 1f.
func fixedSecret() (s Secret) {
	for i := range s {
		s[i] = byte(i)
	}
	return s
}

// The vectors are SipHash-2-4-128's, from the reference implementation of
// Aumasson and Bernstein (vectors.h, vectors_sip128): key 00..0f, inputs of
// 0, 1, 2 and 15 bytes 00, 01, 02 ...
func TestHasherIsSipHash128(t *testing.T) {
	h := Hasher{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	for size, want := range map[int]string{
		0:  "a3817f04ba25a8e66df67214c7550293",
		1:  "da87c1d86b99af44347659119b22fc45",
		2:  "8177228da4a45dc7fca38bdef60affe4",
		15: "5493e99933b0a8117e08ec0f97cfc3d9",
	} {
		in := make([]byte, size)
		for i := range in {
			in[i] = byte(i)
		}
		sum := h.Sum(in)
		var b [16]byte
		for i := range 8 {
			b[i], b[8+i] = byte(sum.Hi>>(8*i)), byte(sum.Lo>>(8*i))
		}
		if got := hex.EncodeToString(b[:]); got != want {
			t.Errorf("%d bytes: %s, want %s", size, got, want)
		}
	}
}

// Machines of one store must agree on every hash: these values are part of
// the format. They were computed by other implementations of SHA-256, HKDF and
// SipHash, in Python, and are no output of this code.
func TestGoldenHashes(t *testing.T) {
	ns := namespaces(t)
	secret := fixedSecret()
	if got, want := secret.ID(), goldenKeyID; got != want {
		t.Errorf("key id %s, want %s", got, want)
	}
	for _, c := range goldenHashes {
		k, _ := key(t, ns, c.text)
		if got := hashText(secret.Hasher(c.purpose).Sum(k)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.purpose, c.text, got, c.want)
		}
	}
}

func hashText(h Hash) string { return fmt.Sprintf("%016x%016x", h.Hi, h.Lo) }

const goldenKeyID = "172286772edaf52a"

var goldenHashes = []struct{ purpose, text, want string }{
	{"identifier", "maid:6d92078a-8246-4ba4-ae5b-76104861e7dc", "dbd8a8ad8eb64525f35e91d6a28fe025"},
	{"identifier", "cookie.acme:9f8c", "e077e07e4f8a28da6784646804e56eec"},
	{"identifier", "email_sha256:" + someHash, "a04db32f5ab31fb28f767cfb27323fdc"},
	{"person", "cookie.acme:9f8c", "97a33a3fc31db21abb61108f50f4eba1"},
}

func TestHashOrder(t *testing.T) {
	ordered := []Hash{{0, 0}, {0, 1}, {0, 1 << 63}, {1, 0}, {1, 5}, {1 << 63, 0}}
	for i, a := range ordered {
		for j, b := range ordered {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if a.Compare(b) != want || a.Less(b) != (want < 0) {
				t.Errorf("%x and %x: Compare %d, Less %t", a, b, a.Compare(b), a.Less(b))
			}
		}
	}
}

// Each bit of a hash may change one choice alone: no choice follows from
// another. The groups are those of the package's doc.
func TestEachChoiceHasItsOwnBits(t *testing.T) {
	// With as many lines as numbers, the line is the group of bits itself.
	const tableLines, filterLines = 1 << tableLineBits, 1 << filterLineBits
	for _, shardBits := range []int{0, 1, 4, MaxShardBits} {
		f := Filter{lines: filterLines}
		choices := func(h Hash) (c struct {
			shard        int
			table, lines uint64
			places       [filterProbes]uint64
		},
		) {
			c.shard = Shard(h, shardBits)
			c.table = tableLine(h, shardBits, tableLines)
			c.lines = filterLine(h, filterLines)
			f.locate(h, &c.places)
			for i := range c.places {
				c.places[i] &= 1<<filterLineShift - 1
			}
			return c
		}
		base := Hash{0x123456789abcdef0, 0x0fedcba987654321}
		was := choices(base)
		for bit := range 128 {
			h := base
			if bit < 64 {
				h.Hi ^= 1 << bit
			} else {
				h.Lo ^= 1 << (bit - 64)
			}
			is := choices(h)
			got := ""
			if is.shard != was.shard {
				got += "shard "
			}
			if is.table != was.table {
				got += "table "
			}
			if is.lines != was.lines {
				got += "filter "
			}
			for i := range is.places {
				if is.places[i] != was.places[i] {
					got += fmt.Sprint("place", i, " ")
				}
			}
			want := ""
			switch {
			case bit >= 64 && bit < 64+filterProbes*filterLineShift:
				want = fmt.Sprint("place", (bit-64)/filterLineShift, " ")
			case bit >= 64:
			case bit >= 64-shardBits:
				want = "shard "
			case bit >= 64-shardBits-tableLineBits:
				want = "table "
			case bit < filterLineBits:
				want = "filter "
			}
			if got != want {
				t.Errorf("%d shard bits: bit %d changes %q, want %q", shardBits, bit, got, want)
			}
		}
	}
	if MaxShardBits+tableLineBits+filterLineBits > 64 || bits.Len(filterProbes*filterLineShift) > 6 {
		t.Error("the groups of bits overlap")
	}
}

// A choice spreads over all lines, also where their number is no power of two.
func TestLinesAreAllUsed(t *testing.T) {
	for _, lines := range []uint64{1, 3, 100} {
		seenTable, seenFilter := map[uint64]int{}, map[uint64]int{}
		hasher := fixedSecret().Hasher("test")
		for i := range 20_000 {
			h := hasher.Sum([]byte{byte(i), byte(i >> 8)})
			seenTable[tableLine(h, 3, lines)]++
			seenFilter[filterLine(h, lines)]++
		}
		for name, seen := range map[string]map[uint64]int{"table": seenTable, "filter": seenFilter} {
			if len(seen) != int(lines) {
				t.Errorf("%s of %d lines: %d are used", name, lines, len(seen))
			}
			for line, n := range seen {
				if mean := 20_000 / int(lines); line >= lines || n < mean/2 || n > 2*mean {
					t.Errorf("%s of %d lines: line %d has %d of 20000", name, lines, line, n)
				}
			}
		}
	}
}
