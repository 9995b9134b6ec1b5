package index

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// aligned copies b to where a view of words may begin.
func aligned(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	words := make([]uint64, (len(b)+7)/8)
	out := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)[:len(b)]
	copy(out, b)
	return out
}

// Whatever bytes a table is laid over, a walk through it ends and stays
// within.
func FuzzTable(f *testing.F) {
	for _, n := range []int{0, 1, 8, 30} {
		entries := randomEntries(rand.New(rand.NewPCG(1, uint64(n))), n)
		SortEntries(entries)
		data, p, err := BuildTable(entries, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, 0, p.Lines, p.Displacement, uint64(1)<<60)
		f.Add(data, 3, p.Lines, uint32(len(data)/LineSize), ^uint64(0))
	}
	f.Add(make([]byte, 64), 12, uint64(1)<<63, ^uint32(0), uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, shardBits int, lines uint64, displacement uint32, hi uint64) {
		p := TableParams{shardBits, lines, displacement}
		table, err := OpenTable(aligned(data), p)
		if err != nil {
			return
		}
		var told []Entry
		_, err = table.Check(0, func(hi, addr uint64) { told = append(told, Entry{Hash{Hi: hi}, addr}) })
		for _, e := range told { // what passes the check is found, each entry of it
			found := err != nil
			for c := table.Seek(e.Hash); !found; {
				addr, ok := table.Next(e.Hash, &c)
				if !ok {
					t.Fatalf("entry %x is checked and not found", e)
				}
				found = addr == e.Addr
			}
		}
		most := len(data) / LineSize * LineEntries
		for _, h := range []Hash{{hi, 0}, {^hi, 1}, {0, 0}, {^uint64(0), 0}, {wordAt(data), 0}} {
			found := 0
			for c := table.Seek(h); ; found++ {
				addr, ok := table.Next(h, &c)
				if !ok {
					break
				}
				if addr>>p.AddrBits() != 0 {
					t.Fatalf("address %#x is over %d bits", addr, p.AddrBits())
				}
			}
			if found > most {
				t.Fatalf("%d entries found in %d slots", found, most)
			}
		}
	})
}

func wordAt(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func FuzzOpenFilter(f *testing.F) {
	for _, n := range []int{0, 1, 300} {
		f.Add(BuildFilter(randomEntries(rand.New(rand.NewPCG(1, uint64(n))), n)), uint64(1), uint64(2))
	}
	f.Add([]byte{}, uint64(0), ^uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, hi, lo uint64) {
		filter, err := OpenFilter(aligned(data))
		if err != nil {
			return
		}
		filter.MayContain(Hash{hi, lo})
		if filter.Size() != len(data) {
			t.Fatalf("%d bytes have the size %d", len(data), filter.Size())
		}
	})
}
