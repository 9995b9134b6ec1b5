package proof

import (
	"encoding/binary"
	"errors"

	"github.com/matchd/matchd/engine/eventlog"
)

// MostChain is how many records the chain of a certificate has at most: it ends
// with the last note before that.
const MostChain = 1 << 20

// Source is a log that a certificate is made from, such as an [eventlog.Log].
type Source interface {
	ID() eventlog.ID
	Export(after uint64, begin func(eventlog.Extent) error, f func(*eventlog.Sealed) error) error
}

// errEnough ends reading.
var errEnough = errors.New("enough")

// maker makes a certificate in one pass over a log.
type maker struct {
	seq   uint64
	most  int
	state state
	proof Proof
	base  eventlog.Base
	found bool
	count int // of the records of the chain
	end   int // bytes of the chain up to the last record that is opened
}

// Make makes the certificate of the erasure of a number. It reads the whole log.
// The error is [ErrNoErasure], or that of the log.
func Make(log Source, seq uint64) (Certificate, error) { return makeOf(log, seq, MostChain) }

func makeOf(log Source, seq uint64, most int) (Certificate, error) {
	m := maker{seq: seq, most: most}
	err := log.Export(0, func(e eventlog.Extent) error { m.base = e.Base; return nil }, m.take)
	if err != nil && !errors.Is(err, errEnough) {
		return Certificate{}, err
	}
	if !m.found {
		return Certificate{}, ErrNoErasure
	}
	m.proof.Chain = m.proof.Chain[:m.end]
	if !m.trimmed() {
		m.proof.Kept = nil
	}
	return Certificate{Version: Version, Log: log.ID().String(), Statement: m.state.Statement, Proof: m.proof}, nil
}

// trimmed reports whether the log was trimmed beyond the erasure.
func (m *maker) trimmed() bool { return m.base.Seq >= m.seq }

func (m *maker) take(r *eventlog.Sealed) error {
	if m.trimmed() && r.Seq <= m.base.Seq {
		m.proof.Kept = append(binary.BigEndian.AppendUint64(m.proof.Kept, r.Seq), r.Hash[:]...)
	}
	opened := false
	switch {
	case r.Seq == m.seq:
		if r.Redacted {
			return ErrNoErasure
		}
		if err := m.state.erased(&r.Record); err != nil {
			return err
		}
		m.found, opened = true, true
	case r.Seq > m.seq && !m.found:
		return ErrNoErasure
	case r.Seq > m.seq && !r.Redacted:
		if m.count >= m.most && m.after() {
			if beyond := m.state.clone(); beyond.add(&r.Record) {
				m.proof.Partial = true
				return errEnough
			}
			return nil
		}
		opened = m.state.add(&r.Record) || m.trimmed() && r.Seq == m.base.Trim
	}
	m.link(r, opened)
	return nil
}

// after reports whether the chain has what it needs at least: the record that
// vouches for what was kept.
func (m *maker) after() bool { return !m.trimmed() || m.proof.To >= m.base.Trim }

// link adds a record to the chain, if it is of it, and opens it.
func (m *maker) link(r *eventlog.Sealed, opened bool) {
	inChain := r.Seq >= m.seq && r.Seq > m.base.Seq
	if inChain {
		if m.count == 0 {
			m.proof.From = append([]byte(nil), r.Prev[:]...)
		}
		m.count++
		m.proof.Chain = appendLink(m.proof.Chain, &r.Record)
	}
	if !opened {
		return
	}
	m.proof.Opened = append(m.proof.Opened, Opened{
		Seq: r.Seq, Time: r.Time.UTC(), Kind: r.Kind, Token: append([]byte(nil), r.Token[:]...),
		Prev: append([]byte(nil), r.Prev[:]...), Salt: append([]byte(nil), r.Salt...), Body: append([]byte(nil), r.Body...),
	})
	if inChain {
		m.end = len(m.proof.Chain)
		m.proof.To, m.proof.Head = r.Seq, append([]byte(nil), r.Hash[:]...)
	}
}

func (s *state) clone() state {
	out := *s
	out.Snapshots = append([]Finding{}, s.Snapshots...)
	return out
}

// linkSize is the size of a record in [Proof.Chain].
const linkSize = 8 + 8 + 1 + 16 + 32

func appendLink(dst []byte, r *eventlog.Record) []byte {
	dst = binary.BigEndian.AppendUint64(dst, r.Seq)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Time.UnixNano()))
	dst = append(append(dst, byte(r.Kind)), r.Token[:]...)
	return append(dst, r.Commitment[:]...)
}
