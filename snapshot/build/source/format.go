package source

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Format is how the rows of a file are written.
type Format uint8

// The formats.
const (
	AutoFormat Format = iota // by the name of the file; CSV where that says nothing
	CSV
	TSV
	NDJSON
	Parquet
)

var formatNames = []string{"auto", "csv", "tsv", "ndjson", "parquet"}

// String returns the format as a config names it.
func (f Format) String() string { return nameOf(formatNames, int(f)) }

// ParseFormat reads what String returns, apart from auto.
func ParseFormat(s string) (Format, error) {
	i, err := parseName("format", formatNames, s)
	return Format(i), err
}

// A Compression is what a whole file is compressed with.
type Compression uint8

// The compressions.
const (
	AutoCompression Compression = iota // by the name and the first bytes of the file
	Plain
	Gzip
	Zstd
)

var compressionNames = []string{"auto", "none", "gzip", "zstd"}

// String returns the compression as a config names it.
func (c Compression) String() string { return nameOf(compressionNames, int(c)) }

// ParseCompression reads what String returns, apart from auto.
func ParseCompression(s string) (Compression, error) {
	i, err := parseName("compression", compressionNames, s)
	return Compression(i), err
}

func nameOf(names []string, i int) string {
	if i >= len(names) {
		return fmt.Sprint(i)
	}
	return names[i]
}

func parseName(what string, names []string, s string) (int, error) {
	i := slices.Index(names, s)
	if i < 1 {
		return 0, fmt.Errorf("%s %q is none of %s", what, s, strings.Join(names[1:], ", "))
	}
	return i, nil
}

// A Layout is how a file is to be read. The zero value leaves it to the file's
// name and first bytes.
type Layout struct {
	Format      Format
	Compression Compression
	// Delimiter stands between the fields of a CSV file; 0 is a comma, or a
	// tab in TSV.
	Delimiter rune
	// Encoding is one of Encodings; empty is UTF-8.
	Encoding string
}

// ParseDelimiter reads a delimiter: one character, or \t or tab.
func ParseDelimiter(s string) (rune, error) {
	if s == `\t` || s == "tab" {
		return '\t', nil
	}
	r, n := utf8.DecodeRuneInString(s)
	if n != len(s) || !validDelimiter(r) {
		return 0, fmt.Errorf("delimiter %q is not a single character other than a quote, a line end and NUL; a tab is written %q", s, "\t")
	}
	return r, nil
}

// validDelimiter reports whether encoding/csv takes r.
func validDelimiter(r rune) bool {
	return r != 0 && r != '"' && r != '\r' && r != '\n' && r != utf8.RuneError && utf8.ValidRune(r)
}

// Of returns the layout of the file at path, with what path decides filled in:
// Format and Delimiter are definite, Compression may be left to the first
// bytes. It is an error where the parts contradict each other.
func (l Layout) Of(path string) (Layout, error) {
	name := strings.ToLower(path)
	packed := AutoCompression
	switch filepath.Ext(name) {
	case ".gz":
		packed = Gzip
	case ".zst":
		packed = Zstd
	}
	if packed != AutoCompression {
		name = strings.TrimSuffix(name, filepath.Ext(name))
		if l.Compression == AutoCompression {
			l.Compression = packed
		}
	}
	if l.Format == AutoFormat {
		switch filepath.Ext(name) {
		case ".tsv":
			l.Format = TSV
		case ".ndjson", ".jsonl":
			l.Format = NDJSON
		case ".parquet":
			l.Format = Parquet
		default:
			l.Format = CSV
		}
	}
	if err := l.Validate(); err != nil {
		return l, err
	}
	if l.Delimiter == 0 {
		switch l.Format {
		case CSV:
			l.Delimiter = ','
		case TSV:
			l.Delimiter = '\t'
		}
	}
	return l, nil
}

// Validate reports parts that contradict each other.
func (l Layout) Validate() error {
	if l.Delimiter != 0 {
		switch {
		case !validDelimiter(l.Delimiter):
			return fmt.Errorf("delimiter %q cannot be one", l.Delimiter)
		case l.Format == TSV && l.Delimiter != '\t':
			return fmt.Errorf("format tsv is delimited by tabs, not by %q; say format: csv", l.Delimiter)
		case l.Format > TSV:
			return fmt.Errorf("format %v has no delimiter; remove it, or say format: csv", l.Format)
		}
	}
	if l.Encoding == "" {
		return nil
	}
	if _, err := ParseEncoding(l.Encoding); err != nil {
		return err
	}
	if l.Format == Parquet {
		return fmt.Errorf("format parquet is always UTF-8; remove encoding")
	}
	return nil
}
