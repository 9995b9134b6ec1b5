package overlay

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"github.com/matchd/matchd/index"
)

// An entry is a run of items, ascending by kind and key, each key once:
//
//	kind (1 byte), length of the key (uvarint), key, value (by kind)
//
// Numbers in values are of 8 bytes, little-endian. A value begins with the
// sequence number of the change that made it what it is.
type kind uint8

const (
	kindText      kind = iota // key: the identifier's canonical text
	kindLink                  // key: the other's hash; at, linked and method
	kindSegment               // key: its code; at, until, added
	kindConsent               // no key; at, until, granted and purposes
	kindOptOut                // key: tenant; at, opted in
	kindErasure               // key: tenant; last erased at, last lifted at
	kindContact               // of a customer; key: the contact's hash
	kindContactOf             // of a contact; key: the customer's hash
	kinds
)

// valueSizes are the lengths of values, in bytes.
var valueSizes = [kinds]int{
	kindText: 0, kindLink: 17, kindSegment: 25, kindConsent: 25, kindOptOut: 17, kindErasure: 24, kindContact: 8, kindContactOf: 8,
}

// named are the kinds that a build needs the identifier's text for, and that an
// erasure cuts.
func (k kind) named() bool { return k == kindLink || k == kindSegment || k == kindConsent }

type item struct {
	kind  kind
	key   []byte
	value []byte
}

// first splits the first item off an entry that is not empty.
func first(entry []byte) (item, []byte) {
	n, size := uint64(entry[1]), 1
	if n >= 0x80 {
		n, size = binary.Uvarint(entry[1:])
	}
	from := 1 + size
	to := from + int(n)
	k := kind(entry[0])
	end := to + valueSizes[k]
	return item{k, entry[from:to:to], entry[to:end:end]}, entry[end:]
}

func (i item) word(n int) uint64 { return binary.LittleEndian.Uint64(i.value[8*n:]) }
func (i item) seq() uint64       { return i.word(0) }
func (i item) at() int64         { return int64(i.word(1)) }
func (i item) until() int64      { return int64(i.word(2)) }
func (i item) flags() byte       { return i.value[len(i.value)-1] }

// hash is the one that the key is.
func (i item) hash() index.Hash {
	return index.Hash{Hi: binary.BigEndian.Uint64(i.key), Lo: binary.BigEndian.Uint64(i.key[8:])}
}

// hashKey appends the key that a hash is: keys order as hashes do.
func hashKey(dst []byte, h index.Hash) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, h.Hi), h.Lo)
}

func appendItem(dst []byte, k kind, key, value []byte) []byte {
	dst = binary.AppendUvarint(append(dst, byte(k)), uint64(len(key)))
	return append(append(dst, key...), value...)
}

// find returns the value of an item, or nil, and the run of bytes that the item
// takes, or where it would stand.
func find(entry []byte, k kind, key []byte) (value []byte, from, to int) {
	for rest := entry; len(rest) > 0; {
		from := len(entry) - len(rest)
		var i item
		i, rest = first(rest)
		if i.kind < k {
			continue
		}
		switch c := cmp.Or(int(i.kind)-int(k), bytes.Compare(i.key, key)); {
		case c == 0:
			return i.value, from, len(entry) - len(rest)
		case c > 0:
			return nil, from, from
		}
	}
	return nil, len(entry), len(entry)
}

// keep appends to dst the items of an entry that a function tells to keep, and
// the text if an item is left that needs it.
func keep(dst, entry []byte, tell func(item) bool) []byte {
	start, texts, needed := len(dst), 0, false
	for rest := entry; len(rest) > 0; {
		before := rest
		var i item
		i, rest = first(rest)
		if i.kind != kindText && !tell(i) {
			continue
		}
		dst = append(dst, before[:len(before)-len(rest)]...)
		needed = needed || i.kind.named()
		if i.kind == kindText {
			texts = len(dst) - start // it comes first
		}
	}
	if !needed && texts > 0 {
		dst = append(dst[:start], dst[start+texts:]...)
	}
	return dst
}
