package index

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

func randomEntries(r *rand.Rand, n int) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = Entry{Hash{r.Uint64(), r.Uint64()}, uint64(i)}
	}
	return entries
}

// No identifier is missed, and about one absent one in a hundred passes.
func TestFilterRates(t *testing.T) {
	for _, n := range []int{0, 1, 50, 1000, 100_000} {
		r := rand.New(rand.NewPCG(7, uint64(n)))
		entries := randomEntries(r, n)
		f, err := OpenFilter(BuildFilter(entries))
		if err != nil {
			t.Fatal(err)
		}
		for i := range entries {
			if !f.MayContain(entries[i].Hash) {
				t.Fatalf("%d identifiers: %x is missed", n, entries[i].Hash)
			}
		}
		const probes = 100_000
		passed := 0
		for range probes {
			if f.MayContain(Hash{r.Uint64(), r.Uint64()}) {
				passed++
			}
		}
		rate := float64(passed) / probes
		if rate > 0.02 || n >= 1000 && rate < 0.002 || n == 0 && passed > 0 {
			t.Errorf("%d identifiers: %.4f of the absent ones pass", n, rate)
		}
		if bits := f.Size() * 8; bits > n*filterBitsPerID+512 {
			t.Errorf("%d identifiers: %d bits", n, bits)
		}
	}
}

func TestFilterDoesNotDependOnOrder(t *testing.T) {
	entries := randomEntries(rand.New(rand.NewPCG(7, 7)), 1000)
	a := BuildFilter(entries)
	slices.Reverse(entries)
	if !bytes.Equal(a, BuildFilter(entries)) {
		t.Error("the order of entries changes the filter")
	}
}

// The bits are those that bloom/v3 sets at the filter's locations.
func TestFilterIsABloomFilter(t *testing.T) {
	for _, n := range []int{1, 500, 20_000} {
		entries := randomEntries(rand.New(rand.NewPCG(8, uint64(n))), n)
		got := BuildFilter(entries)
		f := filterOf(make([]uint64, len(got)/8))
		var at [filterProbes]uint64
		for i := range entries {
			f.locate(entries[i].Hash, &at)
			for _, bit := range at {
				f.bloom.BitSet().Set(uint(bit))
			}
		}
		if !bytes.Equal(got, bytesOf(f.words)) {
			t.Errorf("%d identifiers: other bits than bloom/v3's", n)
		}
	}
}

func TestOpenFilterRefuses(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, 63), make([]byte, 65), make([]byte, 73)[9:]} {
		if _, err := OpenFilter(b); err == nil {
			t.Errorf("%d bytes are accepted", len(b))
		}
	}
}

func TestConfirm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var confirms []byte
	entries := randomEntries(r, 20)
	for i := range entries {
		confirms = AppendConfirm(confirms, entries[i].Hash)
	}
	if len(confirms) != 20*ConfirmSize {
		t.Fatalf("%d bytes", len(confirms))
	}
	for i := range entries {
		h := entries[i].Hash
		if got := Confirm(confirms, h); got != i {
			t.Errorf("identifier %d is found at %d", i, got)
		}
		for bit := range 72 {
			off := h
			if bit < 8 {
				off.Hi ^= 1 << bit
			} else {
				off.Lo ^= 1 << (bit - 8)
			}
			if got := Confirm(confirms, off); got >= 0 {
				t.Errorf("identifier %d with bit %d off is found at %d", i, bit, got)
			}
		}
	}
	if Confirm(nil, Hash{}) >= 0 || Confirm(make([]byte, ConfirmSize-1), Hash{}) >= 0 {
		t.Error("too few bytes confirm")
	}
}
