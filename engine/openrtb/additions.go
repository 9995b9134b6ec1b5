package openrtb

// Data is one entry of user.data: the segments of one provider.
type Data struct {
	Name     string // the provider's domain
	Segtax   int    // the taxonomy of Segments, 0 for none
	Segments []string
}

// EID is one entry of user.eids, with one id. What is empty or 0 is left out,
// but for Source and ID.
type EID struct {
	Inserter, Matcher, Source string
	Method                    int // mm
	ID                        []byte
	AType                     int
}

// Additions are what is to be added. They may be filled again and again, so
// that they stop allocating; what they hold is only read during a call. What
// they name twice is added twice.
type Additions struct {
	Data []Data
	EIDs []EID
}

// missing notes in r.have and r.haveEIDs what is there, and reports whether
// something is to be added to user.data and to user.eids.
func (r *Request) missing(a *Additions) (data, eids bool) {
	if r.root.state != container || r.user.state == foreign {
		return false, false
	}
	segments := 0
	for k := range a.Data {
		segments += len(a.Data[k].Segments)
	}
	r.have = cleared(r.have, segments)
	r.haveEIDs = cleared(r.haveEIDs, len(a.EIDs))
	if r.mayHaveData(a) {
		r.findData(a)
	}
	for _, s := range [...]*slot{&r.eids, &r.extEIDs} {
		if r.mayHaveEIDs(s, a) {
			r.findEIDs(a, s.start)
		}
	}
	return r.data.state != foreign && lacks(r.have), r.eids.state != foreign && lacks(r.haveEIDs)
}

// cleared returns n times false, in the memory of s where it suffices.
func cleared(s []bool, n int) []bool {
	if cap(s) < n {
		return make([]bool, n)
	}
	s = s[:n]
	clear(s)
	return s
}

func lacks(have []bool) bool {
	for _, there := range have {
		if !there {
			return true
		}
	}
	return false
}
