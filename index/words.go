package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"
)

// LineSize is the unit of filter and table, in bytes: one cache line.
const LineSize = 64

const wordsPerLine = LineSize / 8

var errByteOrder = errors.New("this machine is big-endian: snapshots are laid out for little-endian ones")

// wordsOf views b as 64-bit little-endian words without a copy. It is the one
// use of unsafe in this package; its rules: b is a whole number of lines, its
// start is aligned to eight bytes, the machine is little-endian, and the view
// is not used once the memory of b is gone.
func wordsOf(b []byte) ([]uint64, error) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return nil, errByteOrder
	}
	if len(b) == 0 || len(b)%LineSize != 0 {
		return nil, fmt.Errorf("%d bytes are not a whole number of %d-byte lines", len(b), LineSize)
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(p)%8 != 0 {
		return nil, errors.New("lines do not start at a multiple of eight bytes")
	}
	return unsafe.Slice((*uint64)(p), len(b)/8), nil
}

// bytesOf lays words out in little-endian order.
func bytesOf(words []uint64) []byte {
	b := make([]byte, 8*len(words))
	for i, w := range words {
		binary.LittleEndian.PutUint64(b[8*i:], w)
	}
	return b
}
