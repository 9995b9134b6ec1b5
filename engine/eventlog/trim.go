package eventlog

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// Trim drops the records below a number but those, of kinds Event and [Note],
// that keep says to keep, and asks it again of what an earlier trimming kept. A nil
// keep keeps none. Trim works in steps, each a commit that ends with a record of
// kind [Trim]; of an error, some may be done. keep is called by the goroutine that
// writes, and appends wait for it; a record's body is valid until it returns. Where
// ctx ends the wait, it may be called once Trim has returned.
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
