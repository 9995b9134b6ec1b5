package eventlog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
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
