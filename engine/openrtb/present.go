package openrtb

import (
	"bytes"
	"math"
	"unicode/utf8"
)

// What was scanned once is read here again, so nothing fails.

// mayHaveData reports whether it is worth looking for the segments of a.
func (r *Request) mayHaveData(a *Additions) bool {
	for k := range a.Data {
		if r.mayHave(&r.data, raw(a.Data[k].Name)) {
			return true
		}
	}
	return false
}

// mayHaveEIDs reports whether it is worth looking for the eids of a.
func (r *Request) mayHaveEIDs(s *slot, a *Additions) bool {
	for k := range a.EIDs {
		if r.mayHave(s, raw(a.EIDs[k].Source)) {
			return true
		}
	}
	return false
}

// mayHave reports whether a text may stand in an array. Mostly a provider is not
// there, and that is seen without reading: without escapes, a text can only
// be there as it is.
func (r *Request) mayHave(s *slot, text []byte) bool {
	if s.state != container || s.tail.empty {
		return false
	}
	list := r.body[s.start:s.tail.at]
	return bytes.Contains(list, text) || bytes.IndexByte(list, '\\') >= 0 || !utf8.Valid(text)
}

// unreadable is no segtax that anybody has.
const unreadable = math.MinInt

// findData marks the segments of a that stand in user.data.
func (r *Request) findData(a *Additions) {
	i, any := r.first(r.data.start, ']')
	for any {
		if r.peek(i) == '{' {
			i = r.findEntry(a, i)
		} else {
			i = r.skip(i, 0)
		}
		i, any = r.next(i, ']')
	}
}

// findEntry looks at one entry of user.data.
func (r *Request) findEntry(a *Additions, i int) int {
	mark := len(r.text)
	var name []byte
	segtax, segments := 0, 0
	i, any := r.first(i, '}')
	for any {
		var key []byte
		switch key, i = r.key(i); string(key) {
		case "name":
			name, _, i = r.scalar(i, 0)
		case "segment":
			segments = i
			i = r.skip(i, 0)
		case "ext":
			segtax, i = r.segtax(i)
		default:
			i = r.skip(i, 0)
		}
		i, any = r.next(i, '}')
	}
	if r.peek(segments) == '[' {
		base := 0
		for k := range a.Data {
			d := &a.Data[k]
			have := r.have[base : base+len(d.Segments)]
			if d.Segtax == segtax && sameText(name, raw(d.Name)) && lacks(have) {
				r.findSegments(d.Segments, have, segments)
			}
			base += len(d.Segments)
		}
	}
	r.text = r.text[:mark]
	return i
}

// segtax reads ext.segtax of an entry: 0 where there is none, unreadable where it
// is no number.
func (r *Request) segtax(i int) (segtax, end int) {
	if r.peek(i) != '{' {
		return 0, r.skip(i, 0)
	}
	i, any := r.first(i, '}')
	for any {
		var key []byte
		if key, i = r.key(i); string(key) == "segtax" {
			mark := len(r.text)
			var text []byte
			var k kind
			text, k, i = r.scalar(i, 0)
			n, ok := integer(text)
			switch {
			case k == nullKind:
				n = 0
			case !ok:
				n = unreadable
			}
			segtax, r.text = n, r.text[:mark]
		} else {
			i = r.skip(i, 0)
		}
		i, any = r.next(i, '}')
	}
	return segtax, i
}

// findSegments marks those of segments that stand in the array at i.
func (r *Request) findSegments(segments []string, have []bool, i int) {
	i, any := r.first(i, ']')
	for any {
		if r.peek(i) != '{' {
			i = r.skip(i, 0)
		} else {
			mark := len(r.text)
			var id []byte
			var k kind
			id, k, i = r.idOf(i)
			for n, s := range segments {
				if !have[n] && k >= stringKind && sameText(id, raw(s)) {
					have[n] = true
				}
			}
			r.text = r.text[:mark]
		}
		i, any = r.next(i, ']')
	}
}

// idOf returns the id of the object at i.
func (r *Request) idOf(i int) (id []byte, k kind, end int) {
	i, any := r.first(i, '}')
	for any {
		var key []byte
		if key, i = r.key(i); string(key) == "id" {
			id, k, i = r.scalar(i, 0)
		} else {
			i = r.skip(i, 0)
		}
		i, any = r.next(i, '}')
	}
	return id, k, i
}

// findEIDs marks the eids of a that stand in the array at i.
func (r *Request) findEIDs(a *Additions, i int) {
	i, any := r.first(i, ']')
	for any {
		if r.peek(i) == '{' {
			i = r.findEID(a, i)
		} else {
			i = r.skip(i, 0)
		}
		i, any = r.next(i, ']')
	}
}

// findEID looks at one entry of eids.
func (r *Request) findEID(a *Additions, i int) int {
	mark := len(r.text)
	var source []byte
	uids := 0
	i, any := r.first(i, '}')
	for any {
		var key []byte
		switch key, i = r.key(i); string(key) {
		case "source":
			source, _, i = r.scalar(i, 0)
		case "uids":
			uids = i
			i = r.skip(i, 0)
		default:
			i = r.skip(i, 0)
		}
		i, any = r.next(i, '}')
	}
	if r.peek(uids) == '[' {
		for k := range a.EIDs {
			if !r.haveEIDs[k] && sameText(source, raw(a.EIDs[k].Source)) {
				r.haveEIDs[k] = r.hasUID(a.EIDs[k].ID, uids)
			}
		}
	}
	r.text = r.text[:mark]
	return i
}

// hasUID reports whether an object in the array at i has an id.
func (r *Request) hasUID(want []byte, i int) bool {
	i, any := r.first(i, ']')
	for any {
		if r.peek(i) != '{' {
			i = r.skip(i, 0)
		} else {
			mark := len(r.text)
			var id []byte
			var k kind
			id, k, i = r.idOf(i)
			r.text = r.text[:mark]
			if k >= stringKind && sameText(id, want) {
				return true
			}
		}
		i, any = r.next(i, ']')
	}
	return false
}
