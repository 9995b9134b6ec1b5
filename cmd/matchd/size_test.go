package main

import (
	"testing"

	"pgregory.net/rapid"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]byteSize{
		"6GiB": 6 << 30, "512MiB": 512 << 20, "1 TiB": 1 << 40, "1.5KiB": 1536, "4GB": 4e9, "70MB": 70e6, "3kB": 3000,
		"1073741824": 1 << 30, "100B": 100, "+7": 7,
	} {
		var s byteSize
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%q is %d, %v; want %d", text, s, err, want)
		}
	}
	for _, text := range []string{
		"", "0", "0GiB", "0.0", "-0", "-1", "-6GiB", "GiB", "6G", "6gib", "six", "6GiBGiB", "NaN", "Inf", "-Inf", "0x10", "1e9", "1_000",
		"0.5", "9223372036854775808", "99999999TiB", "1.2.3",
	} {
		s := byteSize(5)
		if err := s.Set(text); err == nil || s != 5 {
			t.Errorf("%q was taken as %d", text, s)
		}
	}
}

// A size that is printed is read as the same one.
func TestSizeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := byteSize(rapid.Int64Range(1, 1<<53).Draw(t, "bytes"))
		var got byteSize
		if err := got.Set(want.String()); err != nil || got != want {
			t.Errorf("%d is printed %v and read as %d, %v", int64(want), &want, int64(got), err)
		}
	})
	for want, size := range map[string]byteSize{"4GiB": 4 << 30, "1536": 1536, "1536KiB": 1536 << 10, "0": 0, "2TiB": 2 << 40} {
		if got := size.String(); got != want {
			t.Errorf("%d is printed %s, want %s", int64(size), got, want)
		}
	}
}
