package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/matchd/matchd/snapshot"
)

// Log is a log that entries are appended to, by any number of goroutines and
// processes at once. A nil Log takes entries and keeps none.
type Log struct {
	path string
	// Now is the clock, time.Now. It may be set before the first Append.
	Now func() time.Time

	// turn is held by who appends: one goroutine at a time asks for the file's
	// lock, and so one thread at most sleeps for it.
	turn chan struct{}
	// patience is how long an append waits for others.
	patience time.Duration
	// seen is the number and head of the last entry that this process saw. It
	// belongs to who has the turn.
	seen end

	// disk is what the file is written through; in tests it fails.
	disk func(*os.File) file
}

// file is what an append does to a locked file.
type file interface {
	io.ReaderAt
	io.Writer
	Truncate(size int64) error
	Sync() error
	Stat() (fs.FileInfo, error)
}

// Open opens a log, making an empty one, readable by its owner alone, where
// there is none. It checks that one can append to it, and no more; see
// [Verify].
func Open(path string) (*Log, error) {
	l := &Log{
		path: path, Now: time.Now, turn: make(chan struct{}, 1), patience: 5 * time.Second,
		disk: func(f *os.File) file { return f },
	}
	err := l.locked(func(f file) (err error) {
		l.seen, err = readEnd(f)
		return err
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Append adds an entry, which is durable when it returns, and returns it as it
// stands in the log. Of an error, nothing may be served that had to be logged.
func (l *Log) Append(e Entry) (r Record, err error) {
	if l == nil {
		return r, nil
	}
	if err := e.validate(); err != nil {
		return r, fmt.Errorf("audit: %w", err)
	}
	err = l.locked(func(f file) error {
		r, err = l.append(f, e)
		return err
	})
	return r, err
}

func (l *Log) append(f file, e Entry) (Record, error) {
	at, err := readEnd(f)
	switch {
	case err != nil:
		return Record{}, err
	case at.seq == 0 && l.seen.seq > 0:
		// Moved away, or removed: the new log says what came before it.
		before := Entry{Actor: e.Actor, Action: LogContinued, Detail: map[string]string{
			"seq": strconv.FormatInt(l.seen.seq, 10), "head": l.seen.head.String(),
		}}
		l.seen = end{}
		if _, err := l.append(f, before); err != nil {
			return Record{}, err
		}
		return l.append(f, e)
	case at.seq < l.seen.seq:
		return Record{}, fmt.Errorf("%w: it ends with entry %d, and had %d", ErrCorrupt, at.seq, l.seen.seq)
	}
	r := Record{Seq: at.seq + 1, At: l.Now().Round(0), Entry: e, Torn: at.torn, Prev: at.head}
	line, err := r.encode()
	if err != nil {
		return Record{}, err
	}
	if at.torn > 0 {
		if err := f.Truncate(at.size); err != nil {
			return Record{}, fmt.Errorf("cut off a torn end: %w", err)
		}
	}
	if at.size == 0 {
		// The name is durable before the first entry is.
		if err := (snapshot.OS{}).SyncDir(filepath.Dir(l.path)); err != nil {
			return Record{}, err
		}
	}
	_, err = f.Write(append(line, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		// Nothing is to be chained to what may not last.
		_ = f.Truncate(at.size)
		return Record{}, err
	}
	l.seen = end{seq: r.Seq, head: r.Hash}
	return r, nil
}

// end is where a log ends.
type end struct {
	size int64 // of its lines, in bytes
	torn int64 // bytes after them
	seq  int64
	head Hash
}

// readEnd reads the last line of a log, and checks it.
func readEnd(f file) (e end, err error) {
	info, err := f.Stat()
	if err != nil {
		return e, err
	}
	if !info.Mode().IsRegular() {
		return e, errors.New("it is not a file")
	}
	// A torn end and a line before it are shorter than this.
	from := max(0, info.Size()-2*MaxLine)
	tail := make([]byte, info.Size()-from)
	if _, err := f.ReadAt(tail, from); err != nil {
		return e, err
	}
	lines := tail[:bytes.LastIndexByte(tail, '\n')+1]
	e = end{size: from + int64(len(lines)), torn: int64(len(tail) - len(lines)), head: Genesis()}
	if !torn(tail[len(lines):]) {
		return e, fmt.Errorf("%w: its end is missing, and not as if it had never been written", ErrCorrupt)
	}
	if e.size == 0 {
		return e, nil
	}
	lines = lines[:len(lines)-1]
	last, err := decode(lines[bytes.LastIndexByte(lines, '\n')+1:])
	if err == nil && (last.Seq < 1 || last.Seq == 1 && last.Prev != Genesis()) {
		err = errors.New("its number is not of its place")
	}
	if err != nil {
		return e, fmt.Errorf("%w: the last line: %v", ErrCorrupt, err)
	}
	e.seq, e.head = last.Seq, last.Hash
	return e, nil
}

// locked calls f with the file, which nobody else appends to meanwhile.
func (l *Log) locked(f func(file) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("audit log %s: %w", l.path, err)
		}
	}()
	until := time.Now().Add(l.patience)
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-time.After(l.patience):
		return errBusy
	}
	file, err := openLocked(l.path, until)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(unlock(file), file.Close(), err)
	}()
	return f(l.disk(file))
}

var errBusy = errors.New("others hold it for too long")

// openLocked opens the file by its name and locks it. While it waits, the file
// may be moved away: what has the name when it has the lock counts.
func openLocked(path string, until time.Time) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := lock(f, until); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		same, err := named(f, path)
		if err != nil || same {
			if err != nil {
				return nil, errors.Join(err, unlock(f), f.Close())
			}
			return f, nil
		}
		if err := errors.Join(unlock(f), f.Close()); err != nil {
			return nil, err
		}
	}
}

// named reports whether path is the name of an open file.
func named(f *os.File, path string) (bool, error) {
	open, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(open, there), err
}
