package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/zeebo/xxh3"
)

// head says how far a log goes. It is written after the records that it speaks
// of are on disk, and by turns in two slots, so that one is whole at any time;
// after a power cut it may be behind, and is never ahead.
type head struct {
	log   ID
	first uint64 // of the records that went to disk last, together
	seq   uint64 // the last of them
	hash  Hash
}

const (
	headName  = "HEAD"
	headMagic = "MDEVTHD1"
	slotSize  = 512 // a sector is written as a whole, or not
	slotUsed  = len(headMagic) + 16 + 8 + 8 + 32
)

func (h *head) append(dst []byte) []byte {
	dst = append(append(dst, headMagic...), h.log[:]...)
	dst = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, h.first), h.seq)
	dst = append(dst, h.hash[:]...)
	return binary.LittleEndian.AppendUint64(dst, xxh3.Hash(dst))
}

func (h *head) decode(b []byte) bool {
	if len(b) < slotUsed+8 || !bytes.HasPrefix(b, []byte(headMagic)) || binary.LittleEndian.Uint64(b[slotUsed:]) != xxh3.Hash(b[:slotUsed]) {
		return false
	}
	b = b[len(headMagic):]
	h.log, h.hash = ID(b), Hash(b[32:])
	h.first, h.seq = binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
	return true
}

// headFile is HEAD, open for writing.
type headFile struct {
	f    vfs.File
	slot int // to be written next
	buf  []byte
}

// createHead makes HEAD anew: it is there whole, or not at all.
func createHead(fs vfs.FS, dir string, h head) (*headFile, error) {
	path := fs.PathJoin(dir, headName)
	f, err := fs.Create(path+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	slots := make([]byte, 2*slotSize)
	copy(slots, h.append(nil))
	_, err = f.Write(slots)
	if err = errors.Join(err, f.Sync()); err == nil {
		err = fs.Rename(path+".new", path)
	}
	if err == nil {
		err = syncFolder(fs, dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &headFile{f: f, slot: 1}, nil
}

var errHead = errors.New("neither of its two slots can be read")

// openHead reads HEAD, and opens it for writing.
func openHead(fs vfs.FS, path string) (head, *headFile, error) {
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return head{}, nil, err
	}
	slots := make([]byte, 2*slotSize)
	n, err := f.ReadAt(slots, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return head{}, nil, errors.Join(err, f.Close())
	}
	var h [2]head
	a, b := h[0].decode(slots[:min(n, slotSize)]), n > slotSize && h[1].decode(slots[slotSize:n])
	w := &headFile{f: f}
	switch {
	case a && (!b || h[0].seq >= h[1].seq):
		w.slot = 1
		return h[0], w, nil
	case b:
		return h[1], w, nil
	}
	return head{}, nil, errors.Join(errHead, f.Close())
}

// write writes HEAD without waiting for the disk.
func (w *headFile) write(h head) error {
	w.buf = h.append(w.buf[:0])
	if _, err := w.f.WriteAt(w.buf, int64(w.slot*slotSize)); err != nil {
		return fmt.Errorf("write %s: %w", headName, err)
	}
	w.slot = 1 - w.slot
	return nil
}

func (w *headFile) close() error { return errors.Join(w.f.Sync(), w.f.Close()) }
