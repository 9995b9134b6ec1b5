package normalise

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot/build/source"
)

func TestAddressesOfNobody(t *testing.T) {
	for _, c := range []struct {
		email string
		want  error
	}{
		{"noreply@shop.example", errRole},
		{"No-Reply@shop.example", errRole},
		{"do.not_reply+7@shop.example", errRole},
		{"info@dupont.fr", errRole},
		{"admin01@shop.example", errRole},
		{"Postmaster@shop.example", errRole},
		{"abuse@shop.example", errRole},
		{"test@test.com", errPlaceholderEmail},
		{"test2@gmail.com", errPlaceholderEmail},
		{"a@a.aa", errPlaceholderEmail},
		{"xx@xxx.com", errPlaceholderEmail},
		{"111@1.com", errPlaceholderEmail},
		{"none@none.com", errPlaceholderEmail},
		{"jane@noemail.com", errPlaceholderEmail},
		{"unknown@shop.example", errPlaceholderEmail},
		{"jane@a.invalid", errPlaceholderEmail},
		{"jane@example.com", nil},
		{"jane@a.example", nil},
		{"a@b.c", nil},
		{"infante@shop.example", nil},
		{"jane.admin@shop.example", nil},
		{"contactless.jane@shop.example", nil},
		{"jane@test.dupont.fr", nil},
		{"dupont@dupont.fr", nil},
		{"123@shop.example", nil},
		{strings.Repeat("a", 60) + "@shop.example", nil},
	} {
		normal, err := AppendEmail(nil, c.email)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkEmail(normal); err != c.want {
			t.Errorf("%q: %v, want %v", c.email, err, c.want)
		}
		checkContact(t, source.ProfileRow{Email: c.email}, "email", c.want)
	}
}

func TestNumbersOfNobody(t *testing.T) {
	for _, c := range []struct {
		phone string
		want  error
	}{
		{"0123456789", errPlaceholderPhone},
		{"+33 1 23 45 67 89", errPlaceholderPhone},
		{"0600000000", errPlaceholderPhone},
		{"+33 1 11 11 11 11", errPlaceholderPhone},
		{"09 87 65 43 21", errPlaceholderPhone},
		{"0000000000", errPhone},
		{"06 12 34 56 78", nil}, // somebody's
		{"0611111112", nil},
		{"+49 30 123456789", nil},
	} {
		checkContact(t, source.ProfileRow{Phone: c.phone}, "phone", c.want)
	}
}

// checkContact fails unless the row with one contact has one more identifier,
// or the bad field that says why not.
func checkContact(t *testing.T, row source.ProfileRow, column string, want error) {
	t.Helper()
	_, p := newProfiles(t, 0)
	row.CustomerID = "C-1"
	var out Profile
	if err := p.Normalise(&row, &out); err != nil {
		t.Fatal(err)
	}
	if want == nil {
		if len(out.Identifiers) != 2 || len(out.BadFields) != 0 {
			t.Errorf("%+v: bad fields %v, want none", row, out.BadFields)
		}
	} else if got := fmt.Sprint(out.BadFields); len(out.Identifiers) != 1 || got != fmt.Sprintf("[{%s %v}]", column, want) {
		t.Errorf("%+v: bad fields %v, want %v", row, got, want)
	}
}

// What a form holds for nobody is known by its hash too.
func TestHashesOfNobody(t *testing.T) {
	for _, c := range []struct {
		text string
		want error
	}{
		{"", errEmptyHash},
		{"null", errPlaceholderHash},
		{"test@test.com", errPlaceholderHash},
		{"a@a.fr", errPlaceholderHash},
		{"noreply@gmail.com", errPlaceholderHash},
		{"0000000000", errPlaceholderHash},
		{"+33123456789", errPlaceholderHash},
		{"0600000000", errPlaceholderHash},
		{"jane@example.com", nil},
		{"+33612345678", nil},
	} {
		hash := sha256.Sum256([]byte(c.text))
		digits := hex.EncodeToString(hash[:])
		checkContact(t, source.ProfileRow{EmailSHA256: digits}, "email_sha256", c.want)
		checkContact(t, source.ProfileRow{PhoneSHA256: digits}, "phone_sha256", c.want)
		checkContact(t, source.ProfileRow{PostalSHA256: digits}, "postal_sha256", c.want)
		_, l := newLinks(t, 0)
		err := l.Normalise(&source.LinkRow{Left: "email_sha256:" + digits, Right: "crm.acme:C-1"}, new(Link))
		if (err == nil) != (c.want == nil) || err != nil && !strings.HasSuffix(err.Error(), c.want.Error()) {
			t.Errorf("link with the hash of %q: %v, want %v", c.text, err, c.want)
		}
	}
}

// The bits in front of the set decide nothing: a hash is in it or not.
func TestPlaceholderHashesAreThemselves(t *testing.T) {
	p := newPlaceholderHashes()
	if len(p.hashes) < 1000 {
		t.Fatalf("%d hashes", len(p.hashes))
	}
	for hash := range p.hashes {
		if !p.has(hash[:]) {
			t.Fatalf("%x is not found", hash)
		}
		if hash[31] ^= 1; p.has(hash[:]) {
			t.Fatalf("%x is found", hash)
		}
	}
}
