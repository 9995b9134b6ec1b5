package index

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is an index of all shards as a lookup sees it: tables, filters, and
// for each address what its record confirms; and beside it a plain map.
type model struct {
	shardBits int
	tables    []*Table
	filters   []*Filter
	confirms  map[uint64][]byte
	want      map[Hash]uint64
}

// buildModel indexes want, which maps hashes to addresses.
func buildModel(t testing.TB, shardBits int, want map[Hash]uint64) *model {
	t.Helper()
	m := &model{shardBits: shardBits, confirms: map[uint64][]byte{}, want: want}
	shards := make([][]Entry, 1<<shardBits)
	for h, addr := range want {
		m.confirms[addr] = AppendConfirm(m.confirms[addr], h)
		shards[Shard(h, shardBits)] = append(shards[Shard(h, shardBits)], Entry{h, addr})
	}
	for _, entries := range shards {
		filter, err := OpenFilter(BuildFilter(entries))
		if err != nil {
			t.Fatal(err)
		}
		SortEntries(entries)
		m.tables = append(m.tables, buildTable(t, entries, shardBits))
		m.filters = append(m.filters, filter)
	}
	return m
}

// buildTable builds, opens and checks a table of sorted entries.
func buildTable(t testing.TB, entries []Entry, shardBits int) *Table {
	t.Helper()
	data, params, err := BuildTable(entries, shardBits)
	if err != nil {
		t.Fatal(err)
	}
	table, err := OpenTable(data, params)
	if err != nil {
		t.Fatal(err)
	}
	shard := 0
	if len(entries) > 0 {
		shard = Shard(entries[0].Hash, shardBits)
	}
	var told []Entry
	stats, err := table.Check(shard, func(hi, addr uint64) { told = append(told, Entry{Hash{Hi: hi}, addr}) })
	for i, e := range told {
		if want := (Entry{Hash{Hi: entries[i].Hash.Hi &^ 0xff}, entries[i].Addr}); e != want {
			t.Fatalf("entry %d of %d is told as %x, want %x", i, len(entries), e, want)
		}
	}
	if err != nil || len(told) != len(entries) || stats.Entries != len(entries) || stats.Lines*LineSize != table.Size() {
		t.Fatalf("%d entries: %+v, %v", len(entries), stats, err)
	}
	return table
}

// find looks h up as the engine does: the record must confirm it.
func (m *model) find(h Hash) (addr uint64, ok bool) {
	table := m.tables[Shard(h, m.shardBits)]
	for c := table.Seek(h); ; {
		addr, ok := table.Next(h, &c)
		if !ok {
			return 0, false
		}
		if Confirm(m.confirms[addr], h) >= 0 {
			return addr, true
		}
	}
}

// check looks every hash up, and the absent ones.
func (m *model) check(t *testing.T, absent []Hash) {
	t.Helper()
	for h, want := range m.want {
		if addr, ok := m.find(h); !ok || addr != want {
			t.Fatalf("hash %x leads to %#x (%t), want %#x", h, addr, ok, want)
		}
		if !m.filters[Shard(h, m.shardBits)].MayContain(h) {
			t.Fatalf("the filter misses %x", h)
		}
	}
	for _, h := range absent {
		if _, present := m.want[h]; present {
			continue
		}
		if addr, ok := m.find(h); ok {
			t.Fatalf("absent hash %x leads to %#x", h, addr)
		}
	}
}

