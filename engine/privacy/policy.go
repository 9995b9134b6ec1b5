package privacy

import (
	"fmt"
	"slices"
)

// Policy is what a client relies on. It is comparable, and its zero value is
// the strictest under the GDPR: without a vendor and purposes nothing is
// allowed there.
type Policy struct {
	Vendor       uint16     // id in the Global Vendor List, 0 for none
	Purposes     PurposeSet // each of them must be permitted
	Jurisdiction Jurisdiction
}

// Validate refuses a vendor without purposes, purposes without a vendor, and
// values that mean nothing.
func (p Policy) Validate() error {
	switch {
	case p.Purposes&^allPurposes != 0:
		return fmt.Errorf("a purpose is not one of 1 to %d", lastPurpose)
	case p.Jurisdiction >= jurisdictions:
		return fmt.Errorf("unknown jurisdiction %d", p.Jurisdiction)
	case p.Vendor != 0 && p.Purposes == 0:
		return fmt.Errorf("vendor %d has no purposes", p.Vendor)
	case p.Vendor == 0 && p.Purposes != 0:
		return fmt.Errorf("purposes without a vendor id")
	}
	return nil
}

// permitsNothing says whether no consent string can permit what p asks for.
func (p Policy) permitsNothing() bool {
	return p.Vendor == 0 || p.Purposes == 0 || p.Purposes&^allPurposes != 0
}

// PurposeSet holds purposes of the TCF: bit n-1 is purpose n, of 1 to 11.
type PurposeSet uint16

const (
	lastPurpose            = 11
	allPurposes PurposeSet = 1<<lastPurpose - 1
)

// consentOnly are the purposes for which TCF 2.2 and later know no legitimate
// interest: 1 and 3 to 6.
const consentOnly PurposeSet = 1<<0 | 1<<2 | 1<<3 | 1<<4 | 1<<5

// Purposes returns the set of purposes of the TCF by their numbers, 1 to 11.
func Purposes(numbers ...int) (PurposeSet, error) {
	var set PurposeSet
	for _, n := range numbers {
		if n < 1 || n > lastPurpose {
			return 0, fmt.Errorf("purpose %d is not one of 1 to %d", n, lastPurpose)
		}
		set |= 1 << (n - 1)
	}
	return set, nil
}

// Has says whether purpose n is in the set.
func (s PurposeSet) Has(n int) bool { return n >= 1 && n <= lastPurpose && s&(1<<(n-1)) != 0 }

// Jurisdiction is what applies to requests that do not say what does.
type Jurisdiction uint8

// Jurisdictions.
const (
	Nowhere      Jurisdiction = iota // only what a request says applies
	UnderGDPR                        // unless gdpr=0, a consent string must permit
	UnitedStates                     // a US signal must say that nobody opted out
	jurisdictions
)

var jurisdictionNames = [jurisdictions]string{"none", "gdpr", "us"}

// String returns the name of j: none, gdpr or us.
func (j Jurisdiction) String() string {
	if j >= jurisdictions {
		return fmt.Sprintf("jurisdiction(%d)", uint8(j))
	}
	return jurisdictionNames[j]
}

// ParseJurisdiction reads the name of a jurisdiction.
func ParseJurisdiction(s string) (Jurisdiction, error) {
	i := slices.Index(jurisdictionNames[:], s)
	if i < 0 {
		return 0, fmt.Errorf("jurisdiction %q is none of %v", s, jurisdictionNames)
	}
	return Jurisdiction(i), nil
}

// gdpr and us say whether the GDPR and the laws of US states apply by default.
// A jurisdiction of unknown number is under both.
func (j Jurisdiction) gdpr() bool { return j != Nowhere && j != UnitedStates }
func (j Jurisdiction) us() bool   { return j != Nowhere && j != UnderGDPR }
