package load

import (
	"bytes"
	"errors"
	"fmt"
)

// Memcached frames responses of memcached's text protocol: STORED, and what get
// answers, which is values, few or none, and END. Whatever else comes is an
// error, of which only the first word is told.
// https://github.com/memcached/memcached/blob/master/doc/protocol.txt
func Memcached(b []byte) (n int, err error) {
	for at := 0; ; {
		line, next, err := textLine(b, at)
		if next == 0 || err != nil {
			return 0, err
		}
		switch {
		case string(line) == "END", string(line) == "STORED" && at == 0:
			return next, nil
		case !bytes.HasPrefix(line, []byte("VALUE ")):
			return 0, fmt.Errorf("memcached: the response is %s", word(line))
		}
		length, ok := valueLength(line)
		if !ok {
			return 0, errors.New("memcached: a value's length is no number")
		}
		if at, err = data(b, next, length); at == 0 || err != nil {
			return 0, err
		}
	}
}

// valueLength reads a line "VALUE <key> <flags> <bytes> [<cas unique>]".
func valueLength(line []byte) (n int, ok bool) {
	for range 3 {
		space := bytes.IndexByte(line, ' ')
		if space < 0 {
			return 0, false
		}
		line = line[space+1:]
	}
	if space := bytes.IndexByte(line, ' '); space >= 0 {
		line = line[:space]
	}
	return number(line)
}