// hashKinds make hashes that are hard on a table, one way each.
var hashKinds = map[string]func(r *rand.Rand, shardBits int) Hash{
	"random":     func(r *rand.Rand, _ int) Hash { return Hash{r.Uint64(), r.Uint64()} },
	"one home":   func(r *rand.Rand, _ int) Hash { return Hash{0x5555<<48 | r.Uint64()>>40, r.Uint64()} },
	"one Hi":     func(r *rand.Rand, _ int) Hash { return Hash{0x123456789abcdef0, r.Uint64()} },
	"one Lo":     func(r *rand.Rand, _ int) Hash { return Hash{r.Uint64(), 42} },
	"the end":    func(r *rand.Rand, _ int) Hash { return Hash{^uint64(0) - r.Uint64()>>40, r.Uint64()} },
	"the start":  func(r *rand.Rand, _ int) Hash { return Hash{r.Uint64() >> 40, r.Uint64()} },
	"equal tags": func(r *rand.Rand, s int) Hash { return Hash{r.Uint64()>>(56-s)<<(56-s) | 0xabcdef, r.Uint64()} },
	"shard borders": func(r *rand.Rand, s int) Hash {
		return Hash{(r.Uint64()>>(63-s)<<(63-s) - r.Uint64N(4)), r.Uint64()}
	},
}

func TestTableAgreesWithAMap(t *testing.T) {
	for kind, hash := range hashKinds {
		for _, shardBits := range []int{0, 1, 3, MaxShardBits} {
			t.Run(fmt.Sprint(kind, " ", shardBits), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(shardBits)))
				for _, n := range []int{0, 1, 2, 6, 7, 8, 60, 700, 3000} {
					if shardBits == MaxShardBits && n != 700 {
						continue // 4096 tables each
					}
					addrBits := 12 + r.IntN(9)
					want := map[Hash]uint64{}
					var absent []Hash
					for range n {
						want[hash(r, shardBits)] = r.Uint64() >> (64 - addrBits)
						absent = append(absent, hash(r, shardBits), Hash{r.Uint64(), r.Uint64()})
					}
					buildModel(t, shardBits, want).check(t, absent)
				}
			})
		}
	}
}

// A match is certain on all 128 bits: what differs from a present hash in one
// bit, whichever, is never confirmed.
func TestOneBitOffIsNeverConfirmed(t *testing.T) {
	for kind, hash := range hashKinds {
		for _, shardBits := range []int{0, 1, 2, 5} {
			for _, n := range []int{1, 7, 8, 40, 500, 2000} {
				r := rand.New(rand.NewPCG(uint64(n), uint64(shardBits)))
				want := map[Hash]uint64{}
				persons := uint64(3) // of so many identifiers each
				if kind != "random" {
					// A lookup ties the entry to the record, and not to one
					// identifier in it: those of one record must not have been
					// chosen to differ in one part of the hash alone.
					persons = 1
				}
				for i := range uint64(n) {
					want[hash(r, shardBits)] = i / persons
				}
				m := buildModel(t, shardBits, want)
				probes := 0
				for h := range want {
					for bit := range 128 {
						off := h
						if bit < 64 {
							off.Hi ^= 1 << bit
						} else {
							off.Lo ^= 1 << (bit - 64)
						}
						if _, present := want[off]; present {
							continue
						}
						if addr, ok := m.find(off); ok {
							t.Fatalf("%s, %d shard bits, %d hashes: bit %d of %x off is taken for the record %#x", kind, shardBits, n, bit, h, addr)
						}
						probes++
					}
					if probes > 128*40 {
						break
					}
				}
				if probes == 0 {
					t.Fatalf("%s, %d shard bits, %d hashes: nothing was probed", kind, shardBits, n)
				}
			}
		}
	}
}

