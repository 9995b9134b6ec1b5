package openrtb

import "strconv"

// Bounds of a request. Of more ids than MaxIDs the rest is not read; what is
// over the others is refused.
const (
	MaxBytes = 1 << 20
	MaxDepth = 100 // the request's own object is the first level
	MaxIDs   = 256

	maxSignals = 32
	reserved   = 16 // beside MaxIDs, for ids that are no eids
)

// A SyntaxError says where a body stops being a bid request. It quotes nothing
// of the body.
type SyntaxError struct {
	Offset  int // in bytes, of what is wrong
	Problem string
}

func (e *SyntaxError) Error() string {
	return "byte " + strconv.Itoa(e.Offset) + ": " + e.Problem
}

// Place says where in a request an id stood.
type Place uint8

// Places of ids.
const (
	IFA      Place = iota // device.ifa
	BuyerUID              // user.buyeruid
	UserID                // user.id
	UserEID               // user.eids[].uids[].id, user.ext.eids[].uids[].id
)

// An ID is one identifier of a request.
type ID struct {
	Place  Place
	Source []byte // eids[].source, device.ext.ifa_type; may be empty
	Value  []byte // never empty
	Method int    // eids[].mm; 0, unknown, where it is none
}

// Signal names a privacy signal.
type Signal uint8

// The signals.
const (
	GDPR Signal = iota
	Consent
	GPP
	GPPSID
	USPrivacy
	GPC
	LMT
	COPPA
)

// A SignalValue is what one place of a request says of a signal.
type SignalValue struct {
	Signal Signal
	// Value is the content of a string, or a number as it is written; of a list
	// in gpp_sid, its elements with commas between them. Where Bad is set it
	// may be anything.
	Value []byte
	Bad   bool // cannot be read; see the package's comment
}

// A Request is one bid request at a time. Its zero value is ready for use; used
// again and again, it stops allocating. It must not be used by two goroutines
// at once.
type Request struct {
	body    []byte
	marks   *marks
	marked  bool   // marks are those of body
	text    []byte // what escaped strings stand for
	ids     []ID
	signals []SignalValue

	root, user, data, eids, extEIDs slot

	source []byte // of the eid, or the ifa_type of the device, being scanned
	method int    // of the eid being scanned
	tail   tail   // of the array or object scanned last
	fault  SyntaxError

	unmarked bool // no body is to be marked

	have     []bool // of all segments of the additions, those that are there
	haveEIDs []bool
	spans    []span // of the last Append
}

// Scan reads body, which must not change as long as the request is used. Its
// error is a [*SyntaxError], after which the request is empty.
func (r *Request) Scan(body []byte) error {
	r.reset(body)
	if len(body) > MaxBytes {
		r.fail(MaxBytes, "longer than 1 MiB")
	} else {
		r.mark()
		r.scan()
	}
	if r.fault.Problem != "" {
		fault := r.fault
		r.reset(nil)
		return &fault
	}
	return nil
}

func (r *Request) reset(body []byte) {
	r.body, r.text, r.ids, r.signals = body, r.text[:0], r.ids[:0], r.signals[:0]
	r.root, r.user = slot{}, slot{}
	r.forgetUser()
	r.fault, r.marked = SyntaxError{}, false
}

// mark marks the body where that can be done.
func (r *Request) mark() {
	if r.unmarked || !canMark() {
		return
	}
	if r.marks == nil {
		r.marks = new(marks)
	}
	r.marked = r.marks.mark(r)
	r.fault = SyntaxError{} // what is wrong is found out by scanning
}

// IDs returns the ids in the order of the body. They are valid until body
// changes or the next Scan.
func (r *Request) IDs() []ID { return r.ids }

// Signals returns what the request says of privacy, in the order of the body,
// valid as long as IDs are.
func (r *Request) Signals() []SignalValue { return r.signals }
