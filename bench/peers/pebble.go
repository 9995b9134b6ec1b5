package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/matchd/matchd/bench/ask"
)

const pebbleSettings = "format newest, ingested tables, bloom filter of 10 bits used on all levels, no compression, block cache larger than the data, iterator kept and SeekPrefixGE"

// pebbleTable is how many bytes of pairs go into one table.
const pebbleTable = 256 << 20

type pebbleStore struct {
	dir  string
	opts *pebble.Options
	db   *pebble.DB
}

func newPebble(dir string) embedded { return &pebbleStore{dir: dir} }

// load writes sorted tables and has them ingested into the lowest level.
func (p *pebbleStore) load(ctx context.Context, s *sorted) error {
	p.opts = pebbleOptions(s.bytes)
	var err error
	if p.db, err = pebble.Open(filepath.Join(p.dir, "db"), p.opts); err != nil {
		return err
	}
	w := &pebbleWriter{pebbleStore: p}
	for key, record := range s.all(ctx) {
		if err := w.add(key, record); err != nil {
			return errors.Join(err, w.finish())
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return p.db.Ingest(ctx, w.paths)
}

// pebbleOptions are those for reading random keys of so many bytes of pairs,
// all of them from the block cache. It holds blocks uncompressed, so that
// compression would make the files smaller, the loading slower, and no lookup
// faster.
func pebbleOptions(bytes int64) *pebble.Options {
	o := &pebble.Options{
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   bytes*3/2 + 64<<20,
		DisableWAL:                  true,
		DisableAutomaticCompactions: true,
		Logger:                      quiet{},
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	for i := range o.Levels {
		o.Levels[i].BlockSize = 4096
		o.Levels[i].IndexBlockSize = math.MaxInt32 // one level
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	o.EnsureDefaults()
	return o
}

// pebbleWriter writes tables.
type pebbleWriter struct {
	*pebbleStore
	table *sstable.Writer
	left  int
	paths []string
}

func (w *pebbleWriter) add(key, record []byte) error {
	if w.left <= 0 {
		if err := w.finish(); err != nil {
			return err
		}
		path := filepath.Join(w.dir, fmt.Sprintf("%06d.sst", len(w.paths)))
		file, err := vfs.Default.Create(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		lowest := len(w.opts.Levels) - 1
		w.table = sstable.NewWriter(objstorageprovider.NewFileWritable(file),
			w.opts.MakeWriterOptions(lowest, w.db.TableFormat()))
		w.paths = append(w.paths, path)
		w.left = pebbleTable
	}
	w.left -= len(key) + len(record)
	return w.table.Set(key, record)
}

func (w *pebbleWriter) finish() error {
	if w.table == nil {
		return nil
	}
	err := w.table.Close()
	w.table = nil
	return err
}

// warm has all blocks read into the cache.
func (p *pebbleStore) warm() (n int, err error) {
	it, err := p.db.NewIter(nil)
	if err != nil {
		return 0, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	return n, it.Close()
}

// lookup keeps an iterator: [pebble.DB.Get] makes one each time, and does not
// look at the filters of the lowest level, where everything is.
func (p *pebbleStore) lookup() (lookup, func() error, error) {
	it, err := p.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, nil, err
	}
	return func(key []byte, read *ask.Reader) (uint64, error) {
		if !it.SeekPrefixGE(key) {
			return 0, it.Error()
		}
		record, err := it.ValueAndErr()
		if err != nil {
			return 0, err
		}
		return read.Sum(record), nil
	}, it.Close, nil
}

func (p *pebbleStore) close() error {
	if p.db == nil {
		return nil
	}
	return p.db.Close()
}

// quiet keeps a library's log to errors that end it.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

// Fatalf implements [pebble.Logger].
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
