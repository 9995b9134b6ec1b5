package snapshot

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	mathbits "math/bits"

	"github.com/matchd/matchd/index"
)

// A hot record is 8-byte aligned; its head is its check and the length of its
// body, both 32 bits. FORMAT.md, "Hot records", gives the body.
const (
	recordAlign = 8
	recordHead  = 8
	// MaxRecord is the longest body of a hot record, in bytes.
	MaxRecord = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// place is where a record or a cold block is. Its check is mixed with it, so
// that bytes of another place or another snapshot do not pass for its own.
type place struct {
	snapshot ID
	shard    uint32
	at       uint64
}

// check is the CRC-32C of b, xor the upper half of a mix of the place.
func (p place) check(b []byte) uint32 {
	x := mix(binary.LittleEndian.Uint64(p.snapshot[:]) ^ uint64(p.shard)<<48 ^ p.at)
	return crc32.Checksum(b, castagnoli) ^ uint32(x>>32)
}

// mix is the finaliser of MurmurHash3, by Austin Appleby, but for its last
// step, which changes nothing in the upper half.
func mix(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	return (x ^ x>>33) * 0xc4ceb9fe1a85ec53
}

func appendUvarint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

// appendRecord appends the hot record of p, which is to lie at pl, with its
// head and padding. The offset at which it starts must be aligned.
func appendRecord(dst []byte, p *Person, l *layout, pl place, cold coldRef) ([]byte, error) {
	start := len(dst)
	dst = append(dst, make([]byte, recordHead)...)
	dst = append(dst, p.ID[:]...)
	dst = binary.AppendVarint(dst, p.Born)
	dst = appendUvarint(dst, uint64(len(p.Nodes)))
	dst = appendUvarint(dst, uint64(len(p.Spares)))
	dst = appendUvarint(dst, uint64(len(p.Profiles)))
	dst = appendUvarint(dst, uint64(cold.block))
	dst = appendUvarint(dst, uint64(cold.offset))
	for i := range p.Nodes {
		dst = index.AppendConfirm(dst, p.Nodes[i].Hash)
	}
	dst = appendNodes(dst, p, l)
	for i := range p.Profiles {
		dst = appendProfile(dst, &p.Profiles[i])
	}
	body := len(dst) - start - recordHead
	if body > MaxRecord {
		return dst[:start], errors.New("the person has too many identifiers, profiles or segments for one record")
	}
	binary.LittleEndian.PutUint32(dst[start+4:], uint32(body))
	binary.LittleEndian.PutUint32(dst[start:], pl.check(dst[start+4:]))
	return append(dst, make([]byte, -(len(dst)-start)&(recordAlign-1))...), nil
}

func appendNodes(dst []byte, p *Person, l *layout) []byte {
	parentBits := parentBits(len(p.Nodes))
	pack := packer{b: dst}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		pack.put(n.Parent, parentBits)
		pack.put(uint32(n.Namespace), l.namespaceBits)
		pack.put(uint32(n.Method), methodBits)
		pack.put(uint32(l.newest-n.Seen), l.ageBits)
		pack.put(uint32(n.Source), l.sourceBits)
	}
	pack.align() // spares begin at a byte
	for i := range p.Spares {
		s := &p.Spares[i]
		pack.put(s.A, parentBits)
		pack.put(s.B, parentBits)
		pack.put(uint32(s.Method), methodBits)
		pack.put(uint32(l.newest-s.Seen), l.ageBits)
	}
	pack.align()
	return pack.b
}

const methodBits = 2

func parentBits(nodes int) int { return mathbits.Len(uint(nodes - 1)) }

// Record is a decoded hot record. It lies in the buffer it was read into.
type Record struct {
	ID PersonID
	// Born is when the person was first built, in Unix seconds.
	Born int64

	layout     *layout
	nodes      int
	spares     int
	profiles   int
	parentBits int
	cold       coldRef
	confirms   []byte
	nodeBits   []byte
	spareBits  []byte
	rest       []byte // profiles
}

