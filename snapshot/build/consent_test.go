package build

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
)

// consentTenant is a tenant under a basis.
func consentTenant(b snapshot.LegalBasis) *config.Tenant {
	return &config.Tenant{Name: "acme", LegalBasis: b, ConsentMaxAge: 2}
}

// randomConsent says something about consent: no time, or one of few, so that
// there are ties; an end before, at or after that of consent_max_age, or none.
func randomConsent(r *rand.Rand) (c snapshot.ConsentState) {
	at := testAsOf.Unix() + int64(r.IntN(3))
	if r.IntN(3) > 0 {
		c.At, c.Purposes = at, snapshot.Purposes(r.IntN(4))
	}
	switch r.IntN(4) {
	case 0:
		c.Expires = at + int64(r.IntN(3))
	case 1:
		c.Expires = testAsOfPlus(at, 2) + int64(r.IntN(3)) - 1
	}
	return c
}

// Random sets of rows, in any order and under each basis: what is merged is
// permitted if and only if each row that decides permits it alone; where no
// row is later than another, that is every row.
func TestMergedConsentPermitsWhatEachRowPermits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	permitted, denied := 0, 0
	for range 10_000 {
		var rows []row
		var said []snapshot.ConsentState
		times := map[int64]bool{}
		for range 1 + r.IntN(4) {
			c := randomConsent(r)
			rows, said = append(rows, row{consent: c}), append(said, c)
			if c.At != 0 {
				times[c.At] = true
			}
		}
		for _, basis := range []snapshot.LegalBasis{snapshot.Consent, snapshot.Contract, snapshot.LegitimateInterest} {
			tenant := consentTenant(basis)
			merged := mergeConsent(rows, tenant)
			got := permitsText(said, tenant, func(purpose snapshot.Purposes, now int64) bool {
				ok := privacy.Consent(merged, basis, purpose, now) == privacy.Allowed
				for _, c := range said {
					if ok && len(times) < 2 && !alonePermits(c, tenant, purpose, now) {
						t.Fatalf("%v: of %v comes %v, which permits %d at %d, and %v does not", basis, said, merged, purpose, now, c)
					}
				}
				return ok
			})
			want := permitsText(said, tenant, func(purpose snapshot.Purposes, now int64) bool {
				return naivePermits(said, tenant, purpose, now)
			})
			if got != want {
				t.Fatalf("%v: of %v comes %v, which permits%s, want%s", basis, said, merged, got, want)
			}
			permitted += strings.Count(got, "true")
			denied += strings.Count(got, "false")
			r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			if again := mergeConsent(rows, tenant); again != merged {
				t.Fatalf("%v: of %v comes %v, in another order %v", basis, said, merged, again)
			}
		}
	}
	if permitted < 50_000 || denied < 50_000 {
		t.Errorf("%d permitted, %d denied", permitted, denied)
	}
}

// The truth table of files: what a customer's rows permit at the time of the
// build, under the basis consent and under another one.
func TestConsentOfFiles(t *testing.T) {
	const no, use, share = snapshot.Purposes(0), snapshot.Use, snapshot.Share
	const both = use | share
	for _, c := range []struct {
		name              string
		newer, older      string // consent_at, consent_expires_at, consent_purposes
		consent, contract snapshot.Purposes
	}{
		{"nothing", ",,", "", no, use},
		{"a time", "2026-01-01,,", "", use, use},
		{"share", "2026-01-01,,share", "", share, share},
		{"share without a time", ",,share", "", no, share},
		{"use without a time", ",,use", "", no, use},
		{"both without a time", ",,use|share", "", no, both},
		{"share without a time, at an end", ",2026-10-31,share", "", no, no},
		{"share without a time, with an end to come", ",2027-01-01,share", "", no, share},
		{"an end alone", ",2026-10-31,", "", no, no},
		{"an end to come alone", ",2027-01-01,", "", no, use},
		{"share and nothing", "2026-01-01,,share\n,,", "", no, no},
		{"share and an end", "2026-01-01,,share\n,2026-10-31,", "", no, no},
		{"an end, and a later consent than another", "2026-01-01,,use\n2026-02-01,,use\n,2026-10-31,", "", no, no},
		{"use and share", "2026-01-01,,use\n2026-01-01,,share", "", no, no},
		{"use and then share", "2026-01-01,,use\n2026-02-01,,share", "", share, share},
		{"share and then both", "2026-01-01,,share\n2026-02-01,,use|share", "", both, both},
		{"both and then share without a time", "2026-01-01,,use|share\n,,share", "", no, share},
		{"both after the file, and share without a time", "2026-11-01,,use|share\n,,share", "", no, both},
		{"an older file", ",,", "2026-01-01,,share", no, use},
		{"a bad row, and an older file", "2099-01-01,,share", "2026-01-01,,use", use, use},
	} {
		for basis, want := range map[snapshot.LegalBasis]snapshot.Purposes{
			snapshot.Consent: c.consent, snapshot.Contract: c.contract, snapshot.LegitimateInterest: c.contract,
		} {
			file := func(rows string) string {
				text := "customer_id,consent_at,consent_expires_at,consent_purposes\nC-9,,,\n"
				for line := range strings.Lines(rows) {
					text += "C-1," + strings.TrimSpace(line) + "\n"
				}
				return text
			}
			o := options(writeInputs(t, map[string]string{
				"onboard.yaml": fmt.Sprintf("version: 1\ntenants:\n  - {name: acme, legal_basis: %v, profiles: "+
					"[{path: new.csv, as_of: 2026-10-31}, {path: old.csv, as_of: 2026-10-01}]}\n", basis),
				"new.csv": file(c.newer), "old.csv": file(c.older),
			}), filepath.Join(t.TempDir(), "store"))
			o.MaxBadRows = 1
			run(t, o)
			_, r, ok := findRecord(t, openCurrent(t, o.Store), "crm.acme:C-1")
			if !ok {
				t.Fatalf("%s: C-1 is not found", c.name)
			}
			var p snapshot.Profile
			got := no
			for ps := r.Profiles(); ps.Next(&p); {
				for _, purpose := range []snapshot.Purposes{use, share} {
					if privacy.Consent(p.Consent, basis, purpose, testAsOf.Unix()) == privacy.Allowed {
						got |= purpose
					}
				}
			}
			if got != want {
				t.Errorf("%s, under %v: permits %d, want %d; it says %v", c.name, basis, got, want, p.Consent)
			}
		}
	}
}
