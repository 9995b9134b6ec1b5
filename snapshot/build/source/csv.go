package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A csvFile is a CSV or TSV file that is being read.
type csvFile struct {
	*reports
	*framer
	comma   string
	comma0  rune
	decoded string // the encoding it was decoded from; empty for UTF-8
	header  *header
}

// readCSV reads the header, and starts the workers on the rows.
func readCSV(ctx context.Context, r io.Reader, l Layout, rep *reports, columns []column, newSink func() sink) error {
	f := &csvFile{reports: rep, comma: string(l.Delimiter), comma0: l.Delimiter, decoded: l.Encoding}
	f.framer = newFramer(r, &rep.Options, func(text []byte, eof bool) int { return lastRowEnd(text, f.comma, eof) })
	if err := f.readHeader(columns); err != nil {
		return err
	}
	return run(ctx, rep.Workers, newSink, func(ctx context.Context, s sink) error {
		w := newCSVWorker(f, s)
		return f.blocks(ctx, w.block)
	}, f.readError)
}

// readError says where the framer's error is.
func (f *csvFile) readError(err error) error {
	if errors.Is(err, errLongRow) {
		return f.fail(f.at(), "the row that starts here is %w; look for a quote that is not closed", err)
	}
	return f.fail(f.at(), "%w", err)
}

// readHeader reads the first row.
func (f *csvFile) readHeader(columns []column) error {
	w := newCSVWorker(f, sink{})
	for {
		b, err := f.next(nil)
		switch {
		case err == io.EOF:
			return f.fail(1, "the file is empty; it needs a header row")
		case errors.Is(err, errLongRow):
			return f.fail(1, "the header is %w; %s", err, lineEndings)
		case err != nil:
			return f.fail(f.at(), "%w", err)
		}
		for at := 0; at < len(b.text); {
			row, end := w.cut(b.text, at)
			line := b.line
			b.line += bytes.Count(b.text[at:end], newline)
			at = end
			if len(row) == 0 {
				continue
			}
			record, err := w.parse(row)
			var parse *csv.ParseError
			if errors.As(err, &parse) {
				return f.fail(line, "the header: %s", quoteReason(parse))
			}
			if f.header, err = newHeader(f.reports, columns, record, line, f.decoded); err != nil {
				return err
			}
			b.text = b.text[end:]
			f.unread(b)
			return nil
		}
	}
}

// A csvWorker splits blocks into rows, on one goroutine.
type csvWorker struct {
	*csvFile
	sink
	targets []*string
	check   bool // the block holds text that is not UTF-8
	fields  []string
	row     strings.Reader
	in      *bufio.Reader
	csv     *csv.Reader
}

func newCSVWorker(f *csvFile, s sink) *csvWorker {
	w := &csvWorker{csvFile: f, sink: s}
	if f.header != nil {
		w.targets = f.header.targets(s.columns)
	}
	w.in = bufio.NewReaderSize(&w.row, 4096)
	w.csv = csv.NewReader(w.in) // takes w.in as it is, since its buffer is large enough
	w.csv.Comma = f.comma0
	w.csv.ReuseRecord = true
	w.csv.FieldsPerRecord = -1
	return w
}

// block hands on the rows of a block. The rows are parts of one string, made
// once for the whole block; only rows with quotes in them are parsed.
func (w *csvWorker) block(b block) error {
	text := string(b.text)
	w.check = !utf8.ValidString(text) || w.decoded != "" && strings.ContainsRune(text, utf8.RuneError)
	quotes := strings.IndexByte(text, '"') >= 0
	line := b.line
	for at := 0; at < len(text); {
		if quotes {
			row, end := w.cut(b.text, at)
			if bytes.IndexByte(row, '"') >= 0 {
				if err := w.quoted(text[at:end], line, b.last && end == len(text)); err != nil {
					return err
				}
				line += strings.Count(text[at:end], "\n")
				at = end
				continue
			}
		}
		row := text[at:]
		if n := strings.IndexByte(row, '\n'); n >= 0 {
			row = row[:n]
		}
		at += len(row) + 1
		if row = strings.TrimSuffix(row, "\r"); row != "" {
			if err := w.unquoted(row, line); err != nil {
				return err
			}
		}
		line++
	}
	return nil
}

// cut returns the row that starts at a place, and where it ends. The row is
// without its line end where it has no quotes, and empty on a blank line.
func (w *csvWorker) cut(text []byte, at int) (row []byte, end int) {
	row, end = text[at:], len(text)
	if n := bytes.IndexByte(row, '\n'); n >= 0 {
		row, end = row[:n], at+n+1
	}
	if bytes.IndexByte(row, '"') < 0 {
		return bytes.TrimSuffix(row, []byte{'\r'}), end
	}
	n := rowEnd(text[at:], w.comma)
	if n == 0 {
		n = len(text) - at
	}
	return text[at : at+n], at + n
}

