package overlay

import (
	"encoding/binary"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// merger applies changes to a draft.
type merger struct {
	draft
	key, value   []byte // under way, as all here
	entry, whole []byte
}

// apply makes a change's fact what it and the fact before come to.
func (m *merger) apply(c *Change) {
	switch b := &c.Event; b.Type {
	case event.Link, event.Unlink:
		m.link(c)
	case event.SegmentAdd, event.SegmentRemove:
		m.named(c, kindSegment, []byte(b.Segment), m.segment(c))
	case event.Consent:
		m.named(c, kindConsent, nil, m.consent(c))
	case event.OptOut:
		m.optOut(c)
	case event.OptIn:
		if b.OfCustomer {
			m.erasure(c, 0, b.At)
		} else {
			m.optOut(c)
		}
	case event.Erase:
		m.erasure(c, b.At, 0)
		m.cut(c)
		m.contacts(c)
	}
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// cutAt is the time up to which facts of an entry are cut, or 0.
func cutAt(entry []byte) (at int64) {
	for len(entry) > 0 {
		var i item
		if i, entry = first(entry); i.kind == kindErasure {
			at = max(at, i.at())
		}
	}
	return at
}

// link sets the link in the entries of both ends, to the same.
func (m *merger) link(c *Change) {
	b := &c.Event
	left, right := m.get(c.left), m.get(c.right)
	if b.At <= cutAt(left) || b.At <= cutAt(right) {
		return
	}
	linked, method := b.Type == event.Link, b.Method
	m.key = hashKey(m.key[:0], c.right, "")
	if have, _, _ := find(left, kindLink, m.key); have != nil {
		i := item{kindLink, nil, have}
		was, strength := i.flags()&1 != 0, snapshot.Method(i.flags()>>1)
		if !later(b.At, i.at(), !linked, !was, linked && method > strength) {
			return
		}
	}
	if !linked {
		method = 0
	}
	m.value = words(m.value[:0], c.Seq, uint64(b.At), flag(linked)|byte(method)<<1)
	m.entry = put(m.entry[:0], left, kindLink, m.key, m.value)
	m.setNamed(c.left, b.Left)
	// The first set may have moved the buckets, not the entry.
	m.key = hashKey(m.key[:0], c.left, "")
	m.entry = put(m.entry[:0], m.get(c.right), kindLink, m.key, m.value)
	m.setNamed(c.right, b.Right)
}

// setNamed sets the entry under way, which has a named item and so a text.
func (m *merger) setNamed(h index.Hash, text string) {
	if kind(m.entry[0]) == kindText {
		m.set(h, m.entry)
		return
	}
	m.whole = append(appendItem(m.whole[:0], kindText, []byte(text), nil), m.entry...)
	m.set(h, m.whole)
}

// later reports whether a change made at a time replaces a fact of another time:
// where they are of one, if it denies and the fact does not, or both or neither
// do and it is tighter.
func later(at, was int64, denies, denied, tighter bool) bool {
	switch {
	case at != was:
		return at > was
	case denies != denied:
		return denies
	}
	return tighter
}

// words puts a value together: numbers and flags.
func words(dst []byte, seq, at uint64, flags byte) []byte {
	dst = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, seq), at)
	return append(dst, flags)
}

func wordsUntil(dst []byte, seq, at, until uint64, flags byte) []byte {
	dst = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, seq), at)
	return append(binary.LittleEndian.AppendUint64(dst, until), flags)
}

// end orders ends: none is the last.
func end(until int64) uint64 { return uint64(until) - 1 }

// named sets an item of a customer's entry. The function makes the value of what
// is there, nil where nothing is, and returns nil where it stays.
func (m *merger) named(c *Change, k kind, key []byte, merge func(have item, there bool) []byte) {
	entry := m.get(c.left)
	if c.Event.At <= cutAt(entry) {
		return
	}
	have, _, _ := find(entry, k, key)
	value := merge(item{k, key, have}, have != nil)
	if value == nil {
		return
	}
	m.entry = put(m.entry[:0], entry, k, key, value)
	m.setNamed(c.left, c.Event.Subject)
}

