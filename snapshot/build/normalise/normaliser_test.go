package normalise

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/source"
)

const testConfig = `
version: 1
default_region: FR
namespaces: [cookie.acme, {name: ctv.roku, compare: uuid}]
tenants:
  - {name: acme, profiles: [{path: "a.csv"}]}
  - {name: zeta, profiles: [{path: "z.csv", as_of: 2026-11-01}]}
links:
  - {path: "l.csv", source: publisher-a, party: second}
  - {path: "m.csv", source: publisher-a, party: first, method: observed, as_of: 2026-10-01}
`

var testAsOf = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

func newNormaliser(t testing.TB) (*config.Config, *index.Namespaces, *Normaliser) {
	t.Helper()
	cfg, err := config.Parse([]byte(testConfig), ".")
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
	return cfg, ns, n
}

func newProfiles(t testing.TB, tenant uint16) (*index.Namespaces, *Profiles) {
	t.Helper()
	cfg, ns, n := newNormaliser(t)
	p, err := n.Profiles(tenant, &cfg.Tenants[tenant].Profiles[0])
	if err != nil {
		t.Fatal(err)
	}
	return ns, p
}

func newLinks(t testing.TB, spec int) (*index.Namespaces, *Links) {
	t.Helper()
	cfg, ns, n := newNormaliser(t)
	l, err := n.Links(&cfg.Links[spec])
	if err != nil {
		t.Fatal(err)
	}
	return ns, l
}

// text is the text of identifiers, each on a line of its own.
func text(ns *index.Namespaces, ids ...Identifier) string {
	var b strings.Builder
	for _, id := range ids {
		b.Write(ns.AppendText(nil, id.Namespace, ns.Value(id.Namespace, id.Key)))
		b.WriteByte('\n')
	}
	return b.String()
}

func hashText(t *testing.T, hash [32]byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(hash[:])
}

func TestProfile(t *testing.T) {
	ns, p := newProfiles(t, 1)
	email, err := EmailHash("jane@a.example")
	jane := hashText(t, email, err)
	phone, err := PhoneHash("0612345678", "FR")
	mobile := hashText(t, phone, err)
	other := strings.Repeat("ab", 32)
	// Each row is normalised into the same Profile, so that what one leaves
	// behind would show in the next.
	var out Profile
	for _, c := range []struct {
		row  source.ProfileRow
		want string
	}{
		{
			source.ProfileRow{
				CustomerID: "C-1", Kind: "prospect", Email: "Jane@A.example", Phone: "06 12 34 56 78",
				EmailSHA256: strings.ToUpper(other), PhoneSHA256: mobile, Segments: "vip|churn.high||vip| b |",
				ConsentAt: "2026-11-21T11:00:00+01:00", ConsentExpiresAt: "2027-01-01", ConsentPurposes: "share|use",
			},
			"1/1 C-1 prospect [b churn.high vip] {1795255200 1798761600 3} 2026-11-01 []\n" +
				"crm.zeta:C-1\nemail_sha256:" + jane + "\nemail_sha256:" + other + "\nphone_sha256:" + mobile + "\n",
		},
		{
			source.ProfileRow{CustomerID: "C-2"},
			"1/1 C-2 customer [] {0 0 0} 2026-11-01 []\ncrm.zeta:C-2\n",
		},
		{ // Both give one hash: it is kept once.
			source.ProfileRow{CustomerID: "C-3", Email: "jane@a.example", EmailSHA256: jane, Kind: "customer", ConsentAt: "2026-11-21"},
			"1/1 C-3 customer [] {1795219200 0 1} 2026-11-01 []\ncrm.zeta:C-3\nemail_sha256:" + jane + "\n",
		},
		{ // No consent without a time; its end is kept.
			source.ProfileRow{CustomerID: "C-4", ConsentPurposes: "share", ConsentExpiresAt: "2026-01-01"},
			"1/1 C-4 customer [] {0 1767225600 0} 2026-11-01 []\ncrm.zeta:C-4\n",
		},
		{
			source.ProfileRow{CustomerID: "C-5", ConsentAt: "2026-01-01", ConsentPurposes: "share", ConsentExpiresAt: "2026-01-01"},
			"1/1 C-5 customer [] {1767225600 1767225600 2} 2026-11-01 []\ncrm.zeta:C-5\n",
		},
		{ // Contacts that cannot be read cost the contacts, not the row.
			source.ProfileRow{
				CustomerID: "C-6", Email: "nobody", Phone: "12", EmailSHA256: "abc",
				PhoneSHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
			},
			"1/1 C-6 customer [] {0 0 0} 2026-11-01 [" +
				"{email not an email address: needs exactly one @} " +
				"{email_sha256 not an identifier: the value has the wrong number of hexadecimal digits} " +
				"{phone not a valid phone number} " +
				"{phone_sha256 the hash of an empty value}]\ncrm.zeta:C-6\n",
		},
	} {
		if err := p.Normalise(&c.row, &out); err != nil {
			t.Errorf("%s: %v", c.row.CustomerID, err)
			continue
		}
		got := fmt.Sprintf("%d/%d %s %v %v %v %v %v\n%s", out.Tenant, out.Source, out.Customer, out.Kind, out.Segments,
			out.Consent, out.Seen, out.BadFields, text(ns, out.Identifiers...))
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.row.CustomerID, got, c.want)
		}
	}
}

