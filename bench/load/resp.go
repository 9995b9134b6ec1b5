package load

import (
	"errors"
	"fmt"
)

// RESP frames replies of the Redis protocol, version 2: bulk strings, simple
// strings, integers, nil, and arrays of them. An error, in an array too, is an
// error; of its text only the code is told, since the rest may repeat what was
// asked.
// https://redis.io/docs/latest/develop/reference/protocol-spec/
func RESP(b []byte) (n int, err error) {
	at := 0
	for left := 1; left > 0; left-- { // values; an array adds its own
		line, next, err := textLine(b, at)
		if next == 0 || err != nil {
			return 0, err
		}
		if len(line) == 0 {
			return 0, errors.New("redis: a reply has no type")
		}
		at = next
		switch kind, rest := line[0], line[1:]; kind {
		case '+':
		case '-':
			return 0, fmt.Errorf("redis: the reply is an error: %s", word(rest))
		case ':':
			if len(rest) > 0 && (rest[0] == '-' || rest[0] == '+') {
				rest = rest[1:]
			}
			if !digits(rest) {
				return 0, errors.New("redis: an integer is no number")
			}
		case '$', '*':
			if string(rest) == "-1" {
				continue // nil
			}
			n, ok := number(rest)
			if !ok {
				return 0, errors.New("redis: a length is no number")
			}
			if kind == '*' {
				left += n
				continue
			}
			whole, err := data(b, at, n)
			if whole == 0 || err != nil {
				return 0, err
			}
			at = whole
		default:
			return 0, errors.New("redis: a reply is of an unknown type")
		}
	}
	return at, nil
}
