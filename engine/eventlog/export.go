package eventlog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Sealed is a record with all that is needed to keep it elsewhere as it is.
type Sealed struct {
	Record
	// Kept is of a record that a trimming kept: its Prev is its own, and the
	// record before it may be gone.
	Kept bool
	// Digest is that of the entry, and Salt is what the commitment covers before
	// the body. Both are empty where the record is redacted.
	Digest [digestSize]byte
	Salt   []byte
}

// Base is where the whole chain of a log begins; zero of a log that was never
// trimmed.
type Base struct {
	// Seq and Hash are of the last record before it.
	Seq  uint64
	Hash Hash
	// Kept is how many of the records up to Seq were kept, and Digest is of
	// them, see FORMAT.md.
	Kept   uint64
	Digest Hash
	// Trim is the record that says so. It is 0 in a replica that has not come to
	// it.
	Trim uint64
}

// Extent is how far a log reaches.
type Extent struct {
	Base
	// Last, Time and Head are number, time and hash of the last record.
	Last uint64
	Time time.Time
	Head Hash
	// After is the hash of the record after which records were asked for, or the
	// newest before it. It is zero of one before the whole chain, and of one that
	// is not there yet.
	After Hash
}

// Export is [Log.Scan] with all that a log has of a record. It calls begin first,
// with how far the log reaches at that moment.
func (l *Log) Export(after uint64, begin func(Extent) error, f func(*Sealed) error) error {
	done, err := l.use()
	if err != nil {
		return err
	}
	defer done()
	snap, last, err := l.settled()
	if err != nil {
		return err
	}
	err = l.export(snap, last, after, begin, f)
	return errors.Join(err, snap.Close())
}

// settled is a snapshot of the store, and how far the log is acknowledged in it.
// A trimming that is in it is acknowledged.
func (l *Log) settled() (*pebble.Snapshot, *position, error) {
	for {
		last := l.last.Load()
		snap := l.db.NewSnapshot()
		_, trim, err := readBase(snap)
		if err == nil && trim <= last.seq {
			return snap, last, nil
		}
		if err = errors.Join(err, snap.Close()); err == nil {
			err = l.Wait(context.Background(), last.seq)
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

func (l *Log) export(r pebble.Reader, last *position, after uint64, begin func(Extent) error, f func(*Sealed) error) error {
	b, trim, err := readBase(r)
	if err != nil {
		return err
	}
	e := Extent{Base: Base{b.seq, b.hash, b.kept, b.digest, trim}, Last: last.seq, Time: last.time, Head: last.hash}
	switch {
	case after == b.seq:
		e.After = b.hash
	case after == last.seq:
		e.After = last.hash
	case after > b.seq && after < last.seq:
		if e.After, err = hashAt(r, after); err != nil {
			return err
		}
	}
	if err := begin(e); err != nil || after >= last.seq {
		return err
	}
	return l.scan(r, after, last.seq, func(s *stored) error {
		x := Sealed{Record: s.Record, Kept: s.kept, Digest: s.digest}
		if !s.Redacted {
			x.Salt = s.secret[:saltSize]
		}
		return f(&x)
	})
}

// hashAt is the hash of the record of a number, or of the newest before it.
func hashAt(r pebble.Reader, seq uint64) (h Hash, err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixRecord}, UpperBound: recordKey(seq + 1)})
	if err != nil {
		return h, damage(err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		return h, errors.Join(damage(it.Error()), fmt.Errorf("%w: no record up to %d is there", ErrCorrupt, seq))
	}
	s, err := current(it)
	return s.Hash, err
}

// verify checks what a record holds against its hash, given Prev.
func (s *Sealed) verify() error {
	switch {
	case s.Kind < Event, s.Redacted && s.Kind != Event,
		s.Redacted != (s.Salt == nil), !s.Redacted && len(s.Salt) != saltSize, len(s.Body) > MaxBody,
		s.Redacted && (s.Body != nil || s.Digest != [digestSize]byte{}),
		!time.Unix(0, s.Time.UnixNano()).Equal(s.Time): // the hash covers nanoseconds, which wrap
		return fmt.Errorf("%w: record %d: %v", ErrCorrupt, s.Seq, errShape)
	case !s.Redacted && s.Commitment != commitment(s.Salt, s.Body), s.Chain(s.Prev) != s.Hash:
		return fmt.Errorf("%w: record %d: what it holds is not what its hash says", ErrCorrupt, s.Seq)
	}
	return nil
}

func commitment(salt, body []byte) (h Hash) {
	d := sha256.New()
	_, _ = d.Write(salt) // never fails
	_, _ = d.Write(body)
	d.Sum(h[:0])
	return h
}

// A Checker checks exported records that come from elsewhere, one after the
// other: each for itself, and that none is missing. They may come in parts, of a
// log that grows meanwhile. It is for one goroutine, and of no use after an error.
type Checker struct {
	walk  walk
	at    uint64 // of the newest record
	hash  Hash   // of the record after which to begin, zero of one that is not known
	begun bool
	e     Extent
}

// NewChecker makes one of the records after a number. hash is that of the record
// of that number, or zero where it is not known: then the first extent is
// believed.
func NewChecker(after uint64, hash Hash) *Checker { return &Checker{at: after, hash: hash} }

// Begin says how far the log reaches from which the next records come. Its error
// wraps [ErrDiffers] where it is not the log, or [ErrTrimmed].
func (c *Checker) Begin(e Extent) error {
	w := &c.walk
	if !c.begun && c.hash == (Hash{}) {
		c.hash = e.After
	}
	known := c.hash
	if c.begun {
		known = w.hash
	}
	b := base{e.Seq, e.Hash, e.Kept, e.Digest}
	switch {
	case c.at > e.Last:
		return fmt.Errorf("%w: one ends with record %d, where the other has record %d", ErrDiffers, e.Last, c.at)
	case c.begun && b != w.base && (!w.inside || c.at < b.seq):
		return ErrTrimmed
	case c.at >= b.seq && (w.inside || !c.begun) && known != e.After:
		return fmt.Errorf("%w: their records %d are not the same", ErrDiffers, c.at)
	}
	if !c.begun {
		w.whole = c.at == 0
		if c.at > b.seq {
			w.seq, w.hash, w.inside = c.at, c.hash, true
		}
	}
	if w.trim != e.Trim || !c.begun {
		w.told = e.Trim <= c.at
	}
	w.base, w.trim, c.e, c.begun = b, e.Trim, e, true
	return nil
}

// Next checks the next record, and fills in its Prev.
func (c *Checker) Next(s *Sealed) error {
	if s.Seq <= c.at {
		return fmt.Errorf("%w: record %d comes where one after %d has to", ErrCorrupt, s.Seq, c.at)
	}
	st := stored{Record: s.Record, kept: s.Kept}
	if err := c.walk.step(&st); err != nil {
		return err
	}
	s.Prev = st.Prev
	if err := s.verify(); err != nil {
		return err
	}
	c.at = s.Seq
	return nil
}

// End checks that none is missing up to the end of the last extent.
func (c *Checker) End() error { return c.walk.end(state{seq: c.e.Last, hash: c.e.Head}) }