// Purposes without consent_at are no consent; where none is needed, they hold
// as of the file.
func TestPurposesWithoutATime(t *testing.T) {
	const fileAsOf, ended, ends = 1793491200, 1767225600, 1798761600 // 2026-11-01, 2026-01-01, 2027-01-01
	type state = snapshot.ConsentState
	for _, c := range []struct {
		purposes, expires string
		consent, other    state
	}{
		{"", "", state{}, state{}},
		{"share", "", state{}, state{At: fileAsOf, Purposes: snapshot.Share}},
		{"share|use", "2027-01-01", state{Expires: ends}, state{At: fileAsOf, Expires: ends, Purposes: snapshot.Use | snapshot.Share}},
		{"use", "2026-01-01", state{Expires: ended}, state{At: fileAsOf, Expires: ended, Purposes: snapshot.Use}},
		{"", "2026-01-01", state{Expires: ended}, state{Expires: ended}},
	} {
		for basis, want := range map[snapshot.LegalBasis]state{
			snapshot.Consent: c.consent, snapshot.Contract: c.other, snapshot.LegitimateInterest: c.other,
		} {
			_, p := newProfiles(t, 1)
			p.n.cfg.Tenants[1].LegalBasis = basis
			var out Profile
			err := p.Normalise(&source.ProfileRow{CustomerID: "C-1", ConsentPurposes: c.purposes, ConsentExpiresAt: c.expires}, &out)
			if err != nil || out.Consent != want {
				t.Errorf("%q until %q under %v: %v, error %v; want %v", c.purposes, c.expires, basis, out.Consent, err, want)
			}
		}
	}
	_, p := newProfiles(t, 0) // a file without as_of has the build's
	p.n.cfg.Tenants[0].LegalBasis = snapshot.Contract
	var out Profile
	if err := p.Normalise(&source.ProfileRow{CustomerID: "C-1", ConsentPurposes: "share"}, &out); err != nil || out.Consent.At != testAsOf.Unix() {
		t.Errorf("%v, error %v: want the build's as_of", out.Consent, err)
	}
}

func TestProfileBadRow(t *testing.T) {
	_, p := newProfiles(t, 0)
	for _, c := range []struct {
		row  source.ProfileRow
		want string
	}{
		{source.ProfileRow{}, "column customer_id: not an identifier: the value is junk"},
		{source.ProfileRow{CustomerID: "null"}, "column customer_id: not an identifier: the value is junk"},
		{source.ProfileRow{CustomerID: "${ID}"}, "column customer_id: not an identifier: the value is junk"},
		{source.ProfileRow{CustomerID: "C\n1"}, "column customer_id: not an identifier: the value holds control"},
		{source.ProfileRow{CustomerID: strings.Repeat("C", 513)}, "column customer_id: not an identifier: the value is over 512"},
		{source.ProfileRow{Kind: "Customer"}, "column kind: "},
		{source.ProfileRow{Segments: "a|b\x01"}, "column segments: "},
		{source.ProfileRow{Segments: strings.Repeat("s", 129)}, "column segments: "},
		{source.ProfileRow{ConsentAt: "21/11/2026"}, "column consent_at: not a time"},
		{source.ProfileRow{ConsentAt: "2026-11-21T10:00:01Z"}, "column consent_at: is after the build's as_of"},
		{source.ProfileRow{ConsentAt: "1970-01-01"}, "column consent_at: is 1970-01-01T00:00:00Z or earlier"},
		{source.ProfileRow{ConsentAt: "1969-12-31"}, "column consent_at: is 1970-01-01T00:00:00Z or earlier"},
		{source.ProfileRow{ConsentAt: "2026-01-01", ConsentExpiresAt: "never"}, "column consent_expires_at: not a time"},
		{source.ProfileRow{ConsentAt: "2026-01-01", ConsentExpiresAt: "1970-01-01"}, "column consent_expires_at: is 1970"},
		{source.ProfileRow{ConsentAt: "2026-01-02", ConsentExpiresAt: "2026-01-01"}, "column consent_expires_at: is before consent_at"},
		{source.ProfileRow{ConsentPurposes: "sell"}, "column consent_purposes: "},
		{source.ProfileRow{ConsentPurposes: "use|"}, "column consent_purposes: "},
	} {
		if !strings.HasPrefix(c.want, "column customer_id") {
			c.row.CustomerID = "C-1"
		}
		var out Profile
		err := p.Normalise(&c.row, &out)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.row, err, c.want)
		}
	}
}

