package server

import (
	"sync"
	"unsafe"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/privacy"
)

// request is the memory that serving one request needs. It is used again for
// others, so that a lookup allocates nothing.
type request struct {
	caller  *caller
	route   routeID
	encoded bool   // the body
	paid    bool   // it was taken from what the caller may ask
	noted   bool   // the audit log has it
	origin  string // whose pages may read the answer; empty is none

	ids     [][]byte // asked, in order
	query   []byte   // what of the query string had to be decoded
	text    []byte   // what of a body's ids had to be decoded, or a cookie's id
	out     []byte   // the answer
	signals privacy.Signals
	view    engine.View
	nobody  engine.Answer
	shown   []shownSegment
}

// requests is a pool and no more: what it gives is as good as new.
var requests = sync.Pool{New: func() any { return new(request) }}

// maxKept is how many bytes a pool may keep of a request's answers, and of each
// other part: a single large request is not to hold its memory for good.
const maxKept = 1 << 20

// release gives the memory back. A request whose handler panicked is left to
// the collector instead.
func (q *request) release() {
	clear(q.ids) // they point into a connection's buffers
	q.ids = q.ids[:0]
	clear(q.shown)
	q.shown = q.shown[:0]
	q.caller, q.origin, q.paid, q.noted = nil, "", false, false
	q.out = q.out[:0]
	q.signals.Reset()
	q.trim()
	requests.Put(q)
}

// trim drops what is too large to keep.
func (q *request) trim() {
	if q.view.Bytes() > maxKept {
		q.view = engine.View{}
	}
	if cap(q.out) > maxKept {
		q.out = nil
	}
	if cap(q.text) > maxKept {
		q.text = nil
	}
	if cap(q.query) > maxKept {
		q.query = nil
	}
	if cap(q.shown)*int(unsafe.Sizeof(shownSegment{})) > maxKept {
		q.shown = nil
	}
}
