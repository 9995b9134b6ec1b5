package eventlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// get returns a copy of a value of the store, or of a snapshot of it; nil where there
// is none.
func get(r pebble.Reader, key []byte) ([]byte, error) {
	v, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return bytes.Clone(v), closer.Close()
}

// readBase reads where the chain begins, and the number of the record that
// says so; both 0 of a log that was never trimmed.
func readBase(r pebble.Reader) (b base, trim uint64, err error) {
	v, err := get(r, keyBase)
	if err != nil || v == nil {
		return b, 0, err
	}
	if len(v) != 8+baseSize {
		return b, 0, fmt.Errorf("%w: what was trimmed is told in %d bytes", ErrCorrupt, len(v))
	}
	b, err = decodeBase(v[8:])
	return b, binary.BigEndian.Uint64(v), err
}

// keptDigest is the digest of kept records with one more.
func keptDigest(digest Hash, seq uint64, hash Hash) Hash {
	b := append(make([]byte, 0, 72), digest[:]...)
	b = binary.BigEndian.AppendUint64(b, seq)
	return sha256.Sum256(append(b, hash[:]...))
}

// walk follows records in their order and knows what has to come next. It
// fills in what is before each; the hash of each is left to [stored.check],
// which needs no order.
type walk struct {
	base base
	// trim is the record that says what base is, 0 of none.
	trim uint64
	// whole is a walk from the first record, which sees that all are there.
	whole bool

	seq    uint64
	hash   Hash
	kept   uint64
	digest Hash
	inside bool // the chain, beyond base
	told   bool // by the record trim
}

// enter goes from what was kept to where the chain is whole.
func (w *walk) enter() error {
	w.inside = true
	if w.whole && (w.kept != w.base.kept || w.digest != w.base.digest) {
		return fmt.Errorf("%w: of the records up to %d, %d were kept when they were trimmed, and others are there now", ErrCorrupt, w.base.seq, w.base.kept)
	}
	w.seq, w.hash = w.base.seq, w.base.hash
	return nil
}

func (w *walk) step(s *stored) error {
	if s.Seq <= w.base.seq {
		if !s.kept {
			return fmt.Errorf("%w: record %d is there, and was trimmed", ErrCorrupt, s.Seq)
		}
		w.kept++
		w.digest = keptDigest(w.digest, s.Seq, s.Hash)
		return nil
	}
	if !w.inside {
		if err := w.enter(); err != nil {
			return err
		}
	}
	switch {
	case s.kept:
		return fmt.Errorf("%w: record %d was kept by a trimming that did not reach it", ErrCorrupt, s.Seq)
	case s.Kind == Gap:
		lost, err := decodeGap(s.Body)
		if err != nil {
			return err
		}
		if lost.from != w.seq+1 || lost.to+1 != s.Seq {
			return fmt.Errorf("%w: record %d tells of a gap that is not before it", ErrCorrupt, s.Seq)
		}
	case s.Seq != w.seq+1:
		return fmt.Errorf("%w: records %d to %d are missing", ErrCorrupt, w.seq+1, s.Seq-1)
	}
	if s.Seq == w.trim {
		if s.Kind != Trim || !bytes.Equal(s.Body, w.base.encode()) {
			return fmt.Errorf("%w: record %d does not say what was trimmed", ErrCorrupt, s.Seq)
		}
		w.told = true
	}
	s.Prev = w.hash
	w.seq, w.hash = s.Seq, s.Hash
	return nil
}

// end checks that nothing is missing after the last record.
func (w *walk) end(last state) error {
	if !w.inside {
		if err := w.enter(); err != nil {
			return err
		}
	}
	switch {
	case w.seq < last.seq:
		return fmt.Errorf("%w: records %d to %d are missing", ErrCorrupt, w.seq+1, last.seq)
	case w.seq > last.seq:
		return fmt.Errorf("%w: it ends with record %d, and has %d", ErrCorrupt, last.seq, w.seq)
	case w.hash != last.hash:
		return fmt.Errorf("%w: record %d is not the one that the log ended with", ErrCorrupt, w.seq)
	case w.trim > 0 && !w.told:
		return fmt.Errorf("%w: record %d, which says what was trimmed, is missing", ErrCorrupt, w.trim)
	}
	return nil
}
