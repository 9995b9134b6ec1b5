package eventlog

import (
	"encoding/binary"
	"math/bits"
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
	t.parts = append(t.parts, tokenPart{make([]uint64, size), size / 4 * 3})
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

// add adds the token of a record.
func (t *tokens) add(token *[16]byte, seq uint64) {
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

// tokenRuns adds many tokens to a part that has room for them. They wait in
// runs, by where they go, so that a run's are put next to each other: one by
// one, each would wait for memory.
type tokenRuns struct {
	part  *tokenPart
	room  int // for tokens that do not wait yet
	shift int // of a place, to its run
	runs  [tokenRunCount][]waiting
}

// waiting is a token that is to be added.
type waiting struct{ hash, seq uint64 }

const (
	tokenRunCount  = 1 << tokenRunBits
	tokenRunBits   = 7
	tokenRunLength = 128
)

// expect makes room for n tokens, and returns what adds them.
func (t *tokens) expect(n int) *tokenRuns {
	t.grow(n)
	p := &t.parts[len(t.parts)-1]
	return &tokenRuns{part: p, room: p.room, shift: max(0, bits.Len(uint(len(p.slots)-1))-tokenRunBits)}
}

// add adds the tokens of records, those that have one. More than were expected
// are left out where there is no room: a log that has more records than it says is
// refused.
func (r *tokenRuns) add(list []stored) {
	mask := uint64(len(r.part.slots) - 1)
	for i := range list {
		s := &list[i]
		if s.Token == ([16]byte{}) || r.room == 0 {
			continue
		}
		r.room--
		h := tokenHash(&s.Token)
		run := &r.runs[h&mask>>r.shift]
		if *run = append(*run, waiting{h, s.Seq}); len(*run) == tokenRunLength {
			r.drain(run)
		}
	}
}

func (r *tokenRuns) drain(run *[]waiting) {
	for _, w := range *run {
		r.part.add(w.hash, w.seq)
	}
	*run = (*run)[:0]
}

// end adds those that wait.
func (r *tokenRuns) end() {
	for i := range r.runs {
		r.drain(&r.runs[i])
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
