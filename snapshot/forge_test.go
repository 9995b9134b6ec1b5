package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
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

// The sections that lookups read stand in one order. In any other, a part would
// lie outside of what is copied, with all checksums right.
func TestSectionsOutOfOrderAreRefused(t *testing.T) {
	files, _ := sampleFiles(t, 1, 1, 12)
	name := indexName(0)
	for _, order := range [][]int{{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}, {0, 1, 2}} {
		forged := forgeFile(t, files, name, func(body []byte, toc []tocEntry) []byte {
			if len(toc) != 3 {
				t.Fatalf("%d sections", len(toc))
			}
			out, from := bytes.Clone(body[:headerSize]), [3]tocEntry(toc)
			for i, o := range order {
				e := from[o]
				toc[i] = tocEntry{tag: e.tag, offset: int64(len(out)), length: e.length}
				out = append(out, body[e.offset:alignUp(e.offset+e.length, sectionAlign)]...)
			}
			return out
		})
		dir := t.TempDir()
		for n, b := range forged {
			if err := os.WriteFile(filepath.Join(dir, n), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range []Memory{Map, Copy, Once} {
			s, err := Open(dir, nil, m)
			if s != nil {
				err = errors.Join(err, s.Close())
			}
			if slices.IsSorted(order) {
				if err != nil {
					t.Errorf("memory %s, in order: %v", m, err)
				}
			} else if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "out of order") {
				t.Errorf("memory %s, order %v: error %v, want one of order", m, order, err)
			}
		}
	}
}

// What lookups read never comes from the mapping where there is a copy.
func TestHotSectionOutsideTheCopyIsRefused(t *testing.T) {
	files, _ := sampleFiles(t, 1, 1, 12)
	f, err := parseFile(indexName(0), files[indexName(0)])
	if err != nil {
		t.Fatal(err)
	}
	if err := f.setHot(sectionFilter); err != nil {
		t.Fatal(err)
	}
	f.copied = bytes.Clone(f.data[f.hot.from:f.hot.to])
	for _, tag := range []string{sectionParams, sectionFilter, sectionTable} {
		if _, err := f.hotSection(tag); errors.Is(err, ErrCorrupt) == (tag == sectionFilter) {
			t.Errorf("section %s: error %v", tag, err)
		}
	}
}
