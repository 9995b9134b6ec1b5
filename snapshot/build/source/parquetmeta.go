package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const parquetMagic = "PAR1"

// maxFooter is the longest description of a Parquet file, in bytes.
const maxFooter = 64 << 20

// readFooter reads the description of a Parquet file from its end.
func readFooter(r io.ReaderAt, size int64) (*format.FileMetaData, error) {
	const ends = len(parquetMagic) + 4 + len(parquetMagic) // magic, and the length and magic at the end
	if size < int64(ends) {
		return nil, fmt.Errorf("the file is cut off, or not Parquet: it has %d bytes", size)
	}
	var tail [8]byte
	if err := readAt(r, tail[:], size-8); err != nil {
		return nil, err
	}
	switch string(tail[4:]) {
	case parquetMagic:
	case "PARE":
		return nil, errors.New("the file is encrypted; decrypt it first")
	default:
		return nil, errors.New("the file is cut off, or not Parquet: it does not end in " + parquetMagic)
	}
	length := int64(binary.LittleEndian.Uint32(tail[:4]))
	if length > min(size-int64(ends), maxFooter) {
		return nil, fmt.Errorf("its footer of %d bytes is longer than the file, or than %d; the file is damaged", length, maxFooter)
	}
	footer := make([]byte, length)
	if err := readAt(r, footer, size-8-length); err != nil {
		return nil, err
	}
	meta := new(format.FileMetaData)
	if err := unmarshal(footer, meta); err != nil {
		return nil, fmt.Errorf("its footer is damaged: %w", err)
	}
	return meta, nil
}

// readAt fills p from r; a file that ends earlier is an error.
func readAt(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(p), off, err)
}

// unmarshal decodes a Thrift structure that fills data.
func unmarshal(data []byte, v any) error {
	n, err := thriftLen(data)
	if err != nil {
		return err
	}
	return thrift.Unmarshal(new(thrift.CompactProtocol), data[:n], v)
}

// A leaf is a column of a Parquet file that holds values.
type leaf struct {
	name   string // of the top-level column
	path   []string
	kind   kind
	schema *format.SchemaElement
	at     int // among the leaves of the file
	maxDef int // definition level of a value that is there
	maxRep int // 1 for a list
	err    error
}

// leaves returns the top-level columns of a file. One that is of a type that
// cannot be read has that as its error.
func leaves(schema []format.SchemaElement) ([]leaf, error) {
	if len(schema) == 0 || schema[0].NumChildren.V <= 0 {
		return nil, errors.New("it has no columns")
	}
	w := &schemaWalk{schema: schema, at: 1}
	var list []leaf
	for range schema[0].NumChildren.V {
		l, err := w.column()
		if err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	if w.at != len(schema) {
		return nil, errors.New("its schema is damaged")
	}
	return list, nil
}

// A schemaWalk goes through the elements of a schema, parents first.
type schemaWalk struct {
	schema []format.SchemaElement
	at     int // the next element
	leaves int // before it
}

func (w *schemaWalk) next() (*format.SchemaElement, error) {
	if w.at == len(w.schema) {
		return nil, errors.New("its schema is damaged")
	}
	w.at++
	return &w.schema[w.at-1], nil
}

// column reads a top-level column: a value, a repeated value, or a group of
// the shape that lists have, which is a repeated value or group in it.
func (w *schemaWalk) column() (leaf, error) {
	top, err := w.next()
	if err != nil {
		return leaf{}, err
	}
	l := leaf{name: top.Name, at: w.leaves, path: []string{top.Name}, schema: top}
	l.add(top)
	if top.NumChildren.V == 0 {
		w.leaves++
		l.kind, l.err = kindOf(top)
		return l, nil
	}
	shape := isList(top) && top.NumChildren.V == 1
	for e := top; e.NumChildren.V != 0; {
		if e.NumChildren.V != 1 || len(l.path) > 2 {
			shape = false
			break
		}
		if e, err = w.next(); err != nil {
			return leaf{}, err
		}
		l.path = append(l.path, e.Name)
		l.add(e)
		l.schema = e
	}
	if shape && l.maxRep == 1 {
		w.leaves++
		l.kind, l.err = kindOf(l.schema)
		return l, nil
	}
	l.err = errors.New("is nested; a column of single values, or a list of texts, is due")
	return l, w.rest(l.schema)
}

// rest passes over what is below an element that is left out.
func (w *schemaWalk) rest(e *format.SchemaElement) error {
	for open := max(int64(e.NumChildren.V), 0); open > 0; open-- {
		e, err := w.next()
		if err != nil {
			return err
		}
		if e.NumChildren.V <= 0 {
			w.leaves++
		}
		open += max(int64(e.NumChildren.V), 0)
	}
	if e.NumChildren.V <= 0 {
		w.leaves++
	}
	return nil
}

// add counts the levels that an element adds.
func (l *leaf) add(e *format.SchemaElement) {
	switch e.RepetitionType.V {
	case format.Optional:
		l.maxDef++
	case format.Repeated:
		l.maxDef++
		l.maxRep++
	}
}

func isList(e *format.SchemaElement) bool {
	_, ok := e.LogicalType.Value.(*format.ListType)
	return ok || e.ConvertedType.Valid && e.ConvertedType.V == deprecated.List
}

// A chunk is where the values of a leaf in a row group are.
type chunk struct {
	leaf   *leaf
	codec  format.CompressionCodec
	offset int64 // of its first page
	values int64
}

// chunkOf finds the values of a leaf in a row group.
func chunkOf(g *format.RowGroup, l *leaf) (chunk, error) {
	if l.at >= len(g.Columns) {
		return chunk{}, fmt.Errorf("column %s is not in every row group; the file is damaged", l.name)
	}
	c := &g.Columns[l.at]
	m := &c.MetaData
	switch {
	case c.FilePath != "":
		return chunk{}, fmt.Errorf("column %s is in another file; that is not supported", l.name)
	case strings.Join(m.PathInSchema, "\x00") != strings.Join(l.path, "\x00"), l.schema.Type.V != m.Type:
		return chunk{}, fmt.Errorf("column %s is encrypted, or the file is damaged", l.name)
	case m.NumValues < 0, l.maxRep == 0 && m.NumValues != g.NumRows:
		return chunk{}, fmt.Errorf("column %s has %d values in %d rows; the file is damaged", l.name, m.NumValues, g.NumRows)
	}
	at := m.DataPageOffset
	if d := m.DictionaryPageOffset; d > 0 && d < at {
		at = d
	}
	return chunk{leaf: l, codec: m.Codec, offset: at, values: m.NumValues}, nil
}
