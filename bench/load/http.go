package load

import (
	"bytes"
	"errors"
	"fmt"
)

// HTTP frames responses of HTTP/1.1 (RFC 9112) with a Content-Length. A status
// other than 200, or a body of another framing, is an error.
func HTTP(b []byte) (n int, err error) {
	length := -1
	for at, first := 0, true; ; first = false {
		line, next, err := textLine(b, at)
		if next == 0 || err != nil {
			return 0, err
		}
		at = next
		switch {
		case first:
			if err := okStatus(line); err != nil {
				return 0, err
			}
		case len(line) == 0:
			if length < 0 {
				return 0, errors.New("http: the response has no Content-Length")
			}
			if len(b)-at < length {
				return 0, nil
			}
			return at + length, nil
		default:
			n, err := contentLength(line)
			if err != nil || n >= 0 && length >= 0 {
				return 0, errors.New("http: the response's body has a framing that is not one Content-Length")
			}
			length = max(length, n)
		}
	}
}

// okStatus checks a status line.
func okStatus(line []byte) error {
	const version = "HTTP/1.1 "
	if len(line) < len(version)+3 || string(line[:len(version)]) != version {
		return errors.New("http: the response does not start with a status of HTTP/1.1")
	}
	status, rest := line[len(version):len(version)+3], line[len(version)+3:]
	if code, ok := number(status); !ok || len(rest) > 0 && rest[0] != ' ' {
		return errors.New("http: the response's status is no number")
	} else if code != 200 {
		return fmt.Errorf("http: the status is %d, not 200", code)
	}
	return nil
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
