package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/zeebo/xxh3"
)

// FileInfo is what the manifest knows of a file. Root is the SHA-256 of all
// that follows the sections: the table of contents, the checksums of all
// chunks, the trailer; so it covers every byte of the file.
type FileInfo struct {
	Name string   `json:"name"`
	Size int64    `json:"size"`
	Root HexBytes `json:"root"`
}

// fileWriter writes one file: header, sections in the order in which they are
// begun, then [fileWriter.finish]. Its first error stays.
type fileWriter struct {
	name   string
	file   File
	chunk  []byte // what is not written yet: the start of a chunk
	offset int64
	toc    []tocEntry
	sums   []uint64
	whole  hash.Hash // of every byte; nil where nobody asks
	err    error
}

// newFileWriter begins the file name at path; whole, if not nil, is fed every
// byte of it.
func newFileWriter(fs FS, path, name string, h header, whole hash.Hash) (*fileWriter, error) {
	f, err := fs.Create(path, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	w := &fileWriter{name: name, file: f, chunk: make([]byte, 0, ChunkSize), whole: whole}
	w.write(h.append(nil))
	return w, nil
}

// section begins a section; what is written next belongs to it.
func (w *fileWriter) section(tag string) {
	w.endSection()
	w.toc = append(w.toc, tocEntry{tag: tag, offset: w.offset})
}

func (w *fileWriter) endSection() {
	if n := len(w.toc); n > 0 {
		w.toc[n-1].length = w.offset - w.toc[n-1].offset
	}
	w.write(make([]byte, alignUp(w.offset, sectionAlign)-w.offset))
}

func (w *fileWriter) write(b []byte) {
	w.offset += int64(len(b))
	for len(b) > 0 && w.err == nil {
		if whole := len(b) / ChunkSize * ChunkSize; len(w.chunk) == 0 && whole > 0 {
			w.chunks(b[:whole])
			b = b[whole:]
			continue
		}
		n := min(len(b), ChunkSize-len(w.chunk))
		w.chunk = append(w.chunk, b[:n]...)
		b = b[n:]
		if len(w.chunk) == ChunkSize {
			w.chunks(w.chunk)
			w.chunk = w.chunk[:0]
		}
	}
}

// chunks writes whole chunks, the last of which may be shorter.
func (w *fileWriter) chunks(b []byte) {
	for from := 0; from < len(b); from += ChunkSize {
		w.sums = append(w.sums, xxh3.Hash(b[from:min(from+ChunkSize, len(b))]))
	}
	w.raw(b)
}

// raw writes bytes that no chunk covers, or whose chunks are counted.
func (w *fileWriter) raw(b []byte) {
	if w.err != nil {
		return
	}
	if w.whole != nil {
		_, _ = w.whole.Write(b) // a hash takes everything
	}
	_, w.err = w.file.Write(b)
}

// finish writes the tail, syncs and closes the file.
func (w *fileWriter) finish() (FileInfo, error) {
	w.endSection()
	if len(w.chunk) > 0 {
		w.chunks(w.chunk)
	}
	t := trailer{tocOffset: w.offset, sections: uint32(len(w.toc)), chunks: uint32(len(w.sums))}
	t.fileSize = t.tocOffset + t.tailSize()
	var tail []byte
	for _, e := range w.toc {
		tail = e.append(tail)
	}
	for _, sum := range w.sums {
		tail = binary.LittleEndian.AppendUint64(tail, sum)
	}
	t.tocSum = xxh3.Hash128(tail).Bytes()
	tail = t.append(tail)
	w.raw(tail)
	if w.err == nil {
		w.err = w.file.Sync()
	}
	if err := errors.Join(w.err, w.file.Close()); err != nil {
		return FileInfo{}, fmt.Errorf("write %s: %w", w.name, err)
	}
	root := sha256.Sum256(tail)
	return FileInfo{Name: w.name, Size: t.fileSize, Root: root[:]}, nil
}

// abandon closes the file without finishing it.
func (w *fileWriter) abandon() { _ = w.file.Close() }
