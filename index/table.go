package index

import (
	"errors"
	"fmt"
	"math/bits"
)

// Shape of the table. A line is eight words: seven entries, and a last word
// with the upper byte of each entry's address and, in its top byte, a header.
//
//	word 0..6   tag in the low tagBits, low bits of the address above
//	word 7      byte 0..6: upper 8 bits of the addresses; byte 7: header
//	header      bits 0-2: number of entries; bit 3: the next line holds
//	            entries that belong here or before; bits 4-7: zero
const (
	headerShift  = 56
	headerCount  = 0x07
	headerMore   = 0x08
	entryBits    = 64 + 8
	maxTableLine = 1 << tableLineBits
)

// LineEntries is how many entries a line of the table holds.
const LineEntries = 7

// tableFill is the share of slots that are taken, in percent: more saves
// memory, less makes entries spill into the next line less often.
const tableFill = 85

// Entry says where the record of an identifier is.
type Entry struct {
	Hash Hash
	// Addr is the address of the record, at most [TableParams.AddrBits] long.
	Addr uint64
}

// TableParams is the shape of one shard's table.
type TableParams struct {
	// ShardBits is the logarithm of the number of shards.
	ShardBits int
	// Lines is the number of home lines; the table itself may have up to
	// Displacement lines more, into which the last ones spill.
	Lines uint64
	// Displacement is how many lines after its home an entry is at most.
	Displacement uint32
}

// Validate checks the ranges.
func (p TableParams) Validate() error {
	if p.ShardBits < 0 || p.ShardBits > MaxShardBits {
		return fmt.Errorf("table: %d shard bits", p.ShardBits)
	}
	if p.Lines < 1 || p.Lines > maxTableLine || uint64(p.Displacement) > p.Lines+1 {
		return fmt.Errorf("table: %d lines with displacement %d", p.Lines, p.Displacement)
	}
	return nil
}

// tagBits is how many bits of Hi, above those that a record holds, an entry
// holds so that a match is certain on all 128 bits.
func (p TableParams) tagBits() int {
	return impliedBits(p.ShardBits, p.Lines, p.Displacement) - confirmHiBits
}

// AddrBits is how long an address may be, in bits.
func (p TableParams) AddrBits() int { return entryBits - p.tagBits() }

// Table finds the address of an identifier's record by its hash.
type Table struct {
	words    []uint64
	params   TableParams
	lines    uint64 // physical
	tagMask  uint64
	tagShift int
}

// OpenTable views a table in data, a whole number of lines aligned to eight
// bytes. It keeps data, and reads none of it.
func OpenTable(data []byte, p TableParams) (*Table, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	words, err := wordsOf(data)
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	lines := uint64(len(words) / wordsPerLine)
	if lines < p.Lines || lines > p.Lines+uint64(p.Displacement) {
		return nil, fmt.Errorf("table: %d lines where %d and at most %d more are due", lines, p.Lines, p.Displacement)
	}
	return &Table{
		words: words, params: p, lines: lines,
		tagMask: 1<<p.tagBits() - 1, tagShift: p.tagBits(),
	}, nil
}

// A Cursor walks over the entries that may be those of one hash. Nearly
// always there is one at most; two hashes that differ only in the bits that a
// record holds share their entries' tags.
type Cursor struct {
	line, last uint64
	slot       int
}

// Seek returns a cursor before the first entry that may be that of h.
func (t *Table) Seek(h Hash) Cursor {
	home := tableLine(h, t.params.ShardBits, t.params.Lines)
	return Cursor{line: home, last: min(home+uint64(t.params.Displacement), t.lines-1)}
}

// Touch reads a word of the home line of h; see [Filter.Touch].
func (t *Table) Touch(h Hash) uint64 {
	return t.words[tableLine(h, t.params.ShardBits, t.params.Lines)*wordsPerLine]
}

// Next returns the address in the next entry that may be that of h, and
// whether there is one. The record at that address has to confirm it.
func (t *Table) Next(h Hash, c *Cursor) (addr uint64, ok bool) {
	tag := h.Hi >> confirmHiBits & t.tagMask
	for c.line <= c.last {
		line := t.words[c.line*wordsPerLine:][:wordsPerLine]
		tail := line[LineEntries]
		header := tail >> headerShift
		for n := int(header & headerCount); c.slot < n; {
			slot := c.slot
			c.slot++
			if w := line[slot]; w&t.tagMask == tag {
				return w>>t.tagShift | tail>>(8*slot)&0xff<<(64-t.tagShift), true
			}
		}
		if header&headerMore == 0 {
			return 0, false
		}
		c.line++
		c.slot = 0
	}
	return 0, false
}

