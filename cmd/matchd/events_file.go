package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// fileChange is a change as a file has it, as one line.
type fileChange struct {
	line int // in the file, from 1; of an element of an array, where it begins
	text []byte
	long bool // of more bytes than a daemon takes; text is not all
}

// unfit says why a change is not to be sent, or nothing.
func (c *fileChange) unfit() string {
	switch {
	case c.long || len(c.text)+1 > mostChangeBytes:
		return "it is larger than a daemon takes"
	case c.text[0] != '{':
		return "it is not one JSON object" // and might make the whole part an array
	}
	return ""
}

// byteOrderMark is what some systems begin a file of UTF-8 with.
const byteOrderMark = "\ufeff"

// readChanges calls f for each change of NDJSON, or of one JSON array.
func readChanges(in io.Reader, f func(fileChange) error) error {
	r := bufio.NewReaderSize(in, 64<<10)
	if start, err := r.Peek(len(byteOrderMark)); err == nil && string(start) == byteOrderMark {
		_, _ = r.Discard(len(byteOrderMark)) // it is in the buffer
	}
	line := 1
	for {
		b, err := r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case b == '\n':
			line++
		case b == ' ' || b == '\t' || b == '\r':
		default:
			if err := r.UnreadByte(); err != nil {
				return err
			}
			if b == '[' {
				return readArray(r, line, f)
			}
			return readLines(r, line, f)
		}
	}
}

func readLines(r *bufio.Reader, line int, f func(fileChange) error) error {
	for ; ; line++ {
		text, long, err := readLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			if err := f(fileChange{line, text, long}); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// readLine reads a line and keeps as much of it as a daemon takes.
func readLine(r *bufio.Reader) (text []byte, long bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(text)+len(part) <= mostChangeBytes {
			text = append(text, part...)
		} else {
			long = true
			text = append(text, part[:mostChangeBytes-len(text)]...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, long, err
		}
	}
}

// lineCounter notes where lines end, in what a decoder reads ahead.
type lineCounter struct {
	io.Reader
	at   int64
	line int     // at the first of ends
	ends []int64 // of lines that may be asked for
}

func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.ends = append(c.ends, c.at+int64(i))
		}
	}
	c.at += int64(n)
	return n, err
}

// lineOf returns the line of an offset that is no smaller than those before.
func (c *lineCounter) lineOf(at int64) int {
	n, _ := slices.BinarySearch(c.ends, at)
	c.ends, c.line = c.ends[n:], c.line+n
	return c.line
}

func readArray(r io.Reader, line int, f func(fileChange) error) error {
	lines := &lineCounter{Reader: r, line: line}
	d := json.NewDecoder(lines)
	broken := func(err error) error {
		if syntax := (*json.SyntaxError)(nil); err == nil || errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("from line %d on, it is no JSON array", lines.lineOf(d.InputOffset()))
		}
		return err
	}
	if _, err := d.Token(); err != nil {
		return broken(err)
	}
	for d.More() {
		var one json.RawMessage
		if err := d.Decode(&one); err != nil {
			return broken(err)
		}
		var text bytes.Buffer
		if err := json.Compact(&text, one); err != nil {
			return broken(nil)
		}
		at := lines.lineOf(d.InputOffset() - int64(len(one)))
		if err := f(fileChange{line: at, text: text.Bytes()}); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return broken(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return broken(nil)
	}
	return nil
}
