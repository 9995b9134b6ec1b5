package index

import (
	"encoding/binary"
	"math/bits"
)

// MaxShardBits is the largest number of bits that choose a shard.
const MaxShardBits = 12

// Widths of the two lower groups of Hi; see the package's doc.
const (
	tableLineBits  = 28
	filterLineBits = 24
)

// Shard returns the shard of h where there are 2^shardBits of them.
func Shard(h Hash, shardBits int) int { return int(h.Hi >> (64 - shardBits)) }

// tableLine returns the home line of h in a table of that many lines.
func tableLine(h Hash, shardBits int, lines uint64) uint64 {
	return h.Hi << shardBits >> (64 - tableLineBits) * lines >> tableLineBits
}

// filterLine returns the line of h in a filter of that many lines.
func filterLine(h Hash, lines uint64) uint64 {
	return h.Hi & (1<<filterLineBits - 1) * lines >> filterLineBits
}

// ConfirmSize is how many bytes of a record confirm one identifier.
const ConfirmSize = 9

// confirmHiBits is how many low bits of Hi a record holds.
const confirmHiBits = 8

// impliedBits returns how many low bits of Hi a hash must be compared on,
// once its shard is known and its home line is one of displacement+1 lines in
// a row. The values of the 28-bit group that lead to those lines are a run of
// at most (displacement+1)*2^(28-floor(log2 lines)) numbers, and two numbers
// of a run no longer than 2^k that agree in their low k bits are one number.
func impliedBits(shardBits int, lines uint64, displacement uint32) int {
	return 64 - shardBits - (bits.Len64(lines) - 1) + bits.Len32(displacement)
}

// AppendConfirm appends what a record holds to confirm h: Lo, little-endian,
// and the low byte of Hi.
func AppendConfirm(dst []byte, h Hash) []byte {
	return append(binary.LittleEndian.AppendUint64(dst, h.Lo), byte(h.Hi))
}

// Confirm returns the place of h in confirms, the concatenation of what
// [AppendConfirm] made for each identifier of a record, or -1.
func Confirm(confirms []byte, h Hash) int {
	for i := 0; len(confirms) >= ConfirmSize; i++ {
		c := confirms[:ConfirmSize]
		lo := uint64(c[0]) | uint64(c[1])<<8 | uint64(c[2])<<16 | uint64(c[3])<<24 |
			uint64(c[4])<<32 | uint64(c[5])<<40 | uint64(c[6])<<48 | uint64(c[7])<<56
		if lo == h.Lo && c[8] == byte(h.Hi) {
			return i
		}
		confirms = confirms[ConfirmSize:]
	}
	return -1
}
