package normalise

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/source"
)

// Contacts has whatever identifier a row of the same contact data could have,
// whichever profiles of rules it is read by.
func TestContactsHasEverySpelling(t *testing.T) {
	given := strings.Repeat("ab", 32)
	row := source.ProfileRow{
		CustomerID: "C-1", Email: " Ann.Lee+shop@gmail.com", Phone: "06 12 34 56 78", Country: "FR",
		FirstName: "Ann", LastName: "Lee", Address: "12 rue Neuve", Postcode: "75011",
		EmailSHA256: given, PhoneSHA256: given, PostalSHA256: given,
		Kind: "not a kind", ConsentAt: "never", // of which nothing is read
	}
	for _, email := range []string{EmailUID2, EmailPlain} {
		for _, postal := range []string{Postal, "none"} {
			cfg, err := config.Parse([]byte(testConfig+"normalise: {email: "+email+", postal: "+postal+"}\n"), ".")
			if err != nil {
				t.Fatal(err)
			}
			ns, err := cfg.NamespaceTable()
			if err != nil {
				t.Fatal(err)
			}
			n, err := New(cfg, ns, testAsOf)
			if err != nil {
				t.Fatal(err)
			}
			p, err := n.Profiles(0, &n.cfg.Tenants[0].Profiles[0])
			if err != nil {
				t.Fatal(err)
			}
			var all Profile
			if !p.Customer(&row, &all) || len(all.Identifiers) != 1 {
				t.Fatalf("%d identifiers of the customer", len(all.Identifiers))
			}
			p.Contacts(&row, &all)
			if len(all.Identifiers) != 1+2+1+1+3 {
				t.Errorf("%s, postal %s: %d identifiers", email, postal, len(all.Identifiers))
			}
			good := row
			good.Kind, good.ConsentAt = "", ""
			var read Profile
			if err := p.Normalise(&good, &read); err != nil {
				t.Fatal(err)
			}
			for _, id := range read.Identifiers {
				if !slices.ContainsFunc(all.Identifiers, func(o Identifier) bool { return string(o.Key) == string(id.Key) }) {
					t.Errorf("%s, postal %s: %s is not among the contacts", email, postal, hex.EncodeToString(id.Key))
				}
			}
			if none := (source.ProfileRow{CustomerID: "null"}); p.Customer(&none, &all) {
				t.Error("a placeholder is a customer")
			}
			all.Identifiers = nil
			if bare := (source.ProfileRow{CustomerID: "C-1", Email: "none", Phone: "0"}); !p.Customer(&bare, &all) {
				t.Error("no customer")
			} else if p.Contacts(&bare, &all); len(all.Identifiers) != 1 {
				t.Errorf("%d identifiers of nothing", len(all.Identifiers))
			}
		}
	}
}
