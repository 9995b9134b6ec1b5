package source

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxRow is the longest row, in bytes. It bounds what a quote that is never
// closed can make the reader hold.
const MaxRow = 1 << 20

// bufferSize is how much is read from the file at once, in bytes.
const bufferSize = 64 << 10

// Options says how a file is read and where its reports go.
type Options struct {
	// File is the name of the file in reports and errors.
	File string
	// Columns renames: their name to ours. Names of theirs are compared
	// without case and surrounding white space.
	Columns map[string]string
	// Bad is called with each row that cannot be used; nil ignores them.
	Bad func(BadRow)
	// Warn is called with what is odd but harmless; nil ignores it.
	Warn func(Warning)
}

// A BadRow is a row that cannot be used.
type BadRow struct {
	File string
	// Line is the physical line on which the row starts, from 1.
	Line int
	// Reason names columns and never holds a value.
	Reason string
}

func (b BadRow) String() string { return fmt.Sprintf("%s:%d: %s", b.File, b.Line, b.Reason) }

// A Warning is something odd about a file that does not change its rows.
type Warning struct {
	File string
	// Line is the physical line, from 1.
	Line int
	Text string
}

func (w Warning) String() string { return fmt.Sprintf("%s:%d: %s", w.File, w.Line, w.Text) }

// A file is a CSV file that is being read.
type file struct {
	Options
	guard *guard
	in    *bufio.Reader
	csv   *csv.Reader
	// targets are where the values of the columns go; nil ignores one.
	targets []*string
	// header is the names of the columns as reports call them.
	header []string
	// line is where the last row that could be parsed starts.
	line int
}

// read fills the columns' values and calls emit once for each good row.
func read(r io.Reader, opt Options, columns []column, emit func(line int) error) error {
	f, err := open(r, opt)
	if err != nil {
		return err
	}
	if err := f.readHeader(columns); err != nil {
		return err
	}
	for {
		record, err := f.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if err = f.skip(err); err != nil {
				return err
			}
			continue
		}
		f.line, _ = f.csv.FieldPos(0)
		if reason := f.check(record); reason != "" {
			f.bad(f.line, reason)
			continue
		}
		for i, target := range f.targets {
			if target != nil {
				*target = strings.TrimSpace(record[i])
			}
		}
		if err := emit(f.line); err != nil {
			return err
		}
	}
}

// open puts a CSV reader over r, after the byte order mark.
func open(r io.Reader, opt Options) (*file, error) {
	f := &file{Options: opt, guard: &guard{r: r, limit: MaxRow}}
	f.in = bufio.NewReaderSize(f.guard, bufferSize)
	start, err := f.in.Peek(3)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read %s: %w", opt.File, err)
	}
	switch {
	case bytes.Equal(start, []byte("\xef\xbb\xbf")):
		_, _ = f.in.Discard(3) // they are in the buffer
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return nil, fmt.Errorf("%s:1: the file is UTF-16; save it as UTF-8", opt.File)
	}
	// csv.NewReader takes f.in as it is, since its buffer is large enough, so
	// that f.in stands where the CSV reader stands.
	f.csv = csv.NewReader(f.in)
	f.csv.ReuseRecord = true
	f.csv.FieldsPerRecord = -1
	return f, nil
}

// next returns the next record, or an error for skip.
func (f *file) next() ([]string, error) {
	f.guard.limit = f.guard.read - int64(f.in.Buffered()) + MaxRow
	return f.csv.Read()
}

// skip reports the row that err is about; it returns an error where reading
// cannot go on.
func (f *file) skip(err error) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		if errors.Is(err, errLongRow) {
			return fmt.Errorf("%s:%d: the row after this one is %w; look for a quote that is not closed", f.File, f.line, err)
		}
		return fmt.Errorf("read %s: %w", f.File, err)
	}
	if parse.Line == parse.StartLine {
		f.bad(parse.StartLine, quoteReason(parse))
		return nil
	}
	// The row took whole lines with it. Where they are all the rest of the
	// file, one bad row in the count would hide how much is lost.
	if _, err := f.in.Peek(1); err == io.EOF {
		return fmt.Errorf("%s:%d: a quote opens here and no row ends before the end of the file; close or double it", f.File, parse.StartLine)
	}
	f.bad(parse.StartLine, fmt.Sprintf("%s; the row takes lines %d to %d", quoteReason(parse), parse.StartLine, parse.Line))
	return nil
}

func quoteReason(err *csv.ParseError) string {
	if err.Err == csv.ErrBareQuote {
		return "a quote inside a field that is not quoted; quote the field and double the quotes in it"
	}
	return "a quoted field is not closed properly; double the quotes in it"
}

// check returns the reason why the record cannot be used, or "".
func (f *file) check(record []string) string {
	if len(record) != len(f.header) {
		return fmt.Sprintf("%d fields, where the header has %d", len(record), len(f.header))
	}
	for i, value := range record {
		if !utf8.ValidString(value) {
			return "column " + f.header[i] + ": not UTF-8"
		}
	}
	return ""
}

func (f *file) bad(line int, reason string) {
	if f.Bad != nil {
		f.Bad(BadRow{File: f.File, Line: line, Reason: reason})
	}
}

var errLongRow = fmt.Errorf("over %d bytes", MaxRow)

// A guard refuses to read beyond a limit, which moves on with the rows.
type guard struct {
	r           io.Reader
	read, limit int64
}

func (g *guard) Read(p []byte) (int, error) {
	if g.read > g.limit {
		return 0, errLongRow
	}
	n, err := g.r.Read(p)
	g.read += int64(n)
	return n, err
}