// The tag alone, with the home line and what a record holds, tells hashes
// apart: no two different hashes agree in all three. This is the arithmetic
// that the test above relies on, at the largest sizes, which cannot be built.
func TestImpliedBitsAreImplied(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		p := TableParams{ShardBits: r.IntN(MaxShardBits + 1), Lines: 1 + r.Uint64N(1<<r.IntN(tableLineBits+1))}
		p.Displacement = uint32(r.Uint64N(min(p.Lines+2, 1<<r.IntN(8))))
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		h := r.Uint64()
		// A different Hi of the same shard that the entry's bits cannot tell.
		n := p.tagBits() + confirmHiBits
		if n >= 64-p.ShardBits {
			continue
		}
		other := h ^ 1<<n ^ r.Uint64()<<p.ShardBits>>p.ShardBits>>n<<n
		if other == h {
			continue
		}
		a, b := tableLine(Hash{Hi: h}, p.ShardBits, p.Lines), tableLine(Hash{Hi: other}, p.ShardBits, p.Lines)
		if max(a, b)-min(a, b) <= uint64(p.Displacement) {
			t.Fatalf("%+v: %x and %x have one tag and the home lines %d and %d", p, h, other, a, b)
		}
	}
}

// Addresses as long as the shape of the table allows come back whole; longer
// ones make the table sparser, or are refused.
func TestLongAddresses(t *testing.T) {
	for _, shardBits := range []int{0, 2, MaxShardBits} {
		for _, n := range []int{1, 10, 1000} {
			for addrBits := range 33 {
				r := rand.New(rand.NewPCG(uint64(n), uint64(addrBits)))
				var entries []Entry
				for range n {
					h := Hash{r.Uint64() >> shardBits, r.Uint64()}
					entries = append(entries, Entry{h, 1<<addrBits | r.Uint64()&(1<<addrBits-1)})
				}
				SortEntries(entries)
				if addrBits > 24 && (n == 1000 || shardBits == 0) {
					continue // a table of 2^10 lines and more
				}
				table := buildTable(t, entries, shardBits)
				if table.Params().AddrBits() <= addrBits {
					t.Fatalf("a table for addresses of %d bits holds %d", addrBits+1, table.Params().AddrBits())
				}
				for _, e := range entries {
					c := table.Seek(e.Hash)
					if addr, ok := table.Next(e.Hash, &c); !ok || addr != e.Addr {
						t.Fatalf("address %#x comes back as %#x (%t)", e.Addr, addr, ok)
					}
				}
			}
		}
	}
	if _, _, err := BuildTable([]Entry{{Hash{1, 1}, 1 << 57}}, 0); err == nil {
		t.Error("an address of 58 bits is accepted")
	}
}

// Hashes that share a line spill into the next ones, and the displacement of
// the table says how far.
func TestDisplacement(t *testing.T) {
	for _, c := range []struct {
		n     int
		lines uint64
		want  uint32
	}{
		{7, 2, 0}, {8, 2, 1}, {14, 3, 1}, {15, 3, 2}, {70, 12, 9},
	} {
		var entries []Entry
		for i := range c.n {
			entries = append(entries, Entry{Hash{0, uint64(i)}, uint64(i)})
		}
		table := buildTable(t, entries, 0)
		if p := table.Params(); p.Displacement != c.want || p.Lines != c.lines {
			t.Errorf("%d hashes of one line: %+v, want %d lines and a displacement of %d", c.n, p, c.lines, c.want)
		}
	}
}

func TestBuildTableRefuses(t *testing.T) {
	a, b := Entry{Hash{1, 1}, 1}, Entry{Hash{1, 2}, 2}
	if _, _, err := BuildTable([]Entry{a, a}, 0); !errors.Is(err, ErrDuplicate) {
		t.Errorf("one hash twice: %v", err)
	}
	if _, _, err := BuildTable([]Entry{b, a}, 0); err == nil || errors.Is(err, ErrDuplicate) {
		t.Errorf("unsorted: %v", err)
	}
	if _, _, err := BuildTable(nil, MaxShardBits+1); err == nil {
		t.Error("too many shard bits are accepted")
	}
}

