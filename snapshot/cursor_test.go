package snapshot

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Numbers and parts are read from any bytes as encoding/binary and slicing read
// them, and what is read after a failure fails.
func TestNumberAgreesWithBinary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b []byte
		for range rapid.IntRange(0, 4).Draw(t, "numbers") {
			width := rapid.IntRange(0, 64).Draw(t, "bits")
			b = binary.AppendUvarint(b, rapid.Uint64().Draw(t, "number")>>(64-width))
		}
		b = append(b, rapid.SliceOfN(rapid.Byte(), 0, 14).Draw(t, "noise")...)
		at := rapid.IntRange(0, len(b)).Draw(t, "at")
		got, next := number(b, at)
		want, n := binary.Uvarint(b[at:])
		if n <= 0 {
			if next <= len(b) {
				t.Fatalf("% x at %d: %d, next at %d, where there is no number", b, at, got, next)
			}
			if _, after := number(b, next); after <= len(b) {
				t.Fatalf("after no number, the next one ends at %d", after)
			}
			if rest, after := part(b, next, 0); rest != nil || after <= len(b) {
				t.Fatalf("after no number, a part ends at %d", after)
			}
		} else if got != want || next != at+n {
			t.Fatalf("% x at %d: %d, next at %d, want %d at %d", b, at, got, next, want, at+n)
		}
		size := rapid.OneOf(rapid.Uint64Range(0, 20), rapid.Uint64()).Draw(t, "size")
		p, end := part(b, at, size)
		if fits := size <= uint64(len(b)-at); fits != (end <= len(b)) {
			t.Fatalf("%d of %d bytes from %d end at %d", size, len(b), at, end)
		} else if fits && (!bytes.Equal(p, b[at:at+int(size)]) || end != at+int(size)) {
			t.Fatalf("%d bytes from %d are % x, up to %d", size, at, p, end)
		}
	})
}

// What zigzag makes of a number is undone.
func TestUnzigzag(t *testing.T) {
	for _, v := range []int64{0, -1, 1, -2, math.MinInt64, math.MaxInt64, 1_700_000_000} {
		u, _ := binary.Uvarint(binary.AppendVarint(nil, v))
		if got := unzigzag(u); got != v {
			t.Errorf("%d became %d", v, got)
		}
	}
}