func TestLink(t *testing.T) {
	ns, l := newLinks(t, 0)
	ns2, m := newLinks(t, 1)
	const maid = "maid:6D92078A-8246-4BA4-AE5B-76104861E7DC"
	var out Link
	row := source.LinkRow{Left: maid, Right: "crm.acme:C-1"}
	if err := l.Normalise(&row, &out); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%v %d %v\n%s", out.Method, out.Source, out.Seen, text(ns, out.Left, out.Right))
	// Sources: crm.acme, crm.zeta, publisher-a first, publisher-a second.
	if want := "inferred 3 2026-11-21\n" + strings.ToLower(maid) + "\ncrm.acme:C-1\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if out.At != testAsOf.UnixNano() {
		t.Errorf("at %d: not the build's time", out.At)
	}
	if err := m.Normalise(&row, &out); err != nil {
		t.Fatal(err)
	}
	if out.Method != snapshot.Observed || out.Source != 2 || out.Seen.String() != "2026-10-01" || out.At != time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC).UnixNano() {
		t.Errorf("method %v, source %d, seen %v, at %d: not the spec's", out.Method, out.Source, out.Seen, out.At)
	}
	row = source.LinkRow{Left: "cookie.acme:a", Right: "cookie.acme:A", Method: "authenticated", ObservedAt: "2026-11-20T23:30:00-01:00"}
	if err := m.Normalise(&row, &out); err != nil {
		t.Fatal(err)
	}
	if out.Method != snapshot.Authenticated || out.Seen.String() != "2026-11-21" || out.At != time.Date(2026, 11, 21, 0, 30, 0, 0, time.UTC).UnixNano() {
		t.Errorf("method %v, seen %v, at %d: not the row's", out.Method, out.Seen, out.At)
	}
	if got := text(ns2, out.Left, out.Right); got != "cookie.acme:a\ncookie.acme:A\n" {
		t.Errorf("identifiers are %s", got)
	}
}

func TestLinkBadRow(t *testing.T) {
	_, l := newLinks(t, 0)
	good := source.LinkRow{Left: "cookie.acme:abc", Right: "crm.acme:C-1"}
	for _, c := range []struct {
		change func(*source.LinkRow)
		want   string
	}{
		{func(r *source.LinkRow) { r.Left = "" }, "column left: not an identifier: no colon"},
		{func(r *source.LinkRow) { r.Left = "cookie.other:abc" }, "column left: not an identifier: unknown namespace"},
		{func(r *source.LinkRow) { r.Left = "crm.nobody:abc" }, "column left: not an identifier: unknown namespace"},
		{func(r *source.LinkRow) { r.Left = "cookie.acme:undefined" }, "column left: not an identifier: the value is junk"},
		{func(r *source.LinkRow) { r.Right = "maid:00000000-0000-0000-0000-000000000000" }, "column right: not an identifier: the value is junk"},
		{func(r *source.LinkRow) { r.Right = "maid:abc" }, "column right: not an identifier: the value is not a UUID"},
		{func(r *source.LinkRow) {
			r.Right = "email_sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
		}, "column right: the hash of an empty value"},
		{func(r *source.LinkRow) { r.Right = r.Left }, "columns left and right: the same"},
		{func(r *source.LinkRow) { r.Method = "guess" }, "column method: none of"},
		{func(r *source.LinkRow) { r.ObservedAt = "yesterday" }, "column observed_at: not a time"},
		{func(r *source.LinkRow) { r.ObservedAt = "2026-11-22" }, "column observed_at: is after the build's as_of"},
		{func(r *source.LinkRow) { r.ObservedAt = "1970-01-01" }, "column observed_at: is 1970"},
		{func(r *source.LinkRow) { r.ObservedAt = "1950-01-01" }, "column observed_at: is 1970"},
	} {
		row, out := good, Link{}
		c.change(&row)
		err := l.Normalise(&row, &out)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", row, err, c.want)
		}
	}
	// Two spellings of one identifier are one.
	row := source.LinkRow{Left: "maid:6d92078a82464ba4ae5b76104861e7dc", Right: "maid:6D92078A-8246-4BA4-AE5B-76104861E7DC"}
	if err := l.Normalise(&row, new(Link)); err != errSelf {
		t.Errorf("error %v, want %v", err, errSelf)
	}
}

