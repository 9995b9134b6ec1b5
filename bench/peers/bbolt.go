package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"github.com/matchd/matchd/bench/ask"
)

const bboltSettings = "sorted puts, full pages of 2 KiB, no sync, no statistics, read-only and mapped, transaction and cursor kept"

// bboltPage is the size of a page, in bytes: a little faster here than the
// system's.
const bboltPage = 2048

// bboltBatch is how many puts make a transaction.
const bboltBatch = 1 << 17

var bboltBucket = []byte("b")

type bboltStore struct {
	path string
	db   *bolt.DB
}

func newBbolt(dir string) embedded { return &bboltStore{path: filepath.Join(dir, "data.bbolt")} }

func (b *bboltStore) load(ctx context.Context, s *sorted) (err error) {
	b.db, err = bolt.Open(b.path, 0o600, &bolt.Options{
		NoSync: true, NoGrowSync: true, NoFreelistSync: true, FreelistType: bolt.FreelistMapType,
		InitialMmapSize: int(s.bytes + s.bytes/2), PageSize: bboltPage, NoStatistics: true,
	})
	if err != nil {
		return err
	}
	w := &bboltWriter{db: b.db}
	for key, record := range s.all(ctx) {
		if err := w.put(key, record); err != nil {
			return errors.Join(err, w.rollback())
		}
	}
	if err := errors.Join(w.commit(), b.db.Close()); err != nil {
		return err
	}
	b.db, err = bolt.Open(b.path, 0o600, &bolt.Options{ReadOnly: true, NoStatistics: true})
	return err
}

// bboltWriter puts in transactions of bounded size.
type bboltWriter struct {
	db     *bolt.DB
	tx     *bolt.Tx
	bucket *bolt.Bucket
	puts   int
}

func (w *bboltWriter) put(key, record []byte) (err error) {
	if w.tx == nil {
		if w.tx, err = w.db.Begin(true); err != nil {
			return err
		}
		if w.bucket, err = w.tx.CreateBucketIfNotExists(bboltBucket); err != nil {
			return err
		}
		w.bucket.FillPercent = 1
	}
	// bbolt copies the key; the record lies in the snapshot as long as it takes.
	if err := w.bucket.Put(key, record); err != nil {
		return err
	}
	if w.puts++; w.puts%bboltBatch == 0 {
		return w.commit()
	}
	return nil
}

func (w *bboltWriter) commit() error {
	if w.tx == nil {
		return nil
	}
	tx := w.tx
	w.tx = nil
	return tx.Commit()
}

func (w *bboltWriter) rollback() error {
	if w.tx == nil {
		return nil
	}
	return w.tx.Rollback()
}

// warm has all pages mapped.
func (b *bboltStore) warm() (n int, err error) {
	err = b.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bboltBucket).ForEach(func(_, _ []byte) error {
			n++
			return nil
		})
	})
	return n, err
}

func (b *bboltStore) lookup() (lookup, func() error, error) {
	tx, err := b.db.Begin(false)
	if err != nil {
		return nil, nil, err
	}
	cursor := tx.Bucket(bboltBucket).Cursor()
	return func(key []byte, read *ask.Reader) (uint64, error) {
		found, record := cursor.Seek(key)
		if !bytes.Equal(found, key) {
			return 0, nil
		}
		return read.Sum(record), nil
	}, tx.Rollback, nil
}

func (b *bboltStore) close() error {
	if b.db == nil {
		return nil
	}
	return b.db.Close()
}
