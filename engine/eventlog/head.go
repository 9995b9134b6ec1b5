package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// headName is the file beside the store that says how far the log had come.
const headName = "HEAD"

// A HEAD has two slots, each in a block of its own of what disks write at once.
// Commits use them in turns, so that one of them is whole at all times.
const (
	headMagic = "MLOGHEAD"
	slotGap   = 4096
	slotSize  = 8 + 4 + 16 + stateSize + 4
	headSize  = slotGap + slotSize
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encodeSlot is a slot of HEAD.
func encodeSlot(a about, s state) []byte {
	b := append(make([]byte, 0, slotSize), headMagic...)
	b = s.encode(append(b, a.encode()...))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeSlot(b []byte) (a about, s state, ok bool) {
	if len(b) != slotSize || string(b[:8]) != headMagic || binary.BigEndian.Uint32(b[slotSize-4:]) != crc32.Checksum(b[:slotSize-4], castagnoli) {
		return a, s, false
	}
	a, err := decodeAbout(b[8:28])
	if err != nil {
		return a, s, false
	}
	s, err = decodeState(b[28 : 28+stateSize])
	return a, s, err == nil
}

// readHead returns the newest slot.
func readHead(fs vfs.FS, path string) (a about, s state, err error) {
	f, err := fs.Open(path)
	if err != nil {
		return a, s, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := make([]byte, headSize)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return a, s, err
	}
	b = b[:n]
	found := false
	for at := 0; at+slotSize <= len(b); at += slotGap {
		if sa, ss, ok := decodeSlot(b[at : at+slotSize]); ok && (!found || ss.commit > s.commit) {
			a, s, found = sa, ss, true
		}
	}
	if !found {
		return a, s, fmt.Errorf("%w: neither slot of %s is sound", ErrCorrupt, headName)
	}
	return a, s, nil
}

// head is an open HEAD.
type head struct {
	about about
	file  vfs.File
}

// newHead replaces HEAD by one of that state, durably.
func newHead(fs vfs.FS, dir string, a about, s state) (_ *head, err error) {
	name, temporary := fs.PathJoin(dir, headName), fs.PathJoin(dir, headName+".new")
	if err := fs.RemoveAll(temporary); err != nil {
		return nil, err
	}
	f, err := fs.OpenReadWrite(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	h := &head{a, f}
	err = errors.Join(h.put(0, s), h.put(1, s))
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = fs.Rename(temporary, name)
	}
	if err == nil {
		err = syncDir(fs, dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return h, nil
}

// write says how far the log has come. It is not durable: the file may lag
// after a power cut. What it says is durable before it is written, so it never
// leads.
func (h *head) write(s state) error { return h.put(s.commit%2, s) }

func (h *head) put(slot uint64, s state) error {
	b := encodeSlot(h.about, s)
	n, err := h.file.WriteAt(b, int64(slot*slotGap))
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// close makes what was written last durable.
func (h *head) close() error { return errors.Join(h.file.Sync(), h.file.Close()) }

// syncDir makes names in a folder durable.
func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
