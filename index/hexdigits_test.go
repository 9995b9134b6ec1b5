package index

import (
	"bytes"
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"
)

// Every pair of bytes, at every place of a word, is read as encoding/hex reads it.
func TestHexDigits(t *testing.T) {
	text := []byte("0123456789abcdefABCDEF00")
	for at := range len(text) - 1 {
		for a := range 256 {
			for b := range 256 {
				s := bytes.Clone(text)
				s[at], s[at+1] = byte(a), byte(b)
				want, err := hex.DecodeString(string(s))
				got, ok := appendHex(nil, s)
				if ok != (err == nil) || ok && !bytes.Equal(got, want) {
					t.Fatalf("%q: %x, %v, want %x, %v", s, got, ok, want, err)
				}
			}
		}
	}
}

// Digits of any length are read as encoding/hex reads them, after what is there.
func TestAppendHexAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := []byte(rapid.StringMatching(`[0-9a-fA-F]{0,40}[g@/:`+"`"+`]?`).Draw(t, "digits"))
		before := rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "before")
		want, err := hex.DecodeString(string(s))
		got, ok := appendHex(bytes.Clone(before), s)
		if ok != (err == nil) || ok && !bytes.Equal(got, append(before, want...)) {
			t.Fatalf("%q: %x, %v, want %x, %v", s, got, ok, want, err)
		}
	})
}

func BenchmarkParseUUID(b *testing.B) {
	s := []byte("6d92078a-8246-4ba4-ae5b-76104861e7dc")
	var u [16]byte
	for b.Loop() {
		if !parseUUID(&u, s) {
			b.Fatal(u)
		}
	}
}
