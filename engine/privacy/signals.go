package privacy

import "bytes"

// Signals are what one request says about privacy. The zero value says
// nothing. It keeps slices of the caller's bytes, and is read while they are
// valid; it is used by one goroutine at a time.
type Signals struct {
	facts
	tcf, gpp []byte
}

// facts are the signals that are read when they are noted. They are comparable.
type facts struct {
	said, on, bad kindSet // on: the value is 1; bad: not readable, or in conflict
	sections      sectionSet
	usPrivacy     [4]byte
}

// Reset makes s say nothing, for another request.
func (s *Signals) Reset() { *s = Signals{} }

// Malformed notes a signal of a wrong type, such as an array where a number
// belongs. It means no, whatever else is said.
func (s *Signals) Malformed(k Kind) {
	if k != None && k < kinds {
		s.said.add(k)
		s.bad.add(k)
	}
}

// Set notes the text of a signal: a query parameter, a header, or what is
// inside a JSON scalar. gpp_sid is a list of numbers between commas or
// underscores, or a whole JSON array. Equal values for one signal are one;
// different ones are in conflict, which means no, as does a value that cannot
// be read. Nothing between the quotes of a string signal is as if the signal
// were absent; the numbers gdpr, lmt and coppa are not readable without a
// digit.
func (s *Signals) Set(k Kind, value []byte) {
	switch k {
	case GDPR, LMT, COPPA:
		s.setFlag(k, value)
	case GPC:
		if len(value) != 0 {
			s.setFlag(k, value)
		}
	case USPrivacy:
		if len(value) != 0 {
			s.setUSPrivacy(value)
		}
	case GPPSID:
		s.setSections(value)
	case TCF:
		s.setString(k, &s.tcf, value)
	case GPP:
		s.setString(k, &s.gpp, value)
	}
}

func (s *Signals) setFlag(k Kind, value []byte) {
	if len(value) != 1 || value[0] != '0' && value[0] != '1' {
		s.Malformed(k)
		return
	}
	on := value[0] == '1'
	if s.said.has(k) && s.on.has(k) != on {
		s.Malformed(k)
		return
	}
	s.said.add(k)
	if on {
		s.on.add(k)
	}
}

func (s *Signals) setUSPrivacy(value []byte) {
	var v [4]byte
	if !validUSPrivacy(value) || s.said.has(USPrivacy) && s.usPrivacy != [4]byte(value) {
		s.Malformed(USPrivacy)
		return
	}
	copy(v[:], value)
	s.said.add(USPrivacy)
	s.usPrivacy = v
}

func (s *Signals) setSections(value []byte) {
	sections, ok := readSectionIDs(value)
	switch {
	case !ok || s.said.has(GPPSID) && s.sections != sections:
		s.Malformed(GPPSID)
	case sections != 0:
		s.said.add(GPPSID)
		s.sections = sections
	}
}

func (s *Signals) setString(k Kind, to *[]byte, value []byte) {
	switch {
	case len(value) == 0:
	case s.said.has(k) && !bytes.Equal(*to, value):
		s.Malformed(k)
	default:
		s.said.add(k)
		*to = value
	}
}
