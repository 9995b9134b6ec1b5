package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// Import takes records of the log that this one is a replica of, as they are:
// those that come next in its chain, in order, in one commit. They are checked
// first, each for itself and all for being the next, and none is taken where one
// is not sound; their Prev is not looked at. When it returns without an error,
// they are on disk and were applied. It keeps the slices in list, which nobody may
// change any more.
func (l *Log) Import(ctx context.Context, list []Sealed) error {
	if l.opts.Replica == nil {
		return errors.New("this event log is no replica")
	}
	return l.ask(ctx, &request{do: func() error { return l.importAll(list) }})
}

func (l *Log) importAll(list []Sealed) error {
	if len(list) == 0 {
		return nil
	}
	d := l.newDraft()
	defer func() { _ = d.batch.Close() }()
	w := walk{inside: true, seq: l.state.seq, hash: l.state.hash}
	var err error
	if w.base, w.trim, err = readBase(l.db); err != nil {
		return err
	}
	for i := range list {
		if list[i].Seq <= w.seq {
			return fmt.Errorf("%w: record %d comes after record %d", ErrCorrupt, list[i].Seq, w.seq)
		}
		s := list[i].stored()
		if err := w.step(&s); err != nil {
			return err
		}
		if err := d.take(&s); err != nil {
			return err
		}
		l.tokens.add(&s.Token, s.Seq)
		if w.trim == 0 && s.Kind == Trim && string(s.Body) == string(w.base.encode()) {
			// It tells what the replica was made to have, see Rebase.
			if err := d.setBase(w.base, s.Seq); err != nil {
				return err
			}
		}
	}
	d.next.seq, d.next.hash = w.seq, w.hash
	return l.commit(d)
}

// stored is the record as the log has it.
func (s *Sealed) stored() stored {
	x := stored{Record: s.Record, kept: s.Kept, digest: s.Digest}
	if !s.Redacted {
		x.secret = append(append(make([]byte, 0, len(s.Salt)+len(s.Body)), s.Salt...), s.Body...)
		x.Body = x.secret[len(s.Salt):]
	}
	return x
}

// take checks a record of another log, given Prev, and adds it as it is.
func (d *draft) take(s *stored) error {
	x := Sealed{Record: s.Record, Kept: s.kept, Digest: s.digest}
	if !s.Redacted {
		x.Salt = s.secret[:len(s.secret)-len(s.Body)]
	}
	if err := x.verify(); err != nil {
		return err
	}
	d.value = s.encode(d.value[:0])
	if _, err := decode(s.Seq, d.value); err != nil { // a kind that this program does not know
		return fmt.Errorf("%w: record %d: %v", ErrCorrupt, s.Seq, err)
	}
	d.records, d.now = append(d.records, s.Record), s.Time
	return d.batch.Set(recordKey(s.Seq), d.value, nil)
}

// setBase says where the whole chain begins, and which record tells so.
func (d *draft) setBase(b base, trim uint64) error {
	return d.batch.Set(keyBase, append(binary.BigEndian.AppendUint64(nil, trim), b.encode()...), nil)
}
