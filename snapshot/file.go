package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"
)

// file is one open file of a snapshot.
type file struct {
	name   string
	header header
	toc    []tocEntry
	sums   []uint64 // of the chunks of data[:end]
	end    int64    // where sections end
	root   [32]byte

	data   []byte // the whole file
	mapped bool   // data is to be unmapped
	// src is what data is mapped from, until it is checked: a copy is read from
	// it, which costs less than from the mapping, and does not look for the file
	// by a name that may be gone.
	src *os.File
	// once is after how many bytes of a walk through data their pages are given
	// back; see [Once]. 0 keeps them.
	once int64
	// hot is where lookups read.
	hot span
	// copied is a checked copy of hot in the snapshot's arena; nil where there
	// is none.
	copied []byte
}

// span is a part of a file, from an offset up to another.
type span struct{ from, to int64 }

// holds reports whether it has all of another.
func (s span) holds(o span) bool { return s.from <= o.from && o.to <= s.to }

func (s span) len() int64 { return s.to - s.from }

// openFile maps a file and parses its tail. It does not check the chunks.
func openFile(dir, name string) (c *file, err error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // opened for reading
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < headerSize+trailerSize || !info.Mode().IsRegular() {
		return nil, corrupt(name, "trailer", -1, "%d bytes are too few", info.Size())
	}
	data, err := mapFile(f, int(info.Size()))
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", name, err)
	}
	err = Guard(func() (err error) {
		c, err = parseFile(name, data)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, unmap(data))
	}
	c.mapped, c.src = true, f
	return c, nil
}

// parseFile reads the tail and the header of a file that lies in data, in the
// order magic, version, checksum, content.
func parseFile(name string, data []byte) (*file, error) {
	size := int64(len(data))
	if size < headerSize+trailerSize {
		return nil, corrupt(name, "trailer", -1, "%d bytes are too few", size)
	}
	if [8]byte(data[:8]) != headerMagic {
		return nil, corrupt(name, "header", 0, "it is no file of a snapshot")
	}
	h, err := parseHeader(data[:headerSize])
	if err != nil {
		return nil, fmt.Errorf("file %s, section header, chunk 0: %w", name, err)
	}
	at := size - trailerSize
	t, err := parseTrailer(data[at:])
	if err != nil {
		return nil, corrupt(name, "trailer", at, "%v", err)
	}
	if t.fileSize != size || t.tocOffset < headerSize || t.tocOffset > size || t.tocOffset+t.tailSize() != size ||
		int64(t.chunks) != (t.tocOffset+ChunkSize-1)/ChunkSize {
		return nil, corrupt(name, "trailer", at, "sizes do not add up: the file has %d bytes and was written with %d", size, t.fileSize)
	}
	tail := append([]byte(nil), data[t.tocOffset:]...)
	toc := tail[:len(tail)-trailerSize]
	if xxh3.Hash128(toc).Bytes() != t.tocSum {
		return nil, corrupt(name, "toc", t.tocOffset, "checksum of the table of contents")
	}
	f := &file{name: name, header: h, end: t.tocOffset, data: data, root: sha256.Sum256(tail)}
	if err := f.parseTOC(toc, int(t.sections)); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *file) parseTOC(toc []byte, sections int) error {
	next := int64(headerSize)
	for range sections {
		e := tocEntry{
			tag:    strings.TrimRight(string(toc[:8]), "\x00"),
			offset: int64(binary.LittleEndian.Uint64(toc[8:])),
			length: int64(binary.LittleEndian.Uint64(toc[16:])),
		}
		if e.offset != next || e.length < 0 || e.length > f.end-e.offset {
			return corrupt(f.name, "toc", f.end, "section %q at %d with %d bytes is out of place", e.tag, e.offset, e.length)
		}
		next = alignUp(e.offset+e.length, sectionAlign)
		f.toc = append(f.toc, e)
		toc = toc[tocEntrySize:]
	}
	if next != f.end {
		return corrupt(f.name, "toc", f.end, "sections end at %d, not at %d", next, f.end)
	}
	f.sums = make([]uint64, 0, len(toc)/8)
	for ; len(toc) > 0; toc = toc[8:] {
		f.sums = append(f.sums, binary.LittleEndian.Uint64(toc))
	}
	return nil
}

