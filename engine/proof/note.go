package proof

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/matchd/matchd/snapshot"
)

// Kinds of notes.
const (
	Refused = "refused"
	Looked  = "looked"
	Removed = "removed"
)

// MostInNote is how many erasures one note is about at most.
const MostInNote = 4096

// Note is what a daemon notes.
type Note struct {
	Kind string `json:"note"`

	// UpTo, of [Refused], is the number of a record: it and all before it are
	// obeyed by lookups on the node that has the log. Since has those among them
	// that are erasures and that no note before has.
	UpTo  uint64  `json:"up_to,omitempty"`
	Since []Since `json:"since,omitempty"`
	// Within is for how long after they were accepted kept snapshots may hold the
	// customers of the erasures in Since, in seconds.
	Within int64 `json:"erase_within_seconds,omitempty"`

	// Snapshot, of [Looked], is the one that was looked into for the customers of
	// the erasures numbered From to To that are in force; Applied is the number
	// up to which it says to contain the log. Found are those up to it whose
	// customer is there all the same, which must not be, and Held those after it
	// whose customer is there still. Lifted are those that were taken back before,
	// whose customers may be there and were not looked for.
	Snapshot *Snapshot `json:"snapshot,omitempty"`
	Applied  uint64    `json:"applied_seq,omitempty"`
	From     uint64    `json:"from,omitempty"`
	To       uint64    `json:"to,omitempty"`
	Found    []uint64  `json:"found,omitempty"`
	Held     []uint64  `json:"held,omitempty"`
	Lifted   []uint64  `json:"lifted,omitempty"`

	// Removed are snapshots that are gone from the store, and Erasure the number
	// of the oldest erasure whose customer may have been in one of them.
	Removed []Snapshot `json:"removed,omitempty"`
	Erasure uint64     `json:"erasure,omitempty"`
}

// Since says from when on lookups on the node obey the record of a number. The
// daemon may have obeyed it before and been killed before it said so.
type Since struct {
	Seq uint64    `json:"seq"`
	At  time.Time `json:"at"`
}

// Snapshot names a snapshot.
type Snapshot struct {
	Name     string            `json:"name"`
	Manifest snapshot.HexBytes `json:"manifest"` // the SHA-256 of its manifest
}

// ErrNote says that bytes are no note, or not as [Note.Encode] writes it.
var ErrNote = errors.New("it is no note")

// Encode returns the body of the record.
func (n *Note) Encode() []byte {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err) // it is plain values
	}
	return b
}

// DecodeNote reads the body of a record. The error wraps [ErrNote].
func DecodeNote(body []byte) (n Note, err error) {
	if err := decode(body, &n); err != nil {
		return n, fmt.Errorf("%w: %w", ErrNote, err)
	}
	if !n.sound() {
		return n, ErrNote
	}
	return n, nil
}

// sound reports whether the note has what its kind has.
func (n *Note) sound() bool {
	switch n.Kind {
	case Refused:
		return n.UpTo > 0
	case Looked:
		return n.Snapshot != nil && n.From <= n.To
	case Removed:
		return len(n.Removed) > 0
	}
	return false
}

// Concerns reports whether the note is about an erasure: others are of use until
// the next one.
func (n *Note) Concerns() bool { return n.Kind != Refused || len(n.Since) > 0 }
