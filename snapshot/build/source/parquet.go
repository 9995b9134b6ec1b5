package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/parquet-go/parquet-go/format"
	"golang.org/x/sync/errgroup"
)

// MaxParquet is how long a Parquet file may be, in bytes, that is compressed
// as a whole or comes from standard input: Parquet is read from its end, so
// such a file is held in memory, as raw personal data is not written to disk.
const MaxParquet = 512 << 20

// batchRows is how many rows of Parquet are turned round at once.
const batchRows = 256

// readParquet reads a Parquet file; its metadata by parquet-go, and its pages
// here, since parquet-go allocates what they claim.
func (in *input) readParquet(ctx context.Context, l Layout, rep *reports, columns []column, newSink func() sink) error {
	if in.before != nil && l.Compression == AutoCompression {
		l.Compression = in.sniff()
	}
	if in.before != nil && l.Compression == Plain {
		return readParquet(ctx, in.file, in.before.Size(), in.progress, rep, columns, newSink)
	}
	r, done, err := in.plain(l.Compression)
	if err != nil {
		return rep.fail(1, "%w", err)
	}
	defer done()
	data, err := io.ReadAll(io.LimitReader(r, maxHeld(rep)+1))
	if err != nil {
		return rep.fail(1, "%w", err)
	}
	if int64(len(data)) > maxHeld(rep) {
		return rep.fail(1, "Parquet that is compressed as a whole, or comes from standard input, is held in memory, up to %d bytes, and this is longer; give it as a file that is not", maxHeld(rep))
	}
	return readParquet(ctx, bytes.NewReader(data), int64(len(data)), new(atomic.Int64), rep, columns, newSink)
}

func maxHeld(rep *reports) int64 {
	if rep.maxRow > 0 {
		return int64(rep.maxRow)
	}
	return MaxParquet
}

// sniff returns the compression of a file by its first bytes.
func (in *input) sniff() Compression {
	var start [4]byte
	_, _ = in.file.ReadAt(start[:], 0) // what cannot be read is reported later
	return magicOf(start[:])
}

// A parquetFile is a Parquet file that is being read.
type parquetFile struct {
	*reports
	r        io.ReaderAt
	size     int64
	progress *atomic.Int64
	meta     *format.FileMetaData
	leaves   []*leaf // of our columns; nil where the file has none
	starts   []int   // the rows before each row group
	next     atomic.Int64
}

func readParquet(ctx context.Context, r io.ReaderAt, size int64, progress *atomic.Int64, rep *reports, columns []column, newSink func() sink) error {
	f := &parquetFile{reports: rep, r: r, size: size, progress: progress}
	if err := f.guarded(1, func() error { return f.open(columns) }); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for range max(min(rep.Workers, len(f.meta.RowGroups)), 1) {
		g.Go(func() error { return f.work(ctx, newSink()) })
	}
	return g.Wait()
}

// guarded turns a panic over a damaged file into an error. What the panic says
// is left out: it may hold values.
func (f *parquetFile) guarded(row int, do func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = f.fail(row, "the file is damaged")
		}
	}()
	return do()
}

// open reads the metadata and finds our columns.
func (f *parquetFile) open(columns []column) error {
	meta, err := readFooter(f.r, f.size)
	if err != nil {
		return f.fail(1, "%w", err)
	}
	f.meta = meta
	list, err := leaves(meta.Schema)
	if err != nil {
		return f.fail(1, "%w", err)
	}
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].name
	}
	h, err := newHeader(f.reports, columns, names, 1, "")
	if err != nil {
		return err
	}
	f.leaves = make([]*leaf, len(columns))
	for i, place := range h.places {
		if place < 0 {
			continue
		}
		l := &list[i]
		if l.err == nil && l.maxRep > 0 && !columns[place].list {
			l.err = errors.New("is a list, where one value is due")
		}
		if l.err != nil {
			return f.fail(1, "column %s %w", h.names[i], l.err)
		}
		l.name = columns[place].name
		f.leaves[place] = l
	}
	total := int64(0)
	for i := range meta.RowGroups {
		f.starts = append(f.starts, int(total))
		rows := meta.RowGroups[i].NumRows
		if total += rows; rows < 0 || total < 0 {
			return f.fail(1, "a row group has a negative number of rows; the file is damaged")
		}
	}
	if total != meta.NumRows {
		return f.fail(1, "its row groups have %d rows, and the file %d; it is damaged", total, meta.NumRows)
	}
	return nil
}

