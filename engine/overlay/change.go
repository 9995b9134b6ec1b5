package overlay

import (
	"errors"
	"fmt"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/index"
)

// ErrKey says that a change holds hashes of another key than the store's, now or
// before.
var ErrKey = errors.New("its hashes are of another key than the store's")

// A Change is an event of the log with the hashes that its facts hang on.
type Change struct {
	// Seq is its sequence number in the log.
	Seq   uint64
	Event event.Bound

	left, right index.Hash // right is of a link alone
}

// Ends are the identifiers of a link.
func (c *Change) Ends() (left, right index.Hash) { return c.left, c.right }

// NewChange takes an event of the log, under the names of the snapshot. The
// error is [ErrKey], or says which field holds an identifier that the
// snapshot's namespaces do not allow.
func NewChange(seq uint64, b event.Bound, n *event.Names) (Change, error) {
	c := Change{Seq: seq, Event: b}
	var err error
	switch b.Type {
	case event.Link, event.Unlink:
		if c.left, err = n.Hash(b.Left); err != nil {
			return Change{}, fmt.Errorf("left: %w", err)
		}
		if c.right, err = n.Hash(b.Right); err != nil {
			return Change{}, fmt.Errorf("right: %w", err)
		}
	case event.SegmentAdd, event.SegmentRemove, event.Consent:
		if c.left, err = n.Hash(b.Subject); err != nil {
			return Change{}, fmt.Errorf("customer: %w", err)
		}
	default:
		if !n.Knows(b.Key) {
			return Change{}, ErrKey
		}
		c.left = b.Hash
	}
	return c, nil
}

// Holds reports whether a fact of links, segments or consents is what a change
// says, alone or with others of its time: so whoever goes without the change does
// not have the fact. It is told whether or not the snapshot contains it.
func (o *Overlay) Holds(c *Change) bool {
	k, key := kindConsent, []byte(nil)
	switch c.Event.Type {
	case event.Link, event.Unlink:
		k, key = kindLink, hashKey(nil, c.right)
	case event.SegmentAdd, event.SegmentRemove:
		k, key = kindSegment, []byte(c.Event.Segment)
	case event.Consent:
	default:
		return false
	}
	value, _, _ := find(o.get(c.left), k, key)
	return value != nil && item{kind: k, value: value}.at() == c.Event.At
}
