package main

import (
	"context"
	"errors"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/ristretto/v2/z"

	"github.com/matchd/matchd/bench/ask"
)

const badgerSettings = "StreamWriter, then read-only; tables mapped, records in them, no compression, no caches, bloom filter of 1 %, no metrics"

type badgerStore struct {
	dir string
	db  *badger.DB
}

func newBadger(dir string) embedded { return &badgerStore{dir: dir} }

// badgerOptions are those for reading random keys from memory: without
// compression, blocks are read where they are mapped and no cache is needed.
func badgerOptions(dir string) badger.Options {
	return badger.DefaultOptions(dir).WithLogger(nil).WithMetricsEnabled(false).
		WithCompression(options.None).WithBlockCacheSize(0).WithIndexCacheSize(0).WithDetectConflicts(false)
}

// badgerBuffer is how many bytes of pairs are given to the writer at once.
const badgerBuffer = 16 << 20

func (b *badgerStore) load(ctx context.Context, s *sorted) (err error) {
	if b.db, err = badger.Open(badgerOptions(b.dir)); err != nil {
		return err
	}
	w := b.db.NewStreamWriter()
	if err := w.Prepare(); err != nil {
		return err
	}
	buf := z.NewBuffer(badgerBuffer, "pairs")
	defer func() { err = errors.Join(err, buf.Release()) }()
	for key, record := range s.all(ctx) {
		badger.KVToBuffer(&pb.KV{Key: key, Value: record, Version: 1}, buf)
		if buf.LenNoPadding() < badgerBuffer {
			continue
		}
		if err := w.Write(buf); err != nil {
			w.Cancel()
			return err
		}
		buf.Reset()
	}
	if err := w.Write(buf); err != nil {
		w.Cancel()
		return err
	}
	if err := errors.Join(w.Flush(), b.db.Close()); err != nil {
		return err
	}
	b.db, err = badger.Open(badgerOptions(b.dir).WithReadOnly(true))
	return err
}

func (b *badgerStore) warm() (n int, err error) {
	err = b.db.View(func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.PrefetchValues = false
		it := txn.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			n++
		}
		return nil
	})
	return n, err
}

func (b *badgerStore) lookup() (lookup, func() error, error) {
	txn := b.db.NewTransaction(false)
	var read *ask.Reader
	var sum uint64
	use := func(record []byte) error {
		sum = read.Sum(record)
		return nil
	}
	return func(key []byte, r *ask.Reader) (uint64, error) {
		item, err := txn.Get(key)
		if errors.Is(err, badger.ErrKeyNotFound) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		read = r
		err = item.Value(use)
		return sum, err
	}, func() error { txn.Discard(); return nil }, nil
}

func (b *badgerStore) close() error {
	if b.db == nil {
		return nil
	}
	return b.db.Close()
}
