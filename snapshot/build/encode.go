package build

import (
	"encoding/binary"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// partitions is how many parts everything is cut into by the first bits of a
// hash. It is fixed: what is numbered by it must not depend on the machine.
const (
	partitionBits = 10
	partitions    = 1 << partitionBits
)

func partitionOf(hi uint64) int { return int(hi >> (64 - partitionBits)) }

// Kinds of records that reading leaves. Each begins with an identifier and
// goes on with what is said of it.
const (
	recordID       = iota // nothing
	recordLink            // another identifier's hash, and how the two are linked
	recordRow             // the length of a row about the customer, and the row
	recordPrevious        // the person of the previous snapshot that it was in
	recordSegment         // live: a segment that the customer is in, or not
	recordConsent         // live: the customer's consent
	recordWithheld        // live: a tenant that the identifier, which is not named, is withheld from
)

// appendHead appends what is before what is said of an identifier: kind,
// namespace, hash, and the value with its length.
func appendHead(dst []byte, kind byte, ns index.NamespaceID, h index.Hash, value []byte) []byte {
	dst = append(dst, kind)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(ns))
	dst = appendHash(dst, h)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}

func appendHash(dst []byte, h index.Hash) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, h.Hi)
	return binary.LittleEndian.AppendUint64(dst, h.Lo)
}

func hashAt(b []byte) index.Hash {
	return index.Hash{Hi: binary.LittleEndian.Uint64(b), Lo: binary.LittleEndian.Uint64(b[8:])}
}

// decoder takes records apart that this package has put together. It trusts
// them: spill files have checksums.
type decoder struct{ b []byte }

func (d *decoder) more() bool { return len(d.b) > 0 }

func (d *decoder) u8() byte {
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) u16() uint16 {
	v := binary.LittleEndian.Uint16(d.b)
	d.b = d.b[2:]
	return v
}

func (d *decoder) u32() uint32 {
	v := binary.LittleEndian.Uint32(d.b)
	d.b = d.b[4:]
	return v
}

func (d *decoder) u64() uint64 {
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.b = d.b[n:]
	return v
}

func (d *decoder) hash() index.Hash { return index.Hash{Hi: d.u64(), Lo: d.u64()} }

func (d *decoder) bytes(n int) []byte {
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

// head is the beginning of a record.
type head struct {
	kind  byte
	ns    index.NamespaceID
	hash  index.Hash
	value []byte
}

func (d *decoder) head() head {
	h := head{kind: d.u8(), ns: index.NamespaceID(d.u16()), hash: d.hash()}
	h.value = d.bytes(int(d.u16()))
	return h
}

// linkTail is what a link record says after its first identifier.
type linkTail struct {
	other  index.Hash
	method snapshot.Method
	source uint16
	seen   snapshot.Day
}

const linkTailSize = 16 + 1 + 2 + 2

func appendLinkTail(dst []byte, l linkTail) []byte {
	dst = append(appendHash(dst, l.other), byte(l.method))
	dst = binary.LittleEndian.AppendUint16(dst, l.source)
	return binary.LittleEndian.AppendUint16(dst, uint16(l.seen))
}

func (d *decoder) linkTail() linkTail {
	return linkTail{other: d.hash(), method: snapshot.Method(d.u8()), source: d.u16(), seen: snapshot.Day(d.u16())}
}

// row is what one row of a profile file says of its customer.
type row struct {
	tenant   uint16
	kind     snapshot.Kind
	asOf     int64 // of its file, in Unix seconds
	seen     snapshot.Day
	consent  snapshot.ConsentState
	segments []uint32
}

func appendRow(dst []byte, r *row) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, r.tenant)
	dst = append(dst, byte(r.kind))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.asOf))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(r.seen))
	dst = appendConsent(dst, r.consent)
	return appendNumbers(dst, r.segments)
}

func (d *decoder) row() row {
	return row{
		tenant: d.u16(), kind: snapshot.Kind(d.u8()), asOf: int64(d.u64()), seen: snapshot.Day(d.u16()),
		consent: d.consent(), segments: d.numbers(nil),
	}
}

func appendConsent(dst []byte, c snapshot.ConsentState) []byte {
	dst = append(dst, byte(c.Purposes))
	dst = binary.AppendVarint(dst, c.At)
	return binary.AppendVarint(dst, c.Expires)
}

func (d *decoder) consent() snapshot.ConsentState {
	return snapshot.ConsentState{Purposes: snapshot.Purposes(d.u8()), At: d.varint(), Expires: d.varint()}
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	d.b = d.b[n:]
	return v
}

func appendNumbers(dst []byte, list []uint32) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, v := range list {
		dst = binary.AppendUvarint(dst, uint64(v))
	}
	return dst
}

func (d *decoder) numbers(dst []uint32) []uint32 {
	for range d.uvarint() {
		dst = append(dst, uint32(d.uvarint()))
	}
	return dst
}

// ancestor is a person of the previous snapshot.
type ancestor struct {
	id   snapshot.PersonID
	born int64
}

const ancestorSize = 16 + 8

func appendAncestor(dst []byte, a ancestor) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, a.id[:]...), uint64(a.born))
}

func (d *decoder) ancestor() ancestor {
	return ancestor{id: snapshot.PersonID(d.bytes(16)), born: int64(d.u64())}
}

// appendProfile encodes what all rows of a customer come to.
func appendProfile(dst []byte, p *profile) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, p.tenant)
	dst = append(dst, byte(p.kind))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(p.seen))
	dst = appendConsent(dst, p.consent)
	return appendNumbers(dst, p.segments)
}

func (d *decoder) profile() profile {
	return profile{
		tenant: d.u16(), kind: snapshot.Kind(d.u8()), seen: snapshot.Day(d.u16()),
		consent: d.consent(), segments: d.numbers(nil),
	}
}
