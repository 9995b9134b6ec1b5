package privacy_test

import (
	"testing"

	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/snapshot"
)

// TestConsent is the truth table: what a profile may be used for under its
// tenant's legal basis, at the second before, of and after each moment.
func TestConsent(t *testing.T) {
	const given, ends = 1_000_000, 2_000_000 // Unix seconds
	const (
		consent    = snapshot.Consent
		contract   = snapshot.Contract
		legitimate = snapshot.LegitimateInterest
		unheardOf  = snapshot.LegalBasis(9)
		use, share = snapshot.Use, snapshot.Share
	)
	const allowed, no, expired = privacy.Allowed, privacy.NoConsent, privacy.ConsentExpired
	type state = snapshot.ConsentState
	for _, c := range []struct {
		name    string
		state   state
		purpose snapshot.Purposes
		// The second before it was given, of it, after it; before its end, of
		// it, after it.
		consent, other [6]privacy.Reason
	}{
		{
			"nothing said",
			state{},
			use,
			[6]privacy.Reason{no, no, no, no, no, no},
			[6]privacy.Reason{allowed, allowed, allowed, allowed, allowed, allowed},
		},
		{
			"purposes without a time say nothing",
			state{Purposes: use},
			use,
			[6]privacy.Reason{no, no, no, no, no, no},
			[6]privacy.Reason{allowed, allowed, allowed, allowed, allowed, allowed},
		},
		{
			"only an end",
			state{Expires: ends},
			use,
			[6]privacy.Reason{no, no, no, no, no, no},
			[6]privacy.Reason{allowed, allowed, allowed, allowed, expired, expired},
		},
		{
			"given without an end",
			state{At: given, Purposes: use},
			use,
			[6]privacy.Reason{no, allowed, allowed, allowed, allowed, allowed},
			[6]privacy.Reason{allowed, allowed, allowed, allowed, allowed, allowed},
		},
		{
			"given with an end",
			state{At: given, Expires: ends, Purposes: use},
			use,
			[6]privacy.Reason{no, allowed, allowed, allowed, expired, expired},
			[6]privacy.Reason{allowed, allowed, allowed, allowed, expired, expired},
		},
		{
			"for both purposes",
			state{At: given, Expires: ends, Purposes: use | share},
			use,
			[6]privacy.Reason{no, allowed, allowed, allowed, expired, expired},
			[6]privacy.Reason{allowed, allowed, allowed, allowed, expired, expired},
		},
		{
			"for both purposes, asked for both",
			state{At: given, Expires: ends, Purposes: use | share},
			use | share,
			[6]privacy.Reason{no, allowed, allowed, allowed, expired, expired},
			[6]privacy.Reason{no, allowed, allowed, allowed, expired, expired}, // sharing needs consent under every basis
		},
		{
			"none, asked to share",
			state{},
			share,
			[6]privacy.Reason{no, no, no, no, no, no},
			[6]privacy.Reason{no, no, no, no, no, no},
		},
		{
			"for another purpose",
			state{At: given, Expires: ends, Purposes: share},
			use,
			[6]privacy.Reason{no, no, no, no, no, no},
			[6]privacy.Reason{no, no, no, no, no, no},
		},
		{
			"for one of the two asked for",
			state{At: given, Purposes: use},
			use | share,
			[6]privacy.Reason{no, no, no, no, no, no},
			[6]privacy.Reason{no, no, no, no, no, no},
		},
		{
			"for no purpose",
			state{At: given, Expires: ends},
			use,
			[6]privacy.Reason{no, no, no, no, no, no},
			[6]privacy.Reason{no, no, no, no, no, no},
		},
		{
			"over before it began",
			state{At: ends, Expires: given, Purposes: use},
			use,
			[6]privacy.Reason{no, no, no, no, expired, expired},
			[6]privacy.Reason{allowed, expired, expired, expired, expired, expired},
		},
	} {
		for i, now := range []int64{given - 1, given, given + 1, ends - 1, ends, ends + 1} {
			for basis, want := range map[snapshot.LegalBasis]privacy.Reason{
				consent: c.consent[i], unheardOf: c.consent[i], contract: c.other[i], legitimate: c.other[i],
			} {
				if got := privacy.Consent(c.state, basis, c.purpose, now); got != want {
					t.Errorf("%s, %v, at %d: %q, want %q", c.name, basis, now, got, want)
				}
			}
		}
	}
}
