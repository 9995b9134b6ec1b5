package openrtb

import "bytes"

// The functions here scan the value at i, note what it says, and return the
// offset after it, or -1.

// list scans a value that should be an array, and notes where it can be added to.
func (r *Request) list(s *slot, o object, i, depth int) int {
	*s = slot{state: foreign, start: i}
	switch r.peek(i) {
	case '[':
		i = r.array(o, i, depth+1)
		s.state, s.tail = container, r.tail
		return i
	case 'n':
		s.state = null
	}
	return r.skip(i, depth)
}

func (r *Request) wholeUser(i, depth int) int {
	r.forgetUser()
	r.user = slot{state: foreign, start: i}
	switch r.peek(i) {
	case '{':
		i = r.object(userObject, i, depth+1)
		r.user.state, r.user.tail = container, r.tail
		return i
	case 'n':
		r.user.state = null
	}
	return r.noObject(userSignals, i, depth)
}

func (r *Request) forgetUser() { r.data, r.eids, r.extEIDs = slot{}, slot{}, slot{} }

func (r *Request) device(i, depth int) int {
	first := len(r.ids)
	r.source = nil
	i = r.inside(deviceObject, deviceSignals, i, depth)
	for k := first; k < len(r.ids); k++ {
		r.ids[k].Source = r.source
	}
	return i
}

func (r *Request) eid(i, depth int) int {
	first := len(r.ids)
	r.source, r.method = nil, 0
	i = r.object(eidObject, i, depth)
	for k := first; k < len(r.ids); k++ {
		r.ids[k].Source, r.ids[k].Method = r.source, r.method
	}
	return i
}

func (r *Request) eidMember(key []byte, i, depth int) int {
	switch string(key) {
	case "source":
		return r.sourceValue(i, depth)
	case "mm":
		text, _, end := r.scalar(i, depth)
		r.method, _ = integer(text)
		return end
	case "uids":
		if r.peek(i) == '[' {
			return r.array(uidObject, i, depth+1)
		}
	}
	return r.skip(i, depth)
}

func (r *Request) sourceValue(i, depth int) int {
	r.source, _, i = r.scalar(i, depth)
	return i
}

func (r *Request) id(p Place, i, depth int) int {
	text, _, end := r.scalar(i, depth)
	limit := MaxIDs
	if p != UserEID {
		limit += reserved // no list of eids displaces the others
	}
	if len(text) > 0 && len(r.ids) < limit {
		r.ids = append(r.ids, ID{Place: p, Value: text})
	}
	return end
}

// kind is the type of a value.
type kind uint8

const (
	otherKind kind = iota // true, false, an object, an array
	nullKind
	stringKind
	numberKind
)

// scalar scans any value. Of a string it returns what it stands for, of a number
// what is written, of others nothing.
func (r *Request) scalar(i, depth int) (text []byte, k kind, end int) {
	c := r.peek(i)
	if c == '"' {
		end, escaped := r.stringEnd(i + 1)
		if end < 0 {
			return nil, stringKind, -1
		}
		text = r.body[i+1 : end-1 : end-1]
		if escaped {
			text = r.unescape(text)
		}
		return text, stringKind, end
	}
	end = r.skip(i, depth)
	switch {
	case end < 0 || c == '{' || c == '[' || c == 't' || c == 'f':
		return nil, otherKind, end
	case c == 'n':
		return nil, nullKind, end
	}
	return r.body[i:end:end], numberKind, end
}

// integer reads a whole number of up to 18 digits.
func integer(text []byte) (int, bool) {
	digits, negative := bytes.CutPrefix(text, []byte("-"))
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	n := 0
	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}
