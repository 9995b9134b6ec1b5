package openrtb

// object names the objects whose members are looked at.
type object uint8

const (
	rootObject object = iota
	deviceObject
	deviceExt
	userObject
	userExt
	regsObject
	regsExt
	eidObject
	uidObject
	plainObject // nothing in it is looked at
)

// state says what stands where something could be added.
type state uint8

const (
	absent state = iota
	null
	container // of the type that it should have
	foreign   // of another type
)

// slot is a place that something can be added to.
type slot struct {
	state state
	start int // of the value
	tail  tail
}

// tail is where an object or array can be added to: after the last member or
// element, or after the opening bracket of an empty one.
type tail struct {
	at    int
	empty bool
}

func (r *Request) scan() {
	i := r.space(0)
	if r.peek(i) != '{' {
		r.fail(i, "expected an object")
		return
	}
	r.root = slot{state: container, start: i}
	if i = r.object(rootObject, i, 1); i < 0 {
		return
	}
	r.root.tail = r.tail
	if i = r.space(i); i < len(r.body) {
		r.fail(i, "expected nothing after the object")
	}
}

// initials are sets of the letters, in any case, that the keys begin with which
// are looked at, and of the backslash, behind which there may be any letter. The
// bit of each is that of its last five bits.
var initials = [...]uint32{
	rootObject:   1<<('\\'&31) | 1<<('d'&31) | 1<<('u'&31) | 1<<('r'&31),
	deviceObject: 1<<('\\'&31) | 1<<('i'&31) | 1<<('e'&31) | 1<<('l'&31),
	deviceExt:    1<<('\\'&31) | 1<<('i'&31) | 1<<('l'&31),
	userObject:   1<<('\\'&31) | 1<<('i'&31) | 1<<('b'&31) | 1<<('e'&31) | 1<<('d'&31) | 1<<('c'&31),
	userExt:      1<<('\\'&31) | 1<<('e'&31) | 1<<('c'&31),
	regsObject:   1<<('\\'&31) | 1<<('c'&31) | 1<<('g'&31) | 1<<('u'&31) | 1<<('e'&31),
	regsExt:      1<<('\\'&31) | 1<<('c'&31) | 1<<('g'&31) | 1<<('u'&31),
	eidObject:    1<<('\\'&31) | 1<<('s'&31) | 1<<('m'&31) | 1<<('u'&31),
	uidObject:    1<<('\\'&31) | 1<<('i'&31),
}

// object scans the object that opens at i.
func (r *Request) object(o object, i, depth int) int {
	at := tail{i + 1, true}
	i, any := r.first(i, '}')
	for any {
		var stopped bool
		if r.marked {
			i, stopped = r.seek(i, initials[o])
		} else {
			i, stopped = r.skim(i, depth-1, 1, initials[o])
		}
		if !stopped {
			return i
		}
		var key []byte
		if key, i = r.key(i); i < 0 {
			return -1
		}
		if i = r.member(o, key, i, depth); i < 0 {
			return -1
		}
		at = tail{i, false}
		i, any = r.next(i, '}')
	}
	r.tail = at
	return i
}

// array scans the array that opens at i, whose elements are objects o.
func (r *Request) array(o object, i, depth int) int {
	at := tail{i + 1, true}
	i, any := r.first(i, ']')
	for any {
		if i = r.element(o, i, depth); i < 0 {
			return -1
		}
		at = tail{i, false}
		i, any = r.next(i, ']')
	}
	r.tail = at
	return i
}

func (r *Request) element(o object, i, depth int) int {
	switch {
	case o == plainObject || r.peek(i) != '{':
		return r.skip(i, depth)
	case o == eidObject:
		return r.eid(i, depth+1)
	}
	return r.object(o, i, depth+1)
}

// member scans the value at i, which key has in an object o.
func (r *Request) member(o object, key []byte, i, depth int) int {
	switch o {
	case rootObject:
		switch string(key) {
		case "device":
			return r.device(i, depth)
		case "user":
			return r.wholeUser(i, depth)
		case "regs":
			return r.inside(regsObject, regsSignals, i, depth)
		}
	case deviceObject:
		switch string(key) {
		case "ifa":
			return r.id(IFA, i, depth)
		case "ext":
			return r.inside(deviceExt, deviceSignals, i, depth)
		case "lmt":
			return r.signal(LMT, i, depth)
		}
	case deviceExt:
		switch string(key) {
		case "ifa_type":
			return r.sourceValue(i, depth)
		case "lmt":
			return r.signal(LMT, i, depth)
		}
	case userObject:
		return r.userMember(key, i, depth)
	case userExt:
		switch string(key) {
		case "eids":
			return r.list(&r.extEIDs, eidObject, i, depth)
		case "consent":
			return r.signal(Consent, i, depth)
		}
	case regsObject, regsExt:
		return r.regsMember(o, key, i, depth)
	case eidObject:
		return r.eidMember(key, i, depth)
	case uidObject:
		if string(key) == "id" {
			return r.id(UserEID, i, depth)
		}
	}
	return r.other(o, key, i, depth)
}

func (r *Request) userMember(key []byte, i, depth int) int {
	switch string(key) {
	case "id":
		return r.id(UserID, i, depth)
	case "buyeruid":
		return r.id(BuyerUID, i, depth)
	case "eids":
		return r.list(&r.eids, eidObject, i, depth)
	case "data":
		return r.list(&r.data, plainObject, i, depth)
	case "consent":
		return r.signal(Consent, i, depth)
	case "ext":
		r.extEIDs = slot{}
		return r.inside(userExt, userSignals, i, depth)
	}
	return r.other(userObject, key, i, depth)
}

func (r *Request) regsMember(o object, key []byte, i, depth int) int {
	switch string(key) {
	case "coppa":
		return r.signal(COPPA, i, depth)
	case "gdpr":
		return r.signal(GDPR, i, depth)
	case "us_privacy":
		return r.signal(USPrivacy, i, depth)
	case "gpp":
		return r.signal(GPP, i, depth)
	case "gpp_sid":
		return r.signal(GPPSID, i, depth)
	case "gpc":
		return r.signal(GPC, i, depth)
	case "ext":
		if o == regsObject {
			return r.inside(regsExt, regsSignals, i, depth)
		}
	}
	return r.other(o, key, i, depth)
}
