package eventlog

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// storeName is the folder of the store within the log's.
const storeName = "store"

// Sizes of the store, in bytes. A log is written once and read rarely.
const (
	memTableSize = 8 << 20
	cacheSize    = 8 << 20
	blockSize    = 16 << 10
	// replayCacheSize is of the store while all of it is read once: the memory of
	// a block is soon used for the next, while a core's cache has it.
	replayCacheSize = 256 << 10
)

// mostTables is how many memory tables may wait to be flushed before the writer
// waits for them. The store would wait with its locks held, for ever where a
// flush has failed, so its own limit is out of reach.
const mostTables = 8

// storeOptions are how the log has its store. Values are not compressed: salts
// and hashes cannot be, and bodies are small.
func storeOptions(fs vfs.FS, lock *pebble.Lock, w *watch) *pebble.Options {
	o := &pebble.Options{
		FS: fs, Lock: lock, FormatMajorVersion: pebble.FormatNewest,
		MemTableSize: memTableSize, MemTableStopWritesThreshold: 1 << 10,
		L0CompactionThreshold: 4, L0StopWritesThreshold: 1 << 20,
		CacheSize: cacheSize, MaxOpenFiles: 256, BytesPerSync: 1 << 20,
		Cleaner: remover{}, Logger: w,
		EventListener: &pebble.EventListener{
			BackgroundError: w.background,
			DataCorruption:  func(i pebble.DataCorruptionInfo) { w.background(i.Details) },
			WALCreated:      func(pebble.WALCreateInfo) { w.logs.Add(1) },
			WALDeleted:      func(pebble.WALDeleteInfo) { w.logs.Add(-1) },
		},
	}
	o.Levels[0].BlockSize = blockSize
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	return o
}

// remover deletes files that the store needs no more. What makes it an archiver
// too, by name, keeps the store from using old write-ahead logs again, in which
// what was redacted would stay until it is overwritten.
type remover struct {
	pebble.DeleteCleaner
	archiver
}

type archiver struct{ pebble.ArchiveCleaner }

// watch hears what the store has to say. What is fatal to it shuts the gate and
// returns: the store goes on, on files that change no more.
type watch struct {
	gate    *gate
	log     *slog.Logger
	closing atomic.Bool
	// logs counts write-ahead logs, which are as many as memory tables.
	logs atomic.Int64
}

func (w *watch) Infof(string, ...any) {}

func (w *watch) Errorf(format string, args ...any) {
	w.log.Warn("event log: store", "message", fmt.Sprintf(format, args...))
}

func (w *watch) Fatalf(format string, args ...any) {
	w.gate.fail(fmt.Errorf("store: "+format, args...))
}

// background takes an error of a flush or a compaction.
func (w *watch) background(err error) {
	if w.closing.Load() || errors.Is(err, pebble.ErrCancelledCompaction) || errors.Is(err, pebble.ErrClosed) {
		return
	}
	w.gate.fail(fmt.Errorf("store: %w", err))
}

// room waits until few memory tables wait to be flushed, or no more can be.
func (w *watch) room(quit <-chan struct{}) {
	for w.logs.Load() > mostTables {
		select {
		case <-w.gate.shut:
			return
		case <-quit:
			return
		case <-time.After(time.Millisecond):
		}
	}
}
