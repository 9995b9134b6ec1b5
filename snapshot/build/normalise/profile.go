package normalise

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/source"
)

var (
	errKind     = errors.New("column kind: neither customer nor prospect")
	errSegment  = fmt.Errorf("column segments: a code over %d bytes or with control characters", snapshot.MaxSegmentCode)
	errPurposes = errors.New("column consent_purposes: neither use nor share nor both with | between")
	errExpires  = errors.New("column consent_expires_at: is before consent_at")
)

// A Profile is a normalised row of a profile file. The next row overwrites its
// slices; its strings are parts of the row's, see [source.ProfileRow].
type Profile struct {
	// Tenant is the number of the tenant.
	Tenant uint16
	// Source is the place of the tenant's own source in config.Config.Sources.
	Source uint16
	// Customer is the tenant's own id of the record.
	Customer string
	Kind     snapshot.Kind
	// Segments are the codes, sorted, each once.
	Segments []string
	Consent  snapshot.ConsentState
	// Identifiers are the profile's own (crm.<tenant>), and then its email,
	// phone and postal hashes, each once.
	Identifiers []Identifier
	// Seen is the day that the file is of.
	Seen snapshot.Day
	// BadFields are the fields that could not be used.
	BadFields []BadField

	keys []byte // what the keys of Identifiers are parts of
}

// A BadField is a field that could not be used, in a row that could.
type BadField struct {
	// Column is the column's name, among those of source.ProfileColumns.
	Column string
	// Reason never holds the value.
	Reason string
}

// Profiles normalises the rows of one tenant's files of one spec.
type Profiles struct {
	n       *Normaliser
	source  uint16
	tenant  uint16
	crm     index.NamespaceID
	seen    snapshot.Day
	asOf    int64 // of the file, in Unix seconds
	scratch []byte
	address postal
}

// Profiles returns a normaliser of a file for one goroutine. It is an error
// where the file is of a later time than the build.
func (n *Normaliser) Profiles(tenant uint16, spec *config.FileSpec) (*Profiles, error) {
	seen, err := n.fileDay(spec)
	if err != nil {
		return nil, err
	}
	name := index.CRMPrefix + n.cfg.Tenants[tenant].Name
	crm, ok := n.ns.ByName(name)
	if !ok {
		return nil, fmt.Errorf("namespace %s is not in the table", name)
	}
	own := config.ProfileSource(n.cfg.Tenants[tenant].Name)
	id, ok := config.SourceID(n.sources, own)
	if !ok {
		return nil, fmt.Errorf("source %q is not in the config", own.Name)
	}
	asOf := spec.AsOf
	if asOf.IsZero() {
		asOf = n.asOf
	}
	return &Profiles{n: n, source: id, tenant: tenant, crm: crm, seen: seen, asOf: max(asOf.Unix(), 1)}, nil
}

// Normalise fills out from row. An error says why the row is a bad one; it
// names the column, holds no value, and leaves out undefined.
func (p *Profiles) Normalise(row *source.ProfileRow, out *Profile) error {
	*out = Profile{
		Tenant:      p.tenant,
		Source:      p.source,
		Customer:    row.CustomerID,
		Segments:    out.Segments[:0],
		Identifiers: out.Identifiers[:0],
		Seen:        p.seen,
		BadFields:   out.BadFields[:0],
		keys:        out.keys[:0],
	}
	if err := p.add(out, p.crm, row.CustomerID); err != nil {
		return inColumn("customer_id", err)
	}
	if row.Kind != "" {
		kind, err := snapshot.ParseKind(row.Kind)
		if err != nil {
			return errKind
		}
		out.Kind = kind
	}
	var err error
	if out.Segments, err = appendSegments(out.Segments, row.Segments); err != nil {
		return err
	}
	if out.Consent, err = p.consent(row); err != nil {
		return err
	}
	p.contacts(row, out)
	return nil
}

// contacts adds the email, phone and postal identifiers.
func (p *Profiles) contacts(row *source.ProfileRow, out *Profile) {
	if row.Email != "" {
		out.report("email", p.addEmail(out, row.Email))
	}
	if row.EmailSHA256 != "" {
		out.report("email_sha256", p.add(out, p.n.email, row.EmailSHA256))
	}
	if row.Phone != "" {
		out.report("phone", p.addPhone(out, row.Phone, row.Country))
	}
	if row.PhoneSHA256 != "" {
		out.report("phone_sha256", p.add(out, p.n.phone, row.PhoneSHA256))
	}
	if p.n.cfg.Normalise.Postal != config.PostalNone {
		text, column, err := p.address.appendText(p.scratch[:0], row, p.n.cfg.DefaultRegion)
		if p.scratch = text; len(text) > 0 {
			p.addHash(out, p.n.postal, sha256.Sum256(text))
		}
		out.report(column, err)
	}
	if row.PostalSHA256 != "" {
		out.report("postal_sha256", p.add(out, p.n.postal, row.PostalSHA256))
	}
}

