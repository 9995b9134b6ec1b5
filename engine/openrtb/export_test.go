package openrtb

// WithoutAdditions takes what the last Append added out of its output, which
// began at the start of out, and puts null back where null was replaced.
func (r *Request) WithoutAdditions(out []byte) []byte {
	var b []byte
	done := 0
	for _, s := range r.spans {
		b = append(b, out[done:s.from]...)
		if s.null {
			b = append(b, "null"...)
		}
		done = s.to
	}
	return append(b, out[done:]...)
}

// Additions says from where to where the last Append added, in its output.
func (r *Request) Additions() (spans [][2]int) {
	for _, s := range r.spans {
		spans = append(spans, [2]int{s.from, s.to})
	}
	return spans
}

// MaxSignals is how many values of signals are read.
const MaxSignals = maxSignals

// Text is how many bytes of unescaped text the request holds.
func (r *Request) Text() int { return len(r.text) }

// Unmarked returns a request that reads without marks.
func Unmarked() *Request { return &Request{unmarked: true} }

// Marked reports whether the body was marked.
func (r *Request) Marked() bool { return r.marked }

// CanMark reports whether the processor can.
var CanMark = canMark()

// Bounds of what is marked.
const (
	MaxMarked      = maxMarked
	MaxMarkedDepth = maxMarkedDepth
)

// Places is where additions may go.
func (r *Request) Places() [5]slot { return [...]slot{r.root, r.user, r.data, r.eids, r.extEIDs} }
