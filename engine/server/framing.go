package server

import "bytes"

// soundHeader reports whether a request's header, as it came, can be read in
// one way only. fasthttp takes a request that has both a Content-Length and a
// Transfer-Encoding, ignores "Transfer-Encoding: identity", and takes folded
// lines, bare line feeds and names with spaces; a proxy in front may see the
// end of such a request elsewhere, and what one of the two takes for a body
// the other takes for the next request (RFC 9112, section 11.2). So all of it
// is refused, and two keys in one request too.
//
// fasthttp gives the handler no say before the body was read, so the check
// comes after that; the connection is closed with the refusal, and what
// follows on it never runs.
func soundHeader(raw []byte) bool {
	if len(raw) == 0 {
		return true
	}
	var hosts, keys, lengths, codings int
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, '\n')
		if end < 1 || raw[end-1] != '\r' {
			return false
		}
		line := raw[:end-1]
		raw = raw[end+1:]
		if len(line) == 0 {
			return len(raw) == 0 && hosts <= 1 && keys <= 1 && lengths+codings <= 1
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 1 || line[0] == ' ' || line[0] == '\t' {
			return false
		}
		name, value := line[:colon], line[colon+1:]
		if bytes.IndexByte(name, ' ') >= 0 || bytes.IndexByte(value, '\r') >= 0 {
			return false
		}
		switch len(name) {
		case len("Host"):
			hosts += count(name, "Host")
		case len("Authorization"):
			keys += count(name, "Authorization")
		case len("Content-Length"):
			if n := count(name, "Content-Length"); n > 0 {
				if lengths += n; !digits(bytes.Trim(value, " \t")) {
					return false
				}
			}
		case len("Transfer-Encoding"):
			if n := count(name, "Transfer-Encoding"); n > 0 {
				if codings += n; !bytes.EqualFold(bytes.Trim(value, " \t"), []byte("chunked")) {
					return false
				}
			}
		}
	}
	return false // it must end in an empty line
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