// parse decodes a body whose check was right. What it accepts can be read
// without further errors but for profiles, which a ProfileReader decodes.
func (r *Record) parse(body []byte, l *layout) error {
	id, at := part(body, 0, uint64(len(r.ID)))
	born, at := number(body, at)
	nodes, at := number(body, at)
	spares, at := number(body, at)
	profiles, at := number(body, at)
	block, at := number(body, at)
	offset, at := number(body, at)
	if at > len(body) || nodes == 0 || max(nodes, spares, profiles) > MaxRecord || max(block, offset) > math.MaxUint32 {
		return errShort
	}
	r.ID, r.Born, r.cold = PersonID(id), unzigzag(born), coldRef{uint32(block), uint32(offset)}
	r.layout, r.nodes, r.spares, r.profiles = l, int(nodes), int(spares), int(profiles)
	r.parentBits = parentBits(r.nodes)
	nodeWidth := r.parentBits + l.namespaceBits + methodBits + l.ageBits + l.sourceBits
	spareWidth := 2*r.parentBits + methodBits + l.ageBits
	r.confirms, at = part(body, at, nodes*index.ConfirmSize)
	r.nodeBits, at = part(body, at, (nodes*uint64(nodeWidth)+7)/8)
	r.spareBits, at = part(body, at, (spares*uint64(spareWidth)+7)/8)
	if at > len(body) {
		return errShort
	}
	r.rest = body[at:]
	return nil
}

// Len is the number of identifiers.
func (r *Record) Len() int { return r.nodes }

// Find returns the place of the identifier with hash h, confirmed on all 128
// bits together with the table entry that led here, or -1.
func (r *Record) Find(h index.Hash) int { return index.Confirm(r.confirms, h) }

// Confirms returns what confirms the identifiers, one after the other, see
// [index.AppendConfirm].
func (r *Record) Confirms() []byte { return r.confirms }

// Confirm returns what confirms identifier i, below Len: the Lo of its hash and
// the low byte of Hi; see [index.AppendConfirm].
func (r *Record) Confirm(i int) (lo uint64, hi byte) {
	c := r.confirms[i*index.ConfirmSize:][:index.ConfirmSize]
	return binary.LittleEndian.Uint64(c), c[8]
}

// RecordNode is an identifier of a record: see [Node].
type RecordNode struct {
	Parent    int
	Namespace index.NamespaceID
	Method    Method
	Source    uint16
	Seen      Day
}

// Node returns identifier i, below Len. In a damaged record a parent may not
// stand before its child; see [Snapshot.Verify].
func (r *Record) Node(i int) RecordNode {
	l := r.layout
	at := i * (r.parentBits + l.namespaceBits + methodBits + l.ageBits + l.sourceBits)
	// Two words, since all fields together may be longer than one.
	parent, w := take(bitsAt(r.nodeBits, at), r.parentBits)
	namespace, _ := take(w, l.namespaceBits)
	method, w := take(bitsAt(r.nodeBits, at+r.parentBits+l.namespaceBits), methodBits)
	age, w := take(w, l.ageBits)
	source, _ := take(w, l.sourceBits)
	return RecordNode{
		Parent:    int(parent),
		Namespace: index.NamespaceID(namespace),
		Method:    Method(method),
		Seen:      l.newest - Day(age),
		Source:    uint16(source),
	}
}

// Spares is the number of links beside the tree.
func (r *Record) Spares() int { return r.spares }

// Spare returns link i beside the tree, below Spares.
func (r *Record) Spare(i int) Spare {
	l := r.layout
	at := i * (2*r.parentBits + methodBits + l.ageBits)
	a, w := take(bitsAt(r.spareBits, at), r.parentBits)
	b, _ := take(w, r.parentBits)
	method, w := take(bitsAt(r.spareBits, at+2*r.parentBits), methodBits)
	age, _ := take(w, l.ageBits)
	return Spare{A: a, B: b, Method: Method(method), Seen: l.newest - Day(age)}
}

// Profiles returns a reader of the profiles, in the order of their answers.
func (r *Record) Profiles() ProfileReader {
	return ProfileReader{b: r.rest, left: r.profiles, nodes: r.nodes, layout: r.layout}
}
