package source

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// outcome is all that comes of reading a link file. Rows and reports are
// sorted, since workers hand them out in no order.
type outcome struct {
	events []string
	err    string
}

func (o *outcome) row(r *LinkRow) {
	o.events = append(o.events, fmt.Sprintf("%d row %q %q %q %q", r.Line, r.Left, r.Right, r.Method, r.ObservedAt))
}

func (o *outcome) bad(line int, reason string) {
	o.events = append(o.events, fmt.Sprintf("%d bad %s", line, reason))
}

func (o *outcome) equal(other outcome) bool {
	slices.Sort(o.events)
	slices.Sort(other.events)
	return o.err == other.err && slices.Equal(o.events, other.events)
}

// outcomeOf reads a link file by ReadLinks.
func outcomeOf(path string, opt Options) outcome {
	var o outcome
	var mu sync.Mutex
	opt.File = "l"
	opt.Bad = func(b BadRow) {
		mu.Lock()
		defer mu.Unlock()
		o.bad(b.Line, b.Reason)
	}
	opt.Warn = func(w Warning) {
		mu.Lock()
		defer mu.Unlock()
		o.events = append(o.events, "warning "+w.String())
	}
	err := ReadLinks(context.Background(), path, opt, func() func(*LinkRow) error {
		return func(r *LinkRow) error {
			mu.Lock()
			defer mu.Unlock()
			o.row(r)
			return nil
		}
	})
	if err != nil {
		o.err = err.Error()
	}
	return o
}

// stdinOutcome reads a text as standard input.
func stdinOutcome(text string, opt Options) outcome {
	opt.Stdin = strings.NewReader(text)
	return outcomeOf(Stdin, opt)
}

const linkHeader = "left,right,method,observed_at\n"

// modelCSV reads the rows below linkHeader as encoding/csv does, one after
// another.
func modelCSV(text string, comma rune, maxRow int) (o outcome) {
	head := strings.ReplaceAll(linkHeader, ",", string(comma))
	text = head + text
	r := csv.NewReader(strings.NewReader(text))
	r.Comma = comma
	r.FieldsPerRecord = -1
	if _, err := r.Read(); err != nil || r.InputOffset() != int64(len(head)) {
		panic("the model does not read the header")
	}
	for {
		start := int(r.InputOffset())
		for cut := true; cut; {
			rest := text[start:]
			switch {
			case strings.HasPrefix(rest, "\n"):
				start++
			case strings.HasPrefix(rest, "\r\n"):
				start += 2
			default:
				cut = false
			}
		}
		line := strings.Count(text[:start], "\n") + 1
		record, err := r.Read()
		if err == io.EOF {
			return o
		}
		end := int(r.InputOffset())
		if end-start > maxRow {
			o.err = fmt.Sprintf("l:%d: the row that starts here is over 1048576 bytes; look for a quote that is not closed", line)
			return o
		}
		var parse *csv.ParseError
		switch invalid := slices.IndexFunc(record, func(s string) bool { return !utf8.ValidString(s) }); {
		case errors.As(err, &parse) && parse.Line == parse.StartLine:
			o.bad(line, quoteReason(parse))
		case errors.As(err, &parse) && end == len(text):
			o.err = fmt.Sprintf("l:%d: a quote opens here and no row ends before the end of the file; close or double it", line)
			return o
		case errors.As(err, &parse):
			o.bad(line, fmt.Sprintf("%s; the row takes lines %d to %d", quoteReason(parse), parse.StartLine, parse.Line))
		case err != nil:
			panic(err)
		case len(record) != 4:
			o.bad(line, fmt.Sprintf("%d fields, where the header has 4", len(record)))
		case invalid >= 0:
			o.bad(line, fmt.Sprintf("column %s: not UTF-8", LinkColumns()[invalid]))
		default:
			for i := range record {
				record[i] = strings.TrimSpace(record[i])
			}
			o.row(&LinkRow{Line: line, Left: record[0], Right: record[1], Method: record[2], ObservedAt: record[3]})
		}
	}
}

// checkCSV reads a text in all ways, and compares each with the model.
func checkCSV(t *testing.T, text string, comma rune, maxRow int, workers, blocks []int) {
	t.Helper()
	want := modelCSV(text, comma, maxRow)
	head := strings.ReplaceAll(linkHeader, ",", string(comma))
	for _, w := range workers {
		for _, size := range blocks {
			got := stdinOutcome(head+text, Options{
				Layout: Layout{Format: CSV, Compression: Plain, Delimiter: comma}, Workers: w, block: size, maxRow: maxRow,
			})
			if !got.equal(want) {
				t.Fatalf("%q by %q, %d workers, blocks of %d, rows of %d:\n got %q, error %s\nwant %q, error %s",
					text, comma, w, size, maxRow, got.events, got.err, want.events, want.err)
			}
		}
	}
}

// testCommas are one byte, several bytes, white space, and a byte of others.
var testCommas = []rune{',', ';', '\t', ' ', 'é', '☃', '\x00' + 1}

// Rows, reports and errors are those of encoding/csv, whatever the number of
// workers and the size of blocks.
func TestCSVAsTheModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	pieces := []string{`"`, `"`, `""`, "\n", "\n", "\r\n", "\r", "a", "bc", " ", "\xff", "é", "☃", "\x00", "left", strings.Repeat("x", 30)}
	for range 2500 {
		comma := testCommas[rnd.IntN(len(testCommas))]
		var b strings.Builder
		for range rnd.IntN(60) {
			if rnd.IntN(3) == 0 {
				b.WriteRune(comma)
			} else {
				b.WriteString(pieces[rnd.IntN(len(pieces))])
			}
		}
		// The header has to fit into a row.
		maxRow := []int{40, 64, MaxRow}[rnd.IntN(3)]
		checkCSV(t, b.String(), comma, maxRow, []int{1, 1 + rnd.IntN(4)}, []int{1 + rnd.IntN(20), 1 + rnd.IntN(200)})
	}
}

// A file of many blocks is read whole by each number of workers.
func TestCSVBlocks(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		switch i % 7 {
		case 0:
			fmt.Fprintf(&b, "\"a\n%d\",b,c,d\r\n", i)
		case 1:
			fmt.Fprintf(&b, "a%d,b\n", i)
		default:
			fmt.Fprintf(&b, "a%d,b%d,observed,2026-01-01\n", i, i*i)
		}
	}
	checkCSV(t, b.String(), ',', MaxRow, []int{1, 2, 3, 8}, []int{64, 1000, 5000, blockSize})
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"a,b,c,d\n", "\"a\"\"b\",\"c\r\nd\",,\r\n", "a,\"b\n", "a\"b,c\nd,e,f,g", "\"a\"x,b\nc,d,e,f\r", "\r\n\n\r", "\"a\",b,\"c\n\n\n\",d\n\"", "\xef\xbb\xbfa,b",
	} {
		f.Add(s, uint8(0), uint8(0))
		f.Add(s, uint8(4), uint8(1))
	}
	f.Fuzz(func(t *testing.T, text string, comma, maxRow uint8) {
		checkCSV(t, text, testCommas[int(comma)%len(testCommas)], []int{MaxRow, 40 + int(maxRow)}[maxRow%2], []int{1, 3}, []int{1, 13, 100})
	})
}

// write makes a file in a folder of the test.
func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