func (m *merger) segment(c *Change) func(item, bool) []byte {
	return func(have item, there bool) []byte {
		b := &c.Event
		adds := b.Type == event.SegmentAdd
		if there {
			shorter := end(b.Until) < end(have.until())
			tighter := b.Until != have.until() && shorter == adds
			if !later(b.At, have.at(), !adds, have.flags()&1 == 0, tighter) {
				return nil
			}
		}
		m.value = wordsUntil(m.value[:0], c.Seq, uint64(b.At), uint64(b.Until), flag(adds))
		return m.value
	}
}

// consent of one time as another is what both grant.
func (m *merger) consent(c *Change) func(item, bool) []byte {
	return func(have item, there bool) []byte {
		b := &c.Event
		granted, purposes, until := b.Granted, b.Purposes, b.Until
		if !granted {
			purposes, until = 0, 0
		}
		if there && b.At == have.at() && granted && have.flags()&1 != 0 {
			purposes &= snapshot.Purposes(have.flags() >> 1)
			if end(have.until()) < end(until) {
				until = have.until()
			}
			if purposes == snapshot.Purposes(have.flags()>>1) && until == have.until() {
				return nil
			}
		} else if there && !later(b.At, have.at(), !granted, have.flags()&1 == 0, false) {
			return nil
		}
		m.value = wordsUntil(m.value[:0], c.Seq, uint64(b.At), uint64(until), flag(granted)|byte(purposes)<<1)
		return m.value
	}
}

func (m *merger) optOut(c *Change) {
	b := &c.Event
	entry, key, denies := m.get(c.left), []byte(b.Tenant), b.Type == event.OptOut
	if have, _, _ := find(entry, kindOptOut, key); have != nil {
		i := item{kindOptOut, key, have}
		if !later(b.At, i.at(), denies, i.flags() != 0, false) {
			return
		}
	}
	m.value = words(m.value[:0], c.Seq, uint64(b.At), flag(denies))
	m.entry = put(m.entry[:0], entry, kindOptOut, key, m.value)
	m.set(c.left, m.entry)
}

// erasure moves the last time of an erasure, or of what lifts it.
func (m *merger) erasure(c *Change, erased, lifted int64) {
	entry, key := m.get(c.left), []byte(c.Event.Tenant)
	if have, _, _ := find(entry, kindErasure, key); have != nil {
		i := item{kindErasure, key, have}
		if erased <= i.at() && lifted <= i.until() {
			return
		}
		erased, lifted = max(erased, i.at()), max(lifted, i.until())
	}
	m.value = wordsUntil(m.value[:0], c.Seq, uint64(erased), uint64(lifted), 0)[:valueSizes[kindErasure]]
	m.entry = put(m.entry[:0], entry, kindErasure, key, m.value)
	m.set(c.left, m.entry)
}

// cut removes what the erasure of a customer cuts, at both ends of its links.
func (m *merger) cut(c *Change) {
	entry := m.get(c.left)
	until := cutAt(entry)
	cuts := func(i item) bool { return i.kind.named() && i.at() <= until }
	m.key = hashKey(m.key[:0], c.left, "")
	var others []index.Hash
	found := false
	for rest := entry; len(rest) > 0; {
		var i item
		if i, rest = first(rest); !cuts(i) {
			continue
		}
		found = true
		if i.kind == kindLink {
			others = append(others, i.hash())
		}
	}
	if !found {
		return
	}
	m.entry = keep(m.entry[:0], entry, func(i item) bool { return !cuts(i) })
	m.set(c.left, m.entry)
	for _, other := range others {
		m.entry = keep(m.entry[:0], m.get(other), func(i item) bool { return i.kind != kindLink || i.hash() != c.left })
		m.set(other, m.entry)
	}
}

// contacts notes which contact identifiers an erasure withholds. Those of an
// earlier one stay.
func (m *merger) contacts(c *Change) {
	for _, contact := range c.Event.Contacts {
		m.key = hashKey(m.key[:0], contact, c.Event.Tenant)
		m.note(c, c.left, kindContact)
		m.key = hashKey(m.key[:0], c.left, c.Event.Tenant)
		m.note(c, contact, kindContactOf)
	}
}

func (m *merger) note(c *Change, h index.Hash, k kind) {
	entry := m.get(h)
	if have, _, _ := find(entry, k, m.key); have != nil {
		return
	}
	m.value = binary.LittleEndian.AppendUint64(m.value[:0], c.Seq)
	m.entry = put(m.entry[:0], entry, k, m.key, m.value)
	m.set(h, m.entry)
}
