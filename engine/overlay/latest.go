package overlay

// Latest is the time of the latest link, segment or consent of the identifier, in
// Unix nanoseconds, folded ones too; 0 where there is none.
func (e Entry) Latest() (at int64) {
	for rest := e.items; len(rest) > 0; {
		var i item
		if i, rest = first(rest); i.kind.named() {
			at = max(at, i.at())
		}
	}
	return at
}
