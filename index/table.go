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
const tableFill = 86

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

// Prefetch has the home line of h and the one after, where one entry in four
// lies, brought into the cache, and does not wait for them.
func (t *Table) Prefetch(h Hash) {
	prefetchTwo(&t.words[tableLine(h, t.params.ShardBits, t.params.Lines)*wordsPerLine])
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

// Near returns the address in some entry of the home line of h, or of a line
// after it where that one is empty, and false where the table is empty: what
// looking up an absent identifier reads if it is to take as long as a hit.
func (t *Table) Near(h Hash) (addr uint64, ok bool) {
	at := tableLine(h, t.params.ShardBits, t.params.Lines)
	for range t.lines {
		line := t.words[at*wordsPerLine:][:wordsPerLine]
		tail := line[LineEntries]
		if n := tail >> headerShift & headerCount; n > 0 {
			slot := h.Lo % n
			return line[slot]>>t.tagShift | tail>>(8*slot)&0xff<<(64-t.tagShift), true
		}
		if at++; at == t.lines {
			at = 0
		}
	}
	return 0, false
}

// TableStats describe how full a table is.
type TableStats struct {
	Lines   int // physical lines
	Entries int
	Spilled int // lines whose entries go on in the next one
}

// Check reads the whole table of a shard and checks that it is as [BuildTable]
// lays its entries out, so that each is found. It calls each, if not nil, with
// all that an entry tells of an identifier: Hi but for its low byte, which the
// record confirms, and the address.
func (t *Table) Check(shard int, each func(hi, addr uint64)) (TableStats, error) {
	s := TableStats{Lines: int(t.lines)}
	at, last, spilled := placer{p: t.params}, uint64(0), false
	for i := range t.lines {
		line := t.words[i*wordsPerLine:][:wordsPerLine]
		n, more, err := checkLine(line)
		if err != nil {
			return s, fmt.Errorf("table: line %d: %w", i, err)
		}
		first, end := t.homes(i)
		spills := false
		for slot := range n {
			w := line[slot]
			hi, ok := t.upper(shard, w&t.tagMask, first, end)
			home := at.next(Hash{Hi: hi})
			if !ok || hi < last || at.line != i || at.slot != slot {
				return s, fmt.Errorf("table: line %d: the entry in slot %d is not in its place", i, slot)
			}
			spills = spills || slot == 0 && home < i
			last = hi
			if each != nil {
				each(hi, w>>t.tagShift|line[LineEntries]>>(8*slot)&0xff<<(64-t.tagShift))
			}
		}
		if spilled != spills {
			return s, fmt.Errorf("table: line %d: the line before should say whether its entries go on here", i)
		}
		if spilled = more; more {
			s.Spilled++
		}
		s.Entries += n
	}
	if spilled {
		return s, errors.New("table: its last line spills")
	}
	return s, nil
}

// checkLine returns how many entries a line has and whether it spills.
func checkLine(line []uint64) (n int, more bool, err error) {
	header := line[LineEntries] >> headerShift
	if header&^(headerCount|headerMore) != 0 {
		return 0, false, fmt.Errorf("unknown bits in its header %#02x", header)
	}
	n = int(header & headerCount)
	for slot := n; slot < LineEntries; slot++ {
		if line[slot] != 0 || line[LineEntries]>>(8*slot)&0xff != 0 {
			return 0, false, fmt.Errorf("slot %d is not empty", slot)
		}
	}
	return n, header&headerMore != 0, nil
}

// homes returns the run of values of the 28-bit group, from first up to end,
// whose home is a line from which an entry may have come to line i.
func (t *Table) homes(i uint64) (first, end uint64) {
	d, n := uint64(t.params.Displacement), t.params.Lines
	from, to := max(i, d)-d, min(i+1, n)
	return (from<<tableLineBits + n - 1) / n, (to<<tableLineBits + n - 1) / n
}

// upper restores Hi, but for its low byte, from the shard, the tag, and the
// run that its group lies in: of the numbers of that run no two agree in all
// the bits that the tag has; see [impliedBits].
func (t *Table) upper(shard int, tag, first, end uint64) (hi uint64, ok bool) {
	below := 64 - t.params.ShardBits - tableLineBits // bits under the group
	low := tag << confirmHiBits
	known := uint64(1)<<min(t.tagShift+confirmHiBits-below, tableLineBits) - 1
	group := first + (low>>below-first)&known
	hi = uint64(shard)<<(64-t.params.ShardBits) | group<<below | low&(1<<below-1)
	return hi, group < end && hi>>confirmHiBits&t.tagMask == tag
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
		var lines uint64
		p.Displacement, lines = measure(entries, p)
		if err := p.Validate(); err != nil {
			return nil, p, fmt.Errorf("addresses of %d bits: %w", longest, err)
		}
		if longest <= p.AddrBits() {
			return fillTable(entries, p, lines), p, nil
		}
	}
}

// placer finds the line and slot of each entry in turn: its home line, or the
// next one that has room after all entries before it.
type placer struct {
	p    TableParams
	line uint64
	slot int
	used int // slots of line that are taken
}

// next places an entry and returns its home line.
func (a *placer) next(h Hash) (home uint64) {
	home = tableLine(h, a.p.ShardBits, a.p.Lines)
	if home > a.line {
		a.line, a.used = home, 0
	} else if a.used == LineEntries {
		a.line, a.used = a.line+1, 0
	}
	a.slot = a.used
	a.used++
	return home
}

// measure returns the displacement of a table of entries, and its lines.
func measure(entries []Entry, p TableParams) (displacement uint32, lines uint64) {
	at, far := placer{p: p}, uint64(0)
	for i := range entries {
		home := at.next(entries[i].Hash)
		far = max(far, at.line-home)
	}
	return uint32(far), max(p.Lines, at.line+1)
}

func fillTable(entries []Entry, p TableParams, lines uint64) []byte {
	words := make([]uint64, lines*wordsPerLine)
	mask, shift := uint64(1)<<p.tagBits()-1, p.tagBits()
	at := placer{p: p}
	for i := range entries {
		e := &entries[i]
		home := at.next(e.Hash)
		w := words[at.line*wordsPerLine:][:wordsPerLine]
		w[at.slot] = e.Hash.Hi>>confirmHiBits&mask | e.Addr<<shift
		w[LineEntries] |= e.Addr >> (64 - shift) & 0xff << (8 * at.slot)
		w[LineEntries] += 1 << headerShift
		for l := home; l < at.line; l++ {
			words[l*wordsPerLine+LineEntries] |= headerMore << headerShift
		}
	}
	return bytesOf(words)
}
