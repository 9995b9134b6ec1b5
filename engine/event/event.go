package event

import (
	"fmt"
	"time"

	"github.com/matchd/matchd/snapshot"
)

// Type says what a change does.
type Type uint8

// The types. FORMAT.md has their numbers.
const (
	Link          Type = iota + 1 // left and right are one person's
	Unlink                        // they are not
	SegmentAdd                    // a customer is in a segment
	SegmentRemove                 // it is not
	Consent                       // a customer grants or withdraws
	OptOut                        // an identifier is not to be used for a tenant
	OptIn                         // an identifier, or an erased customer, may be used again
	Erase                         // a customer is to be forgotten
	types
)

var typeNames = [...]string{Link: "link", Unlink: "unlink", SegmentAdd: "segment_add", SegmentRemove: "segment_remove", Consent: "consent", OptOut: "opt_out", OptIn: "opt_in", Erase: "erase"}

func (t Type) String() string {
	if t == 0 || t >= types {
		return fmt.Sprintf("type %d", uint8(t))
	}
	return typeNames[t]
}

// All stands for all tenants.
const All = "*"

// Bounds of a change.
const (
	// MaxBytes is how long its JSON may be.
	MaxBytes = 4 << 10
	// MaxID is how long its id may be, in bytes.
	MaxID = 128
	// MaxAhead is how much later than its arrival its time may be: clocks
	// differ, and a change of next year would outweigh all until then.
	MaxAhead = 5 * time.Minute
)

// An Event is one change as a client says it. Fields that its type does not
// have are zero.
type Event struct {
	// ID is the client's name for the change: of two with one id, the second
	// does nothing.
	ID string
	// At is the time of the change; zero is that of its arrival.
	At   time.Time
	Type Type

	Left, Right string          // of a link: identifiers
	Method      snapshot.Method // of a link: how it is known

	Customer string // tenant:customer_id
	Segment  string
	// Until is when the change of a segment or a consent ends; zero is never.
	Until    time.Time
	Granted  bool              // of a consent: or withdrawn
	Purposes snapshot.Purposes // that are granted

	Tenant     string // of an opt-out, an opt-in and an erasure; or [All]
	Identifier string
}
