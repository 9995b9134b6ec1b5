package openrtb

// Forget empties the request, so that it holds nothing of the body that was
// scanned last.
func (r *Request) Forget() {
	clear(r.ids)
	clear(r.signals)
	r.source = nil
	r.reset(nil)
}

// Bytes is how much memory the request holds for its next use, but for what is
// bounded by some forty kilobytes.
func (r *Request) Bytes() int { return cap(r.text) }
