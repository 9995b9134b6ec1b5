package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/resolve"
)

// full uses every key, in an order that is nowhere the canonical one.
const full = `
version: 1
as_of: 2026-11-21T10:00:00Z
default_region: NO            # YAML would like to read a boolean
keep_anonymous: true
link_max_age: 6
namespaces: [cookie.publisher-a, {name: ctv.roku, compare: uuid}, {name: abc, compare: hex, size: 4}]
tenants:
  - name: zeta
    legal_basis: legitimate_interest
    consent_max_age: 12
    profiles:
      - {path: "z/*.csv", as_of: 2026-11-01, columns: {E-Mail: email, kind: kind}}
  - name: acme
    domain: acme.example
    bid_stream: {segtax: 501, segments: {vip: "A1", churn.high: 7, "à part": A1}}
    profiles:
      - {path: "crm/*.csv"}
links:
  - {path: "p.csv", source: publisher-a, party: second, method: cookie_sync, columns: {a: left, b: right}}
  - {path: "s.csv", source: acme.example, party: first}
  - {path: "t.csv", source: publisher-a, party: first}
  - {path: "u.csv", source: publisher-a, party: first}
former_tenants: [old, bolt]
`

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse([]byte(text), ".")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParse(t *testing.T) {
	c := mustParse(t, full)
	if c.Version != 1 || !c.AsOf.Equal(time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)) || c.DefaultRegion != "NO" || !c.KeepAnonymous || c.LinkMaxAge != 6 {
		t.Errorf("%+v", c)
	}
	if !slices.Equal(c.FormerTenants, []string{"bolt", "old"}) {
		t.Errorf("former tenants are %q", c.FormerTenants)
	}
	wantTenants := []snapshot.Tenant{
		{
			Name: "acme", Domain: "acme.example", LegalBasis: snapshot.Consent, ConsentMaxAge: 36,
			BidStream: &snapshot.BidStream{Segtax: 501, Segments: map[string]string{"vip": "A1", "churn.high": "7", "à part": "A1"}},
		},
		{Name: "zeta", LegalBasis: snapshot.LegitimateInterest, ConsentMaxAge: 12},
	}
	if got := c.SnapshotTenants(); !reflect.DeepEqual(got, wantTenants) {
		t.Errorf("tenants are %+v", got)
	}
	z := c.Tenants[1].Profiles[0]
	if z.Path != "z/*.csv" || z.Line != 13 || z.AsOf.Format(time.DateOnly) != "2026-11-01" || z.Columns["e-mail"] != "email" {
		t.Errorf("profiles are %+v", z)
	}
	if c.Links[0].Method != snapshot.CookieSync || c.Links[1].Method != snapshot.Inferred || c.Links[0].Line != 20 {
		t.Errorf("links are %+v", c.Links)
	}
	wantSources := []snapshot.Source{
		{Name: "acme.example", Party: snapshot.FirstParty},
		{Name: "crm.acme"},
		{Name: "crm.zeta"},
		{Name: "publisher-a", Party: snapshot.FirstParty},
		{Name: "publisher-a", Party: snapshot.SecondParty},
	}
	sources := c.Sources()
	if !slices.Equal(sources, wantSources) {
		t.Errorf("sources are %+v", sources)
	}
	for i, s := range sources {
		if id, ok := SourceID(sources, s); !ok || int(id) != i {
			t.Errorf("source %v is found at %d, %t", s, id, ok)
		}
	}
	if _, ok := SourceID(sources, snapshot.Source{Name: "nobody"}); ok {
		t.Error("a source that is not there is found")
	}
	ns, err := c.NamespaceTable()
	if err != nil {
		t.Fatal(err)
	}
	want := append(index.Builtin(), index.Namespace{Name: "abc", Compare: index.Hex, Size: 4},
		index.Namespace{Name: "cookie.publisher-a"}, index.Namespace{Name: "ctv.roku", Compare: index.UUID},
		index.Namespace{Name: "crm.acme"}, index.Namespace{Name: "crm.zeta"})
	if got := ns.All(); !slices.Equal(got, want) {
		t.Errorf("namespaces are %+v", got)
	}
}

