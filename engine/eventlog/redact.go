package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// step is how many records a commit redacts or trims at most.
const step = 4096

// Redact drops digest, salt and body of the records of those numbers, durably.
// Their hashes stay, and so the chain can be checked as before. Records that
// are not there, or redacted already, are passed over; those of
// other kinds than Event are not redacted. No scan that begins later sees the bodies; see [Log.Purge] for when
// they are in no file any more. Of an error, some may be redacted.
func (l *Log) Redact(ctx context.Context, seqs []uint64) error {
	seqs = slices.Compact(slices.Sorted(slices.Values(seqs)))
	for part := range slices.Chunk(seqs, step) {
		if err := l.ask(ctx, &request{do: func() error { return l.redact(part) }}); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) redact(seqs []uint64) error {
	d := l.newDraft()
	defer func() { _ = d.batch.Close() }()
	var gone []uint64
	for _, seq := range seqs {
		s, err := l.record(l.db, seq)
		if err != nil {
			return err
		}
		if s == nil || s.Redacted || s.Kind != Event {
			continue
		}
		s.redact()
		gone = append(gone, seq)
		if err := d.batch.Set(recordKey(seq), s.encode(nil), nil); err != nil {
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := l.owe(d, gone[0], gone[len(gone)-1]); err != nil {
		return err
	}
	return l.commit(d)
}

// owe notes that records of a range have to go from the files.
func (l *Log) owe(d *draft, from, to uint64) error {
	s, err := l.readOwed()
	if err != nil {
		return err
	}
	if s != nil {
		from, to = min(from, s.from), max(to, s.to)
	}
	select {
	case l.owed <- struct{}{}:
	default:
	}
	v := span{from, to}.encode()
	return d.batch.Set(keyOwed, binary.BigEndian.AppendUint64(v, d.next.commit), nil)
}

// debt is a range of records that have to go from the files, and the commit
// that saw to the last of it.
type debt struct {
	span
	commit uint64
}

func (l *Log) readOwed() (*debt, error) {
	v, err := get(l.db, keyOwed)
	if err != nil || v == nil {
		return nil, err
	}
	if len(v) != spanSize+8 {
		return nil, fmt.Errorf("%w: what has to go from the files is told in %d bytes", ErrCorrupt, len(v))
	}
	s, err := decodeSpan(v[:spanSize])
	return &debt{s, binary.BigEndian.Uint64(v[spanSize:])}, err
}

// Trim drops the records below a number but those, of kinds Event and [Note],
// that keep says to keep, and asks it again of what an earlier trimming kept. It
// is nil to keep none. It
// works in steps, each a commit that ends with a record of kind [Trim]; of an
// error, some may be done. keep is called by the goroutine that writes, and
// appends wait for it; a record's body is valid until it returns.
//
// Of what is dropped, the token goes too: an entry that is sent again after
// that is a new one. Records that are kept bring the hash of the one before, so
// that each can still be checked, and the record of kind Trim vouches that all
// of them are there.
func (l *Log) Trim(ctx context.Context, below uint64, keep func(Record) bool) error {
	if l.opts.Replica != nil {
		return ErrReplica // it has what its leader keeps
	}
	if keep == nil {
		keep = func(Record) bool { return false }
	}
	for again, more := true, true; more; again = false {
		err := l.ask(ctx, &request{do: func() (err error) {
			more, err = l.trim(below, keep, again)
			return err
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// trim does a step: the first again looks at what was kept, and all at up to
// step records more.
func (l *Log) trim(below uint64, keep func(Record) bool, again bool) (more bool, err error) {
	old, trim, err := readBase(l.db)
	if err != nil {
		return false, err
	}
	t := &trimming{
		draft: l.newDraft(), base: old, below: below, keep: keep, walk: walk{base: old, trim: trim, whole: again},
	}
	defer func() { _ = t.batch.Close() }()
	from, to := old.seq+1, min(below, l.state.seq+1)
	if again { // all that were kept count, whatever is asked of which
		to = max(to, from)
		from, t.base.kept, t.base.digest = 1, 0, Hash{}
	}
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: recordKey(from), UpperBound: recordKey(to)})
	if err != nil {
		return false, err
	}
	n := 0
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		if n == step {
			more = true
			break
		}
		var s stored
		if s, err = current(it); err == nil {
			err = t.take(&s)
		}
		if err == nil && s.Seq > old.seq {
			n++
		}
	}
	if err = errors.Join(err, it.Error(), it.Close()); err != nil {
		return false, err
	}
	if t.base == old && len(t.gone) == 0 {
		return more, nil
	}
	return more, l.commitTrim(t)
}

// trimming is a step of a trimming.
type trimming struct {
	*draft
	base base
	walk walk
	// below is where what is to be dropped ends.
	below uint64
	keep  func(Record) bool
	gone  []uint64
}

// take keeps a record or drops it.
func (t *trimming) take(s *stored) error {
	if err := t.walk.step(s); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	if s.Seq > t.base.seq {
		t.base.seq, t.base.hash = s.Seq, s.Hash
	}
	if s.Seq >= t.below || (s.Kind == Event || s.Kind == Note) && t.keep(s.Record) {
		t.base.kept++
		t.base.digest = keptDigest(t.base.digest, s.Seq, s.Hash)
		if s.kept {
			return nil
		}
		s.kept = true
		return t.batch.Set(recordKey(s.Seq), s.encode(nil), nil)
	}
	t.gone = append(t.gone, s.Seq)
	return t.batch.Delete(recordKey(s.Seq), nil)
}

func (l *Log) commitTrim(t *trimming) error {
	s := own(Trim, t.base.encode())
	if err := t.add(s); err != nil {
		return err
	}
	if err := t.setBase(t.base, s.Seq); err != nil {
		return err
	}
	if len(t.gone) > 0 {
		if err := l.owe(t.draft, t.gone[0], t.gone[len(t.gone)-1]); err != nil {
			return err
		}
	}
	return l.commit(t.draft)
}

// Purge returns when what was redacted or trimmed before is in no file of the
// log any more. Scans that began before hold it up. Of what the file system and
// the disk keep of files that were deleted, it knows nothing. The log does the
// same by itself, Options.PurgeAfter after a redaction or trimming, and after
// it is opened where it had not come to that.
func (l *Log) Purge(ctx context.Context) (err error) {
	done, err := l.use()
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-l.quit:
		case <-l.gate.shut:
		case <-ctx.Done():
		}
		cancel()
	}()
	l.purges.Lock()
	defer l.purges.Unlock()
	defer func() {
		if failed := l.Err(); err != nil && failed != nil {
			err = failed
		}
	}()
	owed, err := l.readOwed()
	if err != nil || owed == nil {
		return err
	}
	if err := l.db.Compact(ctx, recordKey(owed.from), recordKey(owed.to+1), false); err != nil {
		return fmt.Errorf("compact records %d to %d: %w", owed.from, owed.to, err)
	}
	if err := l.deleted(ctx); err != nil {
		return err
	}
	return l.ask(ctx, &request{do: func() error { return l.settle(*owed) }})
}

// deleted waits until the store has deleted the files that it needs no more.
func (l *Log) deleted(ctx context.Context) error {
	for {
		m := l.db.Metrics()
		if m.Table.ObsoleteCount == 0 && m.Table.ZombieCount == 0 && m.WAL.ObsoleteFiles == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// settle forgets what was owed, unless more is by now.
func (l *Log) settle(paid debt) error {
	owed, err := l.readOwed()
	if err != nil || owed == nil || *owed != paid {
		return err
	}
	d := l.newDraft()
	defer func() { _ = d.batch.Close() }()
	if err := d.batch.Delete(keyOwed, nil); err != nil {
		return err
	}
	return l.commit(d)
}

// purgeLater purges a while after something was redacted or trimmed.
func (l *Log) purgeLater(ctx context.Context) {
	defer l.tasks.Done()
	for {
		select {
		case <-l.owed:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(l.opts.PurgeAfter):
		case <-ctx.Done():
			return
		}
		if err := l.Purge(ctx); err != nil && l.Err() == nil {
			l.opts.Logger.Error("event log: what was redacted is in files still", "folder", l.dir, "reason", err)
			select {
			case l.owed <- struct{}{}:
			default:
			}
		}
	}
}
