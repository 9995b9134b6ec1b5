package normalise

import (
	"encoding/hex"
	"testing"

	"github.com/matchd/matchd/snapshot/build/source"
)

// A national number is read by the rules of the row's own country: 0470123456
// is a mobile number in Belgium and somebody else's landline in France.
func TestPhoneIsOfTheRowsCountry(t *testing.T) {
	const number = "0470123456"
	hashOf := func(e164 string) string {
		h, err := PhoneHash(e164, "")
		if err != nil {
			t.Fatal(err)
		}
		return "phone_sha256:" + hex.EncodeToString(h[:])
	}
	for _, c := range []struct{ country, phone, want string }{
		{"", number, hashOf("+33470123456")}, // the config's default region
		{"FR", number, hashOf("+33470123456")},
		{"fr", number, hashOf("+33470123456")},
		{"BE", number, hashOf("+32470123456")},
		{"Belgium", number, ""}, // no code: left out rather than guessed
		{"XX", number, ""},
		{"Belgium", "+32 470 12 34 56", hashOf("+32470123456")},
	} {
		ns, p := newProfiles(t, 0)
		var out Profile
		row := source.ProfileRow{CustomerID: "C-1", Phone: c.phone, Country: c.country}
		if err := p.Normalise(&row, &out); err != nil {
			t.Fatalf("%q of %q: %v", c.phone, c.country, err)
		}
		got := ""
		for _, id := range out.Identifiers[1:] {
			got = string(ns.AppendText(nil, id.Namespace, ns.Value(id.Namespace, id.Key)))
		}
		if got != c.want || (len(out.BadFields) == 1) != (c.want == "") {
			t.Errorf("%q of country %q: %q with bad fields %v, want %q", c.phone, c.country, got, out.BadFields, c.want)
		}
	}
}
