package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Base is where the whole chain begins.
func (l *Log) Base() (Base, error) {
	done, err := l.use()
	if err != nil {
		return Base{}, err
	}
	defer done()
	b, trim, err := readBase(l.db)
	return Base{b.seq, b.hash, b.kept, b.digest, trim}, err
}

// A Rebase makes a replica have, of the records that its leader trimmed, those
// that the leader has kept. Each commit of it leaves a sound log: the chain begins
// further on each time, and nobody vouches for what is kept until the last one, or
// until the record is imported that does. It is for one goroutine, and nothing is
// to be imported meanwhile; after an error, it is of no use. It holds 48 bytes for
// each record that the replica had kept before.
type Rebase struct {
	l   *Log
	to  Base
	old base
	at  uint64 // what is up to it is done
	// kept and digest are of what is done.
	kept   uint64
	digest Hash
	refs   []keptRef
	list   []Sealed // those of refs beyond old
	size   int
}

// keptRef is a record that the leader has kept.
type keptRef struct {
	seq      uint64
	hash     Hash
	redacted bool
}

// Rebase begins to make a replica have what its leader has up to a base.
func (l *Log) Rebase(to Base) (*Rebase, error) {
	if l.opts.Replica == nil {
		return nil, errors.New("this event log is no replica")
	}
	done, err := l.use()
	if err != nil {
		return nil, err
	}
	defer done()
	r := &Rebase{l: l, to: to}
	if r.old, _, err = readBase(l.db); err != nil {
		return nil, err
	}
	if to.Seq < r.old.seq || to.Seq == r.old.seq && to.Hash != r.old.hash {
		return nil, fmt.Errorf("%w: the chain of one begins with record %d, and of the other with record %d", ErrDiffers, to.Seq+1, r.old.seq+1)
	}
	return r, nil
}

// Keep takes the next record that the leader has kept, in order. It keeps its
// slices.
func (r *Rebase) Keep(ctx context.Context, s *Sealed) error {
	if n := len(r.refs); !s.Kept || s.Seq <= r.at || s.Seq > r.to.Seq || n > 0 && s.Seq <= r.refs[n-1].seq {
		return fmt.Errorf("%w: record %d is none that comes next of those kept", ErrCorrupt, s.Seq)
	}
	if err := s.verify(); err != nil {
		return err
	}
	if s.Seq > r.old.seq {
		if err := r.passOld(ctx); err != nil {
			return err
		}
		r.list = append(r.list, *s)
		r.size += len(s.Body)
	}
	r.refs = append(r.refs, keptRef{s.Seq, s.Hash, s.Redacted})
	if len(r.list) < step && r.size < groupSize {
		return nil
	}
	return r.flush(ctx, s.Seq, s.Hash, false)
}

// passOld is done with what had been kept before, in one commit: what is kept is
// vouched for as a whole.
func (r *Rebase) passOld(ctx context.Context) error {
	if r.at >= r.old.seq {
		return nil
	}
	return r.flush(ctx, r.old.seq, r.old.hash, false)
}

// Done ends it.
func (r *Rebase) Done(ctx context.Context) error {
	if err := r.passOld(ctx); err != nil {
		return err
	}
	return r.flush(ctx, r.to.Seq, r.to.Hash, true)
}

// flush is done with the records up to a number, which the record of that hash
// has.
func (r *Rebase) flush(ctx context.Context, upto uint64, hash Hash, last bool) error {
	if err := r.l.ask(ctx, &request{do: func() error { return r.commit(upto, hash, last) }}); err != nil {
		return err // where ctx is done, the writer may be at it still
	}
	r.at, r.refs, r.list, r.size = upto, nil, nil, 0
	return nil
}

func (r *Rebase) commit(upto uint64, hash Hash, last bool) error {
	l, d := r.l, r.l.newDraft()
	defer func() { _ = d.batch.Close() }()
	left, gone, err := r.sift(d, upto, hash)
	if err == nil {
		err = r.insert(d, left)
	}
	if err == nil && gone.to > 0 {
		err = l.owe(d, gone.from, gone.to)
	}
	if err != nil {
		return err
	}
	if len(d.records) == 0 {
		d.now = time.Time{} // it is not known of a record that is not there
	}
	if upto > d.next.seq {
		d.next.seq, d.next.hash = upto, hash
	}
	b, trim := base{upto, hash, r.kept, r.digest}, uint64(0)
	if last {
		if trim, err = r.told(b); err != nil {
			return err
		}
	}
	if err := d.setBase(b, trim); err != nil {
		return err
	}
	return l.commit(d)
}

