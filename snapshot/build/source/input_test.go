package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// pack compresses data.
func pack(t *testing.T, c Compression, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&buf)
	if c == Zstd {
		var err error
		if w, err = zstd.NewWriter(&buf, zstd.WithEncoderConcurrency(1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

const twoLinks = linkHeader + "a,b,observed,2026-01-01\nc,d,,\n"

var twoRows = []string{`2 row "a" "b" "observed" "2026-01-01"`, `3 row "c" "d" "" ""`}

// A file is read by its name and its first bytes, and a spec overrides both.
func TestLayouts(t *testing.T) {
	plain := []byte(twoLinks)
	tabs := bytes.ReplaceAll(plain, []byte(","), []byte("\t"))
	lines := []byte("{\"left\":\"a\",\"right\":\"b\",\"method\":\"observed\",\"observed_at\":\"2026-01-01\"}\n{\"left\":\"c\",\"right\":\"d\"}\n")
	latin := []byte("left;right\n\xe9;\xa4\n\x80;x\n")
	wide := func(order func(uint16) []byte) []byte {
		var b []byte
		for _, u := range utf16.Encode([]rune("\ufeff" + twoLinks)) {
			b = append(b, order(u)...)
		}
		return b
	}
	for _, c := range []struct {
		name   string
		data   []byte
		layout Layout
		want   []string
	}{
		{"l.csv", plain, Layout{}, twoRows},
		{"l.txt", plain, Layout{}, twoRows},
		{"L.CSV.GZ", pack(t, Gzip, plain), Layout{}, twoRows},
		{"l.tsv.zst", pack(t, Zstd, tabs), Layout{}, twoRows},
		{"l.csv", pack(t, Gzip, plain), Layout{}, twoRows},
		{"l.csv", pack(t, Zstd, plain), Layout{}, twoRows},
		{"l.gz", plain, Layout{Compression: Plain}, twoRows},
		{"l", pack(t, Zstd, tabs), Layout{Format: TSV, Compression: Zstd}, twoRows},
		{"l.csv", bytes.ReplaceAll(plain, []byte(","), []byte("☃")), Layout{Delimiter: '☃'}, twoRows},
		{"l.csv", lines, Layout{Format: NDJSON}, rowsOnLines(1, 2)},
		{"l.jsonl.gz", pack(t, Gzip, lines), Layout{}, rowsOnLines(1, 2)},
		{"l.ndjson", append([]byte("\xef\xbb\xbf"), lines...), Layout{}, rowsOnLines(1, 2)},
		{"members.gz", append(pack(t, Gzip, plain[:40]), pack(t, Gzip, plain[40:])...), Layout{}, twoRows},
		{"frames.zst", append(pack(t, Zstd, plain[:40]), pack(t, Zstd, plain[40:])...), Layout{}, twoRows},
		{"l.csv", wide(func(u uint16) []byte { return []byte{byte(u), byte(u >> 8)} }), Layout{Encoding: "utf-16"}, twoRows},
		{"l.csv", wide(func(u uint16) []byte { return []byte{byte(u >> 8), byte(u)} }), Layout{Encoding: "utf-16"}, twoRows},
		{"l.csv", latin, Layout{Delimiter: ';', Encoding: "windows-1252"}, []string{`2 row "é" "¤" "" ""`, `3 row "€" "x" "" ""`}},
		{"l.csv", latin, Layout{Delimiter: ';', Encoding: "iso-8859-15"}, []string{`2 row "é" "€" "" ""`, "3 bad column left: not iso-8859-15"}},
		{"l.csv", []byte("\xff\xfel\x00e\x00f\x00t\x00,\x00r\x00i\x00g\x00h\x00t\x00\n\x00a\x00,\x00b"), Layout{Encoding: "utf-16"}, []string{"2 bad column right: not utf-16"}},
		{"l.csv", []byte("left,right\n\x81,b\nc,d\n"), Layout{Encoding: "windows-1252"}, []string{"2 bad column left: not windows-1252", `3 row "c" "d" "" ""`}},
		{"l.csv", []byte("left,right\n\xe9,b\nc,d\n"), Layout{}, []string{"2 bad column left: not UTF-8", `3 row "c" "d" "" ""`}},
	} {
		var read atomic.Int64
		got := outcomeOf(write(t, c.name, c.data), Options{Layout: c.layout, Workers: 2, Read: &read})
		slices.Sort(got.events)
		if got.err != "" || !slices.Equal(got.events, c.want) || read.Load() != int64(len(c.data)) {
			t.Errorf("%s %+v: %q, error %s, %d of %d bytes; want %q", c.name, c.layout, got.events, got.err, read.Load(), len(c.data), c.want)
		}
		if c.layout.Format == AutoFormat && !strings.HasPrefix(c.name, "l.csv") {
			continue // standard input has no name
		}
		in := outcomeOf(Stdin, Options{Layout: c.layout, Stdin: slow{bytes.NewReader(c.data)}})
		slices.Sort(in.events)
		if in.err != "" || !slices.Equal(in.events, c.want) {
			t.Errorf("%s %+v as standard input: %q, error %s", c.name, c.layout, in.events, in.err)
		}
	}
}

// rowsOnLines are twoRows where they stand on other lines.
func rowsOnLines(first, second int) []string {
	return []string{
		strings.Replace(twoRows[0], "2", string(rune('0'+first)), 1),
		strings.Replace(twoRows[1], "3", string(rune('0'+second)), 1),
	}
}

// slow is a pipe whose other end is slow.
type slow struct{ r io.Reader }

func (o slow) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

func TestLayoutErrors(t *testing.T) {
	for _, c := range []struct {
		path   string
		layout Layout
		want   string
	}{
		{"a.tsv", Layout{Delimiter: ';'}, "format tsv is delimited by tabs, not by ';'; say format: csv"},
		{"a.jsonl.gz", Layout{Delimiter: ';'}, "format ndjson has no delimiter; remove it, or say format: csv"},
		{"a.parquet", Layout{Encoding: "utf-16"}, "format parquet is always UTF-8; remove encoding"},
		{"a.csv", Layout{Encoding: "ebcdic"}, `encoding "ebcdic" is none of utf-8, windows-1252, iso-8859-1, iso-8859-15, utf-16`},
		{"a.csv", Layout{Delimiter: '"'}, `delimiter '"' cannot be one`},
	} {
		if _, err := c.layout.Of(c.path); err == nil || err.Error() != c.want {
			t.Errorf("%s %+v: error %v, want %s", c.path, c.layout, err, c.want)
		}
	}
	for _, s := range []string{"", "ab", "\n", "\r", "\"", "\x00", "\xff", "\ufffd"} {
		if r, err := ParseDelimiter(s); err == nil {
			t.Errorf("%q is the delimiter %q", s, r)
		}
	}
	for s, want := range map[string]rune{"tab": '\t', `\t`: '\t', "\t": '\t', ";": ';', "¦": '¦'} {
		if r, err := ParseDelimiter(s); err != nil || r != want {
			t.Errorf("%q is the delimiter %q, error %v", s, r, err)
		}
	}
	for _, f := range []Format{CSV, TSV, NDJSON, Parquet} {
		if got, err := ParseFormat(f.String()); err != nil || got != f {
			t.Errorf("%v is read as %v, error %v", f, got, err)
		}
	}
	if _, err := ParseFormat("auto"); err == nil || err.Error() != `format "auto" is none of csv, tsv, ndjson, parquet` {
		t.Errorf("error %v", err)
	}
}

// A file that is cut off anywhere is an error, and never a short one.
func TestTruncated(t *testing.T) {
	csv := []byte(linkText(200))
	for _, c := range []struct {
		name string
		data []byte
		step int
	}{
		{"l.csv.gz", pack(t, Gzip, csv), 7},
		{"l.csv.zst", pack(t, Zstd, csv), 7},
		{"l.ndjson.gz", pack(t, Gzip, []byte("{\"left\":1,\"right\":2}\n")), 1},
		{"l.ndjson.zst", pack(t, Zstd, []byte("{\"left\":1,\"right\":2}\n")), 1},
	} {
		if whole := outcomeOf(write(t, c.name, c.data), Options{}); whole.err != "" {
			t.Fatalf("%s: the whole file is refused: %s", c.name, whole.err)
		}
		for n := len(c.data) - 1; n >= 0; n -= c.step {
			if got := outcomeOf(write(t, c.name, c.data[:n]), Options{Workers: 2}); !strings.HasPrefix(got.err, "l:") {
				t.Fatalf("%s cut to %d of %d bytes: error %q", c.name, n, len(c.data), got.err)
			}
		}
	}
	f := randomParquet(rand.New(rand.NewPCG(4, 4)), testCodecs[1], 20)
	for n := len(f.data) - 1; n >= 0; n -= 41 {
		if rows, _, err := parquetRows(write(t, "p.parquet", f.data[:n]), Options{}); err == nil || len(rows) > 0 {
			t.Fatalf("Parquet cut to %d of %d bytes: %d rows, error %v", n, len(f.data), len(rows), err)
		}
	}
}

// An error of the text names the line on which reading ended.
func TestTruncatedLine(t *testing.T) {
	packed := pack(t, Gzip, []byte(linkText(20_000)))
	got := outcomeOf(write(t, "l.csv.gz", packed[:len(packed)-8]), Options{Workers: 2})
	want := "l:20002: the file is cut off: its gzip data has no end: unexpected EOF"
	if got.err != want || len(got.events) != 20_000 {
		t.Errorf("%d rows, error %s; want %s", len(got.events), got.err, want)
	}
}

// A file that changes while it is read is an error, in whichever way it does.
func TestChanged(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"grown": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("x,y,,\n")
			return errors.Join(err, f.Close())
		},
		"cut":     func(path string) error { return os.Truncate(path, 40) },
		"touched": func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
		"replaced": func(path string) error {
			return errors.Join(os.WriteFile(path+"2", []byte(linkText(500)), 0o600), os.Rename(path+"2", path))
		},
		"removed": os.Remove,
		"":        nil,
	} {
		path := write(t, "l.csv", []byte(linkText(500)))
		changed := false
		err := ReadLinks(context.Background(), path, Options{File: "l"}, func() func(*LinkRow) error {
			return func(*LinkRow) error {
				if changed || change == nil {
					return nil
				}
				changed = true
				return change(path)
			}
		})
		if (err != nil) != (change != nil) || err != nil && !strings.HasPrefix(err.Error(), "read l: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// An error of a function ends the reading, and is returned as it is.
func TestWorkerError(t *testing.T) {
	stop := errors.New("stop")
	path := write(t, "l.csv", []byte(linkText(50_000)))
	for workers := range 4 {
		var rows atomic.Int64
		err := ReadLinks(context.Background(), path, Options{File: "l", Workers: workers}, func() func(*LinkRow) error {
			return func(*LinkRow) error {
				if rows.Add(1) == 100 {
					return stop
				}
				return nil
			}
		})
		if err != stop {
			t.Errorf("%d workers: error %v, want that of the function", workers, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := ReadLinks(ctx, path, Options{File: "l"}, func() func(*LinkRow) error { return func(*LinkRow) error { return nil } })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v of a reading that was cancelled", err)
	}
}

// A file that becomes huge is read as a stream, with bounded memory.
func TestBomb(t *testing.T) {
	const size = 300 << 20
	for _, c := range []Compression{Gzip, Zstd} {
		var buf bytes.Buffer
		var w io.WriteCloser = gzip.NewWriter(&buf)
		if c == Zstd {
			w, _ = zstd.NewWriter(&buf, zstd.WithEncoderConcurrency(1))
		}
		zeros := make([]byte, 1<<20)
		_, _ = io.WriteString(w, linkHeader)
		for range size / len(zeros) {
			if _, err := w.Write(zeros); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		path := write(t, "l.csv", buf.Bytes())
		used := allocated(func() {
			if got := outcomeOf(path, Options{}); !strings.HasPrefix(got.err, "l:2: the row that starts here is over 1048576 bytes") {
				t.Errorf("%v: error %s", c, got.err)
			}
		})
		if used > 64<<20 {
			t.Errorf("%v: %d bytes are allocated for a file that becomes %d", c, used, size)
		}
	}
}
