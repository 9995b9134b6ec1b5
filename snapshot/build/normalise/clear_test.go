package normalise

import (
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot/build/source"
)

// An address or a number in clear is no customer id and no cookie: it would be
// kept, and answered, as it is.
func TestContactDataInClearIsRefused(t *testing.T) {
	for _, c := range []struct {
		value string
		why   error // nil is a good id
	}{
		{"C-123", nil},
		{"jane@example.com", errRawEmail},
		{" Jane.Doe+x@Gmail.COM ", errRawEmail},
		{"mailto:jane@example.com", errRawEmail},
		{"<jack@example.com>", errRawEmail},
		{"jim%40example.com", errRawEmail},
		{"id of jo@mail.example.org, 2", errRawEmail},
		{"user@host", nil}, // no address: its domain has no dot
		{"tel:+33612345677", errRawPhone},
		{"(+33)612345678", errRawPhone},
		{"@handle", nil},
		{"+33612345678", errRawPhone},
		{"+33 6 12 34 56 78", errRawPhone},
		{"+1", nil},
		{"33612345678", nil}, // may be any number
	} {
		_, p := newProfiles(t, 0)
		var profile Profile
		err := p.Normalise(&source.ProfileRow{CustomerID: strings.TrimSpace(c.value)}, &profile)
		if (err == nil) != (c.why == nil) || c.why != nil && !strings.Contains(err.Error(), c.why.Error()) {
			t.Errorf("customer id %q: %v, want %v", c.value, err, c.why)
		}
		if !strings.Contains(c.value, "|") {
			err = p.Normalise(&source.ProfileRow{CustomerID: "C-1", Segments: "vip|" + c.value}, &profile)
			if (err == nil) != (c.why == nil) || err != nil && strings.Contains(err.Error(), strings.TrimSpace(c.value)) {
				t.Errorf("segment %q: %v, want %v", c.value, err, c.why)
			}
		}
		_, l := newLinks(t, 0)
		var link Link
		err = l.Normalise(&source.LinkRow{Left: "cookie.acme:" + strings.TrimSpace(c.value), Right: "crm.acme:C-1"}, &link)
		if (err == nil) != (c.why == nil) || c.why != nil && strings.Contains(err.Error(), strings.TrimSpace(c.value)) {
			t.Errorf("cookie %q: %v, want %v", c.value, err, c.why)
		}
	}
}
