package server

import "bytes"

// header is what the server needs of a request's header.
type header struct {
	authorization []byte
	gpc           []byte // Sec-GPC, if gpcs is not 0
	gpcs          int
	gpcConflict   bool // several that differ
	encoded       bool // there is a Content-Encoding
	unmet         bool // it expects something else than 100-continue
}

// readHeader reads a request's header fields, as they came, in one pass, and
// reports whether they can be read in one way only. fasthttp takes fields that
// hold both a Content-Length and a Transfer-Encoding, ignores
// "Transfer-Encoding: identity", and takes folded lines, bare line feeds and
// names with spaces; a proxy in front may see the end of such a request
// elsewhere, and what one of the two takes for a body the other takes for the
// next request (RFC 9112, section 11.2). So all of it is refused among the
// fields, and two keys in one request too. What stands outside of them is read
// as fasthttp reads it: a request line that ends in a bare line feed, empty
// lines before it, and the extensions and trailers of a chunked body.
//
// fasthttp gives the handler no say before the body was read, so the check
// comes after that; the connection is closed with the refusal, and what
// follows on it never runs.
func readHeader(raw []byte) (h header, sound bool) {
	if len(raw) == 0 {
		return h, true
	}
	returns := bytes.Count(raw, []byte{'\r'})
	var hosts, keys, lengths, codings int
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, '\n')
		if end < 1 || raw[end-1] != '\r' {
			return h, false
		}
		line := raw[:end-1]
		raw = raw[end+1:]
		returns--
		if len(line) == 0 {
			// Each carriage return was one at the end of a line.
			return h, len(raw) == 0 && returns == 0 && hosts <= 1 && keys <= 1 && lengths+codings <= 1
		}
		n := nameLength(line)
		if n < 1 {
			return h, false
		}
		name, value := line[:n], line[n+1:]
		switch n {
		case len("Host"):
			hosts += count(name, "Host")
		case len("Expect"):
			if count(name, "Expect") > 0 {
				h.unmet = h.unmet || len(trim(value)) > 0 && !bytes.EqualFold(trim(value), []byte("100-continue"))
			}
		case len("Sec-GPC"):
			if count(name, "Sec-GPC") > 0 {
				h.gpcConflict = h.gpcConflict || h.gpcs > 0 && !bytes.Equal(h.gpc, trim(value))
				h.gpc = trim(value)
				h.gpcs++
			}
		case len("Authorization"):
			if count(name, "Authorization") > 0 {
				keys++
				h.authorization = trim(value)
			}
		case len("Content-Length"):
			if count(name, "Content-Length") > 0 {
				if lengths++; !digits(trim(value)) {
					return h, false
				}
			}
		case len("Content-Encoding"):
			if count(name, "Content-Encoding") > 0 {
				h.encoded = h.encoded || len(trim(value)) > 0
			}
		case len("Transfer-Encoding"):
			if count(name, "Transfer-Encoding") > 0 {
				if codings++; !bytes.EqualFold(trim(value), []byte("chunked")) {
					return h, false
				}
			}
		}
	}
	return h, false // it must end in an empty line
}

// nameLength is the length of the name that a line begins with, or -1 where
// there is no colon, or white space or a control character before it.
func nameLength(line []byte) int {
	n := bytes.IndexByte(line, ':')
	for i := range n {
		if line[i] <= ' ' {
			return -1
		}
	}
	return n
}

// trim drops the white space that may stand around a value.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// count is 1 where a header has the name, in any case.
func count(name []byte, want string) int {
	for i, c := range name {
		if c|0x20 != want[i]|0x20 {
			return 0
		}
	}
	return 1
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}
