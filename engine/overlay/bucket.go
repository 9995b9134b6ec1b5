package overlay

import (
	"cmp"
	"encoding/binary"

	"github.com/matchd/matchd/index"
)

// A bucket is its number of entries (2 bytes), a head of 20 bytes for each,
// ascending by hash (Hi, Lo, and where the entry ends; Lo counts first), and the
// entries. An empty bucket is nil.
const (
	countSize = 2
	headSize  = 20
)

func count(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	return int(binary.LittleEndian.Uint16(b))
}

func headAt(b []byte, i int) []byte { return b[countSize+headSize*i:][:headSize] }

func hashAt(b []byte, i int) index.Hash {
	head := headAt(b, i)
	return index.Hash{Hi: binary.LittleEndian.Uint64(head), Lo: binary.LittleEndian.Uint64(head[8:])}
}

func endAt(b []byte, i int) int { return int(binary.LittleEndian.Uint32(headAt(b, i)[16:])) }

func startAt(b []byte, i int) int {
	if i == 0 {
		return 0
	}
	return endAt(b, i-1)
}

// entryAt is entry i of a bucket.
func entryAt(b []byte, i int) []byte {
	data := b[countSize+headSize*count(b):]
	to := endAt(b, i)
	return data[startAt(b, i):to:to]
}

// order is that of entries: by Lo, then by Hi.
func order(a, b index.Hash) int {
	return cmp.Or(cmp.Compare(a.Lo, b.Lo), cmp.Compare(a.Hi, b.Hi))
}

// search returns the place of the entry of h in a bucket, or where it would
// stand.
func search(b []byte, h index.Hash) (int, bool) {
	n := count(b)
	for i := range n {
		if x := hashAt(b, i); order(x, h) >= 0 {
			return i, x == h
		}
	}
	return n, false
}

func appendHead(dst []byte, h index.Hash, end int) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, h.Hi)
	dst = binary.LittleEndian.AppendUint64(dst, h.Lo)
	return binary.LittleEndian.AppendUint32(dst, uint32(end))
}

// replaced appends to dst the bucket b with the entry of h set, or removed where
// it is empty.
func replaced(dst, b []byte, h index.Hash, entry []byte) []byte {
	at, there := search(b, h)
	n, from, to := count(b), 0, 0
	if n > 0 {
		from = startAt(b, at)
		to = from
	}
	after := at
	if there {
		to = endAt(b, at)
		after++
	}
	m := at + n - after
	if len(entry) > 0 {
		m++
	}
	if m == 0 {
		return dst
	}
	dst = binary.LittleEndian.AppendUint16(dst, uint16(m))
	if at > 0 {
		dst = append(dst, b[countSize:countSize+headSize*at]...)
	}
	if len(entry) > 0 {
		dst = appendHead(dst, h, from+len(entry))
	}
	for i := after; i < n; i++ {
		dst = appendHead(dst, hashAt(b, i), endAt(b, i)-to+from+len(entry))
	}
	if n == 0 {
		return append(dst, entry...)
	}
	data := b[countSize+headSize*n:]
	return append(append(append(dst, data[:from]...), entry...), data[to:]...)
}

// part returns entries from up to to of a bucket as one of their own.
func part(b []byte, from, to int) []byte {
	if from == to {
		return nil
	}
	base := startAt(b, from)
	dst := make([]byte, 0, countSize+headSize*(to-from)+endAt(b, to-1)-base)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(to-from))
	for i := from; i < to; i++ {
		dst = appendHead(dst, hashAt(b, i), endAt(b, i)-base)
	}
	data := b[countSize+headSize*count(b):]
	return append(dst, data[base:endAt(b, to-1)]...)
}

// exact is a copy without room behind it.
func exact(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }
