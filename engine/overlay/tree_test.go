package overlay

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/matchd/matchd/index"
)

// playTree sets and removes entries as ops say, of few hashes that crowd few
// buckets, and compares with a map. Versions on the way must stay.
func playTree(t *testing.T, ops []byte, reuse bool) {
	t.Helper()
	empty := newTree(minBits)
	d := empty.edit()
	d.reuse = reuse
	want := map[index.Hash][]byte{}
	var before tree
	var had map[index.Hash][]byte
	check := func(tr *tree, want map[index.Hash][]byte) {
		t.Helper()
		o, n := Overlay{tree: *tr}, 0
		last := index.Hash{}
		for e := range o.All() {
			if n > 0 && order(last, e.Hash) >= 0 {
				t.Fatal("entries are not in order")
			}
			last = e.Hash
			if n++; !bytes.Equal(e.items, want[e.Hash]) {
				t.Fatalf("entry %x is %x, want %x", e.Hash, e.items, want[e.Hash])
			}
		}
		size := 0
		for _, p := range tr.pages {
			if p != nil {
				for _, b := range p {
					size += len(b)
				}
			}
		}
		if n != len(want) || tr.entries != n || tr.bytes != size {
			t.Fatalf("%d entries, %d counted, want %d; %d bytes counted, want %d", n, tr.entries, len(want), tr.bytes, size)
		}
		for h, e := range want {
			if !bytes.Equal(tr.get(h), e) {
				t.Fatalf("entry %x is not found", h)
			}
			h.Lo ^= 1 << 60 // the first filter does not look at that bit
			if _, there := want[h]; !there && tr.get(h) != nil {
				t.Fatalf("entry %x is found", h)
			}
		}
	}
	for i := 0; i+3 <= len(ops); i += 3 {
		h := index.Hash{Lo: uint64(ops[i]) << 56, Hi: uint64(ops[i+1])}
		entry := bytes.Repeat([]byte{ops[i+2]}, int(ops[i+2]%5)*7)
		d.set(h, entry)
		if len(entry) == 0 {
			delete(want, h)
		} else {
			want[h] = entry
		}
		if i%99 == 0 && !reuse {
			if had != nil {
				check(&before, had)
			}
			before, had = d.tree, map[index.Hash][]byte{}
			for h, e := range want {
				had[h] = e
			}
			next := d.edit()
			d = next
		}
	}
	check(&d.tree, want)
	if had != nil {
		check(&before, had)
	}
}

func FuzzTree(f *testing.F) {
	f.Add([]byte{1, 2, 3, 1, 2, 0}, false)
	f.Add([]byte{1, 2, 3, 1, 2, 4, 1, 3, 1, 255, 3, 2}, true)
	// So many that buckets are split, several times.
	var many []byte
	for i := range uint32(2250) {
		many = binary.LittleEndian.AppendUint32(many, i*2654435761)
	}
	f.Add(many, false)
	f.Add(many, true)
	f.Fuzz(func(t *testing.T, ops []byte, reuse bool) { playTree(t, ops[:min(len(ops), 9000)], reuse) })
}

// Items of all lengths of keys are found, replaced and kept.
func TestItems(t *testing.T) {
	var entry []byte
	keys := [][]byte{nil, {1}, bytes.Repeat([]byte{2}, 127), bytes.Repeat([]byte{3}, 128), bytes.Repeat([]byte{4}, 600)}
	for round := range byte(2) {
		for i := range keys {
			for k := kindText; k < kinds; k++ {
				key := keys[(i*3+int(k))%len(keys)]
				if k == kindText {
					key = []byte("text")
				}
				value := bytes.Repeat([]byte{round}, valueSizes[k])
				_, at, to := find(entry, k, key)
				entry = slices.Concat(entry[:at], appendItem(nil, k, key, value), entry[to:])
				got, from, to := find(entry, k, key)
				if got == nil || !bytes.Equal(got, value) || !bytes.Equal(entry[from:to], appendItem(nil, k, key, value)) {
					t.Fatalf("kind %d, key of %d bytes: %x", k, len(key), got)
				}
			}
		}
	}
	n, last := 0, item{}
	for rest := entry; len(rest) > 0; n++ {
		var i item
		if i, rest = first(rest); n > 0 && (i.kind < last.kind || i.kind == last.kind && bytes.Compare(last.key, i.key) >= 0) {
			t.Fatal("items are not in order")
		}
		last = i
	}
	if want := 1 + (int(kinds)-1)*len(keys); n != want {
		t.Errorf("%d items, want %d", n, want)
	}
	if got := keep(nil, entry, func(i item) bool { return true }); !bytes.Equal(got, entry) {
		t.Error("not all is kept")
	}
	if got := keep(nil, entry, func(i item) bool { return !i.kind.named() }); len(got) == 0 || kind(got[0]) != kindOptOut {
		t.Error("a text is kept that nothing needs")
	}
}

// TestConfirmed finds entries by what a record has of them, and tells those
// apart that agree in Lo.
func TestConfirmed(t *testing.T) {
	tr := newTree(minBits)
	d := tr.edit()
	list := []index.Hash{{Hi: 0x101, Lo: 7 << 40}, {Hi: 0x202, Lo: 7 << 40}, {Hi: 0x303, Lo: 7<<40 + 1}}
	for i, h := range list {
		d.set(h, []byte{byte(i + 1)})
	}
	for i, h := range list {
		if got, entry := d.confirmed(h.Lo, byte(h.Hi)); got != h || len(entry) != 1 || entry[0] != byte(i+1) {
			t.Errorf("%x is %x, %x", h, got, entry)
		}
	}
	for _, h := range []index.Hash{{Hi: 4, Lo: 7 << 40}, {Hi: 1, Lo: 7<<40 + 1}, {Hi: 1, Lo: 8 << 40}} {
		if _, entry := d.confirmed(h.Lo, byte(h.Hi)); entry != nil {
			t.Errorf("%x is there", h)
		}
	}
}

// The filters say yes of all that is there, and of hardly anything else, also
// where buckets are as full as they get.
func TestFilters(t *testing.T) {
	const n = bucketFill << 13
	tr := newTree(minBits)
	d := tr.edit()
	d.reuse = true
	random := rand.New(rand.NewPCG(1, 2))
	list := make([]index.Hash, n)
	for i := range list {
		list[i] = index.Hash{Hi: random.Uint64(), Lo: random.Uint64()}
		d.set(list[i], []byte{byte(kindOptOut), 0, 17: 0, 18: 0})
	}
	for _, h := range list {
		if !d.May(h.Lo) {
			t.Fatalf("%x is there, and the filters say no", h)
		}
	}
	first, both := 0, 0
	const asked = 1 << 19
	for range asked {
		lo := random.Uint64()
		if mask := filterMask(lo); d.filter[d.bucketOf(index.Hash{Lo: lo})].Load()&mask == mask {
			first++
		}
		if d.May(lo) {
			both++
		}
	}
	if d.entries != n || d.bits != 13 || first > asked/20 || both > asked/300 {
		t.Errorf("%d entries in 1<<%d buckets: of %d that are not there, the filter says yes of %d, and both say it of %d", d.entries, d.bits, asked, first, both)
	}
}
