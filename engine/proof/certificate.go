package proof

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/snapshot"
)

// Version is that of the form of certificates.
const Version = 1

// Certificate says what became of one erasure, and proves that a log says so.
type Certificate struct {
	Version int    `json:"version"`
	Log     string `json:"log"`
	Statement
	Proof Proof `json:"proof"`
}

// Statement is what a certificate says. All of it follows from the records that
// its proof opens.
type Statement struct {
	Erasure Erasure `json:"erasure"`
	// Refused is from when on lookups on the node that had the log obeyed it, nil
	// where no note says so yet.
	Refused *time.Time `json:"first_refused,omitempty"`
	// Until is when snapshots that hold the customer are removed at the latest,
	// but for what is served, current or pinned then.
	Until *time.Time `json:"kept_snapshots_until,omitempty"`
	// Snapshots are those that the customer was looked for in, in the order of
	// the notes.
	Snapshots []Finding `json:"snapshots"`
	// Lifted is the number of the opt-in that took the erasure back, or 0.
	Lifted uint64 `json:"lifted_by,omitempty"`
}

// Erasure is what was erased: never by its name.
type Erasure struct {
	Seq      uint64            `json:"seq"`
	Hash     snapshot.HexBytes `json:"hash"` // of its record, as in the receipt
	Accepted time.Time         `json:"accepted"`
	At       time.Time         `json:"at"` // by who sent it
	Tenant   string            `json:"tenant"`
	// Customer is the keyed hash of the customer, and Key names the key.
	Customer string `json:"customer_hash"`
	Key      string `json:"key_id"`
}

// States of a snapshot.
const (
	Absent = "absent" // the customer is not in it
	Held   = "held"   // it is, and withheld from every answer
	Wrong  = "found"  // it is, although the snapshot says to contain the erasure
	Lifted = "lifted" // the erasure was taken back before the customer was looked for
	Gone   = "removed"
)

// Finding is what a note says of a snapshot.
type Finding struct {
	Snapshot
	Applied uint64 `json:"applied_seq"`
	State   string `json:"state"`
	Note    uint64 `json:"note"` // the number of its record
}

// Proof is records of a log, and how they hang together.
type Proof struct {
	// Opened are the erasure, the notes about it, and what else the statement
	// follows from, with all that they hold; ascending.
	Opened []Opened `json:"opened"`
	// From is the hash of the record before the first one of Chain, which are in a
	// row, of [linkSize] bytes each: number (8), time (8), kind (1), token (16),
	// commitment (32), numbers big-endian.
	From  snapshot.HexBytes `json:"from"`
	Chain []byte            `json:"chain"`
	// Kept, where the log was trimmed beyond the erasure, are number (8) and hash
	// (32) of each record that was kept. A record of kind Trim in Chain, which is
	// opened, vouches for them.
	Kept []byte `json:"kept,omitempty"`
	// To and Head are number and hash of the last record of Chain. Partial says
	// that there are notes beyond it that a longer one would have.
	To      uint64            `json:"to"`
	Head    snapshot.HexBytes `json:"head"`
	Partial bool              `json:"partial,omitempty"`
}

// Opened is a record with what it holds.
type Opened struct {
	Seq   uint64            `json:"seq"`
	Time  time.Time         `json:"time"`
	Kind  eventlog.Kind     `json:"kind"`
	Token snapshot.HexBytes `json:"token"`
	Prev  snapshot.HexBytes `json:"prev"`
	Salt  snapshot.HexBytes `json:"salt"`
	Body  []byte            `json:"body"`
}

// ErrNoErasure says that there is no erasure of a number in a log.
var ErrNoErasure = errors.New("there is no erasure of that number in the log")

// state makes a statement of records, which come in their order.
type state struct {
	Statement
	bound event.Bound
}

// erased begins with the erasure itself.
func (s *state) erased(r *eventlog.Record) error {
	b, err := event.Decode(r.Body)
	if err != nil || r.Kind != eventlog.Event || b.Type != event.Erase {
		return ErrNoErasure
	}
	s.bound = b
	s.Erasure = Erasure{
		Seq: r.Seq, Hash: r.Hash[:], Accepted: r.Time.UTC(), At: time.Unix(0, b.At).UTC(), Tenant: b.Tenant,
		Customer: fmt.Sprintf("%016x%016x", b.Hash.Hi, b.Hash.Lo), Key: b.Key,
	}
	s.Snapshots = []Finding{}
	return nil
}

// add takes a record after the erasure, and reports whether it says anything of
// it.
func (s *state) add(r *eventlog.Record) (concerns bool) {
	switch r.Kind {
	case eventlog.Event:
		return s.lifted(r)
	case eventlog.Note:
		n, err := DecodeNote(r.Body)
		return err == nil && s.note(&n, r.Seq)
	}
	return false
}

func (s *state) lifted(r *eventlog.Record) bool {
	if event.TypeOf(r.Body) != event.OptIn {
		return false
	}
	b, err := event.Decode(r.Body)
	same := b.Hash == s.bound.Hash || slices.Contains(b.Former, s.bound.Hash)
	if err != nil || !b.OfCustomer || !same || b.Tenant != s.bound.Tenant || b.At <= s.bound.At {
		return false
	}
	s.Lifted = r.Seq
	return true
}

func (s *state) note(n *Note, seq uint64) bool {
	switch n.Kind {
	case Refused:
		i := slices.IndexFunc(n.Since, func(x Since) bool { return x.Seq == s.Erasure.Seq })
		if i < 0 || s.Refused != nil {
			return false
		}
		at := n.Since[i].At.UTC()
		s.Refused = &at
		if n.Within > 0 {
			until := s.Erasure.Accepted.Add(time.Duration(n.Within) * time.Second)
			s.Until = &until
		}
		return true
	case Looked:
		if s.Erasure.Seq < n.From || s.Erasure.Seq > n.To {
			return false
		}
		state := Absent
		switch seq := s.Erasure.Seq; {
		case slices.Contains(n.Held, seq):
			state = Held
		case slices.Contains(n.Found, seq):
			state = Wrong
		case slices.Contains(n.Lifted, seq):
			state = Lifted
		}
		s.Snapshots = append(s.Snapshots, Finding{*n.Snapshot, n.Applied, state, seq})
		return true
	case Removed:
		return s.removed(n, seq)
	}
	return false
}

func (s *state) removed(n *Note, seq uint64) (concerns bool) {
	for _, gone := range n.Removed {
		for i := range s.Snapshots {
			f := &s.Snapshots[i]
			if f.Name == gone.Name && f.State != Gone {
				f.State, f.Note, concerns = Gone, seq, true
			}
		}
	}
	return concerns
}

// Decode reads a certificate; see [Certificate.Verify].
func Decode(b []byte) (c Certificate, err error) {
	if err := decode(b, &c); err != nil { // a field that is not known, nothing proves
		return c, fmt.Errorf("it is no certificate: %w", err)
	}
	if c.Version != Version {
		return c, fmt.Errorf("it is no certificate of version %d", Version)
	}
	return c, nil
}

// decode reads one value of JSON, which has no other fields, and nothing after it.
func decode(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows it")
	}
	return nil
}
