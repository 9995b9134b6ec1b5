package privacy

import "bytes"

// sectionSet holds ids of GPP sections: bit n is section n, up to lastSection.
type sectionSet uint64

// Sections of the Global Privacy Platform, and the special values of gpp_sid.
const (
	unknownSection   = 0 // it is not known which sections apply
	tcfEUSection     = 2
	headerSection    = 3
	integritySection = 4
	firstUSSection   = 6
	usPrivacySection = 6
	lastSection      = 62
	noSection        = 63 // gpp_sid -1: no section applies
)

// unsaid are ids in gpp_sid that ask for nothing.
const unsaid sectionSet = 1<<unknownSection | 1<<headerSection | 1<<integritySection | 1<<noSection

func (s sectionSet) has(n int) bool { return s&(1<<n) != 0 }

// readSectionIDs reads gpp_sid: -1 alone, or numbers up to lastSection, between
// commas or underscores, or as a JSON array of numbers, with or without quotes.
// A number beyond is a section that nobody here can read.
func readSectionIDs(v []byte) (set sectionSet, ok bool) {
	v = bytes.TrimSpace(v)
	if n := len(v); n >= 2 && v[0] == '[' && v[n-1] == ']' {
		v = bytes.TrimSpace(v[1 : n-1])
	}
	if len(v) == 0 {
		return 0, true
	}
	for more := true; more; {
		item := v
		if i := bytes.IndexAny(v, ",_"); i >= 0 {
			item, v = v[:i], v[i+1:]
		} else {
			more = false
		}
		n, ok := readSectionID(bytes.TrimSpace(item))
		if !ok {
			return 0, false
		}
		set |= 1 << n
	}
	return set, !set.has(noSection) || set == 1<<noSection
}

func readSectionID(v []byte) (n int, ok bool) {
	if l := len(v); l >= 2 && v[0] == '"' && v[l-1] == '"' {
		v = v[1 : l-1]
	}
	if string(v) == "-1" {
		return noSection, true
	}
	if len(v) == 0 || len(v) > 2 {
		return 0, false
	}
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n <= lastSection
}
