package privacy

import (
	"bytes"
	"math"
	"time"

	"github.com/prebid/go-gdpr/consentconstants"
	"github.com/prebid/go-gdpr/vendorconsent/tcf2"

	"github.com/matchd/matchd/snapshot"
)

// Never is the time at which a verdict that does not depend on time must be
// decided anew.
const Never = math.MaxInt64

// Facts of the Transparency and Consent Framework.
const (
	maxTCF          = 16 << 10 // characters; real strings have a few hundred to a few thousand
	tcfMonths       = 13       // for which a consent holds
	oldestPolicy    = 4        // the policies of TCF 2.2; consent given under older ones is no longer valid
	serviceSpecific = 138      // bit of the core segment
	afterPurposes   = 213      // bit at which the vendor sections of the core segment begin
)

// disclosedSince is the first second at which a new string must have the
// segment of disclosed vendors: 1 March 2026, by TCF 2.3.
const disclosedSince = 1772323200

// Types of segments after the core segment, of three bits.
const (
	disclosedVendors = 1
	allowedVendors   = 2
	publisherTC      = 3
)

// Types of publisher restrictions.
const (
	requireConsent            = 1
	requireLegitimateInterest = 2
)

// tcString is a TC string as it is for one vendor.
type tcString struct {
	core         vendorconsent.ConsentMetadata
	specific     bool      // to this service, as it has to be
	restrictions [64]uint8 // by purpose: bit t for a restriction of type t
	hasDisclosed bool
	disclosed    bool
}

// readTCF reads a TC string. go-gdpr reads the core segment but for its
// publisher restrictions, of which it forgets all but the last of a kind, and
// none of the other segments; these are read here.
func readTCF(s []byte, vendor uint16) (t tcString, ok bool) {
	if len(s) > maxTCF || len(s) == 0 || s[0] != 'C' { // version 2
		return t, false
	}
	first, rest, more := bytes.Cut(s, []byte{'.'})
	core, ok := decode64(first)
	if !ok {
		return t, false
	}
	parsed, err := vendorconsent.Parse(core.data)
	if err != nil {
		return t, false
	}
	t.core, ok = parsed.(vendorconsent.ConsentMetadata)
	if !ok || !t.readRestrictions(core, vendor) {
		return t, false
	}
	var seen uint8 // bit k for type k
	for more {
		var segment []byte
		segment, rest, more = bytes.Cut(rest, []byte{'.'})
		if !t.readSegment(segment, vendor, &seen) {
			return t, false
		}
	}
	return t, true
}

// readRestrictions notes the publisher restrictions on vendor.
func (t *tcString) readRestrictions(core bitString, vendor uint16) bool {
	core.at = serviceSpecific
	t.specific = core.flag()
	core.at = afterPurposes
	core.vendors(0) // with consent
	core.vendors(0) // with legitimate interest
	for n := core.read(12); n > 0 && !core.failed; n-- {
		purpose, kind := core.read(6), core.read(2)
		if core.ranges(vendor, math.MaxUint16) {
			t.restrictions[purpose] |= 1 << kind
		}
	}
	return !core.failed
}

// readSegment reads a segment after the first. Each type may be there once.
func (t *tcString) readSegment(segment []byte, vendor uint16, seen *uint8) bool {
	b, ok := decode64(segment)
	kind := b.read(3)
	if !ok || b.failed || *seen>>kind&1 != 0 {
		return false
	}
	*seen |= 1 << kind
	switch kind {
	case disclosedVendors:
		t.hasDisclosed, t.disclosed = true, b.vendors(vendor)
		return !b.failed
	case allowedVendors, publisherTC:
		return true // nothing that a vendor relies on
	}
	return false
}

// allows says whether the string permits all of p's purposes to p's vendor at
// now, in Unix seconds, and until when the answer holds.
func (t *tcString) allows(p Policy, now int64) (ok bool, until int64) {
	created, updated := t.core.Created(), t.core.LastUpdated()
	if updated.Before(created) {
		return false, Never
	}
	if made := updated.Add(time.Second - 1).Unix(); made > now {
		return false, made
	}
	expires := snapshot.AddMonths(created.UTC(), tcfMonths).Unix()
	if now >= expires || !t.permits(p, created.Unix()) {
		return false, Never
	}
	return true, expires
}

// permits leaves the age of the string aside. A string that was made at
// created, in Unix seconds, must disclose the vendor where that is the rule,
// and where it has a list of whom it discloses.
func (t *tcString) permits(p Policy, created int64) bool {
	if !t.specific || t.core.TCFPolicyVersion() < oldestPolicy {
		return false
	}
	if !t.disclosed && (t.hasDisclosed || created >= disclosedSince) {
		return false
	}
	for n := 1; n <= lastPurpose; n++ {
		if p.Purposes.Has(n) && !t.permitsPurpose(p.Vendor, n) {
			return false
		}
	}
	return true
}

// permitsPurpose says whether there is a legal basis for purpose n that the
// publisher has not ruled out. Where purpose 1 was not disclosed to the user,
// there is none: whether it needs consent there, a string does not say.
func (t *tcString) permitsPurpose(vendor uint16, n int) bool {
	if n == 1 && t.core.PurposeOneTreatment() {
		return false
	}
	purpose := consentconstants.Purpose(n)
	consent := t.core.PurposeAllowed(purpose) && t.core.VendorConsent(vendor)
	interest := t.core.PurposeLITransparency(purpose) && t.core.VendorLegitInterest(vendor) && !consentOnly.Has(n)
	switch t.restrictions[n] {
	case 0:
		return consent || interest
	case 1 << requireConsent:
		return consent
	case 1 << requireLegitimateInterest:
		return interest
	}
	return false // not allowed at all, without meaning, or at odds
}