// chunk returns the bounds of chunk i.
func (f *file) chunk(i int) (from, to int64) {
	from = int64(i) * ChunkSize
	return from, min(from+ChunkSize, f.end)
}

func (f *file) badChunk(i int) error {
	from, to := f.chunk(i)
	var names []string
	if from < headerSize {
		names = append(names, "header")
	}
	for _, e := range f.toc {
		if e.offset < to && alignUp(e.offset+e.length, sectionAlign) > from {
			names = append(names, e.tag)
		}
	}
	return corrupt(f.name, strings.Join(names, "+"), from, "checksum")
}

func (f *file) checkPadding() error {
	for _, b := range f.data[40:headerSize] {
		if b != 0 {
			return corrupt(f.name, "header", 0, "padding is not zero")
		}
	}
	for _, e := range f.toc {
		end := e.offset + e.length
		for _, b := range f.data[end:alignUp(end, sectionAlign)] {
			if b != 0 {
				return corrupt(f.name, e.tag, end, "padding is not zero")
			}
		}
	}
	return nil
}

// setHot says which sections lookups read. They must stand in that order, so
// that what spans them has them all.
func (f *file) setHot(tags ...string) error {
	for i, tag := range tags {
		e, err := f.find(tag)
		if err != nil {
			return err
		}
		if i == 0 {
			f.hot = span{e.offset, e.offset}
		}
		if e.offset < f.hot.to {
			return corrupt(f.name, tag, e.offset, "it is out of order: it must stand after %q", tags[i-1])
		}
		f.hot.to = e.offset + e.length
	}
	return nil
}

func (f *file) find(tag string) (tocEntry, error) {
	for _, e := range f.toc {
		if e.tag == tag {
			return e, nil
		}
	}
	return tocEntry{}, corrupt(f.name, tag, -1, "the section is missing")
}

// section returns the bytes of a section, from the copy where there is one.
func (f *file) section(tag string) ([]byte, error) {
	e, err := f.find(tag)
	if err != nil {
		return nil, err
	}
	from, to := e.offset, e.offset+e.length
	if f.copied != nil && f.hot.holds(span{from, to}) {
		from, to = from-f.hot.from, to-f.hot.from
		return f.copied[from:to:to], nil
	}
	return f.data[from:to:to], nil
}

// has reports whether there is a section.
func (f *file) has(tag string) bool {
	return slices.ContainsFunc(f.toc, func(e tocEntry) bool { return e.tag == tag })
}

// hotSection is section for what lookups read: where there is a copy, it is
// from there or not at all.
func (f *file) hotSection(tag string) ([]byte, error) {
	e, err := f.find(tag)
	if err != nil {
		return nil, err
	}
	if f.copied != nil && !f.hot.holds(span{e.offset, e.offset + e.length}) {
		return nil, corrupt(f.name, tag, e.offset, "it is no part of the copy")
	}
	return f.section(tag)
}

// walk gives the pages of a mapping back behind a reader who goes through it
// once, in order.
type walk struct {
	f    *file
	done int64 // what lies before is given back
}

// mappedAround is more than a system maps beside a page that is read, so also
// before it, again.
const mappedAround = 2 << 20

// walk begins one at an offset of the file.
func (f *file) walk(from int64) walk { return walk{f, from} }

// reached says that what lies before an offset is no longer needed.
func (w *walk) reached(at int64) {
	if w.f.once > 0 && at-w.done >= w.f.once {
		w.end(at)
	}
}

// end gives back what lies before an offset now.
func (w *walk) end(at int64) {
	if w.f.once > 0 && w.f.mapped && at > w.done {
		release(w.f.data, max(0, w.done-mappedAround), at)
		w.done = at
	}
}

// closeSource closes what data is mapped from, which the mapping outlives.
func (f *file) closeSource() {
	if f.src != nil {
		_ = f.src.Close() // opened for reading
		f.src = nil
	}
}

// close gives the mapping back.
func (f *file) close(p *pace) error {
	f.closeSource()
	var err error
	if f.mapped {
		err = unmapSlowly(f.data, p)
	}
	f.data, f.copied = nil, nil
	return err
}