// work reads row groups until none is left.
func (f *parquetFile) work(ctx context.Context, s sink) error {
	for {
		g := int(f.next.Add(1)) - 1
		if g >= len(f.meta.RowGroups) {
			return nil
		}
		if err := f.group(ctx, g, s); err != nil {
			return err
		}
		f.advance(g)
	}
}

// advance counts a row group as its part of the file.
func (f *parquetFile) advance(g int) {
	groups := int64(len(f.meta.RowGroups))
	part := f.size / groups
	if g == 0 {
		part += f.size % groups
	}
	f.progress.Add(part)
}

// group reads the rows of a row group.
func (f *parquetFile) group(ctx context.Context, g int, s sink) error {
	rows := &f.meta.RowGroups[g]
	first := f.starts[g] + 1
	readers := make([]*columnReader, len(f.leaves))
	for i, l := range f.leaves {
		if l == nil {
			continue
		}
		c, err := chunkOf(rows, l)
		if err != nil {
			return f.fail(first, "%w", err)
		}
		r := &columnReader{chunk: c, left: c.values}
		r.pages = pageReader{r: f.r, offset: c.offset, size: f.size, codec: c.codec}
		defer r.pages.close()
		readers[i] = r
	}
	b := &parquetBatch{readers: readers, texts: make([]batchTexts, len(readers))}
	for n := int64(0); n < rows.NumRows; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		size := int(min(batchRows, rows.NumRows-n))
		at := first + int(n)
		if err := f.guarded(at, func() error { return b.read(f.reports, size, at) }); err != nil {
			return err
		}
		if err := b.emit(f.reports, s, at); err != nil {
			return err
		}
		n += int64(size)
	}
	for _, r := range readers {
		if r == nil {
			continue
		}
		if err := r.end(); err != nil {
			return f.fail(first, "column %s %w", r.leaf.name, err)
		}
	}
	return nil
}

// A parquetBatch turns columns round into rows.
type parquetBatch struct {
	readers []*columnReader
	texts   []batchTexts
	rows    int
}

// batchTexts are the values of one column: parts of one string.
type batchTexts struct {
	all     []byte
	text    string
	ends    []int
	reasons []errText
}

// read reads the next rows, column by column; first is the number of the first.
func (b *parquetBatch) read(rep *reports, rows, first int) error {
	b.rows = rows
	for i, r := range b.readers {
		if r == nil {
			continue
		}
		t := &b.texts[i]
		t.all, t.ends, t.reasons = t.all[:0], t.ends[:0], t.reasons[:0]
		for row := range rows {
			var err error
			var reason errText
			if t.all, err = r.row(t.all); err != nil && !errors.As(err, &reason) {
				return rep.fail(first+row, "column %s: %w", r.leaf.name, cutOff(err))
			}
			t.ends = append(t.ends, len(t.all))
			t.reasons = append(t.reasons, reason)
		}
		t.text = string(t.all)
	}
	return nil
}

// cutOff says what an end before the last row means.
func cutOff(err error) error {
	if err == io.EOF {
		return errors.New("has fewer values than the file has rows; the file is damaged")
	}
	return err
}

// emit hands on the rows; first is the number of the first.
func (b *parquetBatch) emit(rep *reports, s sink, first int) error {
	for row := range b.rows {
		bad := ""
		for i, r := range b.readers {
			if r == nil {
				continue
			}
			t := &b.texts[i]
			from := 0
			if row > 0 {
				from = t.ends[row-1]
			}
			if reason := t.reasons[row]; reason != "" && bad == "" {
				bad = "column " + r.leaf.name + ": " + string(reason)
			}
			*s.columns[i].value = trim(t.text[from:t.ends[row]])
		}
		if bad != "" {
			rep.bad(first+row, bad)
			continue
		}
		if err := s.emit(first + row); err != nil {
			return err
		}
	}
	return nil
}
