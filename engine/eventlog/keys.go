package eventlog

import (
	"encoding/binary"
	"fmt"
)

// Version is the version of the format, see FORMAT.md.
const Version = 1

// Keys in the store. Those of records are their numbers after prefixRecord.
var (
	keyAbout = []byte{0, 'a'}
	keyBase  = []byte{0, 'b'}
	keyOwed  = []byte{0, 'o'}
	keyState = []byte{0, 's'}
)

const prefixRecord = 1

func recordKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixRecord}, seq)
}

func recordSeq(key []byte) (uint64, error) {
	if len(key) != 9 || key[0] != prefixRecord {
		return 0, fmt.Errorf("%w: key %x is not of a record", ErrCorrupt, key)
	}
	return binary.BigEndian.Uint64(key[1:]), nil
}

// about is what never changes of a log.
type about struct {
	version uint32
	id      ID
}

func (a about) encode() []byte {
	return append(binary.BigEndian.AppendUint32(nil, a.version), a.id[:]...)
}

func decodeAbout(v []byte) (a about, err error) {
	if len(v) != 20 {
		return a, fmt.Errorf("%w: the log's id is of %d bytes", ErrCorrupt, len(v))
	}
	a.version = binary.BigEndian.Uint32(v)
	copy(a.id[:], v[4:])
	return a, nil
}

// state is how far the log has come. Every commit writes it.
type state struct {
	// commit counts commits, from 1.
	commit uint64
	// seq and hash are of the last record; 0 and zero of none.
	seq  uint64
	hash Hash
}

const stateSize = 8 + 8 + 32

func (s state) encode(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, s.commit)
	b = binary.BigEndian.AppendUint64(b, s.seq)
	return append(b, s.hash[:]...)
}

func decodeState(v []byte) (s state, err error) {
	if len(v) != stateSize {
		return s, fmt.Errorf("%w: the log's state is of %d bytes", ErrCorrupt, len(v))
	}
	s.commit, s.seq = binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])
	copy(s.hash[:], v[16:])
	return s, nil
}

// base is where the whole chain begins: after the record seq, of that hash.
// Of those up to seq, some may have been kept by trimming.
type base struct {
	seq  uint64
	hash Hash
	// kept is how many were kept, and digest is of them, see keptDigest.
	kept   uint64
	digest Hash
}

const baseSize = 8 + 32 + 8 + 32

func (b base) encode() []byte {
	v := binary.BigEndian.AppendUint64(nil, b.seq)
	v = append(v, b.hash[:]...)
	v = binary.BigEndian.AppendUint64(v, b.kept)
	return append(v, b.digest[:]...)
}

func decodeBase(v []byte) (b base, err error) {
	if len(v) != baseSize {
		return b, fmt.Errorf("%w: what was trimmed is told in %d bytes", ErrCorrupt, len(v))
	}
	b.seq, b.kept = binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[40:])
	copy(b.hash[:], v[8:])
	copy(b.digest[:], v[48:])
	return b, nil
}

// span is a range of sequence numbers, both ends included; of none, to is
// from - 1.
type span struct{ from, to uint64 }

const spanSize = 16

func (s span) encode() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, s.from), s.to)
}

func decodeSpan(v []byte) (s span, err error) {
	if len(v) != spanSize {
		return s, fmt.Errorf("%w: a range of records is of %d bytes", ErrCorrupt, len(v))
	}
	return span{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])}, nil
}

// gapBody is what a [Gap] holds: the numbers that were lost, and what HEAD
// said of the last one.
func gapBody(lost span, head state) []byte { return head.encode(lost.encode()) }

func decodeGap(v []byte) (lost span, err error) {
	if len(v) != spanSize+stateSize {
		return lost, fmt.Errorf("%w: a gap is told in %d bytes", ErrCorrupt, len(v))
	}
	return decodeSpan(v[:spanSize])
}
