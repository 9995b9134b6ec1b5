package spill

import (
	"encoding/binary"

	"github.com/matchd/matchd/index"
)

// entrySize is the length of an index entry as a record: three words.
const entrySize = 3 * 8

// PutEntry adds an index entry to a partition, that of its index shard; a store has
// either entries or other records. It is [Writer.Put] else.
func (w *Writer) PutEntry(partition int, e index.Entry) error {
	var record [entrySize]byte
	binary.LittleEndian.PutUint64(record[:], e.Hash.Hi)
	binary.LittleEndian.PutUint64(record[8:], e.Hash.Lo)
	binary.LittleEndian.PutUint64(record[16:], e.Addr)
	return w.Put(partition, record[:])
}

// TakeEntries reads the index entries of a partition into list, whose memory it uses
// anew as it does that of buf, and frees them; see [Store.Load].
func (s *Store) TakeEntries(partition int, list []index.Entry, buf []byte) ([]index.Entry, []byte, error) {
	list = list[:0]
	chunks, buf, err := s.Load(partition, buf)
	if err != nil {
		return list, buf, err
	}
	for _, chunk := range chunks {
		for ; len(chunk) > 0; chunk = chunk[entrySize:] {
			word := func(i int) uint64 { return binary.LittleEndian.Uint64(chunk[8*i:]) }
			list = append(list, index.Entry{Hash: index.Hash{Hi: word(0), Lo: word(1)}, Addr: word(2)})
		}
	}
	s.Free(partition)
	return list, buf, nil
}