func TestDefaults(t *testing.T) {
	c := mustParse(t, "version: 1\ntenants: [{name: acme, profiles: []}]\n")
	if !c.AsOf.IsZero() || c.DefaultRegion != "" || c.KeepAnonymous || c.LinkMaxAge != 13 || c.Links != nil {
		t.Errorf("%+v", c)
	}
	if tenant := c.Tenants[0]; tenant.LegalBasis != snapshot.Consent || tenant.ConsentMaxAge != 36 {
		t.Errorf("%+v", tenant)
	}
}

// minimal is a config with the lines of extra at its end, from line 3.
func minimal(extra string) string {
	return "version: 1\ntenants: [{name: acme, profiles: []}]\n" + extra
}

func TestErrors(t *testing.T) {
	link := func(s string) string {
		return minimal("links:\n  - {path: a.csv, source: s, party: first" + s + "}\n")
	}
	for _, c := range []struct{ in, want string }{
		{"", "onboard.yaml: the file is empty; it needs at least version and tenants"},
		{"# nothing\n", "onboard.yaml: the file is empty"},
		{"- a\n", "onboard.yaml:1: config: is a list, and should be a mapping (key: value)"},
		{"version: [\n", "onboard.yaml:"},
		{"a: b\n c: d\n", "onboard.yaml:2: mapping values are not allowed in this context"},
		{minimal("---\nversion: 1\n"), "onboard.yaml:3: a second YAML document; put all into one"},
		{"tenants: [{name: a, profiles: []}]\n", `onboard.yaml:1: config: key "version" is missing; add it`},
		{"version: 2\ntenants: [{name: a, profiles: []}]\n", `onboard.yaml:1: version: version "2" is not supported; this matchd reads version 1`},
		{"version: 1\n", `onboard.yaml:1: config: key "tenants" is missing; add it`},
		{"version: 1\ntenants: []\n", "onboard.yaml:2: tenants: none is given; a pool needs at least one"},

		{minimal("link_maxage: 3\n"), `onboard.yaml:3: config: unknown key "link_maxage"; did you mean "link_max_age"? Known are as_of, default_region, former_tenants, keep_anonymous, link_max_age, links, namespaces, normalise, resolution, tenants, version`},
		{minimal("xyz: 3\n"), `onboard.yaml:3: config: unknown key "xyz"; known are as_of,`},
		{"version: 1\ntenants:\n  - name: acme\n    profile: []\n", `onboard.yaml:4: tenant: unknown key "profile"; did you mean "profiles"?`},
		{minimal("version: 1\n"), `onboard.yaml:3: config: key "version" is given twice, first at line 1; remove one`},
		{minimal("? [a]\n: b\n"), "onboard.yaml:3: config: a key is a list, and should be a name"},
		{minimal("links: *l\n"), "onboard.yaml: unknown anchor 'l' referenced"},
		{minimal("namespaces: &n [a]\nlinks: *n\n"), "onboard.yaml:4: links: is an alias, which is not supported, and should be a list"},
		{minimal("as_of:\n"), "onboard.yaml:3: as_of: is empty; give a value, or remove the key"},
		{minimal("as_of: [x]\n"), "onboard.yaml:3: as_of: is a list; give a value, or remove the key"},
		{minimal("as_of: 21/11/2026\n"), `onboard.yaml:3: as_of: "21/11/2026" is not a time as 2026-11-21T10:00:00Z or a date as 2026-11-21`},
		{minimal("as_of: 1969-12-31\n"), `onboard.yaml:3: as_of: "1969-12-31" is not between 1970 and 2149-06-06`},
		{minimal("as_of: 2150-01-01\n"), `onboard.yaml:3: as_of: "2150-01-01" is not between 1970 and 2149-06-06`},
		{minimal("default_region: fr\n"), `onboard.yaml:3: default_region: region "fr" is unknown; give two capital letters as ISO 3166-1 has them, such as FR`},
		{minimal("keep_anonymous: yes\n"), `onboard.yaml:3: keep_anonymous: "yes" is neither true nor false`},
		{minimal("link_max_age: 0\n"), `onboard.yaml:3: link_max_age: "0" is not a number of months from 1 to 13`},
		{minimal("link_max_age: 14\n"), `onboard.yaml:3: link_max_age: "14" is not a number of months from 1 to 13`},
		{minimal("link_max_age: -1\n"), `onboard.yaml:3: link_max_age: "-1" is not a number`},

		{minimal("resolution: 3\n"), "onboard.yaml:3: resolution: is a single value, and should be a mapping"},
		{minimal("resolution: {max_identifiers: 0}\n"), `onboard.yaml:3: resolution max_identifiers: "0" is not a number from 1 to 10000`},
		{minimal("resolution: {max_identifiers: 10001}\n"), `onboard.yaml:3: resolution max_identifiers: "10001" is not a number from 1 to 10000`},
		{minimal("resolution:\n  max_customers_per_device: 0\n"), `onboard.yaml:4: resolution max_customers_per_device: "0" is not a number from 1 to 10000`},
		{minimal("resolution: {max_customers_per_contact: -1}\n"), `onboard.yaml:3: resolution max_customers_per_contact: "-1" is not a number from 1 to 10000`},
		{minimal("resolution: {max_customers_per_contact: many}\n"), `onboard.yaml:3: resolution max_customers_per_contact: "many" is not a number from 1 to 10000`},
		{minimal("resolution: {max_connected: 0}\n"), `onboard.yaml:3: resolution max_connected: "0" is not a number from 1 to 10000000`},
		{minimal("resolution: {max_connected: 10000001}\n"), `onboard.yaml:3: resolution max_connected: "10000001" is not a number from 1 to 10000000`},
		{minimal("resolution: {shared: oldest}\n"), `onboard.yaml:3: resolution shared: "oldest" is neither nobody nor latest`},
		{minimal("resolution: {max_customers_per_divice: 3}\n"), `onboard.yaml:3: resolution: unknown key "max_customers_per_divice"; did you mean "max_customers_per_device"?`},
		{minimal("resolution: {shared: latest, shared: nobody}\n"), `onboard.yaml:3: resolution: key "shared" is given twice`},

		{minimal("namespaces: cookie.a\n"), "onboard.yaml:3: namespaces: is a single value, and should be a list"},
		{minimal("namespaces:\n  - Cookie\n"), `onboard.yaml:4: namespace "Cookie": byte 'C' at 0: names are`},
		{minimal("namespaces:\n  - maid\n"), `onboard.yaml:4: namespace "maid" is built in; remove it`},
		{minimal("namespaces:\n  - crm.acme\n"), `onboard.yaml:4: namespace "crm.acme" is reserved for the tenants' profiles; remove it`},
		{minimal("namespaces:\n  - a\n  - {name: a, compare: hex}\n"), `onboard.yaml:5: namespace "a" is declared twice, first at line 4; remove one`},
		{minimal("namespaces:\n  - {name: a, compare: fuzzy}\n"), `onboard.yaml:4: compare: comparison "fuzzy" is none of exact, hex, uuid`},
		{minimal("namespaces:\n  - {name: a, compare: hex, size: 0}\n"), `onboard.yaml:4: size: "0" is not a number of bytes from 1 to 256`},
		{minimal("namespaces:\n  - {name: a, size: 4}\n"), `onboard.yaml:4: namespace "a": size 4 is not allowed`},
		{minimal("namespaces:\n  - {compare: hex}\n"), `onboard.yaml:4: namespace: key "name" is missing; add it`},

		{"version: 1\ntenants:\n  - {profiles: []}\n", `onboard.yaml:3: tenant: key "name" is missing; add it`},
		{"version: 1\ntenants:\n  - {name: a}\n", `onboard.yaml:3: tenant: key "profiles" is missing; add it`},
		{"version: 1\ntenants:\n  - {name: A, profiles: []}\n", `onboard.yaml:3: tenant name: "A" is not a name of 1 to 60 of a-z, 0-9, '.', '_' and '-'`},
		{"version: 1\ntenants:\n  - {name: \"" + strings.Repeat("a", 61) + "\", profiles: []}\n", "onboard.yaml:3: tenant name: "},
		{"version: 1\ntenants:\n  - {name: a, profiles: []}\n  - {name: a, profiles: []}\n", `onboard.yaml:4: tenant "a" is given twice, first at line 3; put its profiles into one`},
		{"version: 1\ntenants:\n  - {name: a, profiles: [], legal_basis: hope}\n", `onboard.yaml:3: legal_basis: legal basis "hope" is none of [consent contract legitimate_interest]`},
		{"version: 1\ntenants:\n  - {name: a, profiles: [], domain: Acme.example}\n", `onboard.yaml:3: domain: "Acme.example" is not a domain in lower case`},
		{"version: 1\ntenants:\n  - {name: a, profiles: [], consent_max_age: 0}\n", `onboard.yaml:3: consent_max_age: "0" is not a number of months from 1 to 1200`},
		{"version: 1\ntenants:\n  - {name: a, profiles: [{as_of: 2026-01-01}]}\n", `onboard.yaml:3: profiles: key "path" is missing; add it`},
		{"version: 1\ntenants:\n  - {name: a, profiles: [{path: \"a[\"}]}\n", "onboard.yaml:3: path: the pattern is malformed"},
		{"version: 1\ntenants:\n  - {name: a, profiles: [{path: x, columns: {mail: e-mail}}]}\n", `onboard.yaml:3: columns: "e-mail" is no column of ours; did you mean "email"? Known are customer_id,`},
		{"version: 1\ntenants:\n  - {name: a, profiles: [{path: x, columns: {mail: left}}]}\n", `onboard.yaml:3: columns: "left" is no column of ours`},
		{"version: 1\ntenants:\n  - {name: a, profiles: [{path: x, columns: {Mail: email, mail: email}}]}\n", `onboard.yaml:3: columns: "mail" is given twice, since headers compare without case; remove one`},
		{"version: 1\ntenants:\n  - {name: a, profiles: [{path: x, columns: {\" \": email}}]}\n", "onboard.yaml:3: columns: the name of their column is empty"},

		{minimal("former_tenants: bolt\n"), "onboard.yaml:3: former_tenants: is a single value, and should be a list"},
		{minimal("former_tenants: [Bolt]\n"), `onboard.yaml:3: former_tenants: "Bolt" is not a name of 1 to 60 of`},
		{minimal("former_tenants:\n  - bolt\n  - bolt\n"), `onboard.yaml:5: former_tenants: "bolt" is given twice, first at line 4; remove one`},
		{"version: 1\nformer_tenants: [zeta, acme]\ntenants: [{name: acme, profiles: []}]\n", `onboard.yaml:2: former_tenants: "acme" is a tenant, at line 3; remove it here`},

		{link(", method: guess"), `onboard.yaml:4: method: method "guess" is none of [authenticated observed cookie_sync inferred]`},
		{link(", columns: {a: email}"), `onboard.yaml:4: columns: "email" is no column of ours`},
		{minimal("links:\n  - {path: a.csv, source: s}\n"), `onboard.yaml:4: links: key "party" is missing; add it`},
		{minimal("links:\n  - {path: a.csv, party: first}\n"), `onboard.yaml:4: links: key "source" is missing; add it`},
		{minimal("links:\n  - {path: a.csv, source: s, party: fourth}\n"), `onboard.yaml:4: party: party "fourth" is none of [first second third]`},
		{minimal("links:\n  - {path: a.csv, source: \"a\\tb\", party: first}\n"), `onboard.yaml:4: source: "a\tb" is not a name of 1 to 128 bytes without control characters`},
		{minimal("links:\n  - {path: a.csv, source: crm.acme, party: first}\n"), `onboard.yaml:4: source: "crm.acme": names with "crm." are kept for the tenants' own profiles`},
		{link(", format: xls"), `onboard.yaml:4: format: format "xls" is none of csv, tsv, ndjson, parquet`},
		{link(", compression: zip"), `onboard.yaml:4: compression: compression "zip" is none of none, gzip, zstd`},
		{link(", delimiter: ab"), `onboard.yaml:4: delimiter: delimiter "ab" is not a single character`},
		{link(", encoding: ebcdic"), `onboard.yaml:4: encoding: encoding "ebcdic" is none of utf-8, windows-1252, iso-8859-1, iso-8859-15, utf-16`},
		{link(", format: parquet, encoding: utf-16"), "onboard.yaml:4: format parquet is always UTF-8; remove encoding"},
		{
			minimal("links:\n  - {path: \"-\", source: s, party: first}\n  - {path: \"-\", source: t, party: first}\n"),
			`onboard.yaml:5: path: "-", standard input, is given twice, first at line 4; it can be read once`,
		},
	} {
		_, err := Parse([]byte(c.in), ".")
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.in, err, c.want)
		}
	}
}

