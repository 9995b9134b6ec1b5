package eventlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// verified is what Open knows of a log before it changes it.
type verified struct {
	// exists is false of a log that is to be made, or was being made.
	exists bool
	about  about
	state  state
	time   time.Time // of the last record
	owed   bool
	// torn is what is missing at the end, by what HEAD says.
	torn *span
	head state
}

// verify reads the whole log, from a store that is open for reading alone.
func (l *Log) verify(f found) (v verified, err error) {
	o := storeOptions(l.opts.FS, l.lock, l.watch)
	o.ReadOnly = true
	o.CacheSize = replayCacheSize
	o.Experimental.ReadSamplingMultiplier = -1 // what is read once tells of no compaction
	db, err := pebble.Open(l.store(), o)
	if errors.Is(err, pebble.ErrDBDoesNotExist) {
		return v, l.unmade(f)
	}
	if err == nil && l.gate.err() != nil {
		err = errors.Join(l.gate.err(), db.Close())
	}
	if err != nil {
		return v, unreadable(err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if v, err = l.readState(db, f); err != nil || !v.exists {
		return v, err
	}
	return v, l.replay(db, &v)
}

// unreadable says what it means that the store cannot be opened: it lacks
// files, or holds what it cannot read.
func unreadable(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.ErrUnexpectedEOF) || pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return fmt.Errorf("open the store: %w", err)
}

// unmade checks that a store that is none was only being made.
func (l *Log) unmade(f found) error {
	if f.head {
		return fmt.Errorf("%w: there is no store in the folder %s", ErrCorrupt, storeName)
	}
	names, err := l.opts.FS.List(l.store())
	if err != nil {
		return err
	}
	for _, n := range names {
		if strings.HasSuffix(n, ".sst") || isLog(n) {
			return fmt.Errorf("%w: the store lacks the file that says which of its files count", ErrCorrupt)
		}
	}
	return nil
}

// readState reads how far the log has come, and compares it with HEAD.
func (l *Log) readState(db *pebble.DB, f found) (v verified, err error) {
	raw, err := get(db, keyAbout)
	if err != nil {
		return v, damage(err)
	}
	if raw == nil {
		if f.head {
			return v, fmt.Errorf("%w: the store does not say which log it holds", ErrCorrupt)
		}
		return v, nil
	}
	if v.about, err = decodeAbout(raw); err != nil {
		return v, err
	}
	if v.about.version != Version {
		return v, fmt.Errorf("it has format %d, and this program reads format %d", v.about.version, Version)
	}
	raw, err = get(db, keyState)
	if err == nil {
		v.state, err = decodeState(raw)
	}
	if err != nil {
		return v, damage(err)
	}
	raw, err = get(db, keyOwed)
	v.owed, v.exists = raw != nil, true
	if err != nil {
		return v, damage(err)
	}
	return v, l.compare(f, &v)
}

// compare compares the log's state with what HEAD says.
func (l *Log) compare(f found, v *verified) error {
	if !f.head && v.state.commit == 1 {
		return nil // it was being made
	}
	var a about
	err := fmt.Errorf("%w: %s is missing", ErrCorrupt, headName)
	if f.head {
		a, v.head, err = readHead(l.opts.FS, l.opts.FS.PathJoin(l.dir, headName))
	}
	if err != nil {
		v.head = state{}
		if l.opts.WithoutHead && errors.Is(err, ErrCorrupt) {
			l.opts.Logger.Error("event log: opened without knowing whether its end is there", "folder", l.dir, "last", v.state.seq, "reason", err)
			return nil
		}
		return fmt.Errorf("%w, so that it is not known whether records after %d are lost", err, v.state.seq)
	}
	switch s := v.state; {
	case a != v.about:
		return fmt.Errorf("%w: %s is of the log %s, and the store of the log %s", ErrCorrupt, headName, a.id, v.about.id)
	case s.commit+1 < v.head.commit:
		return fmt.Errorf("%w: it ends with record %d in commit %d, and had come to record %d in commit %d: that is more than a torn end", ErrCorrupt, s.seq, s.commit, v.head.seq, v.head.commit)
	case s.commit < v.head.commit && v.head.seq < s.seq, s.commit == v.head.commit && s != v.head, s.commit > v.head.commit && s.seq < v.head.seq:
		return fmt.Errorf("%w: it ends otherwise than %s says", ErrCorrupt, headName)
	case s.commit < v.head.commit:
		v.torn = &span{s.seq + 1, v.head.seq}
	}
	return nil
}

// replay checks all records, and hands them to Options.Replay.
func (l *Log) replay(db *pebble.DB, v *verified) (err error) {
	w := walk{whole: true}
	if w.base, w.trim, err = readBase(db); err != nil {
		return damage(err)
	}
	runs := l.tokens.expect(int(v.state.seq - min(w.base.seq, v.state.seq) + w.base.kept))
	seen := v.torn != nil || v.head.seq <= w.base.seq
	w, err = replay(db, w, runs.add, func(s *stored) error {
		switch {
		case s.Seq == v.head.seq:
			if seen = true; s.Hash != v.head.hash {
				return fmt.Errorf("%w: record %d is not the one that %s names", ErrCorrupt, s.Seq, headName)
			}
		case s.Kind == Gap && !seen:
			lost, err := decodeGap(s.Body)
			if err != nil {
				return err
			}
			seen = lost.from <= v.head.seq && v.head.seq <= lost.to && string(s.Body) == string(gapBody(lost, v.head))
		}
		v.time = s.Time
		if l.opts.Replay != nil {
			return l.opts.Replay(s.Record)
		}
		return nil
	})
	if err == nil {
		err = w.end(v.state)
	}
	if err == nil && (!seen || v.head.seq == w.base.seq && v.head.seq > 0 && v.head.hash != w.base.hash) {
		err = fmt.Errorf("%w: record %d, which %s names, is missing", ErrCorrupt, v.head.seq, headName)
	}
	return err
}
