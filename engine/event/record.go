package event

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Version is that of the encoding; FORMAT.md has it byte by byte.
const Version = 1

// ErrRecord says that bytes are no change, or not in the way that
// [Bound.Append] writes it.
var ErrRecord = errors.New("it is no change of version 1")

// Append appends the encoding of a change to dst. Equal changes have equal
// encodings.
func (b *Bound) Append(dst []byte) []byte {
	dst = append(dst, Version, byte(b.Type))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(b.At))
	dst = appendText(dst, b.Client)
	switch b.Type {
	case Link, Unlink:
		dst = append(dst, byte(b.Method))
		dst = appendText(appendText(dst, b.Left), b.Right)
	case SegmentAdd, SegmentRemove:
		dst = appendText(appendText(dst, b.Subject), b.Segment)
		dst = binary.AppendUvarint(dst, uint64(b.Until))
	case Consent:
		granted := byte(0)
		if b.Granted {
			granted = 1
		}
		dst = appendText(dst, b.Subject)
		dst = append(dst, granted, byte(b.Purposes))
		dst = binary.AppendUvarint(dst, uint64(b.Until))
	default:
		ofCustomer := byte(0)
		if b.OfCustomer {
			ofCustomer = 1
		}
		dst = appendHash(append(appendText(appendText(dst, b.Tenant), b.Key), ofCustomer), b.Hash)
		if b.Type == Erase {
			dst = appendHashes(dst, b.Contacts)
		}
		if b.Normalised != "" || len(b.Former) > 0 {
			dst = appendText(dst, b.Normalised)
		}
		if len(b.Former) > 0 {
			dst = appendHashes(dst, b.Former)
		}
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendHash(dst []byte, h index.Hash) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, h.Hi), h.Lo)
}

func appendHashes(dst []byte, list []index.Hash) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, h := range list {
		dst = appendHash(dst, h)
	}
	return dst
}

// Decode decodes what [Bound.Append] wrote, all of it. The error wraps
// [ErrRecord].
func Decode(body []byte) (Bound, error) {
	r := reader{b: body}
	var b Bound
	if r.byte(Version) != Version {
		return b, fmt.Errorf("%w: another version", ErrRecord)
	}
	b.Type = Type(r.byte(byte(types - 1)))
	b.At = int64(r.word())
	b.Client = r.text()
	switch b.Type {
	case Link, Unlink:
		b.Method = snapshot.Method(r.byte(byte(snapshot.Inferred)))
		b.Left, b.Right = r.text(), r.text()
		r.failed = r.failed || b.Left >= b.Right
	case SegmentAdd, SegmentRemove:
		b.Subject, b.Segment = r.text(), r.text()
		b.Until = r.seconds()
	case Consent:
		b.Subject = r.text()
		b.Granted = r.byte(1) == 1
		b.Purposes = snapshot.Purposes(r.byte(byte(snapshot.Use | snapshot.Share)))
		b.Until = r.seconds()
	case OptOut, OptIn, Erase:
		b.Tenant, b.Key = r.text(), r.text()
		b.OfCustomer = r.byte(1) == 1
		b.Hash = r.hash()
		if b.Type == Erase {
			b.Contacts = r.hashes()
		}
		if len(r.b) > 0 {
			b.Normalised = r.text()
			r.failed = r.failed || b.Normalised != "" && b.Type == OptIn || b.Normalised == "" && len(r.b) == 0
		}
		if len(r.b) > 0 {
			b.Former = r.hashes()
			r.failed = r.failed || len(b.Former) == 0
		}
	default:
		r.failed = true
	}
	if r.failed || len(r.b) > 0 || b.At == 0 {
		return Bound{}, ErrRecord
	}
	return b, nil
}

// TypeOf is the type of a change, by its encoding alone, and 0 of what is none.
func TypeOf(body []byte) Type {
	if len(body) < 2 || body[0] != Version || Type(body[1]) >= types {
		return 0
	}
	return Type(body[1])
}

// reader reads fields, until one is not there.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n uint64) []byte {
	if r.failed || n > uint64(len(r.b)) {
		r.failed = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// byte reads one that is at most a bound.
func (r *reader) byte(most byte) byte {
	b := r.take(1)
	if b == nil || b[0] > most {
		r.failed = true
		return 0
	}
	return b[0]
}

func (r *reader) word() uint64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// uvarint reads a number in its shortest form.
func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.failed || n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.failed = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) seconds() int64 {
	v := r.uvarint()
	r.failed = r.failed || v > 1<<62
	return int64(v)
}

func (r *reader) text() string { return string(r.take(r.uvarint())) }

func (r *reader) hash() (h index.Hash) {
	h.Hi = r.word()
	h.Lo = r.word()
	return h
}

// hashes reads a list that ascends.
func (r *reader) hashes() (list []index.Hash) {
	n := r.uvarint()
	if n > uint64(len(r.b))/16 {
		r.failed = true
		return nil
	}
	for i := range n {
		list = append(list, r.hash())
		r.failed = r.failed || i > 0 && !list[i-1].Less(list[i])
	}
	return list
}
