package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
)

// Version is that of the format; FORMAT.md has it byte by byte.
const Version = 1

// Hash is a SHA-256.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// ID names a log.
type ID [16]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (id ID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// Token tells entries apart: of two with one token the second is not written.
type Token [16]byte

// Kind says what a record is.
type Kind uint8

// The kinds.
const (
	// Whole records have their entry.
	Whole Kind = iota + 1
	// Redacted ones have lost it, and keep what the chain takes.
	Redacted
	// Lost says that the records from its body's first number to its second
	// were lost with a torn tail.
	Lost
)

// A Record is one entry in the log.
type Record struct {
	// Seq counts from 1.
	Seq uint64
	// Time is when it was written, in Unix nanoseconds; it never goes back.
	Time int64
	Kind Kind
	// Hash is over the record and the hash of the one before.
	Hash Hash
	// Body is the entry's; empty where it was redacted. It must not be kept or
	// changed where a callback gets it.
	Body []byte

	salt       [saltSize]byte
	commitment Hash
}

// When is the record's time.
func (r *Record) When() time.Time { return time.Unix(0, r.Time).UTC() }

const (
	saltSize = 16
	// recordHead is version, kind, time and hash.
	recordHead = 1 + 1 + 8 + sha256.Size
)

var errRecord = errors.New("it is no record of version 1")

// append appends the record's value to dst.
func (r *Record) append(dst []byte) []byte {
	dst = append(dst, Version, byte(r.Kind))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Time))
	dst = append(dst, r.Hash[:]...)
	if r.Kind == Redacted {
		return append(dst, r.commitment[:]...)
	}
	return append(append(dst, r.salt[:]...), r.Body...)
}

// decode reads a value; Body lies in it.
func (r *Record) decode(seq uint64, value []byte) error {
	if len(value) < recordHead+saltSize || value[0] != Version {
		return errRecord
	}
	r.Seq, r.Kind = seq, Kind(value[1])
	r.Time = int64(binary.LittleEndian.Uint64(value[2:]))
	r.Hash = Hash(value[10:])
	rest := value[recordHead:]
	r.Body, r.commitment, r.salt = nil, Hash{}, [saltSize]byte{}
	switch r.Kind {
	case Redacted:
		if len(rest) != sha256.Size {
			return errRecord
		}
		r.commitment = Hash(rest)
	case Whole, Lost:
		r.salt, r.Body = [saltSize]byte(rest), rest[saltSize:]
		if r.Kind == Lost && len(r.Body) != 16 {
			return errRecord
		}
	default:
		return errRecord
	}
	return nil
}

// commit computes what the chain takes of an entry: with the salt gone, nobody
// can find out by guessing what it was.
func (r *Record) commit(buf []byte) []byte {
	if r.Kind != Redacted {
		buf = append(append(append(buf[:0], entryKind(r.Kind)), r.salt[:]...), r.Body...)
		r.commitment = sha256.Sum256(buf)
	}
	return buf
}

// entryKind is the kind that a record was written with.
func entryKind(k Kind) byte {
	if k == Lost {
		return byte(Lost)
	}
	return byte(Whole)
}

// chained is the hash of a record, given that of the one before.
func (r *Record) chained(before Hash) Hash {
	var b [2*sha256.Size + 16]byte
	copy(b[:], before[:])
	binary.LittleEndian.PutUint64(b[sha256.Size:], r.Seq)
	binary.LittleEndian.PutUint64(b[sha256.Size+8:], uint64(r.Time))
	copy(b[sha256.Size+16:], r.commitment[:])
	return sha256.Sum256(b[:])
}

// first is the hash before the first record of a log.
func (id ID) first() Hash { return sha256.Sum256(append([]byte("matchd event log 1\x00"), id[:]...)) }

// lost are the numbers that a record of kind Lost names.
func (r *Record) lost() (from, to uint64) {
	return binary.LittleEndian.Uint64(r.Body), binary.LittleEndian.Uint64(r.Body[8:])
}

// Keys of the store.
const (
	entryKey = 'e' // and the sequence number, big-endian: a record
	tokenKey = 't' // and a token: the sequence number and the digest of its entry
	metaKey  = "m" // the log's id
)

func entryAt(seq uint64) []byte { return binary.BigEndian.AppendUint64([]byte{entryKey}, seq) }

func tokenAt(t Token) []byte { return append([]byte{tokenKey}, t[:]...) }
