package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrCorrupt is wrapped by errors about a log that is not what was written.
var ErrCorrupt = errors.New("corrupt audit log")

// corrupt is an error about a line, counted from 1.
func corrupt(line int64, format string, args ...any) error {
	return fmt.Errorf("%w: line %d: %s", ErrCorrupt, line, fmt.Sprintf(format, args...))
}

// Summary is what a sound log holds.
type Summary struct {
	Entries int64 `json:"entries"`
	// Head is the hash of the last entry; of an empty log, [Genesis].
	Head Hash `json:"head"`
	// Torn is how many bytes an append that was cut short left at the end.
	Torn int64 `json:"torn"`
}

// Verify reads a whole log and checks every line and its place in the chain.
// The error names the first line that is not sound; the summary is of the
// lines before it. Each record is given to each, if that is not nil, with its
// line, which is its until it returns; its error ends the reading.
func Verify(r io.Reader, each func(r Record, line []byte) error) (s Summary, err error) {
	s.Head = Genesis()
	in := bufio.NewReaderSize(r, MaxLine)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && torn(line):
			s.Torn = int64(len(line))
			return s, nil
		case errors.Is(err, io.EOF):
			return s, corrupt(s.Entries+1, "its end is missing, and not as if it had never been written")
		case errors.Is(err, bufio.ErrBufferFull):
			return s, corrupt(s.Entries+1, "it is longer than %d bytes", MaxLine)
		case err != nil:
			return s, err
		}
		line = line[:len(line)-1]
		record, err := s.next(line)
		if err == nil && each != nil {
			err = each(record, line)
		}
		if err != nil {
			return s, err
		}
	}
}

// next checks the next line, and counts it where it is sound.
func (s *Summary) next(line []byte) (Record, error) {
	n := s.Entries + 1
	r, err := decode(line)
	switch {
	case err != nil:
		return Record{}, corrupt(n, "%v", err)
	case r.Seq != n:
		return Record{}, corrupt(n, "it is entry %d", r.Seq)
	case r.Prev != s.Head:
		return Record{}, corrupt(n, "it does not follow the line before it")
	}
	s.Entries, s.Head = n, r.Hash
	return r, nil
}

// begin is how each entry begins.
const begin = `{"seq":`

// torn reports whether the bytes after the last line feed may be what a crash
// left of an entry. No crash leaves a whole entry with something else than a
// line feed after it, and another file is not to be taken for a log.
func torn(end []byte) bool {
	if len(end) >= MaxLine {
		return false
	}
	if len(bytes.Trim(end, "\x00")) == 0 {
		return true
	}
	if !bytes.HasPrefix(end, []byte(begin)) && !bytes.HasPrefix([]byte(begin), end) {
		return false
	}
	_, err := decode(end[:len(end)-1])
	return err != nil
}
