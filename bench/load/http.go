package load

import (
	"bytes"
	"errors"
	"fmt"
)

// HTTP frames responses of HTTP/1.1 (RFC 9112) with a Content-Length. A status
// other than 200, or a body of another framing, is an error.
func HTTP(b []byte) (n int, err error) {
	n, status, err := frameHTTP(b)
	if err == nil && status != 0 && status != ok {
		return 0, fmt.Errorf("http: the status is %d, not %d", status, ok)
	}
	return n, err
}

// HTTPOf returns a framer as HTTP is that takes other statuses, which have an
// entry in count, and counts the responses there.
func HTTPOf(count map[int]int) func(b []byte) (int, error) {
	return func(b []byte) (int, error) {
		n, status, err := frameHTTP(b)
		if err != nil || n == 0 {
			return 0, err
		}
		if _, ok := count[status]; !ok {
			return 0, fmt.Errorf("http: the status is %d", status)
		}
		count[status]++
		return n, nil
	}
}

// Statuses that the framers know.
const ok, noContent = 200, 204

// frameHTTP returns the length of a response and its status; either is 0 while
// it has not come.
func frameHTTP(b []byte) (n, status int, err error) {
	length := -1
	for at, first := 0, true; ; first = false {
		line, next, err := textLine(b, at)
		if next == 0 || err != nil {
			return 0, status, err
		}
		at = next
		switch {
		case first:
			if status, err = statusOf(line); err != nil {
				return 0, 0, err
			}
			if status == noContent {
				length = 0 // which it does not say
			}
		case len(line) == 0:
			if length < 0 {
				return 0, 0, errors.New("http: the response has no Content-Length")
			}
			if len(b)-at < length {
				return 0, status, nil
			}
			return at + length, status, nil
		default:
			n, err := contentLength(line)
			if err != nil || n >= 0 && length >= 0 {
				return 0, 0, errors.New("http: the response's body has a framing that is not one Content-Length")
			}
			length = max(length, n)
		}
	}
}

// statusOf reads a status line.
func statusOf(line []byte) (int, error) {
	const version = "HTTP/1.1 "
	if len(line) < len(version)+3 || string(line[:len(version)]) != version {
		return 0, errors.New("http: the response does not start with a status of HTTP/1.1")
	}
	status, rest := line[len(version):len(version)+3], line[len(version)+3:]
	code, ok := number(status)
	if !ok || len(rest) > 0 && rest[0] != ' ' {
		return 0, errors.New("http: the response's status is no number")
	}
	return code, nil
}

var errFraming = errors.New("framing")

// contentLength is what a header line says the length of the body is, -1 where
// it is another header.
func contentLength(line []byte) (int, error) {
	const length, coding = "Content-Length", "Transfer-Encoding"
	colon := bytes.IndexByte(line, ':')
	if colon != len(length) && colon != len(coding) {
		return -1, nil
	}
	switch name := line[:colon]; {
	case bytes.EqualFold(name, []byte(length)):
		if n, ok := number(bytes.Trim(line[colon+1:], " \t")); ok {
			return n, nil
		}
		return 0, errFraming
	case bytes.EqualFold(name, []byte(coding)):
		return 0, errFraming
	}
	return -1, nil
}