// All errors come at once, up to a number that can be read.
func TestManyErrors(t *testing.T) {
	var b strings.Builder
	for i := range 50 {
		fmt.Fprintf(&b, "key%d: x\n", i)
	}
	_, err := Parse([]byte(minimal(b.String())), ".")
	lines := strings.Split(fmt.Sprint(err), "\n")
	if len(lines) != maxErrors+1 || !strings.HasPrefix(lines[1], "onboard.yaml:4: ") || lines[maxErrors] != "onboard.yaml: and 30 errors more" {
		t.Errorf("%d lines: %v", len(lines), err)
	}
}

func TestTooMany(t *testing.T) {
	var tenants, links strings.Builder
	tenants.WriteString("version: 1\ntenants:\n")
	for i := range MaxTenants + 1 {
		fmt.Fprintf(&tenants, "- {name: t%d, profiles: []}\n", i)
	}
	_, err := Parse([]byte(tenants.String()), ".")
	if want := "onboard.yaml:3: tenants: 4097 of them, at most 4096; split the pool"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	links.WriteString(minimal("links:\n"))
	for i := range MaxSources {
		fmt.Fprintf(&links, "- {path: a, source: s%d, party: first}\n", i)
	}
	_, err = Parse([]byte(links.String()), ".")
	if want := "onboard.yaml: 65536 sources, the tenants among them: at most 65535; split the pool"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// The order of lists and keys, and the paths, are not in the canonical text;
// everything else is.
func TestCanonical(t *testing.T) {
	shuffled := `
links:
  - {columns: {b: right, A: left}, party: second, source: publisher-a, method: cookie_sync, path: "p.csv"}
  - {source: publisher-a, party: first, path: "other/*.csv", method: inferred}
  - {path: "s.csv", source: acme.example, party: first}
tenants:
  - {name: acme, domain: acme.example, consent_max_age: 36, bid_stream: {segments: {à part: A1, churn.high: "7", vip: A1}, segtax: 501}, profiles: [{path: "elsewhere.csv"}]}
  - name: zeta
    profiles: [{path: "z/*.csv", as_of: 2026-11-01T00:00:00Z, columns: {e-mail: email}}]
    legal_basis: legitimate_interest
    consent_max_age: 12
namespaces: [{name: abc, compare: hex, size: 4}, {name: ctv.roku, compare: uuid}, {name: cookie.publisher-a, compare: exact}]
link_max_age: 6
keep_anonymous: true
default_region: "NO"
as_of: 2026-11-21T11:00:00+01:00
version: 1
`
	want := string(mustParse(t, full).Canonical())
	if got := string(mustParse(t, shuffled).Canonical()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, change := range [][2]string{
		{"as_of: 2026-11-21T10:00:00Z", "as_of: 2026-11-21T10:00:01Z"},
		{"region: NO", "region: SE"},
		{"anonymous: true", "anonymous: false"},
		{"link_max_age: 6", "link_max_age: 7"},
		{"compare: uuid", "compare: hex"},
		{"size: 4", "size: 5"},
		{"[cookie.publisher-a,", "[cookie.publisher-b,"},
		{"name: zeta", "name: beta"},
		{"legitimate_interest", "contract"},
		{"consent_max_age: 12", "consent_max_age: 13"},
		{"domain: acme.example", "domain: acme.test"},
		{"segtax: 501", "segtax: 502"},
		{`vip: "A1"`, `vip: "A2"`},
		{`vip: "A1"`, `vap: "A1"`},
		{", churn.high: 7", ""},
		{`{vip: "A1", churn.high: 7`, `{vip: "7", churn.high: "A1"`},
		{"    bid_stream: {segtax: 501, segments: {vip: \"A1\", churn.high: 7, \"à part\": A1}}\n", ""},
		{"as_of: 2026-11-01", "as_of: 2026-11-02"},
		{"E-Mail: email", "E-Mail: phone"},
		{"E-Mail: email", "Mail: email"},
		{"party: second", "party: third"},
		{"source: acme.example", "source: site"},
		{"cookie_sync", "observed"},
		{"a: left, b: right", "b: left, a: right"},
	} {
		changed := strings.Replace(full, change[0], change[1], 1)
		if changed == full {
			t.Errorf("%q is not in the config", change[0])
		}
		if string(mustParse(t, changed).Canonical()) == want {
			t.Errorf("%q for %q changes nothing in the canonical text", change[1], change[0])
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"same", "same", 0}, {"profile", "profiles", 1}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pool.yaml")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want one that says that the file does not exist", err)
	}
	if err := os.WriteFile(path, []byte(minimal("x: y\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+":3: ") {
		t.Errorf("error %v, want one that starts with %s:3", err, path)
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, s := range []string{
		full, minimal(""), minimal("x: y\n"), "- a\n", "a: [\n", "? {a: b}\n: c\n", minimal("namespaces: &n [a]\nlinks: *n\n"), "version: !!null\n", "\xff", "a: !x b\n<<: {a: b}\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, ".")
		if err != nil {
			return
		}
		again, err := Parse(data, ".")
		if err != nil || string(again.Canonical()) != string(c.Canonical()) {
			t.Fatalf("a second reading differs: %v", err)
		}
		ns, err := c.NamespaceTable()
		if err != nil {
			t.Fatal(err)
		}
		for i, tenant := range c.SnapshotTenants() {
			if b := tenant.BidStream; b != nil && (b.Validate() != nil || tenant.Domain == "") {
				t.Fatalf("tenant %q declares %+v", tenant.Name, b)
			}
			if _, ok := ns.ByName(index.CRMPrefix + tenant.Name); !ok || tenant.ConsentMaxAge < 1 || tenant.Name != c.Tenants[i].Name {
				t.Fatalf("tenant %+v", tenant)
			}
		}
		if !slices.IsSortedFunc(c.Sources(), compareSources) || c.LinkMaxAge < 1 || c.LinkMaxAge > MaxLinkMaxAge {
			t.Fatalf("%+v", c)
		}
	})
}

// Each limit of resolution is read, has a default, and is in the canonical text
// and in what a manifest records.
func TestResolution(t *testing.T) {
	plain := mustParse(t, minimal(""))
	if plain.Rules != resolve.DefaultRules() || plain.MaxConnected != DefaultMaxConnected {
		t.Errorf("the defaults are %+v, %d", plain.Rules, plain.MaxConnected)
	}
	c := mustParse(t, minimal("resolution: {max_identifiers: 7, max_customers_per_device: 8, max_customers_per_contact: 9, max_connected: 10, shared: latest}\n"))
	want := resolve.Rules{MaxIdentifiers: 7, MaxOnDevice: 8, MaxOnContact: 9, Shared: resolve.SharedLatest}
	if c.Rules != want || c.MaxConnected != 10 {
		t.Errorf("read as %+v, %d", c.Rules, c.MaxConnected)
	}
	for key, value := range map[string]string{
		"max_identifiers": "7", "max_customers_per_device": "8", "max_customers_per_contact": "9", "max_connected": "10", "shared": "latest",
	} {
		if got := c.RulesText()[key]; got != value {
			t.Errorf("%s is recorded as %q", key, got)
		}
		one := mustParse(t, minimal(fmt.Sprintf("resolution: {%s: %s}\n", key, value)))
		if string(one.Canonical()) == string(plain.Canonical()) {
			t.Errorf("%s changes nothing in the canonical text", key)
		}
	}
}
