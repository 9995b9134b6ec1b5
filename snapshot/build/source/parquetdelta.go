package source

import "encoding/binary"

// deltas are integers, each as its difference to the one before, in blocks
// with a width for each of their parts.
type deltas struct {
	data   []byte
	left   int // values
	part   int // values in a part of a block
	parts  int // parts of a block
	value  int64
	least  int64  // of the block's differences
	widths []byte // of the block's parts that are left
	bits   uint   // width of the part
	inPart int    // values left in the part
	body   []byte // of the part
	bit    uint   // in body
	first  bool   // value has not been handed out
	narrow bool   // they are of 32 bits
}

// newDeltas reads the head of data, which has at most most values.
func newDeltas(data []byte, most int, narrow bool) (*deltas, error) {
	d := &deltas{data: data, first: true, narrow: narrow}
	block, parts, left := d.uvarint(), d.uvarint(), d.uvarint()
	d.value = d.varint()
	if d.data == nil || parts == 0 || block == 0 || block > 1<<16 || block%parts != 0 || block/parts%32 != 0 || left > uint64(most) {
		return nil, errPage
	}
	d.left, d.parts, d.part = int(left), int(parts), int(block/parts)
	return d, nil
}

// uvarint reads a number; where there is none, data becomes nil.
func (d *deltas) uvarint() uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		d.data = nil
		return 0
	}
	d.data = d.data[n:]
	return v
}

func (d *deltas) varint() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *deltas) integer() (int64, error) {
	if d.left == 0 {
		return 0, errPage
	}
	d.left--
	if d.first {
		d.first = false
		return d.value, nil
	}
	if d.inPart == 0 {
		if err := d.nextPart(); err != nil {
			return 0, err
		}
	}
	d.inPart--
	var v uint64
	if d.bits > 0 {
		at, shift := d.bit/8, d.bit%8
		var b [9]byte
		copy(b[:], d.body[at:])
		v = binary.LittleEndian.Uint64(b[:]) >> shift
		if shift > 0 {
			v |= uint64(b[8]) << (64 - shift)
		}
		v &= 1<<d.bits - 1
		d.bit += d.bits
	}
	d.value += d.least + int64(v)
	if d.narrow {
		d.value = int64(int32(d.value))
	}
	return d.value, nil
}

// nextPart goes to the next part, which may be the first of a block.
func (d *deltas) nextPart() error {
	if len(d.widths) == 0 {
		d.least = d.varint()
		if len(d.data) < d.parts {
			return errPage
		}
		d.widths, d.data = d.data[:d.parts], d.data[d.parts:]
	}
	d.bits, d.widths = uint(d.widths[0]), d.widths[1:]
	n := d.part * int(d.bits) / 8
	if d.bits > 64 || n > len(d.data) {
		return errPage
	}
	d.body, d.data, d.bit, d.inPart = d.data[:n], d.data[n:], 0, d.part
	return nil
}

// rest returns what follows the integers. It reads a copy of them, so that d
// can still be read.
func (d *deltas) rest() ([]byte, error) {
	c := *d
	for c.left > 0 {
		if _, err := c.integer(); err != nil {
			return nil, err
		}
	}
	return c.data, nil
}

type deltaInts struct {
	*deltas
	kind kind
	text []byte
}

func (d *deltaInts) next() ([]byte, error) {
	v, err := d.integer()
	d.text = d.kind.integer(d.text[:0], v)
	return d.text, err
}

// deltaTexts are texts after their lengths.
type deltaTexts struct {
	lengths *deltas
	data    []byte
}

func newDeltaTexts(data []byte, n int) (*deltaTexts, error) {
	lengths, err := newDeltas(data, n, true)
	if err != nil {
		return nil, err
	}
	rest, err := lengths.rest()
	return &deltaTexts{lengths, rest}, err
}

func (d *deltaTexts) next() ([]byte, error) {
	n, err := d.lengths.integer()
	if err != nil || n < 0 || n > int64(len(d.data)) {
		return nil, errPage
	}
	text := d.data[:n]
	d.data = d.data[n:]
	return text, nil
}

// prefixTexts are texts that each start as the one before.
type prefixTexts struct {
	prefixes *deltas
	suffixes *deltaTexts
	text     []byte
}

func newPrefixTexts(data []byte, n int) (*prefixTexts, error) {
	prefixes, err := newDeltas(data, n, true)
	if err != nil {
		return nil, err
	}
	rest, err := prefixes.rest()
	if err != nil {
		return nil, err
	}
	suffixes, err := newDeltaTexts(rest, n)
	return &prefixTexts{prefixes: prefixes, suffixes: suffixes}, err
}

func (p *prefixTexts) next() ([]byte, error) {
	n, err := p.prefixes.integer()
	if err != nil || n < 0 || n > int64(len(p.text)) {
		return nil, errPage
	}
	suffix, err := p.suffixes.next()
	if int(n)+len(suffix) > MaxRow {
		return nil, errLongRow
	}
	p.text = append(p.text[:n], suffix...)
	return p.text, err
}
