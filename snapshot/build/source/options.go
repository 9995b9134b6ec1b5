package source

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// MaxRow is the longest row, in bytes of UTF-8, its line end included. It
// bounds what a quote that is never closed can make the reader hold.
const MaxRow = 1 << 20

// Options says how a file is read and where its reports go.
type Options struct {
	// File is the name of the file in reports and errors.
	File string
	// Layout is what the name of the file does not say, or says wrongly.
	Layout Layout
	// Columns renames: their name to ours. Names of theirs are compared
	// without case and surrounding white space.
	Columns map[string]string
	// Bad is called with each row that cannot be used; nil ignores them. It
	// and Warn are never called at once.
	Bad func(BadRow)
	// Warn is called with what is odd but harmless; nil ignores it.
	Warn func(Warning)
	// Workers is how many goroutines read the file; 0 is one.
	Workers int
	// Read, where it is given, has added to it how many bytes of the file,
	// as it lies on disk, have been read.
	Read *atomic.Int64
	// Stdin is what the path "-" reads; nil is that of the process.
	Stdin io.Reader

	block, maxRow int // other sizes, for tests; 0 is blockSize and MaxRow
}

// A BadRow is a row that cannot be used.
type BadRow struct {
	File string `json:"file"`
	// Line is the physical line on which the row starts, from 1; in Parquet
	// the number of the row.
	Line int `json:"line"`
	// Reason names columns and never holds a value.
	Reason string `json:"reason"`
}

func (b BadRow) String() string { return fmt.Sprintf("%s:%d: %s", b.File, b.Line, b.Reason) }

// A Warning is something odd about a file that does not change its rows.
type Warning struct {
	File string
	// Line is as in BadRow.
	Line int
	Text string
}

func (w Warning) String() string { return fmt.Sprintf("%s:%d: %s", w.File, w.Line, w.Text) }

// reports hands on what is reported about one file, one at a time.
type reports struct {
	Options
	mu sync.Mutex
}

func (r *reports) bad(line int, reason string) {
	if r.Bad == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Bad(BadRow{File: r.File, Line: line, Reason: reason})
}

func (r *reports) warn(line int, text string) {
	if r.Warn == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Warn(Warning{File: r.File, Line: line, Text: text})
}

// fail returns an error with its place.
func (r *reports) fail(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", r.File, line, fmt.Errorf(format, args...))
}
