package overlay

import (
	"cmp"
	"encoding/binary"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// A fact is what a change says of one identifier: an item of its entry.
type fact struct {
	hash  index.Hash
	kind  kind
	key   []byte
	value []byte
	text  []byte // of the identifier, where the kind is named
}

// merger makes facts of changes, and puts them together with those of a draft.
type merger struct {
	draft
	key, value, text, entry, whole []byte // under way
}

// apply makes a change's facts what they and those before come to.
func (m *merger) apply(c *Change) {
	if c.Event.At <= max(cutAt(m.get(c.left)), m.cutOther(c)) && !c.keeps() {
		return
	}
	m.facts(c, m.join)
	for _, former := range c.Event.Former {
		m.rename(snapshot.Renamed{Old: former, New: c.left})
	}
	if c.Event.Type == event.Erase {
		m.cut(c.left)
	}
}

// keeps reports whether no erasure cuts what a change says.
func (c *Change) keeps() bool {
	switch c.Event.Type {
	case event.OptOut, event.OptIn, event.Erase:
		return true
	}
	return false
}

// cutOther is when the other end of a link was cut.
func (m *merger) cutOther(c *Change) int64 {
	if t := c.Event.Type; t == event.Link || t == event.Unlink {
		return cutAt(m.get(c.right))
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

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// words puts a value together, but for its flags.
func words(dst []byte, list ...uint64) []byte {
	for _, w := range list {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	return dst
}

// facts calls emit for each fact of a change. Keys and values are m's own.
func (m *merger) facts(c *Change, emit func(*fact)) {
	b := &c.Event
	seq, at, until := c.Seq, uint64(b.At), uint64(b.Until)
	m.text = append(m.text[:0], b.Subject...)
	f := fact{hash: c.left, text: m.text}
	switch b.Type {
	case event.Link, event.Unlink:
		flags := byte(0)
		if b.Type == event.Link {
			flags = 1 | byte(b.Method)<<1
		}
		m.value = append(words(m.value[:0], seq, at), flags)
		m.key = hashKey(m.key[:0], c.right)
		m.text = append(m.text[:0], b.Left...)
		emit(&fact{c.left, kindLink, m.key, m.value, m.text})
		m.key = hashKey(m.key[:0], c.left)
		m.text = append(m.text[:0], b.Right...)
		f = fact{c.right, kindLink, m.key, m.value, m.text}
	case event.SegmentAdd, event.SegmentRemove:
		m.key = append(m.key[:0], b.Segment...)
		m.value = append(words(m.value[:0], seq, at, until), flag(b.Type == event.SegmentAdd))
		f.kind = kindSegment
	case event.Consent:
		m.key = m.key[:0]
		if b.Granted {
			m.value = append(words(m.value[:0], seq, at, until), 1|byte(b.Purposes)<<1)
		} else {
			m.value = append(words(m.value[:0], seq, at, 0), 0)
		}
		f.kind = kindConsent
	default:
		m.key = append(m.key[:0], b.Tenant...)
		for _, former := range b.Former {
			m.privacy(c, &f)
			f.hash, f.key, f.value = former, m.key, m.value
			emit(&f)
		}
		m.privacy(c, &f)
		f.hash = c.left
	}
	f.key, f.value = m.key, m.value
	emit(&f)
	for _, contact := range b.Contacts {
		m.value = words(m.value[:0], seq)
		m.key = hashKey(m.key[:0], contact)
		emit(&fact{hash: c.left, kind: kindContact, key: m.key, value: m.value})
		m.key = hashKey(m.key[:0], c.left)
		emit(&fact{hash: contact, kind: kindContactOf, key: m.key, value: m.value})
	}
}

// privacy makes kind and value of the fact that an opt-out, an opt-in or an
// erasure is.
func (m *merger) privacy(c *Change, f *fact) {
	b := &c.Event
	switch seq, at := c.Seq, uint64(b.At); {
	case b.Type == event.Erase:
		m.value = words(m.value[:0], seq, at, 0)
		f.kind = kindErasure
	case b.Type == event.OptIn && b.OfCustomer:
		m.value = words(m.value[:0], seq, 0, at)
		f.kind = kindErasure
	default:
		m.value = append(words(m.value[:0], seq, at), flag(b.Type == event.OptIn))
		f.kind = kindOptOut
	}
}

// join sets the item of a fact to what it and the one that is there come to.
func (m *merger) join(f *fact) {
	entry := m.get(f.hash)
	have, from, to := find(entry, f.kind, f.key)
	if have != nil && !joined(f.kind, have, f.value) {
		return
	}
	m.entry = appendItem(append(m.entry[:0], entry[:from]...), f.kind, f.key, f.value)
	m.entry = append(m.entry, entry[to:]...)
	if !f.kind.named() || kind(m.entry[0]) == kindText {
		m.set(f.hash, m.entry)
		return
	}
	m.whole = append(appendItem(m.whole[:0], kindText, f.text, nil), m.entry...)
	m.set(f.hash, m.whole)
}

// end orders ends: none is the last.
func end(until int64) uint64 { return uint64(until) - 1 }

// joined makes the new value what it and the old one come to, and reports
// whether that is another than the old one.
func joined(k kind, old, value []byte) bool {
	was, now := item{kind: k, value: old}, item{kind: k, value: value}
	switch k {
	case kindErasure:
		erased, lifted := max(was.at(), now.at()), max(was.until(), now.until())
		words(value[:8], uint64(erased), uint64(lifted))
		return erased > was.at() || lifted > was.until()
	case kindContact, kindContactOf:
		return false
	}
	// The lowest flag says that something is given: of one time, 0 wins.
	given := int(now.flags() & 1)
	if c := cmp.Or(cmp.Compare(now.at(), was.at()), int(was.flags()&1)-given); c != 0 {
		return c > 0
	}
	switch k {
	case kindLink:
		return now.flags() > was.flags() // the weaker method
	case kindSegment:
		shorter := cmp.Compare(end(was.until()), end(now.until()))
		return given == 1 && shorter > 0 || given == 0 && shorter < 0
	case kindConsent:
		until := was.until()
		if end(now.until()) < end(until) {
			until = now.until()
		}
		words(value[:16], uint64(until))
		value[len(value)-1] &= was.flags()
		return until != was.until() || value[len(value)-1] != was.flags()
	}
	return false
}

// cut removes what the erasure of a customer cuts, at both ends of its links.
func (m *merger) cut(customer index.Hash) {
	entry := m.get(customer)
	until := cutAt(entry)
	cuts := func(i item) bool { return i.kind.named() && i.at() <= until }
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
	m.set(customer, m.entry)
	for _, other := range others {
		m.entry = keep(m.entry[:0], m.get(other), func(i item) bool { return i.kind != kindLink || i.hash() != customer })
		m.set(other, m.entry)
	}
}