// addEmail adds the hash of an address in clear, which must be somebody's.
func (p *Profiles) addEmail(out *Profile, s string) error {
	email, err := appendEmail(p.scratch[:0], s, p.n.gmail)
	if err == nil {
		err = checkEmail(email)
	}
	if p.scratch = email; err == nil {
		p.addHash(out, p.n.email, sha256.Sum256(email))
	}
	return err
}

// addPhone adds the hash of a number in clear, which must be somebody's.
func (p *Profiles) addPhone(out *Profile, s, country string) error {
	phone, err := AppendPhone(p.scratch[:0], s, p.region(country))
	if err == nil {
		err = checkPhone(phone)
	}
	if p.scratch = phone; err == nil {
		p.addHash(out, p.n.phone, sha256.Sum256(phone))
	}
	return err
}

// region is the one that a row's phone number without a country code is of: the
// row's own country, or the config's default where the row names none. A
// country that is no code of two letters gives none, so that such a number is
// left out: read under another country's rules it can be somebody else's.
func (p *Profiles) region(country string) string {
	if country == "" {
		return p.n.cfg.DefaultRegion
	}
	if code := strings.ToUpper(country); phonenumbers.GetSupportedRegions()[code] {
		return code
	}
	return ""
}

// report adds a bad field where err says that it is one.
func (out *Profile) report(column string, err error) {
	if err != nil {
		out.BadFields = append(out.BadFields, BadField{Column: column, Reason: err.Error()})
	}
}

// add adds the identifier with a value as it is written.
func (p *Profiles) add(out *Profile, id index.NamespaceID, value string) error {
	start := len(out.keys)
	p.scratch = append(p.scratch[:0], value...)
	keys, err := p.n.ns.AppendValueKey(out.keys, id, p.scratch)
	if err == nil {
		err = p.n.values.CheckKey(id, keys[start:])
	}
	if err == nil {
		out.addKey(id, keys, start)
	}
	return err
}

// addHash adds the identifier of a hash.
func (p *Profiles) addHash(out *Profile, id index.NamespaceID, hash [sha256.Size]byte) {
	out.addKey(id, p.n.appendHash(out.keys, id, hash), len(out.keys))
}

// addKey adds the key that keys ends with, unless it is there.
func (out *Profile) addKey(id index.NamespaceID, keys []byte, start int) {
	key := keys[start:len(keys):len(keys)]
	for _, other := range out.Identifiers {
		if bytes.Equal(other.Key, key) {
			return
		}
	}
	// Where keys has moved, the keys before stay in the old array as they are.
	out.keys = keys
	out.Identifiers = append(out.Identifiers, Identifier{Namespace: id, Key: key})
}

// appendSegments appends the codes of s, sorted, each once. Codes that are
// empty, as after a closing |, are passed over.
func appendSegments(dst []string, s string) ([]string, error) {
	for code := range strings.SplitSeq(s, "|") {
		code = strings.TrimSpace(code)
		if code == "" {
			continue
		}
		if !snapshot.IsSegmentCode(code) {
			return dst, errSegment
		}
		if err := inClear(code); err != nil {
			return dst, inColumn("segments", err)
		}
		dst = append(dst, code)
	}
	slices.Sort(dst)
	return slices.Compact(dst), nil
}

// consent reads the consent columns. Under the basis consent a row without
// consent_at has none, whatever purposes it names. Under another one, where
// what is stated can only deny, purposes without a time have that of the file.
// An end is kept either way.
func (p *Profiles) consent(row *source.ProfileRow) (snapshot.ConsentState, error) {
	var c snapshot.ConsentState
	purposes, err := parsePurposes(row.ConsentPurposes)
	if err != nil {
		return c, err
	}
	if row.ConsentAt != "" {
		at, err := p.n.pastTime(row.ConsentAt)
		if err != nil {
			return c, inColumn("consent_at", err)
		}
		c.At, c.Purposes = at.Unix(), purposes
	} else if row.ConsentPurposes != "" && p.n.cfg.Tenants[p.tenant].LegalBasis != snapshot.Consent {
		c.At, c.Purposes = p.asOf, purposes
	}
	if row.ConsentExpiresAt != "" {
		expires, err := rowTime(row.ConsentExpiresAt)
		if err != nil {
			return c, inColumn("consent_expires_at", err)
		}
		c.Expires = expires.Unix()
		if row.ConsentAt != "" && c.Expires < c.At {
			return c, errExpires
		}
	}
	return c, nil
}

// parsePurposes reads purposes with | between; none stands for use.
func parsePurposes(s string) (snapshot.Purposes, error) {
	if s == "" {
		return snapshot.Use, nil
	}
	var all snapshot.Purposes
	for word := range strings.SplitSeq(s, "|") {
		one, err := snapshot.ParsePurpose(strings.TrimSpace(word))
		if err != nil {
			return 0, errPurposes
		}
		all |= one
	}
	return all, nil
}