// TableStats describe how full a table is.
type TableStats struct {
	Lines   int // physical lines
	Entries int
	Spilled int // lines whose entries go on in the next one
}

// Check reads the whole table and checks every line's header and padding.
func (t *Table) Check() (TableStats, error) {
	s := TableStats{Lines: int(t.lines)}
	for i := range t.lines {
		line := t.words[i*wordsPerLine:][:wordsPerLine]
		header := line[LineEntries] >> headerShift
		n := int(header & headerCount)
		if header&^(headerCount|headerMore) != 0 {
			return s, fmt.Errorf("table: line %d: unknown bits in its header %#02x", i, header)
		}
		for slot := n; slot < LineEntries; slot++ {
			if line[slot] != 0 || line[LineEntries]>>(8*slot)&0xff != 0 {
				return s, fmt.Errorf("table: line %d: slot %d is not empty", i, slot)
			}
		}
		if header&headerMore != 0 {
			if n != LineEntries || i+1 == t.lines {
				return s, fmt.Errorf("table: line %d spills but should not", i)
			}
			s.Spilled++
		}
		s.Entries += n
	}
	return s, nil
}

// Size is the table's size in bytes.
func (t *Table) Size() int { return len(t.words) * 8 }

// Params returns the table's shape.
func (t *Table) Params() TableParams { return t.params }

// ErrDuplicate says that an identifier was to be indexed twice.
var ErrDuplicate = errors.New("two entries have one hash")

// BuildTable lays out entries, sorted by hash, as a table. It makes the table
// sparser than usual where addresses are too long for a full one.
func BuildTable(entries []Entry, shardBits int) ([]byte, TableParams, error) {
	longest := 0
	for i := range entries {
		if i > 0 && !entries[i-1].Hash.Less(entries[i].Hash) {
			if entries[i-1].Hash == entries[i].Hash {
				return nil, TableParams{}, ErrDuplicate
			}
			return nil, TableParams{}, errors.New("entries are not sorted by hash")
		}
		longest = max(longest, bits.Len64(entries[i].Addr))
	}
	p := TableParams{ShardBits: shardBits, Lines: uint64(max(1, (len(entries)*100+LineEntries*tableFill-1)/(LineEntries*tableFill)))}
	for ; ; p.Lines *= 2 {
		p.Displacement = displacement(entries, p)
		if err := p.Validate(); err != nil {
			return nil, p, fmt.Errorf("addresses of %d bits: %w", longest, err)
		}
		if longest <= p.AddrBits() {
			break
		}
	}
	return fillTable(entries, p), p, nil
}

// place yields the line and slot of each entry: its home line, or the next
// one that has room after all entries before it.
func place(entries []Entry, p TableParams, yield func(i int, home, line uint64, slot int)) {
	line, slot := uint64(0), 0
	for i := range entries {
		home := tableLine(entries[i].Hash, p.ShardBits, p.Lines)
		if slot == LineEntries {
			line, slot = line+1, 0
		}
		if home > line {
			line, slot = home, 0
		}
		yield(i, home, line, slot)
		slot++
	}
}

func displacement(entries []Entry, p TableParams) uint32 {
	d := uint64(0)
	place(entries, p, func(_ int, home, line uint64, _ int) { d = max(d, line-home) })
	return uint32(d)
}

func fillTable(entries []Entry, p TableParams) []byte {
	last := p.Lines - 1
	place(entries, p, func(_ int, _, line uint64, _ int) { last = max(last, line) })
	words := make([]uint64, (last+1)*wordsPerLine)
	mask, shift := uint64(1)<<p.tagBits()-1, p.tagBits()
	place(entries, p, func(i int, home, line uint64, slot int) {
		e := entries[i]
		w := words[line*wordsPerLine:][:wordsPerLine]
		w[slot] = e.Hash.Hi>>confirmHiBits&mask | e.Addr<<shift
		w[LineEntries] |= e.Addr >> (64 - shift) & 0xff << (8 * slot)
		w[LineEntries] += 1 << headerShift
		for l := home; l < line; l++ {
			words[l*wordsPerLine+LineEntries] |= headerMore << headerShift
		}
	})
	return bytesOf(words)
}
