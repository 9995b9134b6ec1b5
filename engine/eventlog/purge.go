package eventlog

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

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
