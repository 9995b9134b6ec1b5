package eventlog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// advice is what to do about a log that is refused.
const advice = "nothing was changed: keep a copy of the folder, and put a sound copy, or the log of a follower, in its place"

// Open opens the log in a folder, or makes an empty one where there is none. It
// reads all of the log and checks it before it changes anything: a log that is
// damaged stays as it is, and the error, which wraps [ErrCorrupt], says where.
// One process at a time has a log open.
func Open(dir string, o Options) (*Log, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.PurgeAfter == 0 {
		o.PurgeAfter = 10 * time.Minute
	}
	l := &Log{
		dir: dir, opts: o, gate: newGate(o.FS),
		queue: make(chan *request), flying: make(chan *group, mostFlying), quit: make(chan struct{}), owed: make(chan struct{}, 1),
	}
	l.watch = &watch{gate: l.gate, log: o.Logger}
	if err := l.open(); err != nil {
		err = errors.Join(err, l.abandon())
		if errors.Is(err, ErrCorrupt) {
			return nil, fmt.Errorf("event log %s: %w; %s", dir, err, advice)
		}
		return nil, fmt.Errorf("event log %s: %w", dir, err)
	}
	return l, nil
}

// abandon closes what an Open that failed had opened.
func (l *Log) abandon() (err error) {
	l.watch.closing.Store(true)
	if l.head != nil {
		err = errors.Join(err, l.head.file.Close())
	}
	if l.db != nil {
		err = errors.Join(err, l.db.Close())
	}
	if l.lock != nil {
		err = errors.Join(err, l.lock.Close())
	}
	return err
}

func (l *Log) store() string { return l.gate.PathJoin(l.dir, storeName) }

func (l *Log) open() error {
	found, err := l.look()
	if err != nil {
		return err
	}
	v := verified{}
	if found.store {
		if l.lock, err = pebble.LockDirectory(l.store(), l.opts.FS); err != nil {
			return fmt.Errorf("%w: %w", ErrInUse, err)
		}
		if v, err = l.verify(found); err != nil {
			return err
		}
	}
	if !v.exists { // before anything is made, as it may not be to be had
		if err := l.name(); err != nil {
			return err
		}
	}
	if err := l.openStore(v); err != nil {
		return err
	}
	l.start(v)
	return nil
}

// found is which of a log's files there are.
type found struct{ head, store bool }

func (l *Log) look() (f found, err error) {
	names, err := l.opts.FS.List(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f = found{slices.Contains(names, headName), slices.Contains(names, storeName)}
	if f.head && !f.store {
		return f, fmt.Errorf("%w: the folder %s is missing", ErrCorrupt, storeName)
	}
	return f, nil
}

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
	runs.end()
	if err == nil {
		err = w.end(v.state)
	}
	if err == nil && (!seen || v.head.seq == w.base.seq && v.head.seq > 0 && v.head.hash != w.base.hash) {
		err = fmt.Errorf("%w: record %d, which %s names, is missing", ErrCorrupt, v.head.seq, headName)
	}
	return err
}

// openStore opens the store for writing, makes it if need be, closes a gap at
// its end, and begins a new HEAD.
func (l *Log) openStore(v verified) (err error) {
	if err := l.gate.MkdirAll(l.store(), 0o700); err != nil {
		return err
	}
	if l.lock == nil {
		if l.lock, err = pebble.LockDirectory(l.store(), l.opts.FS); err != nil {
			return fmt.Errorf("%w: %w", ErrInUse, err)
		}
	}
	db, err := pebble.Open(l.store(), storeOptions(l.gate, l.lock, l.watch))
	if err != nil {
		return unreadable(err)
	}
	l.db = db
	if err := l.gate.err(); err != nil {
		return err
	}
	if v.exists {
		l.state, l.id = v.state, v.about.id
		if raw, err := get(db, keyState); err != nil || string(raw) != string(v.state.encode(nil)) {
			return errors.Join(errors.New("the store is not what it was when it was checked"), err)
		}
	} else if err := l.make(); err != nil {
		return err
	}
	at := v.time
	switch {
	case v.torn != nil && l.opts.Replica != nil:
		l.torn = &Torn{From: v.torn.from, To: v.torn.to}
		l.opts.Logger.Warn("event log: its end was torn off, and is to come again from its leader", "folder", l.dir, "from", v.torn.from, "to", v.torn.to)
	case v.torn != nil:
		if at, err = l.closeGap(v); err != nil {
			return err
		}
	}
	if l.head, err = newHead(l.gate, l.dir, about{Version, l.id}, l.state); err != nil {
		return err
	}
	l.last.Store(&position{l.state.seq, l.state.hash, at, make(chan struct{})})
	return l.gate.err()
}

// name settles the id of a new log.
func (l *Log) name() (err error) {
	if l.opts.Replica != nil {
		l.id, err = l.opts.Replica()
		return err
	}
	_, _ = rand.Read(l.id[:]) // never fails
	return nil
}

// make begins a new log.
func (l *Log) make() error {
	l.state = state{commit: 1}
	b := l.db.NewBatch()
	err := errors.Join(b.Set(keyAbout, about{Version, l.id}.encode(), nil), b.Set(keyState, l.state.encode(nil), nil), l.db.Apply(b, pebble.Sync))
	return errors.Join(err, syncDir(l.gate, l.dir), syncDir(l.gate, l.gate.PathDir(l.dir)))
}

// closeGap adds the record that tells what is lost. HEAD, which knows it, is
// left as it is until that is durable.
func (l *Log) closeGap(v verified) (time.Time, error) {
	d := l.newDraft()
	s := own(Gap, gapBody(*v.torn, v.head))
	s.Seq = v.torn.to + 1
	d.next.commit = v.head.commit + 1
	err := d.add(s)
	if err == nil {
		err = d.batch.Set(keyState, d.next.encode(nil), nil)
	}
	if err == nil {
		err = errors.Join(l.db.Apply(d.batch, pebble.Sync), l.gate.err())
	}
	if err == nil && l.opts.Replay != nil {
		err = l.opts.Replay(d.records[0])
	}
	if err != nil {
		return d.now, err
	}
	l.state, l.torn = d.next, &Torn{v.torn.from, v.torn.to, s.Seq}
	l.opts.Logger.Error("event log: its end was torn off, and what was acknowledged there is lost", "folder", l.dir, "from", v.torn.from, "to", v.torn.to, "noted", s.Seq)
	return d.now, nil
}

// own is a record of the log's own.
func own(k Kind, body []byte) *stored {
	s := sealed(k, &Entry{}, appendSecret(nil, body))
	return &s
}

// start starts what runs beside the callers.
func (l *Log) start(v verified) {
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	if v.owed {
		l.owed <- struct{}{}
	}
	l.tasks.Add(3)
	go l.write()
	go l.land()
	go l.purgeLater(ctx)
}
