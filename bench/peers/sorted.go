package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/matchd/matchd/bench/world"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// sorted are a world's pairs in the order of their keys: the 16 bytes of each
// mobile id, and the packed record of its person.
type sorted struct {
	snap    *snapshot.Snapshot
	entries []index.Entry // the key as if it were a hash, and the record's address
	bytes   int64         // of all keys and records
}

// keySize is the length of a key, in bytes.
const keySize = 16

// sortPairs finds the pairs of a world in its snapshot. The records stay where
// they are, so that it takes 24 bytes an identifier. As [world.World.Packed]
// does, it counts on records lying in the order of the persons' numbers.
func sortPairs(ctx context.Context, w *world.World, snap *snapshot.Snapshot) (*sorted, error) {
	s := &sorted{snap: snap, entries: make([]index.Entry, 0, w.IDs)}
	for shard := range snap.RecordShards {
		for addr := range snap.Addrs(shard) {
			record, err := snap.Packed(addr)
			if err != nil {
				return nil, err
			}
			for range min(world.PerPerson, w.IDs-len(s.entries)) {
				u := w.UUID(len(s.entries))
				s.bytes += keySize + int64(len(record))
				s.entries = append(s.entries, index.Entry{Addr: addr, Hash: index.Hash{
					Hi: binary.BigEndian.Uint64(u[:]), Lo: binary.BigEndian.Uint64(u[8:]),
				}})
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	if len(s.entries) != w.IDs {
		return nil, fmt.Errorf("the snapshot has %d of %d mobile ids: it is of another world", len(s.entries), w.IDs)
	}
	index.SortEntries(s.entries)
	return s, nil
}

// all yields the pairs, ascending. What it yields is overwritten by the next
// pair. It stops early when ctx ends: look at ctx after it.
func (s *sorted) all(ctx context.Context) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, record []byte) bool) {
		var key [keySize]byte
		for i, e := range s.entries {
			if i&0xffff == 0 && ctx.Err() != nil {
				return
			}
			record, err := s.snap.Packed(e.Addr)
			if err != nil {
				return // it was read once: the count will tell
			}
			binary.BigEndian.PutUint64(key[:], e.Hash.Hi)
			binary.BigEndian.PutUint64(key[8:], e.Hash.Lo)
			if !yield(key[:], record) {
				return
			}
		}
	}
}
