package privacy

import "bytes"

// Bounds of what is read. Real strings are far shorter.
const (
	maxHeader    = 64
	maxSections  = lastSection
	maxUSSection = 64
)

// gppString is a string of the Global Privacy Platform: a header that lists
// the ids of sections, and the sections. The header is read here, because
// go-gpp's way of reading it does not end for some headers.
type gppString struct {
	count int
	ids   [maxSections]uint8 // ascending, beyond for those over lastSection
	body  []byte             // the sections, with a ~ before each
}

// beyond stands for any section over lastSection.
const beyond = lastSection + 1

// readGPP reads the header of a GPP string. What is in the sections is not
// looked at.
func readGPP(s []byte) (g gppString, ok bool) {
	header := s
	if i := bytes.IndexByte(s, '~'); i >= 0 {
		header, g.body = s[:i], s[i:]
	}
	if len(header) > maxHeader || !g.readHeader(header) {
		return g, false
	}
	return g, bytes.Count(g.body, []byte{'~'}) == g.count
}

// all yields the ids and texts of the sections.
func (g *gppString) all(yield func(id int, text []byte) bool) {
	rest := g.body
	for _, id := range g.ids[:g.count] {
		text := rest[1:]
		if i := bytes.IndexByte(text, '~'); i >= 0 {
			text, rest = text[:i], text[i:]
		}
		if !yield(int(id), text) {
			return
		}
	}
}

// readHeader reads type 3, version 1, and the ids: a list of numbers and
// ranges, each as its Fibonacci-coded distance from the one before.
func (g *gppString) readHeader(header []byte) bool {
	b, ok := decode64(header)
	if !ok || b.read(6) != 3 || b.read(6) != 1 {
		return false
	}
	last := 0
	for n := b.read(12); n > 0; n-- {
		isRange := b.flag()
		from := last + b.fibonacci()
		last = from
		if isRange {
			last += b.fibonacci()
		}
		if b.failed || g.count+last-from >= maxSections {
			return false
		}
		for id := from; id <= last; id++ {
			g.ids[g.count] = uint8(min(id, beyond))
			g.count++
		}
	}
	return !b.failed
}

// fibonacci reads a number of at least 1 in Fibonacci coding: the sum of the
// numbers 1, 2, 3, 5, 8 and so on whose bits are set, until two set bits meet.
func (b *bitString) fibonacci() int {
	const longest = 16 // bits, for numbers up to 1,596
	sum, before := 0, false
	for term, next, i := 1, 2, 0; i < longest && !b.failed; term, next, i = next, term+next, i+1 {
		set := b.flag()
		if set && before {
			return sum
		}
		if set {
			sum += term
		}
		before = set
	}
	b.failed = true
	return 0
}

// section returns the text of section id.
func (g *gppString) section(id int) ([]byte, bool) {
	for have, text := range g.all {
		if have == id {
			return text, true
		}
	}
	return nil, false
}

// applies says whether section id applies: those that gpp_sid names, and all
// that there are where it is missing or says that it does not know.
func (s *Signals) applies(id int) bool {
	if !s.said.has(GPPSID) || s.sections.has(unknownSection) {
		return true
	}
	return id <= lastSection && s.sections.has(id)
}

// missing says whether gpp_sid names a section that the string does not have.
func (s *Signals) missing(g *gppString) bool {
	want := s.sections &^ unsaid
	for _, id := range g.ids[:g.count] {
		want &^= 1 << id
	}
	return want != 0
}
