package source

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"
)

// blockSize is how much text a worker takes at once, in bytes.
const blockSize = 1 << 20

// A block is a run of whole rows.
type block struct {
	text []byte
	// line is that of its first byte, from 1.
	line int
	// last says that the text ends with it.
	last bool
}

// A framer cuts a text into blocks that end where rows end. Workers call next,
// one at a time, and split their blocks into fields at once.
type framer struct {
	// ends returns the end of the last whole row in text, which starts where a
	// row starts; 0 where there is none. The rest of the text is a row where
	// it ends there (eof).
	ends         func(text []byte, eof bool) int
	size, maxRow int

	mu    sync.Mutex
	r     io.Reader
	err   error  // what reading ended with
	carry []byte // read, and not part of a block yet
	line  int    // of the first byte of carry
	first *block // to be returned first
}

func newFramer(r io.Reader, opt *Options, ends func([]byte, bool) int) *framer {
	f := &framer{r: r, ends: ends, size: blockSize, maxRow: MaxRow, line: 1}
	if opt.maxRow > 0 {
		f.maxRow = opt.maxRow
	}
	if opt.block > 0 {
		f.size = opt.block
	}
	f.size = min(f.size, f.maxRow)
	return f
}

// errLongRow says that the row at the framer's line is longer than maxRow.
var errLongRow = fmt.Errorf("over %d bytes", MaxRow)

// next returns the next block, in the memory of buf where it has enough. The
// error is io.EOF after the last block; every further call repeats it. No block
// is handed out after an error, so that all rows before it have been.
func (f *framer) next(buf []byte) (block, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.first; b != nil {
		f.first = nil
		return *b, nil
	}
	buf = append(buf[:0], f.carry...)
	f.carry = f.carry[:0]
	for limit := f.size; ; limit = min(2*limit, f.maxRow) {
		// One byte more tells whether the text goes on.
		buf = f.fill(buf, limit+1)
		whole := f.err == io.EOF && len(buf) <= limit
		if end := f.ends(buf[:min(len(buf), limit)], whole); end > 0 {
			f.carry = append(f.carry, buf[end:]...)
			b := block{text: buf[:end], line: f.line, last: whole && end == len(buf)}
			f.line += bytes.Count(b.text, newline)
			return b, nil
		}
		if f.err != nil && len(buf) <= limit {
			return block{}, f.err
		}
		if limit == f.maxRow {
			f.err = errLongRow
			return block{}, f.err
		}
	}
}

var newline = []byte{'\n'}

// fill reads until buf has n bytes, or reading ends. A text may be short, so buf
// grows with what is read.
func (f *framer) fill(buf []byte, n int) []byte {
	for empty := 0; len(buf) < n && f.err == nil; {
		if len(buf) == cap(buf) {
			more := max(3*len(buf), 16<<10)
			if left := n - len(buf); 2*more > left {
				more = left
			}
			buf = slices.Grow(buf, more)
		}
		var k int
		k, f.err = f.r.Read(buf[len(buf):min(n, cap(buf))])
		buf = buf[:len(buf)+k]
		if k > 0 {
			empty = 0
		} else if empty++; empty > 100 && f.err == nil {
			f.err = io.ErrNoProgress
		}
	}
	return buf
}

// unread makes b what next returns first. It is called before the workers
// start.
func (f *framer) unread(b block) {
	if len(b.text) > 0 {
		f.first = &b
	}
}

// at returns the line that an error of next is about.
func (f *framer) at() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.line
}
