package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"
)

// forge makes a file of what lies before its table of contents, with all
// checksums right.
func forge(name string, body []byte, toc []tocEntry) ([]byte, FileInfo) {
	var tail []byte
	for _, e := range toc {
		tail = e.append(tail)
	}
	t := trailer{tocOffset: int64(len(body)), sections: uint32(len(toc))}
	for ; int64(t.chunks)*ChunkSize < t.tocOffset; t.chunks++ {
		from := int64(t.chunks) * ChunkSize
		tail = binary.LittleEndian.AppendUint64(tail, xxh3.Hash(body[from:min(from+ChunkSize, t.tocOffset)]))
	}
	t.fileSize = t.tocOffset + t.tailSize()
	t.tocSum = xxh3.Hash128(tail).Bytes()
	tail = t.append(tail)
	root := sha256.Sum256(tail)
	return append(bytes.Clone(body), tail...), FileInfo{Name: name, Size: t.fileSize, Root: root[:]}
}

// forgeFile replaces one file by what edit makes of it, and puts its size and
// hash into the manifest.
func forgeFile(t *testing.T, files map[string][]byte, name string, edit func(body []byte, toc []tocEntry) []byte) map[string][]byte {
	t.Helper()
	out := maps.Clone(files)
	parsed, err := parseFile(name, files[name])
	if err != nil {
		t.Fatal(err)
	}
	var info FileInfo
	out[name], info = forge(name, edit(bytes.Clone(parsed.data[:parsed.end]), parsed.toc), parsed.toc)
	if name == manifestName {
		return out
	}
	infos := map[string]FileInfo{name: info}
	for other := range files {
		if f, err := parseFile(other, files[other]); err != nil {
			t.Fatal(err)
		} else if other != name {
			infos[other] = FileInfo{Name: other, Size: int64(len(files[other])), Root: f.root[:]}
		}
	}
	manifest := reseal(t, files, func(_, tag string, b []byte) []byte {
		if tag == sectionMeta {
			return refile(t, b, infos)
		}
		return b
	})
	out[manifestName] = manifest[manifestName]
	return out
}

// Bytes that belong to no section are zero, and there are no more of them than
// alignment takes, also where all checksums are right.
func TestWhatNoSectionHoldsIsChecked(t *testing.T) {
	files, _ := sampleFiles(t, 1, 1, 12)
	padded := 0
	for _, name := range names(files) {
		parsed, err := parseFile(name, files[name])
		if err != nil {
			t.Fatal(err)
		}
		refused := func(what, section string, edit func(body []byte, toc []tocEntry) []byte) {
			t.Helper()
			s, err := OpenBytes(forgeFile(t, files, name, edit), nil)
			if err == nil {
				t.Errorf("%s, %s: it opens", name, what)
				_ = s.Close()
				return
			}
			for _, want := range []string{name, section} {
				if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), want) {
					t.Errorf("%s, %s: error %v, want one of corruption that names %s", name, what, err, want)
				}
			}
		}
		s, err := OpenBytes(forgeFile(t, files, name, func(body []byte, _ []tocEntry) []byte { return body }), nil)
		if err != nil {
			t.Fatalf("%s, forged without an edit: %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, at := range []int64{40, headerSize - 1} {
			refused("a byte in the header's padding", "section header", func(body []byte, _ []tocEntry) []byte {
				body[at] = 1
				return body
			})
		}
		for _, e := range parsed.toc {
			end := e.offset + e.length
			for _, at := range []int64{end, alignUp(end, sectionAlign) - 1} {
				if at < end || at >= alignUp(end, sectionAlign) {
					continue // there is no padding
				}
				padded++
				refused("a byte in the padding of "+e.tag, "padding is not zero", func(body []byte, _ []tocEntry) []byte {
					body[at] = 1
					return body
				})
			}
		}
		refused("a gap before the table of contents", "section toc", func(body []byte, _ []tocEntry) []byte {
			return append(body, make([]byte, sectionAlign)...)
		})
		refused("a gap of one byte", "section toc", func(body []byte, _ []tocEntry) []byte { return append(body, 0) })
		refused("a section within another", "section toc", func(body []byte, toc []tocEntry) []byte {
			toc[len(toc)-1].offset -= sectionAlign
			return body
		})
	}
	if padded < 10 {
		t.Errorf("%d places of padding", padded)
	}
}
