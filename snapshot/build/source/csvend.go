package source

import "bytes"

// lastRowEnd returns the end of the last whole row of a CSV text, which starts
// where a row starts. At the end of the file what is left over is a row.
func lastRowEnd(text []byte, comma string, eof bool) int {
	if eof {
		return len(text)
	}
	at := 0
	for {
		quote := bytes.IndexByte(text[at:], '"')
		if quote < 0 {
			return at + bytes.LastIndexByte(text[at:], '\n') + 1
		}
		at += bytes.LastIndexByte(text[at:at+quote], '\n') + 1
		end := rowEnd(text[at:], comma)
		if end == 0 {
			return at
		}
		at += end
	}
}

// rowEnd returns the end of the first row of text, its line end included; 0
// where the text ends before it. It is where encoding/csv ends the row, also
// one that is malformed: that ends with the line in which it goes wrong.
func rowEnd(text []byte, comma string) int {
	at, end := 0, 0 // where a field starts, and the line ends
	for {
		if end <= at {
			if end = lineEnd(text, at); end == 0 {
				end = len(text) + 1 // the line may go on, but quotes before its end count
			}
		}
		line := text[at:min(end, len(text))]
		quote := bytes.IndexByte(line, '"')
		if quote < 0 || quote > 0 && !hasSuffix(line[:quote], comma) { // no quote, or inside a field
			if end > len(text) {
				return 0
			}
			return end
		}
		var done bool
		if at, done = quotedEnd(text, at+quote+1, comma); done {
			return at
		}
	}
}

// quotedEnd returns where the field after a quoted one starts, whose opening
// quote is before at; or, where there is none, the end of the row (done).
func quotedEnd(text []byte, at int, comma string) (end int, done bool) {
	for {
		quote := bytes.IndexByte(text[at:], '"')
		if quote < 0 {
			return 0, true
		}
		at += quote + 1
		rest := text[at:]
		switch {
		case hasPrefix(rest, `"`):
			at++
		case hasPrefix(rest, comma):
			return at + len(comma), false
		default: // the end of the line, or malformed up to there
			return lineEnd(text, at), true
		}
	}
}

// lineEnd returns where the line of a place ends, and 0 where the text ends
// before it.
func lineEnd(text []byte, at int) int {
	n := bytes.IndexByte(text[at:], '\n')
	if n < 0 {
		return 0
	}
	return at + n + 1
}

func hasPrefix(text []byte, prefix string) bool {
	return len(text) >= len(prefix) && string(text[:len(prefix)]) == prefix
}

func hasSuffix(text []byte, suffix string) bool {
	return len(text) >= len(suffix) && string(text[len(text)-len(suffix):]) == suffix
}
