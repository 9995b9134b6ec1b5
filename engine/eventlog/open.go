package eventlog

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const storeName = "db"

// Open opens the log in a folder, checks all of it, and hands its records to
// Replay. Where there is none, it makes one. A log that is damaged anywhere but
// at its very end is refused with an error that wraps [ErrCorrupt].
func Open(dir string, o Options) (*Log, error) {
	l := &Log{
		opts: o.filled(), work: make(chan *request, 256), closed: make(chan struct{}), done: make(chan struct{}), more: make(chan struct{}),
	}
	l.failure.log = l.opts.Log
	if err := l.open(dir); err != nil {
		return nil, fmt.Errorf("event log %s: %w", dir, err)
	}
	go l.write()
	return l, nil
}

func (l *Log) open(dir string) error {
	f := l.opts.FS
	path := f.PathJoin(dir, headName)
	_, err := f.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return err
	}
	if fresh {
		if err := makeFolder(f, dir); err != nil {
			return err
		}
	}
	var written head
	if !fresh {
		if written, l.head, err = openHead(f, path); err != nil {
			return corrupt("%s: %w", headName, err)
		}
	}
	if l.db, err = pebble.Open(f.PathJoin(dir, storeName), l.storeOptions(fresh)); err != nil {
		return l.give(corruptIf(err))
	}
	if err := l.identify(fresh); err != nil {
		return l.give(err)
	}
	last, err := l.verify(&written, fresh)
	if err != nil {
		return l.give(err)
	}
	if fresh {
		if l.head, err = createHead(f, path, head{l.id, last.Seq, l.before(&last)}); err == nil {
			err = syncFolder(f, dir)
		}
		if err != nil {
			return l.give(err)
		}
	}
	l.last, l.time = last, last.Time
	if written.seq > last.Seq {
		if err := l.mend(last, written.seq); err != nil {
			return l.give(err)
		}
	}
	return nil
}

// give closes what is open, after an error.
func (l *Log) give(err error) error {
	if l.db != nil {
		l.failure.cause.CompareAndSwap(nil, &err)
		_ = l.closeStore()
	}
	if l.head != nil {
		_ = l.head.f.Close()
	}
	return err
}

func (l *Log) closeStore() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return l.db.Close()
}

func makeFolder(f vfs.FS, dir string) error {
	if err := f.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncFolder(f, f.PathDir(dir))
}

func syncFolder(f vfs.FS, dir string) error {
	d, err := f.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// storeOptions are those of a small store that is written in order and read
// whole.
func (l *Log) storeOptions(fresh bool) *pebble.Options {
	o := &pebble.Options{
		FS: l.opts.FS, FormatMajorVersion: pebble.FormatNewest, ErrorIfNotExists: !fresh,
		CacheSize: 8 << 20, MemTableSize: 16 << 20, Logger: &l.failure,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { l.fail(fmt.Errorf("background: %w", err)) },
		},
	}
	o.EnsureDefaults()
	return o
}

// identify reads the log's id, or gives it one.
func (l *Log) identify(fresh bool) error {
	value, closer, err := l.db.Get([]byte(metaKey))
	switch {
	case err == nil:
		if len(value) != len(l.id) {
			err = corrupt("its id has %d bytes", len(value))
		} else {
			l.id = ID(value)
		}
		return errors.Join(err, closer.Close())
	case !errors.Is(err, pebble.ErrNotFound):
		return corruptIf(err)
	case !fresh:
		return corrupt("it has no id")
	}
	_, _ = rand.Read(l.id[:]) // never fails
	if err := l.db.Set([]byte(metaKey), l.id[:], pebble.Sync); err != nil {
		return err
	}
	return l.Err()
}

// mend goes on after a tail that was lost: with a record that says so, so that
// no number is used for two things.
func (l *Log) mend(last Receipt, to uint64) error {
	l.torn = Torn{last.Seq + 1, to}
	l.opts.Log.Error("the event log's tail was lost: the disk has not kept what it said it had", "from", l.torn.From, "to", to)
	r := Record{Seq: to + 1, Time: max(l.opts.Now().UnixNano(), last.Time), Kind: Lost}
	r.Body = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, l.torn.From), to)
	_, _ = rand.Read(r.salt[:])
	r.commit(nil)
	r.Hash = r.chained(l.before(&last))
	batch := l.db.NewBatch()
	if err := batch.Set(entryAt(r.Seq), r.append(nil), nil); err != nil {
		return err
	}
	if err := l.sync(batch); err != nil {
		return err
	}
	if err := l.head.write(head{l.id, r.Seq, r.Hash}); err != nil {
		return err
	}
	l.last, l.time = Receipt{l.id, r.Seq, r.Time, r.Hash}, r.Time
	return l.opts.Replay(&r)
}

// compact has Pebble write what it holds of records anew, and forget the rest.
func (l *Log) compact(from, to uint64) error {
	err := l.db.Flush()
	if err == nil {
		err = l.db.Compact(context.Background(), entryAt(from), entryAt(to+1), false)
	}
	return errors.Join(err, l.Err())
}

// corrupt is an error that wraps ErrCorrupt and says what to do.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %w: restore the folder from a copy; what it holds of opt-outs and erasures is nowhere else", ErrCorrupt, fmt.Errorf(format, args...))
}

// corruptIf is corrupt for an error of Pebble's that says so, or that files are
// missing.
func corruptIf(err error) error {
	if pebble.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, pebble.ErrDBDoesNotExist) {
		return corrupt("%w", err)
	}
	return err
}
