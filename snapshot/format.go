package snapshot

import (
	"encoding/binary"
	"fmt"

	"github.com/zeebo/xxh3"
)

// Versions of the format. A reader refuses a FormatVersion other than its own;
// it reads an older Revision, and says that a rebuild would gain something.
//
//	1.0  the first
//	1.1  the manifest tells the rules of resolution, and the lineage
//	1.2  a tenant says what its segments are called in bid requests
const (
	FormatVersion = 1
	Revision      = 2
)

// ChunkSize is how many bytes one checksum covers.
const ChunkSize = 64 << 10

// Sizes of the fixed parts of a file, and the alignment of its sections.
const (
	headerSize   = 64
	tocEntrySize = 24
	trailerSize  = 64
	sectionAlign = 64
)

var (
	headerMagic  = [8]byte{0x89, 'm', 'a', 't', 'c', 'h', 'd', '\n'}
	trailerMagic = [8]byte{'m', 'a', 't', 'c', 'h', 'd', 'E', 'N'}
)

// fileKind says what a file holds.
type fileKind uint32

const (
	kindManifest fileKind = 1 + iota
	kindIndex
	kindRecords
)

// Tags of the sections. A reader passes over sections it does not know.
const (
	sectionMeta       = "meta"
	sectionNamespaces = "namespac"
	sectionSources    = "sources"
	sectionTenants    = "tenants"
	sectionSegments   = "segments"
	sectionRenamed    = "renamed"
	sectionParams     = "params"
	sectionFilter     = "filter"
	sectionTable      = "table"
	sectionCold       = "cold"
	sectionColdIndex  = "coldidx"
	sectionDict       = "zstddict"
	sectionHot        = "hot"
)

// ID names a snapshot: a hash of what went into it.
type ID [16]byte

// header opens each file.
type header struct {
	kind     fileKind
	revision uint16 // of a file that is read; what is written has Revision
	snapshot ID
	shard    uint32 // which of the shards of this kind
	shards   uint32
}

func (h header) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, headerMagic[:]...)
	dst = binary.LittleEndian.AppendUint16(dst, FormatVersion)
	dst = binary.LittleEndian.AppendUint16(dst, Revision)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.kind))
	dst = append(dst, h.snapshot[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, h.shard)
	dst = binary.LittleEndian.AppendUint32(dst, h.shards)
	return append(dst, make([]byte, headerSize-(len(dst)-start))...)
}

// parseHeader reads a header whose magic is right: version first, then the
// rest.
func parseHeader(b []byte) (header, error) {
	if v := binary.LittleEndian.Uint16(b[8:]); v != FormatVersion {
		return header{}, fmt.Errorf("%w: version %d, and this build reads version %d: rebuild the snapshot", ErrVersion, v, FormatVersion)
	}
	return header{
		kind:     fileKind(binary.LittleEndian.Uint32(b[12:])),
		revision: binary.LittleEndian.Uint16(b[10:]),
		snapshot: ID(b[16:32]),
		shard:    binary.LittleEndian.Uint32(b[32:]),
		shards:   binary.LittleEndian.Uint32(b[36:]),
	}, nil
}

// tocEntry places one section in a file.
type tocEntry struct {
	tag            string
	offset, length int64
}

func (e tocEntry) append(dst []byte) []byte {
	var tag [8]byte
	copy(tag[:], e.tag)
	dst = append(dst, tag[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.offset))
	return binary.LittleEndian.AppendUint64(dst, uint64(e.length))
}

// trailer closes each file. Its own checksum covers its other fields, and
// tocSum what stands between the last section and the trailer.
type trailer struct {
	tocOffset int64 // where sections end and the table of contents begins
	sections  uint32
	chunks    uint32 // of the bytes below tocOffset
	fileSize  int64
	tocSum    [16]byte
}

func (t trailer) append(dst []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.tocOffset))
	dst = binary.LittleEndian.AppendUint32(dst, t.sections)
	dst = binary.LittleEndian.AppendUint32(dst, t.chunks)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.fileSize))
	dst = append(dst, t.tocSum[:]...)
	dst = append(dst, make([]byte, 8)...)
	dst = append(dst, trailerMagic[:]...)
	return binary.LittleEndian.AppendUint64(dst, xxh3.Hash(dst[start:]))
}

func parseTrailer(b []byte) (t trailer, err error) {
	if [8]byte(b[48:56]) != trailerMagic {
		return t, fmt.Errorf("the file does not end as it should: it was cut or overwritten")
	}
	if binary.LittleEndian.Uint64(b[56:]) != xxh3.Hash(b[:56]) {
		return t, fmt.Errorf("checksum of the trailer")
	}
	t = trailer{
		tocOffset: int64(binary.LittleEndian.Uint64(b)),
		sections:  binary.LittleEndian.Uint32(b[8:]),
		chunks:    binary.LittleEndian.Uint32(b[12:]),
		fileSize:  int64(binary.LittleEndian.Uint64(b[16:])),
		tocSum:    [16]byte(b[24:40]),
	}
	return t, nil
}

// tailSize is the length of everything from tocOffset on.
func (t trailer) tailSize() int64 {
	return int64(t.sections)*tocEntrySize + int64(t.chunks)*8 + trailerSize
}

func alignUp(n, to int64) int64 { return (n + to - 1) / to * to }
