package eventlog

import (
	"encoding/binary"
	"slices"
	"testing"
)

// The index names the record of each token that was added, and of others next
// to none, however it has grown.
func TestTokenIndex(t *testing.T) {
	for _, expected := range []int{0, 1, 300_000} {
		var x tokens
		if expected > 0 {
			x.grow(expected)
		}
		token := func(i int) *[16]byte {
			var k [16]byte
			binary.BigEndian.PutUint64(k[8:], uint64(i+1)) // zero is none
			return &k
		}
		const n = 300_000
		for i := range n {
			x.add(token(i), uint64(i+1))
		}
		wrong := 0
		for i := range 2 * n {
			found := false
			x.find(token(i), func(seq uint64) bool {
				if found = seq == uint64(i+1); !found {
					wrong++
				}
				return found
			})
			if found != (i < n) {
				t.Fatalf("token %d is found: %t", i, found)
			}
		}
		if wrong > 10 || expected == n && len(x.parts) != 1 || expected == 0 && len(x.parts) < 2 {
			t.Errorf("%d parts, %d wrong", len(x.parts), wrong)
		}
	}
}

// Tokens that are added many at once are all found, and no more are added than
// there is room for.
func TestTokenFill(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 5, 23, 100, 30_000} {
		keys, list := make([][16]byte, n+10), make([]tokenAt, n+10)
		for i := range keys {
			binary.BigEndian.PutUint64(keys[i][:], uint64(i+1))
			list[i] = tokenAt{tokenHash(&keys[i]), uint64(i + 1)}
		}
		var x tokens
		fill := x.expect(n)
		for part := range slices.Chunk(list, 512) {
			fill.add(part)
		}
		for i := range keys {
			found := false
			x.find(&keys[i], func(seq uint64) bool {
				found = seq == uint64(i+1)
				return found
			})
			if i < n && !found {
				t.Fatalf("of %d tokens, number %d is not found", n, i)
			}
		}
		if p := x.parts[0]; p.room != max(0, len(p.slots)/4*3-len(list)) {
			t.Errorf("of %d tokens, there is room for %d more in %d", n, p.room, len(p.slots))
		}
	}
}
