package engine

import (
	"time"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/overlay"
	"github.com/matchd/matchd/index"
)

// HeldFact is a fact that a live change made: the type is that of the change
// that holds, or "contact" of an identifier that an erasure named.
type HeldFact struct {
	Identifier string `json:"identifier"`
	Type       string `json:"type"`
	Tenant     string `json:"tenant,omitempty"`
	// Other is the other identifier of a link; its keyed hash, where no change
	// names it. Of a contact it is the hash of the customer.
	Other    string   `json:"other,omitempty"`
	Method   string   `json:"method,omitempty"`
	Segment  string   `json:"segment,omitempty"`
	Purposes []string `json:"purposes,omitempty"`
	Until    string   `json:"until,omitempty"`
	At       string   `json:"at,omitempty"`
	Seq      uint64   `json:"seq"` // of the change in the log
}

// heldFacts appends the facts that hang on an identifier.
func (s *Session) heldFacts(dst []HeldFact, id string, h index.Hash) []HeldFact {
	if s.live == nil {
		return dst
	}
	e, ok := s.live.Get(h)
	if !ok {
		return dst
	}
	add := func(kind event.Type, f overlay.Fact) *HeldFact {
		dst = append(dst, HeldFact{Identifier: id, Type: kind.String(), At: shownNanos(f.At), Seq: f.Seq})
		return &dst[len(dst)-1]
	}
	for o := range e.OptOuts() {
		add(either(o.Denied, event.OptOut, event.OptIn), o.Fact).Tenant = string(o.Tenant)
	}
	for x := range e.Erasures() {
		kind := either(x.InForce(), event.Erase, event.OptIn)
		if kind == event.OptIn {
			x.At = x.LiftedAt
		}
		add(kind, x.Fact).Tenant = string(x.Tenant)
	}
	for c := range e.ContactOf() {
		dst = append(dst, HeldFact{Identifier: id, Type: "contact", Other: shownHash(c.Other), Seq: c.Seq})
	}
	if c, ok := e.Consent(); ok {
		f := add(event.Consent, c.Fact)
		f.Purposes, f.Until = purposeNames(c.Purposes), shownTime(c.Until)
	}
	for x := range e.Segments() {
		f := add(either(x.Added, event.SegmentAdd, event.SegmentRemove), x.Fact)
		f.Segment, f.Until = string(x.Code), shownTime(x.Until)
	}
	for x := range e.Links() {
		f := add(either(x.Linked, event.Link, event.Unlink), x.Fact)
		f.Other = shownHash(x.Other)
		if other, ok := s.live.Get(x.Other); ok && len(other.Text()) > 0 {
			f.Other = string(other.Text())
		}
		if x.Linked {
			f.Method = x.Method.String()
		}
	}
	return dst
}

func either(first bool, a, b event.Type) event.Type {
	if first {
		return a
	}
	return b
}

// shownNanos formats Unix nanoseconds; 0 is no time.
func shownNanos(at int64) string {
	if at == 0 {
		return ""
	}
	return time.Unix(0, at).UTC().Format(time.RFC3339Nano)
}
