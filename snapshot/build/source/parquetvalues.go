package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/parquet-go/parquet-go/format"
)

// plainDictionary is what old writers call the plain encoding of a dictionary,
// and that of places in it.
const plainDictionary format.Encoding = 2

var errPage = errors.New("a page is damaged")

// values decodes the values of a page, one after another. Nothing that the
// page claims is allocated: what it holds is read as it is asked for.
type values interface {
	// next returns the text of the next value; it is valid until the next call.
	next() ([]byte, error)
}

// newValues returns the values of a page, of which there are at most n.
func newValues(e format.Encoding, l *leaf, data []byte, n int, dictionary []string) (values, error) {
	typ := l.schema.Type.V
	isInt := typ == format.Int32 || typ == format.Int64
	switch {
	case e == format.Plain && typ == format.ByteArray:
		return &plainTexts{data}, nil
	case e == format.Plain && typ == format.Boolean:
		return &runs{data: data, width: 1, packed: len(data) * 8, kind: l.kind}, nil
	case e == format.Plain:
		return &plainFixed{data: data, kind: l.kind, width: fixedWidth(l.schema)}, nil
	case e == format.RLEDictionary || e == plainDictionary:
		if len(data) == 0 || data[0] > 32 {
			return nil, errPage
		}
		return &indexed{runs{data: data[1:], width: uint(data[0])}, dictionary}, nil
	case e == format.RLE && typ == format.Boolean:
		data, _, err := prefixed(data)
		return &runs{data: data, width: 1, kind: l.kind}, err
	case e == format.DeltaBinaryPacked && isInt:
		d, err := newDeltas(data, n, typ == format.Int32)
		return &deltaInts{deltas: d, kind: l.kind}, err
	case e == format.DeltaLengthByteArray && typ == format.ByteArray:
		return newDeltaTexts(data, n)
	case e == format.DeltaByteArray && typ == format.ByteArray:
		return newPrefixTexts(data, n)
	}
	return nil, fmt.Errorf("encoding %v is not read; write the file with another", e)
}

func fixedWidth(e *format.SchemaElement) int {
	switch e.Type.V {
	case format.Int32:
		return 4
	case format.Int64:
		return 8
	case format.Int96:
		return 12
	}
	return int(e.TypeLength.V)
}

// prefixed returns the part of data that its first four bytes are the length
// of, and what follows it.
func prefixed(data []byte) (part, rest []byte, err error) {
	if len(data) < 4 {
		return nil, nil, errPage
	}
	n := binary.LittleEndian.Uint32(data)
	data = data[4:]
	if uint64(n) > uint64(len(data)) {
		return nil, nil, errPage
	}
	return data[:n], data[n:], nil
}

type plainTexts struct{ data []byte }

func (p *plainTexts) next() (text []byte, err error) {
	text, p.data, err = prefixed(p.data)
	return text, err
}

type plainFixed struct {
	data  []byte
	kind  kind
	width int
	text  []byte
}

func (p *plainFixed) next() ([]byte, error) {
	if len(p.data) < p.width {
		return nil, errPage
	}
	p.text = p.kind.fixed(p.text[:0], p.data[:p.width])
	p.data = p.data[p.width:]
	return p.text, nil
}

// runs are small integers in the hybrid of run lengths and packed bits.
type runs struct {
	data    []byte
	width   uint
	value   uint32 // of the run
	repeats uint64 // left of the run
	packed  int    // values left in a packed run
	bit     uint   // in data, of the next packed value
	kind    kind
	text    []byte
}

func (r *runs) integer() (uint32, error) {
	for {
		switch {
		case r.repeats > 0:
			r.repeats--
			return r.value, nil
		case r.packed > 0:
			r.packed--
			return r.unpack()
		}
		if err := r.head(); err != nil {
			return 0, err
		}
	}
}

// head reads the start of a run.
func (r *runs) head() error {
	h, n := binary.Uvarint(r.data)
	if n <= 0 || h>>1 == 0 {
		return errPage
	}
	r.data = r.data[n:]
	if h&1 == 1 {
		r.packed = int(min(h>>1, 1<<40)) * 8 // unpack sees whether they are there
		return nil
	}
	width := int(r.width+7) / 8
	if len(r.data) < width {
		return errPage
	}
	var v [4]byte
	copy(v[:], r.data[:width])
	r.value, r.repeats, r.data = binary.LittleEndian.Uint32(v[:]), h>>1, r.data[width:]
	return nil
}

// unpack reads the next value of a packed run: its bits, lowest first.
func (r *runs) unpack() (uint32, error) {
	end := r.bit + r.width
	bytes := int(end+7) / 8
	if bytes > len(r.data) {
		return 0, errPage
	}
	var v [8]byte
	copy(v[:], r.data[:bytes])
	value := uint32(binary.LittleEndian.Uint64(v[:]) >> r.bit & (1<<r.width - 1))
	r.data, r.bit = r.data[end/8:], end%8
	return value, nil
}

func (r *runs) next() ([]byte, error) {
	v, err := r.integer()
	r.text = r.kind.integer(r.text[:0], int64(v))
	return r.text, err
}

// levelRuns returns the levels of a page, which go up to most.
func levelRuns(data []byte, most int) *runs {
	return &runs{data: data, width: uint(bits.Len(uint(most)))}
}

// indexed are values that are places in a dictionary.
type indexed struct {
	runs
	dictionary []string
}

func (i *indexed) next() ([]byte, error) {
	at, err := i.integer()
	if err != nil || uint64(at) >= uint64(len(i.dictionary)) {
		return nil, errPage
	}
	i.text = append(i.text[:0], i.dictionary[at]...)
	return i.text, nil
}
