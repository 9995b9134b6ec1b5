package eventlog

import (
	"context"
	"slices"
)

// step is how many records a commit redacts or trims at most.
const step = 4096

// Redact drops digest, salt and body of the records of those numbers, durably.
// Their hashes stay, and so the chain can be checked as before. Records that are
// not there, redacted already, or of other kinds than Event are passed over. No
// scan that begins later sees the bodies; see [Log.Purge] for when they are in no
// file any more. Of an error, some may be redacted.
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