func TestFileOfTheFuture(t *testing.T) {
	cfg, _, n := newNormaliser(t)
	spec := cfg.Links[0]
	spec.AsOf = testAsOf.Add(time.Second)
	if _, err := n.Links(&spec); err == nil || !strings.Contains(err.Error(), "line 9 of the config") {
		t.Errorf("links: error %v, want one that names line 9", err)
	}
	if _, err := n.Profiles(0, &spec.FileSpec); err == nil {
		t.Error("profiles: no error")
	}
}

// The keys of a row must stay whole while the buffer under them grows, and
// after warm-up nothing may be allocated for a row of the common forms.
func TestNormaliseAllocatesNothing(t *testing.T) {
	_, p := newProfiles(t, 0)
	_, l := newLinks(t, 0)
	profile := source.ProfileRow{
		CustomerID: "C-1", Email: "jane@a.example", Phone: "0612345678", Segments: "vip|a|b",
		ConsentAt: "2026-11-20T10:00:00Z", ConsentPurposes: "use|share", EmailSHA256: strings.Repeat("ab", 32),
		FirstName: "Élodie", LastName: "D'Almeida", Address: "12 bis, rue de l'Église, apt 4, 75011 Paris", Postcode: "75011", City: "Paris",
	}
	link := source.LinkRow{Left: "cookie.acme:abc", Right: "crm.acme:C-1", Method: "observed", ObservedAt: "2026-11-20"}
	var first, out Profile
	if err := p.Normalise(&profile, &first); err != nil {
		t.Fatal(err)
	}
	var outLink Link
	allocs := testing.AllocsPerRun(100, func() {
		if p.Normalise(&profile, &out) != nil || l.Normalise(&link, &outLink) != nil {
			t.Fatal("a good row is refused")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for a row of each", allocs)
	}
	same := slices.EqualFunc(first.Identifiers, out.Identifiers, func(a, b Identifier) bool {
		return a.Namespace == b.Namespace && string(a.Key) == string(b.Key)
	})
	if !same || len(out.Identifiers) != 5 {
		t.Errorf("identifiers differ between a new buffer and a used one: %v, %v", first.Identifiers, out.Identifiers)
	}
}

func TestNormaliserIsSharedByGoroutines(t *testing.T) {
	cfg, _, n := newNormaliser(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p, err := n.Profiles(0, &cfg.Tenants[0].Profiles[0])
			if err != nil {
				t.Error(err)
				return
			}
			var out Profile
			for i := range 100 {
				row := source.ProfileRow{CustomerID: fmt.Sprint("C-", i), Phone: "+442079460018", Email: "a@b.c"}
				if err := p.Normalise(&row, &out); err != nil || len(out.Identifiers) != 3 {
					t.Errorf("row %d: %v, %d identifiers", i, err, len(out.Identifiers))
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkProfile(b *testing.B) {
	contacts := source.ProfileRow{
		CustomerID: "C-123456", Email: "jane.doe@a.example", Phone: "06 12 34 56 78", Segments: "vip|churn.high",
		ConsentAt: "2026-11-20T10:00:00Z",
	}
	postal := contacts
	postal.FirstName, postal.LastName, postal.Country = "Élodie", "D'Almeida", "FR"
	postal.Address, postal.Postcode, postal.City = "12 bis, rue de l'Église, apt 4", "75011", "Paris"
	for name, row := range map[string]*source.ProfileRow{"contacts": &contacts, "postal": &postal} {
		b.Run(name, func(b *testing.B) {
			_, p := newProfiles(b, 0)
			var out Profile
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Normalise(row, &out); err != nil || len(out.BadFields) > 0 {
					b.Fatal(err, out.BadFields)
				}
			}
		})
	}
}

func BenchmarkLink(b *testing.B) {
	_, l := newLinks(b, 0)
	row := source.LinkRow{
		Left: "email_sha256:" + strings.Repeat("5e884898", 8), Right: "maid:6d92078a-8246-4ba4-ae5b-76104861e7dc",
		Method: "observed", ObservedAt: "2026-11-20T10:00:00Z",
	}
	var out Link
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Normalise(&row, &out); err != nil {
			b.Fatal(err)
		}
	}
}
