// Package privacy decides whether a profile may answer. Its decisions are
// functions of plain values, without a clock, and deny by default.
package privacy

import "github.com/matchd/matchd/snapshot"

// Reason says why something is denied; the empty reason allows.
type Reason string

// Reasons of a denied profile, as they stand in answers.
const (
	Allowed        Reason = ""
	NoConsent      Reason = "no_consent"
	ConsentExpired Reason = "consent_expired"
)

// Consent decides whether a profile may be used for all of the purposes at now,
// in Unix seconds, given the legal basis of its tenant.
//
// Under consent, the profile must say when it was given, that moment must not
// lie ahead, the purposes must be among those named, and the end must not have
// come: at the second of its end a consent has expired. An unknown basis is as
// good as none, and so needs consent too. Under contract and legitimate
// interest consent is not needed for the tenant's own use, but what a profile
// says about it still counts: an end that has come and purposes that leave this
// one out deny. Sharing with a second party needs consent under every basis.
func Consent(c snapshot.ConsentState, basis snapshot.LegalBasis, purposes snapshot.Purposes, now int64) Reason {
	stated := c.At != 0
	needed := basis != snapshot.Contract && basis != snapshot.LegitimateInterest || purposes&snapshot.Share != 0
	if needed && (!stated || c.At > now) {
		return NoConsent
	}
	if stated && c.Purposes&purposes != purposes {
		return NoConsent
	}
	if c.Expires != 0 && now >= c.Expires {
		return ConsentExpired
	}
	return Allowed
}
