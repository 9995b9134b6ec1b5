package normalise

import (
	"crypto/sha256"

	"github.com/matchd/matchd/snapshot/build/source"
)

// Customer sets the identifiers of out to that of the row's customer alone, and
// reports whether the row names one. Nothing else of out is set.
func (p *Profiles) Customer(row *source.ProfileRow, out *Profile) bool {
	out.Identifiers, out.keys = out.Identifiers[:0], out.keys[:0]
	return p.add(out, p.crm, row.CustomerID) == nil
}

// Contacts adds to the identifiers of out, after [Profiles.Customer], whatever
// email, phone and postal identifiers any row can have for the contact data of
// this one: by all profiles of rules, and not by the config's alone. They are
// what must not be used when the customer is erased. What cannot be read is
// passed over.
func (p *Profiles) Contacts(row *source.ProfileRow, out *Profile) {
	for _, gmail := range [...]bool{true, false} {
		email, err := appendEmail(p.scratch[:0], row.Email, gmail)
		if p.scratch = email; err == nil {
			p.addHash(out, p.n.email, sha256.Sum256(email))
		}
	}
	phone, err := AppendPhone(p.scratch[:0], row.Phone, p.region(row.Country))
	if p.scratch = phone; err == nil {
		p.addHash(out, p.n.phone, sha256.Sum256(phone))
	}
	text, _, err := p.address.appendText(p.scratch[:0], row, p.n.cfg.DefaultRegion)
	if p.scratch = text; err == nil && len(text) > 0 {
		p.addHash(out, p.n.postal, sha256.Sum256(text))
	}
	_ = p.add(out, p.n.email, row.EmailSHA256)
	_ = p.add(out, p.n.phone, row.PhoneSHA256)
	_ = p.add(out, p.n.postal, row.PostalSHA256)
}
