package feed

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/matchd/matchd/engine/eventlog"
)

// ContentType is that of the stream.
const ContentType = "application/x-ndjson"

// MaxAnswer is about how large an answer is in bytes: it has no further record
// once it is as large. MaxWait is the longest that one is held.
const (
	MaxAnswer = 1 << 20
	MaxWait   = 20 * time.Second
)

// maxLine is more than the longest line: that of a record of eventlog.MaxBody.
const maxLine = eventlog.MaxBody/3*4 + 4096

// Header is the first line of an answer.
type Header struct {
	// Store is the name that the daemon has for the store, and Key the id of the
	// key of its hashes.
	Store, Key string
	Log        eventlog.ID
	eventlog.Extent
}

// headerLine is a header as JSON.
type headerLine struct {
	Store string    `json:"store"`
	Log   string    `json:"log"`
	Key   string    `json:"key,omitempty"`
	First uint64    `json:"first"`
	Last  uint64    `json:"last"`
	Time  time.Time `json:"time,omitzero"`
	Hash  string    `json:"hash,omitempty"`
	After string    `json:"after,omitempty"`
	Trim  *trimLine `json:"trim,omitempty"`
}

type trimLine struct {
	Seq    uint64 `json:"seq"`
	Hash   string `json:"hash"`
	Kept   uint64 `json:"kept"`
	Digest string `json:"digest"`
}

// Append appends the header's line.
func (h *Header) Append(dst []byte) []byte {
	line := headerLine{
		Store: h.Store, Log: h.Log.String(), Key: h.Key, First: h.Base.Seq + 1, Last: h.Last,
		Time: h.Time, Hash: shown(h.Head), After: shown(h.After),
	}
	if h.Base != (eventlog.Base{}) {
		line.Trim = &trimLine{h.Base.Trim, h.Base.Hash.String(), h.Base.Kept, h.Base.Digest.String()}
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(err) // of times beyond the year 9999, which no log has
	}
	return append(append(dst, text...), '\n')
}

// shown is a hash, or nothing of none.
func shown(h eventlog.Hash) string {
	if h == (eventlog.Hash{}) {
		return ""
	}
	return h.String()
}

func parseHeader(line []byte) (h Header, err error) {
	var l headerLine
	if err := json.Unmarshal(line, &l); err != nil {
		return h, errors.New("the first line is no header")
	}
	h.Store, h.Key, h.Last, h.Time = l.Store, l.Key, l.Last, l.Time
	err = errors.Join(unhex(h.Log[:], l.Log, "log"), optional(h.Head[:], l.Hash, "hash"), optional(h.After[:], l.After, "after"))
	if t := l.Trim; t != nil {
		h.Base = eventlog.Base{Seq: l.First - 1, Kept: t.Kept, Trim: t.Seq}
		err = errors.Join(err, unhex(h.Base.Hash[:], t.Hash, "trim: hash"), unhex(h.Base.Digest[:], t.Digest, "trim: digest"))
	}
	if err == nil && (l.First == 0 || l.Trim == nil && l.First != 1 || l.Last < l.First-1 || (l.Last == 0) != (h.Head == eventlog.Hash{})) {
		err = errors.New("first and last are none of a log")
	}
	if err != nil {
		return Header{}, fmt.Errorf("the header: %w", err)
	}
	return h, nil
}

// kinds are the names of kinds of records, by their numbers.
var kinds = [...]string{"", "event", "gap", "trim", "note"}

// AppendRecord appends a record's line.
func AppendRecord(dst []byte, s *eventlog.Sealed) []byte {
	dst = fmt.Appendf(dst, `{"seq":%d,"time":"`, s.Seq)
	dst = s.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(append(dst, `","kind":"`...), kinds[s.Kind]...)
	if s.Token != [16]byte{} {
		dst = hex.AppendEncode(append(dst, `","token":"`...), s.Token[:])
	}
	dst = hex.AppendEncode(append(dst, `","commitment":"`...), s.Commitment[:])
	dst = hex.AppendEncode(append(dst, `","hash":"`...), s.Hash[:])
	if s.Kept {
		dst = hex.AppendEncode(append(dst, `","prev":"`...), s.Prev[:])
	}
	if !s.Redacted {
		dst = hex.AppendEncode(append(dst, `","digest":"`...), s.Digest[:])
		dst = hex.AppendEncode(append(dst, `","salt":"`...), s.Salt)
		dst = base64.StdEncoding.AppendEncode(append(dst, `","body":"`...), s.Body)
	}
	return append(dst, '"', '}', '\n')
}

// recordLine is a record as JSON.
type recordLine struct {
	Seq        uint64    `json:"seq"`
	Time       time.Time `json:"time"`
	Kind       string    `json:"kind"`
	Token      string    `json:"token"`
	Commitment string    `json:"commitment"`
	Hash       string    `json:"hash"`
	Prev       *string   `json:"prev"`
	Digest     string    `json:"digest"`
	Salt       string    `json:"salt"`
	Body       []byte    `json:"body"`
}

// parseRecord reads a record's line. Of one that is not kept, Prev is empty.
func parseRecord(line []byte) (s eventlog.Sealed, err error) {
	var l recordLine
	if err := json.Unmarshal(line, &l); err != nil {
		return s, errors.New("a line is no record")
	}
	s.Seq, s.Time = l.Seq, l.Time.UTC()
	kind := slices.Index(kinds[:], l.Kind)
	if kind <= 0 {
		return s, fmt.Errorf("record %d is of a kind that is not known here", l.Seq)
	}
	s.Kind = eventlog.Kind(kind)
	err = errors.Join(optional(s.Token[:], l.Token, "token"), unhex(s.Commitment[:], l.Commitment, "commitment"), unhex(s.Hash[:], l.Hash, "hash"))
	if l.Prev != nil {
		s.Kept = true
		err = errors.Join(err, unhex(s.Prev[:], *l.Prev, "prev"))
	}
	if l.Salt == "" {
		if s.Redacted = true; l.Digest != "" || l.Body != nil {
			err = errors.Join(err, errors.New("there is no salt"))
		}
	} else {
		if s.Salt, s.Body = make([]byte, len(l.Salt)/2), l.Body; l.Body == nil {
			s.Body = []byte{}
		}
		err = errors.Join(err, unhex(s.Salt, l.Salt, "salt"), unhex(s.Digest[:], l.Digest, "digest"))
	}
	if err != nil {
		return s, fmt.Errorf("record %d: %w", l.Seq, err)
	}
	return s, nil
}

// unhex reads as many bytes as there are.
func unhex(into []byte, text, what string) error {
	if len(text) != hex.EncodedLen(len(into)) {
		return fmt.Errorf("%s is not of %d hexadecimal digits", what, hex.EncodedLen(len(into)))
	}
	if _, err := hex.Decode(into, []byte(text)); err != nil {
		return fmt.Errorf("%s is not hexadecimal", what)
	}
	return nil
}

// optional is unhex, or nothing where there is nothing.
func optional(into []byte, text, what string) error {
	if text == "" {
		return nil
	}
	return unhex(into, text, what)
}