func TestOpenTableRefuses(t *testing.T) {
	data, params, err := BuildTable([]Entry{{Hash{1, 1}, 1}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if params.Lines != 1 || params.Displacement != 0 {
		t.Fatalf("the table is %+v", params)
	}
	for _, c := range []struct {
		why    string
		data   []byte
		params TableParams
	}{
		{"no bytes", nil, params},
		{"half a line", data[:32], params},
		{"a line too many", append(slices.Clone(data), data...), params},
		{"a line too few", data, TableParams{Lines: 2}},
		{"no lines", data, TableParams{}},
		{"too many shard bits", data, TableParams{Lines: 1, ShardBits: MaxShardBits + 1}},
		{"negative shard bits", data, TableParams{Lines: 1, ShardBits: -1}},
		{"far too many lines", data, TableParams{Lines: 1<<28 + 1}},
		{"displacement", data, TableParams{Lines: 1, Displacement: 3}},
		{"not aligned", append(make([]byte, 1), data...)[1:], params},
	} {
		if _, err := OpenTable(c.data, c.params); err == nil {
			t.Errorf("%s: accepted", c.why)
		}
	}
}

// Check refuses every line that BuildTable would not have written.
func TestCheckRefuses(t *testing.T) {
	var entries []Entry
	for i := range 9 {
		entries = append(entries, Entry{Hash{0, uint64(i)}, uint64(i + 1)})
	}
	data, params, err := BuildTable(entries, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) != 2*LineSize {
		t.Fatalf("the table has %d bytes", len(data))
	}
	for _, c := range []struct {
		why string
		at  int
		xor byte
	}{
		{"a line spills that is not full", 63, 4},
		{"unknown header bits", 63, 0x80},
		{"the last line spills", 64 + 63, 8},
		{"an empty slot has a tag", 64 + 8*2, 1},
		{"an empty slot has an address", 64 + 56 + 2, 1},
		{"a count too low", 64 + 63, 2},
		{"a line does not say that it spills", 63, 8},
	} {
		bad := slices.Clone(data)
		bad[c.at] ^= c.xor
		table, err := OpenTable(bad, params)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := table.Check(0, nil); err == nil {
			t.Errorf("%s: accepted", c.why)
		}
	}
	// The last entry of the first line moves on into the second.
	copy(data[64+8:], bytes.Clone(data[64:64+16]))
	copy(data[64:], data[48:56])
	clear(data[48:56])
	data[63]--
	data[127]++
	table, err := OpenTable(data, params)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Check(0, nil); err == nil {
		t.Error("an entry behind a slot that is free: accepted")
	}
	data, params, err = BuildTable([]Entry{{Hash{1 << 8, 0}, 1}, {Hash{2 << 8, 0}, 2}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if table, err = OpenTable(slices.Concat(data[8:16], data[:8], data[16:]), params); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Check(0, nil); err == nil {
		t.Error("entries out of order: accepted")
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	want := map[Hash]uint64{}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 1000 {
		want[Hash{r.Uint64(), r.Uint64()}] = uint64(i)
	}
	m := buildModel(t, 0, want)
	h := Hash{r.Uint64(), r.Uint64()}
	if n := testing.AllocsPerRun(100, func() { m.find(h); m.filters[0].MayContain(h); h.Hi += 1 << 40 }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The word of an entry holds tag and address without a gap, in every shape.
func TestEntryBitsAddUp(t *testing.T) {
	for shardBits := range MaxShardBits + 1 {
		for _, lines := range []uint64{1, 2, 3, 1 << 10, 1<<28 - 1, 1 << 28} {
			for _, d := range []uint64{0, 1, 2, 7, lines + 1} {
				p := TableParams{ShardBits: shardBits, Lines: lines, Displacement: uint32(d)}
				if p.Validate() != nil {
					continue
				}
				if n := p.tagBits(); n < 1 || n > 63 || p.AddrBits() < 8 || n+p.AddrBits() != entryBits {
					t.Errorf("%+v: tag of %d bits, address of %d", p, n, p.AddrBits())
				}
			}
		}
	}
	if bits.Len(LineEntries) != 3 {
		t.Error("the header's count does not hold LineEntries")
	}
}
