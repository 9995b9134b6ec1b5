package openrtb

import "strconv"

// span is where in an output something was added, and whether it stands for a null.
type span struct {
	from, to int
	null     bool
}

// Append appends the request with what is missing of a to dst, and reports
// whether there was anything: if not, it is the request as it came. Before a
// Scan that succeeded, it appends nothing.
func (r *Request) Append(dst []byte, a *Additions) (out []byte, added bool) {
	r.spans = r.spans[:0]
	data, eids := r.missing(a)
	done := 0 // of the body
	switch {
	case !data && !eids:
	case r.user.state == absent:
		dst = r.begin(dst, 0, r.root.tail.at)
		dst = comma(dst, !r.root.tail.empty)
		dst = append(dst, `"user":`...)
		dst = r.end(r.appendUser(dst, a, data, eids), false)
		done = r.root.tail.at
	case r.user.state == null:
		dst = r.begin(dst, 0, r.user.start)
		dst = r.end(r.appendUser(dst, a, data, eids), true)
		done = r.user.start + len("null")
	default:
		dst, done = r.appendInUser(dst, a, data, eids)
	}
	return append(dst, r.body[done:]...), data || eids
}

// AppendPatch appends what [Request.Append] adds, in an object of its own:
// {"user":{"data":[...],"eids":[...]}}. Where there is nothing it appends
// nothing.
func (r *Request) AppendPatch(dst []byte, a *Additions) (out []byte, added bool) {
	data, eids := r.missing(a)
	if !data && !eids {
		return dst, false
	}
	dst = append(dst, `{"user":`...)
	dst = r.appendUser(dst, a, data, eids)
	return append(dst, '}'), true
}

// begin appends what lies before an addition.
func (r *Request) begin(dst []byte, done, at int) []byte {
	dst = append(dst, r.body[done:at]...)
	r.spans = append(r.spans, span{from: len(dst)})
	return dst
}

// end notes that an addition ends here.
func (r *Request) end(dst []byte, null bool) []byte {
	s := &r.spans[len(r.spans)-1]
	s.to, s.null = len(dst), null
	return dst
}

func (r *Request) appendUser(dst []byte, a *Additions, data, eids bool) []byte {
	dst = append(dst, '{')
	if data {
		dst = append(dst, `"data":[`...)
		dst = append(r.appendData(dst, a), ']')
	}
	if eids {
		dst = comma(dst, data)
		dst = append(dst, `"eids":[`...)
		dst = append(r.appendEIDs(dst, a), ']')
	}
	return append(dst, '}')
}

// appendInUser appends the body up to the last addition, inside of user. done is
// the offset after that.
func (r *Request) appendInUser(dst []byte, a *Additions, data, eids bool) (out []byte, done int) {
	filled := !r.user.tail.empty
	// New members come at the end of user, so after what an old one gets.
	if eids && r.eids.state != absent && (r.data.state == absent || r.eids.start < r.data.start) {
		dst = r.open(dst, 0, &r.eids, `"eids":[`, filled)
		dst, done = r.close(r.appendEIDs(dst, a), &r.eids)
		eids = false
	}
	if data {
		dst = r.open(dst, done, &r.data, `"data":[`, filled)
		dst, done = r.close(r.appendData(dst, a), &r.data)
		filled = true
	}
	if eids {
		dst = r.open(dst, done, &r.eids, `"eids":[`, filled)
		dst, done = r.close(r.appendEIDs(dst, a), &r.eids)
	}
	return dst, done
}

// open appends the body from done on, and what stands before entries that are
// added to a member of user. filled says that user has other members.
func (r *Request) open(dst []byte, done int, s *slot, member string, filled bool) []byte {
	switch s.state {
	case absent:
		dst = r.begin(dst, done, r.user.tail.at)
		return append(comma(dst, filled), member...)
	case null:
		return append(r.begin(dst, done, s.start), '[')
	}
	return comma(r.begin(dst, done, s.tail.at), !s.tail.empty)
}

// close appends what stands after the entries.
func (r *Request) close(dst []byte, s *slot) (out []byte, done int) {
	switch s.state {
	case absent:
		return r.end(append(dst, ']'), false), r.user.tail.at
	case null:
		return r.end(append(dst, ']'), true), s.start + len("null")
	}
	return r.end(dst, false), s.tail.at
}

// appendData appends entries with the segments that are missing.
func (r *Request) appendData(dst []byte, a *Additions) []byte {
	base, more := 0, false
	for k := range a.Data {
		d := &a.Data[k]
		have := r.have[base : base+len(d.Segments)]
		base += len(d.Segments)
		if !lacks(have) {
			continue
		}
		dst = comma(dst, more)
		more = true
		dst = append(dst, `{"name":`...)
		dst = appendString(dst, raw(d.Name))
		if d.Segtax != 0 {
			dst = append(dst, `,"ext":{"segtax":`...)
			dst = append(strconv.AppendInt(dst, int64(d.Segtax), 10), '}')
		}
		dst = append(dst, `,"segment":[`...)
		dst = append(appendSegments(dst, d.Segments, have), `]}`...)
	}
	return dst
}

func appendSegments(dst []byte, segments []string, have []bool) []byte {
	more := false
	for n, s := range segments {
		if !have[n] {
			dst = append(comma(dst, more), `{"id":`...)
			dst = append(appendString(dst, raw(s)), '}')
			more = true
		}
	}
	return dst
}

// appendEIDs appends the eids that are missing.
func (r *Request) appendEIDs(dst []byte, a *Additions) []byte {
	more := false
	for k := range a.EIDs {
		if !r.haveEIDs[k] {
			dst = appendEID(comma(dst, more), &a.EIDs[k])
			more = true
		}
	}
	return dst
}

func appendEID(dst []byte, e *EID) []byte {
	dst = append(dst, '{')
	if e.Inserter != "" {
		dst = append(dst, `"inserter":`...)
		dst = append(appendString(dst, raw(e.Inserter)), ',')
	}
	if e.Matcher != "" {
		dst = append(dst, `"matcher":`...)
		dst = append(appendString(dst, raw(e.Matcher)), ',')
	}
	dst = append(dst, `"source":`...)
	dst = appendString(dst, raw(e.Source))
	if e.Method != 0 {
		dst = append(dst, `,"mm":`...)
		dst = strconv.AppendInt(dst, int64(e.Method), 10)
	}
	dst = append(dst, `,"uids":[{"id":`...)
	dst = appendString(dst, e.ID)
	if e.AType != 0 {
		dst = append(dst, `,"atype":`...)
		dst = strconv.AppendInt(dst, int64(e.AType), 10)
	}
	return append(dst, `}]}`...)
}

// comma appends a comma where something stands before.
func comma(dst []byte, before bool) []byte {
	if before {
		return append(dst, ',')
	}
	return dst
}