// sift keeps or drops the replica's own records up to a number. It returns how
// many of the last refs it has no record of, and what it dropped.
func (r *Rebase) sift(d *draft, upto uint64, hash Hash) (left int, gone span, err error) {
	it, err := r.l.db.NewIter(&pebble.IterOptions{LowerBound: recordKey(r.at + 1), UpperBound: recordKey(min(upto, r.l.state.seq) + 1)})
	if err != nil {
		return 0, gone, damage(err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	refs := r.refs
	for ok := it.First(); ok; ok = it.Next() {
		s, err := current(it)
		if err != nil {
			return 0, gone, err
		}
		if s.Seq == upto && s.Hash != hash || len(refs) > 0 && (refs[0].seq < s.Seq || refs[0].seq == s.Seq && refs[0].hash != s.Hash) {
			return 0, gone, fmt.Errorf("%w at record %d, which was trimmed", ErrDiffers, s.Seq)
		}
		if len(refs) == 0 || refs[0].seq != s.Seq {
			gone.add(s.Seq)
			if err := d.batch.Delete(it.Key(), nil); err != nil {
				return 0, gone, err
			}
			continue
		}
		if refs[0].redacted && !s.Redacted {
			gone.add(s.Seq)
		}
		if err := r.mark(d, &s, &refs[0], len(refs)); err != nil {
			return 0, gone, err
		}
		refs = refs[1:]
	}
	return len(refs), gone, it.Error()
}

// add makes a span, which is zero of none, reach to a number beyond it.
func (s *span) add(seq uint64) {
	if s.to = seq; s.from == 0 {
		s.from = seq
	}
}

// mark makes a record of the replica one that was kept. It is the first of the
// last n of refs.
func (r *Rebase) mark(d *draft, s *stored, ref *keptRef, n int) error {
	r.kept++
	r.digest = keptDigest(r.digest, s.Seq, s.Hash)
	if s.kept && (s.Redacted || !ref.redacted) {
		return nil
	}
	if ref.redacted && !s.Redacted {
		s.redact()
	}
	if !s.kept {
		s.kept, s.Prev = true, r.list[len(r.list)-n].Prev
	}
	return d.batch.Set(recordKey(s.Seq), s.encode(nil), nil)
}

// insert adds the last n of the records that were kept, which the replica never
// had.
func (r *Rebase) insert(d *draft, n int) error {
	if n == 0 {
		return nil
	}
	if n > len(r.list) || r.list[len(r.list)-n].Seq <= r.l.state.seq {
		return fmt.Errorf("%w: a record that one has kept, the other has dropped", ErrDiffers)
	}
	for i := range r.list[len(r.list)-n:] {
		s := r.list[len(r.list)-n+i].stored()
		if err := d.take(&s); err != nil {
			return err
		}
		r.l.tokens.add(&s.Token, s.Seq)
		r.kept++
		r.digest = keptDigest(r.digest, s.Seq, s.Hash)
	}
	return nil
}

// told checks that what is kept is what the leader says, and returns the record
// that tells of it, 0 where it is still to come.
func (r *Rebase) told(b base) (trim uint64, err error) {
	if b.kept != r.to.Kept || b.digest != r.to.Digest {
		return 0, fmt.Errorf("%w: of the records up to %d, one has kept others", ErrDiffers, b.seq)
	}
	if r.to.Trim == 0 || r.to.Trim > r.l.state.seq {
		return 0, nil
	}
	s, err := r.l.record(r.l.db, r.to.Trim)
	if err == nil && (s == nil || s.Kind != Trim || string(s.Body) != string(b.encode())) {
		err = fmt.Errorf("%w: record %d does not say what was trimmed", ErrDiffers, r.to.Trim)
	}
	return r.to.Trim, err
}
