package spill

import "bytes"

// Writer fills a store for one goroutine.
type Writer struct {
	store *Store
	open  [][]byte // by partition: the chunk that is being filled
	put   int64    // bytes
	stage []byte   // stageSize of each partition, once there is much to write
	used  []uint16 // by partition: bytes in stage
}

// firstSize is how much room a partition has before it gets a whole chunk: most
// partitions of a small build need no more.
const firstSize = 1 << 10

// Records of a thousand partitions are first gathered in a stage that fits the
// second-level cache, and go to their chunks some at a time: one by one each
// would wait for memory. It is not worth it for less than stageFrom bytes.
const (
	stageSize = 512
	stageFrom = 4 << 20
	maxStaged = 2048 // partitions
)

// Writer returns a writer. What it was given is in the store once it is closed.
func (s *Store) Writer() *Writer {
	return &Writer{store: s, open: make([][]byte, len(s.parts))}
}

// Put adds a record to a partition.
func (w *Writer) Put(partition int, record []byte) error {
	if w.stage == nil {
		if w.put += int64(len(record)); w.put > stageFrom && len(w.open) <= maxStaged {
			w.stage, w.used = make([]byte, stageSize*len(w.open)), make([]uint16, len(w.open))
		}
		return w.push(partition, record)
	}
	used := int(w.used[partition])
	if used+len(record) > stageSize {
		if err := w.flush(partition); err != nil {
			return err
		}
		if len(record) > stageSize/2 {
			return w.push(partition, record)
		}
		used = 0
	}
	copy(w.stage[partition*stageSize+used:], record)
	w.used[partition] = uint16(used + len(record))
	return nil
}

// flush moves what is staged of a partition to its chunk.
func (w *Writer) flush(partition int) error {
	at, used := partition*stageSize, int(w.used[partition])
	w.used[partition] = 0
	return w.push(partition, w.stage[at:at+used])
}

// push adds whole records to the chunk of a partition.
func (w *Writer) push(partition int, records []byte) error {
	b := w.open[partition]
	if len(b)+len(records) > cap(b) {
		var err error
		if b, err = w.grow(partition, b, len(records)); err != nil {
			return err
		}
	}
	w.open[partition] = append(b, records...)
	return nil
}

// grow returns a chunk with room for n bytes: a larger one, or an empty one
// once b is full and in the store.
func (w *Writer) grow(partition int, b []byte, n int) ([]byte, error) {
	switch {
	case len(b) == 0 && n <= firstSize && cap(b) == 0:
		return make([]byte, 0, firstSize), nil
	case len(b)+n <= ChunkSize:
		c, err := w.store.space.take()
		return append(c, b...), err
	}
	if len(b) > 0 {
		if err := w.store.add(partition, b); err != nil {
			return nil, err
		}
	}
	if n > ChunkSize {
		return make([]byte, 0, n), nil
	}
	return w.store.space.take()
}

// Close adds what is left to the store. Of a chunk that is mostly empty it
// keeps a copy.
func (w *Writer) Close() error {
	for i := range w.used {
		if err := w.flush(i); err != nil {
			return err
		}
	}
	for i, b := range w.open {
		if len(b) == 0 {
			continue
		}
		if cap(b) == ChunkSize && len(b) < ChunkSize/4 {
			short := bytes.Clone(b)
			w.store.space.give(b)
			b = short
		}
		if err := w.store.add(i, b); err != nil {
			return err
		}
	}
	w.open = nil
	return nil
}
