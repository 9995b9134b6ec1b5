package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// String is the hash in lower-case hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ID names a log: 128 random bits, drawn when it is made.
type ID [16]byte

// String is the id in lower-case hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Kind says who wrote a record.
type Kind uint8

// Kinds of records. Gap and Trim are the log's own.
const (
	// Event is what was appended.
	Event Kind = iota + 1
	// Gap says that records were lost at the end of the log, see [Torn].
	Gap
	// Trim says up to where the log was trimmed, and what was kept.
	Trim
	// Note is what whoever has the log open says of it, see [Log.Note].
	Note
)

// Record is an entry as the log holds it.
type Record struct {
	// Seq counts from 1. Numbers are missing where the log was trimmed, and
	// those that a [Gap] names.
	Seq uint64
	// Time is when the log took it, UTC, by the clock of the process: it may
	// step back from one record to the next.
	Time time.Time
	Kind Kind
	// Token is that of the entry, zero of none.
	Token [16]byte
	// Body is nil once it is redacted. Who was handed a record keeps no slice
	// of it.
	Body     []byte
	Redacted bool
	// Commitment is the SHA-256 of a salt and the body. It stays when those are
	// redacted.
	Commitment Hash
	// Prev is the hash of the record before, and Hash of this one, see Chain.
	Prev, Hash Hash
}

// Chain is the hash that the record has after one of the hash prev: the SHA-256
// of prev, sequence, time, kind, token and commitment, see FORMAT.md.
func (r *Record) Chain(prev Hash) Hash {
	var b [chainSize]byte
	r.chain(&b, &prev)
	return sha256.Sum256(b[:])
}

// chain fills in what Chain is the hash of.
func (r *Record) chain(b *[chainSize]byte, prev *Hash) {
	n := copy(b[:], prev[:])
	binary.BigEndian.PutUint64(b[n:], r.Seq)
	binary.BigEndian.PutUint64(b[n+8:], uint64(r.Time.UnixNano()))
	b[n+16] = byte(r.Kind)
	n += 17
	n += copy(b[n:], r.Token[:])
	copy(b[n:], r.Commitment[:])
}

// Sizes in bytes, see FORMAT.md.
const (
	chainSize  = 32 + 8 + 8 + 1 + 16 + 32
	fixedSize  = 1 + 8 + 16 + 32 // flags, time, token, hash
	digestSize = 16
	saltSize   = 16
)

// Flags beside the kind in the first byte of a record.
const (
	kindMask     = 0x0f
	flagRedacted = 0x10
	flagKept     = 0x20
)

// stored is a record with what only the log needs of it.
type stored struct {
	Record
	// kept is of a record that a trimming kept: it brings its Prev.
	kept   bool
	digest [digestSize]byte
	// secret is salt and body, nil where they are redacted.
	secret []byte
}

// encode appends the value that the store has for the record.
func (s *stored) encode(b []byte) []byte {
	flags := byte(s.Kind)
	if s.Redacted {
		flags |= flagRedacted
	}
	if s.kept {
		flags |= flagKept
	}
	b = append(b, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Time.UnixNano()))
	b = append(b, s.Token[:]...)
	b = append(b, s.Hash[:]...)
	if s.kept {
		b = append(b, s.Prev[:]...)
	}
	if s.Redacted {
		return append(b, s.Commitment[:]...)
	}
	return append(append(b, s.digest[:]...), s.secret...)
}

var errShape = errors.New("it is not a record")

// decode reads a value. Of a record that is not kept, Prev is left to who
// knows the record before; Commitment is filled in by check. Slices are of v.
func (s *stored) decode(seq uint64, v []byte) error {
	*s = stored{}
	if len(v) < fixedSize {
		return errShape
	}
	flags := v[0]
	s.Seq, s.Kind = seq, Kind(flags&kindMask)
	s.Redacted, s.kept = flags&flagRedacted != 0, flags&flagKept != 0
	if flags&^(kindMask|flagRedacted|flagKept) != 0 || s.Kind < Event || s.Kind > Note || s.Redacted && s.Kind != Event {
		return errShape
	}
	s.Time = time.Unix(0, int64(binary.BigEndian.Uint64(v[1:]))).UTC()
	copy(s.Token[:], v[9:])
	copy(s.Hash[:], v[25:])
	v = v[fixedSize:]
	if s.kept {
		if len(v) < len(s.Prev) {
			return errShape
		}
		v = v[copy(s.Prev[:], v):]
	}
	switch {
	case s.Redacted && len(v) == len(s.Commitment):
		copy(s.Commitment[:], v)
	case !s.Redacted && len(v) >= saltSize+digestSize:
		s.secret = v[copy(s.digest[:], v):]
		s.Body = s.secret[saltSize:]
	default:
		return errShape
	}
	return nil
}

// decode returns the record of a value.
func decode(seq uint64, v []byte) (s stored, err error) {
	err = s.decode(seq, v)
	return s, err
}

// seal computes the commitment of a record that has its secret.
func (s *stored) seal() {
	if !s.Redacted {
		s.Commitment = sha256.Sum256(s.secret)
	}
}

// check computes the commitment and checks the hash, given Prev.
func (s *stored) check() error {
	s.seal()
	if s.Chain(s.Prev) != s.Hash {
		return fmt.Errorf("%w: record %d: what it holds is not what its hash says", ErrCorrupt, s.Seq)
	}
	return nil
}

// redact drops digest, salt and body.
func (s *stored) redact() {
	s.seal()
	s.Redacted, s.secret, s.Body, s.digest = true, nil, nil, [digestSize]byte{}
}
