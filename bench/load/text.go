package load

import (
	"bytes"
	"errors"
)

// The framers read a response from its start each time, in order, and decide
// on whole lines only. So what they find does not depend on how the bytes were
// cut on their way.

// longestLine is the longest line that a response may have, in bytes.
const longestLine = 16 << 10

var (
	errLongLine = errors.New("a line of the response is too long")
	errLineEnd  = errors.New("a line of the response does not end in CR LF")
)

// textLine returns the line at b[at:] without its end, and where the next one
// starts, which is 0 while the line is not whole.
func textLine(b []byte, at int) (line []byte, next int, err error) {
	n := bytes.IndexByte(b[at:min(len(b), at+longestLine)], '\n')
	switch {
	case n < 0 && len(b)-at >= longestLine:
		return nil, 0, errLongLine
	case n < 0:
		return nil, 0, nil
	case n == 0 || b[at+n-1] != '\r':
		return nil, 0, errLineEnd
	}
	return b[at : at+n-1], at + n + 1, nil
}

// data returns the end of n bytes at b[at:] and the CR LF after them, 0 while
// they are not whole.
func data(b []byte, at, n int) (end int, err error) {
	end = at + n + 2
	switch {
	case end > len(b):
		return 0, nil
	case b[end-2] != '\r' || b[end-1] != '\n':
		return 0, errors.New("a value of the response does not end in CR LF")
	}
	return end, nil
}

// number reads decimal digits, of a number below a billion.
func number(b []byte) (n int, ok bool) {
	if len(b) > 9 || !digits(b) {
		return 0, false
	}
	for _, c := range b {
		n = n*10 + int(c-'0')
	}
	return n, true
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// word is the capital letters and underscores that b starts with: the code of
// an error, and nothing that anybody sent.
func word(b []byte) string {
	n := 0
	for n < len(b) && n < 32 && (b[n] >= 'A' && b[n] <= 'Z' || b[n] == '_') {
		n++
	}
	if n == 0 {
		return "of no known kind"
	}
	return string(b[:n])
}
