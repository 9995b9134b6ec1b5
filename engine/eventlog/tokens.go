package eventlog

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// tokens finds records by their tokens: an index in memory, of 11 to 22 bytes a
// token, that is made anew when a log is opened. It is right of where a record
// was added, and may name others, whose token is to be compared; nothing is
// ever taken out. It grows by parts, so that it never has to be built anew.
type tokens struct {
	parts []tokenPart
}

// tokenPart is a hash table with linear probing. A slot has 24 bits of a hash
// above a sequence number of 40, or 0.
type tokenPart struct {
	slots []uint64
	room  int // in tokens
}

const (
	seqBits = 40
	seqMask = 1<<seqBits - 1
)

// firstTokens are those that the first part holds, if no more are expected.
const firstTokens = 1 << 16

// grow adds a part for at least n tokens, which fill three quarters of it.
func (t *tokens) grow(n int) {
	size := max(4, 1<<bits.Len(uint(n+n/3)))
	p := tokenPart{make([]uint64, size), size / 4 * 3}
	// Huge before it is touched: slots lie all over it.
	adviseHuge(unsafe.Slice((*byte)(unsafe.Pointer(&p.slots[0])), 8*size))
	t.parts = append(t.parts, p)
}

// tokenHash is spread well, whatever tokens look like.
func tokenHash(token *[16]byte) uint64 {
	return mix(binary.LittleEndian.Uint64(token[:]) ^ mix(binary.LittleEndian.Uint64(token[8:])))
}

// mix is the finalizer of SplitMix64.
func mix(v uint64) uint64 {
	v += 0x9e3779b97f4a7c15
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
}

// add adds the token of a record, unless it has none: all of those would stand in
// one row, which each further one walks along.
func (t *tokens) add(token *[16]byte, seq uint64) {
	if *token == [16]byte{} {
		return
	}
	n := len(t.parts)
	if n == 0 || t.parts[n-1].room == 0 {
		more := firstTokens
		if n > 0 {
			more = len(t.parts[n-1].slots) * 2
		}
		t.grow(more)
		n++
	}
	t.parts[n-1].add(tokenHash(token), seq)
}

func (p *tokenPart) add(hash, seq uint64) {
	p.room--
	mask := uint64(len(p.slots) - 1)
	at := hash & mask
	for p.slots[at] != 0 {
		at = (at + 1) & mask
	}
	p.slots[at] = hash&^seqMask | seq&seqMask
}

// tokenAt is the hash of a record's token, and the record's number.
type tokenAt struct{ hash, seq uint64 }

// tokenFill adds many tokens to a part that has room for them.
type tokenFill struct {
	part *tokenPart
	// asked is of slots that were read only to have them in the core's cache.
	asked uint64
}

// expect makes room for n tokens, and returns what adds them.
func (t *tokens) expect(n int) *tokenFill {
	t.grow(n)
	return &tokenFill{part: &t.parts[len(t.parts)-1]}
}

// add adds the tokens of records. More than were expected are left out where
// there is no room: a log that has more records than it says is refused. Slots are
// asked for all at once, before any is needed: one by one, each would wait for
// memory.
func (f *tokenFill) add(list []tokenAt) {
	slots := f.part.slots
	mask := uint64(len(slots) - 1)
	asked := uint64(0)
	for i := range list {
		asked |= slots[list[i].hash&mask]
	}
	f.asked = asked
	for _, t := range list {
		if f.part.room > 0 {
			f.part.add(t.hash, t.seq)
		}
	}
}

// find calls f with the number of each record that may have a token, until it
// returns true.
func (t *tokens) find(token *[16]byte, f func(seq uint64) bool) {
	h := tokenHash(token)
	for i := range t.parts {
		slots := t.parts[i].slots
		mask := uint64(len(slots) - 1)
		for at := h & mask; slots[at] != 0; at = (at + 1) & mask {
			if slots[at]&^seqMask == h&^seqMask && f(slots[at]&seqMask) {
				return
			}
		}
	}
}
