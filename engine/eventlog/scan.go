package eventlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// First is the first record from which on none is missing but those that a
// [Gap] names: 1, or more of a log that was trimmed. Kept records lie before
// it. It is one more than Last of a log that has none.
func (l *Log) First() (uint64, error) {
	done, err := l.use()
	if err != nil {
		return 0, err
	}
	defer done()
	b, _, err := readBase(l.db)
	return b.seq + 1, err
}

// Scan calls f for each record after the one numbered after, in order, up to
// the one that was last when it was called, and checks each. It holds up no
// append. A record's body is valid until f returns. An error of f ends it and
// is returned.
func (l *Log) Scan(after uint64, f func(Record) error) error {
	done, err := l.use()
	if err != nil {
		return err
	}
	defer done()
	last := l.last.Load().seq
	if after >= last {
		return nil
	}
	snap := l.db.NewSnapshot()
	err = l.scan(snap, after, last, func(s *stored) error { return f(s.Record) })
	if err = errors.Join(err, snap.Close()); err != nil {
		return fmt.Errorf("scan event log %s: %w", l.dir, err)
	}
	return nil
}

func (l *Log) scan(r pebble.Reader, after, last uint64, f func(*stored) error) (err error) {
	w := walk{whole: after == 0}
	if w.base, w.trim, err = readBase(r); err != nil {
		return err
	}
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixRecord}, UpperBound: recordKey(last + 1)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	ok := it.SeekGE(recordKey(after + 1))
	if after > w.base.seq {
		// From the record before, which the chain has to go on from.
		if !it.SeekLT(recordKey(after + 1)) {
			return errors.Join(it.Error(), fmt.Errorf("%w: no record from %d to %d is there", ErrCorrupt, w.base.seq+1, after))
		}
		s, err := current(it)
		if err != nil {
			return err
		}
		w.seq, w.hash, w.inside = s.Seq, s.Hash, true
		ok = it.Next()
	}
	var s stored // f's for as long as it runs
	for ; ok; ok = it.Next() {
		if l.closed.Load() {
			return ErrClosed
		}
		s, err = current(it)
		if err == nil {
			err = w.step(&s)
		}
		if err == nil {
			err = s.check()
		}
		if err == nil && s.Seq > after {
			err = f(&s)
		}
		if err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return damage(err)
	}
	if w.seq < last && last > w.base.seq {
		return fmt.Errorf("%w: records %d to %d are missing", ErrCorrupt, w.seq+1, last)
	}
	return nil
}

// current decodes the record at which an iterator stands. Slices are valid
// until it moves.
func current(it *pebble.Iterator) (s stored, err error) {
	seq, err := recordSeq(it.Key())
	if err != nil {
		return s, err
	}
	v, err := it.ValueAndErr()
	if err != nil {
		return s, damage(err)
	}
	if s, err = decode(seq, v); err != nil {
		return s, fmt.Errorf("%w: record %d: %v", ErrCorrupt, seq, err)
	}
	return s, nil
}

// damage makes damage that the store finds damage of the log.
func damage(err error) error {
	if err != nil && pebble.IsCorruptionError(err) && !errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// Wait returns when there is a record after the one numbered after. It returns
// an error when the context is done, or no record can come any more.
func (l *Log) Wait(ctx context.Context, after uint64) error {
	for {
		p := l.last.Load()
		if p.seq > after {
			return nil
		}
		select {
		case <-p.changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.quit:
			return ErrClosed
		case <-l.gate.shut:
			return l.failure()
		}
	}
}
