package eventlog

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
)

// hasher computes the SHA-256 of many short messages, one after the other. For
// one of a hundred bytes, sha256.Sum256 spends a quarter of its time on copying
// its state and padding the message. Here messages come padded already, whole
// blocks of 64 bytes, and the hash is the state after the last one, which the
// digest gives by its AppendBinary. A digest that gives it otherwise is not used.
type hasher struct {
	digest interface {
		hash.Hash
		encoding.BinaryAppender
	}
	state []byte
	chain [chainSize + chainPadding]byte // what a record is chained by, with its padding
}

// stateAt is where the hash stands in a digest's state.
const stateAt = 4

func newHasher() *hasher {
	h := &hasher{state: make([]byte, 0, 128)}
	copy(h.chain[chainSize:], appendPadding(nil, chainSize))
	d, ok := sha256.New().(interface {
		hash.Hash
		encoding.BinaryAppender
	})
	if h.digest = d; !ok || h.sum(h.chain[:], chainSize) != sha256.Sum256(h.chain[:chainSize]) {
		h.digest = nil
	}
	return h
}

// sum is the hash of the first size bytes of a message that is padded.
func (h *hasher) sum(padded []byte, size int) (sum Hash) {
	if h.digest == nil {
		return sha256.Sum256(padded[:size])
	}
	h.digest.Reset()
	_, _ = h.digest.Write(padded) // never fails
	var err error
	if h.state, err = h.digest.AppendBinary(h.state[:0]); err != nil || len(h.state) < stateAt+len(sum) {
		return sha256.Sum256(padded[:size])
	}
	copy(sum[:], h.state[stateAt:])
	return sum
}

// chained is [Record.Chain] after the record's Prev.
func (h *hasher) chained(r *Record) Hash {
	r.chain((*[chainSize]byte)(h.chain[:]), &r.Prev)
	return h.sum(h.chain[:], chainSize)
}

// Of the padding: a bit, zeros, and the length of the message in bits.
const (
	mostPadding  = 64 + 8
	chainPadding = 128 - chainSize
)

// appendPadding appends SHA-256's padding of a message of some bytes, see FIPS
// 180-4, 5.1.1.
func appendPadding(b []byte, size int) []byte {
	var zeros [64]byte
	b = append(b, 0x80)
	b = append(b, zeros[:(119-size%64)%64]...)
	return binary.BigEndian.AppendUint64(b, uint64(size)*8)
}
