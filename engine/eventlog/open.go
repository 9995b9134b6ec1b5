package eventlog

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

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
	f := vfs.FS(&failStop{l.opts.FS, &l.failure})
	l.fs, l.store = f, f.PathJoin(dir, storeName)
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
	if l.db, err = openStore(l.store, l.storeOptions(f, fresh)); err != nil {
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
		if last.Seq > 0 {
			return l.give(corrupt("%s is gone", headName))
		}
		if l.head, err = createHead(f, dir, head{log: l.id, hash: l.before(&last)}); err != nil {
			return l.give(err)
		}
	}
	l.last, l.time = last, last.Time
	if written.seq > last.Seq {
		if written.first > last.Seq+1 {
			return l.give(corrupt("records %d to %d are gone, which is more than were written last", last.Seq+1, written.seq))
		}
		if err := l.mend(last, written.seq); err != nil {
			return l.give(err)
		}
	}
	if err := l.Err(); err != nil {
		return l.give(err)
	}
	return nil
}

// give closes what is open, after an error.
func (l *Log) give(err error) error {
	if first := l.Err(); first != nil && !errors.Is(err, ErrCorrupt) {
		err = first // whatever it led to
	}
	if l.db != nil {
		l.failure.cause.CompareAndSwap(nil, &err)
		_ = l.closeStore()
	}
	if l.head != nil {
		_ = l.head.f.Close()
	}
	return err
}

// openStore makes an error of a panic: so Pebble answers a folder that it cannot
// sync.
func openStore(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	defer caught(&err)
	return pebble.Open(dir, o)
}

func (l *Log) closeStore() (err error) {
	defer caught(&err)
	return l.db.Close()
}

func caught(err *error) {
	switch r := recover().(type) {
	case nil:
	case error:
		*err = r
	default:
		*err = fmt.Errorf("%v", r)
	}
}

// makeFolder makes a folder, and those above it that are not there, for good.
func makeFolder(f vfs.FS, dir string) error {
	above := []string{dir}
	for d := f.PathDir(dir); d != above[len(above)-1]; d = f.PathDir(d) {
		above = append(above, d)
		if _, err := f.Stat(d); err == nil {
			break
		}
	}
	if err := f.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, d := range slices.Backward(above[1:]) {
		if err := syncFolder(f, d); err != nil {
			return err
		}
	}
	return nil
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
func (l *Log) storeOptions(f vfs.FS, fresh bool) *pebble.Options {
	o := &pebble.Options{
		FS: f, FormatMajorVersion: pebble.FormatNewest, ErrorIfNotExists: !fresh,
		CacheSize: 8 << 20, MemTableSize: 16 << 20, Logger: &l.failure,
		// A new manifest is begun when the store is opened, and never later: where
		// that fails, Pebble panics.
		MaxManifestFileSize: 1 << 40,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { l.fail(fmt.Errorf("background: %w", err)) },
			DataCorruption:  func(i pebble.DataCorruptionInfo) { l.fail(fmt.Errorf("%w: %s", ErrCorrupt, f.PathBase(i.Path))) },
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
	if err := l.head.write(head{l.id, r.Seq, r.Seq, r.Hash}); err != nil {
		return err
	}
	l.last, l.time = Receipt{l.id, r.Seq, r.Time, r.Hash}, r.Time
	return l.opts.Replay(&r)
}

// compact has Pebble write what it holds of records anew, and removes the rest:
// Pebble keeps old write-ahead logs to write over them, some day.
func (l *Log) compact(from, to uint64) error {
	err := l.db.Flush()
	if err == nil {
		err = l.db.Compact(context.Background(), entryAt(from), entryAt(to+1), false)
	}
	if err == nil {
		err = l.removeOldLogs()
	}
	if err != nil {
		l.fail(fmt.Errorf("redact: %w", err))
	}
	return l.Err()
}

// removeOldLogs removes all write-ahead logs but the newest, after a flush.
func (l *Log) removeOldLogs() error {
	names, err := l.fs.List(l.store)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".log") })
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	for _, name := range names[:max(0, len(names)-1)] {
		if err := l.fs.Remove(l.fs.PathJoin(l.store, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncFolder(l.fs, l.store)
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