// splitQuoted appends the fields of a row with quotes, as parts of it; ok says
// that this can be done: that no quote is doubled or wrong, and no field holds
// a CR, which may be part of a line end.
func splitQuoted(fields []string, row, comma string) (_ []string, ok bool) {
	row = strings.TrimSuffix(strings.TrimSuffix(row, "\n"), "\r")
	for {
		if !strings.HasPrefix(row, `"`) {
			field, rest, more := strings.Cut(row, comma)
			if strings.IndexByte(field, '"') >= 0 {
				return fields, false
			}
			fields = append(fields, field)
			if !more {
				return fields, true
			}
			row = rest
			continue
		}
		end := strings.IndexByte(row[1:], '"') + 1
		if end == 0 || strings.IndexByte(row[:end], '\r') >= 0 {
			return fields, false
		}
		fields = append(fields, row[1:end])
		if row = row[end+1:]; row == "" {
			return fields, true
		}
		if !strings.HasPrefix(row, comma) {
			return fields, false
		}
		row = row[len(comma):]
	}
}

// parse reads a row by encoding/csv. Its fields do not refer to row.
func (w *csvWorker) parse(row []byte) ([]string, error) { return w.parseString(string(row)) }

func (w *csvWorker) parseString(row string) ([]string, error) {
	w.row.Reset(row)
	w.in.Reset(&w.row)
	return w.csv.Read()
}

// unquoted splits a row without quotes.
func (w *csvWorker) unquoted(row string, line int) error {
	if w.check || len(w.comma) > 1 {
		w.fields = w.fields[:0]
		for field := range strings.SplitSeq(row, w.comma) {
			w.fields = append(w.fields, field)
		}
		return w.record(w.fields, line)
	}
	comma, n := w.comma[0], 0
	for {
		i := strings.IndexByte(row, comma)
		field := row
		if i >= 0 {
			field = row[:i]
		}
		if n < len(w.targets) && w.targets[n] != nil {
			*w.targets[n] = trim(field)
		}
		n++
		if i < 0 {
			break
		}
		row = row[i+1:]
	}
	if n != len(w.targets) {
		w.wrongCount(line, n)
		return nil
	}
	return w.emit(line)
}

// quoted reads a row with quotes; last says that the file ends with it.
func (w *csvWorker) quoted(row string, line int, last bool) error {
	if fields, ok := splitQuoted(w.fields[:0], row, w.comma); ok {
		w.fields = fields
		return w.record(fields, line)
	}
	record, err := w.parseString(row)
	if err == nil {
		return w.record(record, line)
	}
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return w.fail(line, "%w", err)
	}
	lines := parse.Line - parse.StartLine
	switch {
	case lines == 0:
		w.bad(line, quoteReason(parse))
	case last:
		// The row took whole lines with it. Where they are all the rest of
		// the file, one bad row in the count would hide how much is lost.
		return w.fail(line, "a quote opens here and no row ends before the end of the file; close or double it")
	default:
		w.bad(line, fmt.Sprintf("%s; the row takes lines %d to %d", quoteReason(parse), line, line+lines))
	}
	return nil
}

func quoteReason(err *csv.ParseError) string {
	if err.Err == csv.ErrBareQuote {
		return "a quote inside a field that is not quoted; quote the field and double the quotes in it"
	}
	return "a quoted field is not closed properly; double the quotes in it"
}

// record hands on a row that has been split.
func (w *csvWorker) record(record []string, line int) error {
	if len(record) != len(w.targets) {
		w.wrongCount(line, len(record))
		return nil
	}
	for i, value := range record {
		if w.check && !readable(value, w.decoded) {
			w.bad(line, "column "+w.header.names[i]+": not "+encodingName(w.decoded))
			return nil
		}
	}
	for i, target := range w.targets {
		if target != nil {
			*target = trim(record[i])
		}
	}
	return w.emit(line)
}

func (w *csvWorker) wrongCount(line, n int) {
	w.bad(line, fmt.Sprintf("%d fields, where the header has %d", n, len(w.targets)))
}

// readable reports whether a value was text in the encoding that it was
// decoded from.
func readable(value, decoded string) bool {
	return utf8.ValidString(value) && (decoded == "" || !strings.ContainsRune(value, utf8.RuneError))
}

// trim removes surrounding white space; nearly always there is none.
func trim(s string) string {
	if s == "" || s[0]-'!' < 0x7f-'!' && s[len(s)-1]-'!' < 0x7f-'!' {
		return s
	}
	return strings.TrimSpace(s)
}
