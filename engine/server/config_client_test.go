package server

import (
	"math"
	"strings"
	"testing"
)

// clientWith is the config of a client with more lines; they begin at line 5.
func clientWith(lines string) string {
	return "stores: [a, {name: b, path: /b}]\nclients:\n  - name: x\n    key_sha256: " + HashKey("k").String() + "\n    " + lines + "\n"
}

// granted is clientWith a grant that says more.
func granted(more string) string { return clientWith("grants: [{tenant: t, " + more + "}]") }

// browserWith is clientWith a browser, of which one part is replaced.
func browserWith(old, replacement string) string {
	return clientWith("grants: [{tenant: t, namespaces: [cookie.a]}]\n    " +
		strings.Replace("browser: {origins: [https://a.example], cookie: uid, namespace: cookie.a}", old, replacement, 1))
}

// exactConfigs have the one error that is said, and no other.
var exactConfigs = []struct{ yaml, want string }{
	{"stores: [a, b/a]", "c:1: stores: two are named a; give one of them another, as in {name: energy, path: ...}"},
	{"stores: [a, {name: b, path: ./a}]", "c:1: stores: a is there twice"},
	{"stores: [{name: b}]", `c:1: store: key "path" is missing`},
	{"stores: [{nam: b, path: c}]", `c:1: store: unknown key "nam"; did you mean "name"? known are name, path, events, erase_within, keep_erasures, apply_within, overdue_unready, follow, follow_key_file, follow_store, lag`},
	{"stores: [{name: b/c, path: c}]", `c:1: store: name "b/c" has a slash`},
	{"stores: [a]\ntls: {cert: a}", `c:2: tls: key "key" is missing`},
	{"stores: [a]\ntls: {key: a, client_ca: b}", `c:2: tls: key "cert" is missing`},
	{"stores: [a]\ntls: {cert: a, key: b, ca: c}", `c:2: tls: unknown key "ca"; known are cert, key, client_ca`},
	{"stores: [a]\naudit: []", "c:2: audit: should be one value"},
	{clientWith("tenant: a/b"), `c:3: client x: "a/b" is not the name of a tenant`},
	{clientWith("tenant: '*'"), `c:3: client x: "*" is not the name of a tenant`},
	{clientWith("scopes: []"), "c:5: client 1: scopes: the list is empty; name one at least, or leave the key away"},
	{clientWith("scopes: match"), "c:5: client 1: scopes: should be a list"},
	{clientWith("scopes: [match, segment]"), `c:5: client 1: scopes: unknown scope "segment"; did you mean "segments"? known are match, segments, identifiers, enrich, events, privacy, admin`},
	{clientWith("scopes: [identifiers]"), "c:3: client x: the scope identifiers needs a grant with identifiers: true"},
	{clientWith("rate: -1"), `c:5: client 1: rate: "-1" is not a number of questions a second, from 0 to 1000000000`},
	{clientWith("rate: NaN"), `c:5: client 1: rate: "NaN" is not a number of questions a second, from 0 to 1000000000`},
	{clientWith("rate: inf"), `c:5: client 1: rate: "inf" is not a number of questions a second, from 0 to 1000000000`},
	{clientWith("rate: many"), `c:5: client 1: rate: "many" is not a number of questions a second, from 0 to 1000000000`},
	{clientWith("burst: 3"), "c:3: client x: a burst needs a rate"},
	{clientWith("rate: 3\n    burst: 0"), `c:6: client 1: burst: "0" is not a number from 1 to 1000000000`},
	{clientWith("rate: 3\n    burst: 1.5"), `c:6: client 1: burst: "1.5" is not a number from 1 to 1000000000`},
	{clientWith("certificate: a.example"), "c:5: client 1: certificate: clients show theirs only where tls has a client_ca"},
	{clientWith("certificate: '*.example'\ntls: {cert: a, key: b, client_ca: c}"), `c:3: client x: certificate "*.example" has to be one name`},
	{clientWith("privacy: {vendor: 0}"), `c:5: client 1: privacy: vendor: "0" is not a number from 1 to 65535`},
	{clientWith("privacy: {vendor: 65536}"), `c:5: client 1: privacy: vendor: "65536" is not a number from 1 to 65535`},
	{clientWith("privacy: {purposes: [12]}"), `c:5: client 1: privacy: purposes: "12" is not a number from 1 to 11`},
	{clientWith("privacy: {purposes: [3, 3]}"), "c:5: client 1: privacy: purposes: 3 is there twice"},
	{clientWith("privacy: {jurisdiction: eu}"), `c:5: client 1: privacy: jurisdiction: unknown "eu"; known are none, gdpr, us`},
	{clientWith("openrtb: {eids: {a.example: Cookie}}"), `c:5: client 1: openrtb: eids: a.example: namespace "Cookie": byte 'C' at 0: names are a-z, 0-9, '.', '_', '-', and start with a letter`},
	{clientWith("openrtb: {eids: {'*': cookie.a}}"), "c:5: client 1: openrtb: eids: * stands for nothing here; name each"},
	{clientWith("openrtb: {eids: {a: cookie.a, a: cookie.b}}"), `c:5: client 1: openrtb: eids: key "a" is given twice`},
	{clientWith("openrtb: {exchanges: {e: {buyer: cookie.a}}}"), `c:5: client 1: openrtb: exchanges: e: unknown key "buyer"; known are buyeruid, user_id`},
	{clientWith("openrtb: {person: {inserter: a.example}}"), `c:5: client 1: openrtb: person: key "source" is missing`},
	{clientWith("openrtb: {person: {source: 'https://a'}}"), `c:5: client 1: openrtb: person: source: "https://a" is not a domain in lower case`},
	{browserWith("origins: [https://a.example], ", ""), `c:6: client 1: browser: key "origins" is missing`},
	{browserWith("https://a.example", ""), "c:6: client 1: browser: origins: the list is empty; name one at least, or leave the key away"},
	{browserWith("https://a.example", "'*'"), `c:6: client 1: browser: origin "*": write scheme://host or scheme://host:port, in lower case, without a path or *`},
	{browserWith("https://a.example", "http://a.example"), `c:6: client 1: browser: origin "http://a.example": only https, or http on this machine`},
	{browserWith("https://a.example", "https://a.example, https://a.example"), `c:3: client x: browser: origin "https://a.example" is there twice`},
	{browserWith("uid", "'u d'"), `c:6: client 1: browser: cookie: "u d" is not the name of a cookie`},
	{browserWith("namespace: cookie.a", "namespace: cookie.b"), "c:3: client x: browser: no grant has the namespace cookie.b"},
	{browserWith("browser: {", "scopes: [segments, match]\n    browser: {"), "c:3: client x: a browser has the scope segments alone, not match, segments"},
	{clientWith("grants: [{tenant: t, namespaces: [cookie.a], customers: true, identifiers: true}]\n    browser: {origins: [https://a.example], cookie: uid, namespace: cookie.a}"), "c:3: client x: a browser lists no identifiers"},
	{granted("store: c"), `c:5: client 1: grant: store: there is no store "c"; known are a, b`},
	{granted("purposes: []"), "c:5: client 1: grant: purposes: the list is empty; name one at least, or leave the key away"},
	{granted("purposes: [sale]"), `c:5: client 1: grant: purposes: consent purpose "sale" is none of [use share]`},
	{granted("until: tomorrow"), `c:5: client 1: grant: until: "tomorrow" is neither a date, as in 2027-01-31, nor a time, as in 2027-01-31T12:00:00Z`},
	{granted("until: 0001-01-01"), `c:5: client 1: grant: until: "0001-01-01" is neither a date, as in 2027-01-31, nor a time, as in 2027-01-31T12:00:00Z`},
	{granted("until: 2027-02-30"), `c:5: client 1: grant: until: "2027-02-30" is neither a date, as in 2027-01-31, nor a time, as in 2027-01-31T12:00:00Z`},
	{granted("customers: yes"), `c:5: client 1: grant: customers: "yes" is neither true nor false`},
	{granted("customers: false, identifiers: true"), "c:3: client x: tenant t: listing identifiers takes a customer id, and the grant does not show those"},
	{clientWith("tenant: u\n    grants: [{tenant: t, identifiers: true}]"), "c:3: client x: tenant t: listing identifiers takes a customer id, and the grant does not show those"},
	{granted("store: a}, {tenant: t"), "c:3: client x: two grants for tenant t"},
}

func TestExactErrors(t *testing.T) {
	for _, c := range exactConfigs {
		if _, err := ParseConfig("c", []byte(c.yaml)); err == nil || err.Error() != c.want {
			t.Errorf("%s\ngot  %v\nwant %s", c.yaml, err, c.want)
		}
	}
}

func TestGoodConfigs(t *testing.T) {
	for _, file := range []string{
		granted("until: 2020-01-01"), // it grants nothing
		granted("store: a}, {store: b, tenant: t"),
		clientWith("rate: 0"), clientWith("rate: 0.1"), clientWith("rate: 5e3\n    burst: 1"),
		clientWith("scopes: [identifiers]\n    grants: [{tenant: t, identifiers: true}]"),
		clientWith("scopes: [events, privacy, admin]"),
		clientWith("tenant: u\n    grants: [{tenant: t, customers: true, identifiers: true}]"),
		clientWith("certificate: a.example\ntls: {cert: a, key: b, client_ca: c}"),
		clientWith("openrtb: {exchanges: {e: {}, '*': {user_id: cookie.a}}}"),
		browserWith("https://a.example", "'https://a.example:8443', 'http://[::1]:3000'"),
		browserWith("browser: {", "scopes: [segments]\n    browser: {"),
		browserWith("[cookie.a]", "['*']"),
	} {
		if _, err := ParseConfig("c", []byte(file)); err != nil {
			t.Errorf("%s\n%v", file, err)
		}
	}
}

func TestOrigins(t *testing.T) {
	for _, s := range []string{"https://a.example", "https://a.example:8443", "http://localhost:3000", "http://127.0.0.1", "http://[::1]:3000", "https://xn--bcher-kva.example"} {
		if err := validOrigin(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{
		"", "*", "null", "a.example", "https://", "https://*.a.example", "https://a.example/", "https://a.example/x", "https://a.example?x", "https://a.example#x",
		"https://A.example", "HTTPS://a.example", "https://u@a.example", "https://a.example:", "https://a.example:443", "http://localhost:80", "https://a.example:0",
		"https://a.example:99999", "https://a.example:08", "http://a.example", "ftp://a.example", "http://localhost.a.example", "https://b\u00fccher.example", " https://a.example",
	} {
		if validOrigin(s) == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

// Clients that no file describes are checked, too.
func TestClientValidate(t *testing.T) {
	for name, change := range map[string]func(*Client){
		"unknown scopes":   func(c *Client) { c.Scopes = 1 << 7 },
		"a negative rate":  func(c *Client) { c.Rate = -1 },
		"no number":        func(c *Client) { c.Rate = math.NaN() },
		"a negative burst": func(c *Client) { c.Rate, c.Burst = 1, -1 },
		"a vendor":         func(c *Client) { c.Privacy.Vendor = 1 }, // without purposes
		"a purpose":        func(c *Client) { c.Privacy.Vendor, c.Privacy.Purposes = 1, 1<<11 },
		"a jurisdiction":   func(c *Client) { c.Privacy.Jurisdiction = 9 },
		"a tenant":         func(c *Client) { c.Tenant = "client/x" },
		"a grant's tenant": func(c *Client) { c.Grants[0].Tenant = "client/x" },
		"no origins":       func(c *Client) { c.Browser = &Browser{Cookie: "a", Namespace: "maid"} },
		"no namespace":     func(c *Client) { c.Browser = &Browser{Origins: []string{"https://a.example"}, Cookie: "a"} },
		"no cookie":        func(c *Client) { c.Browser = &Browser{Origins: []string{"https://a.example"}, Namespace: "maid"} },
		"a page's own cert": func(c *Client) {
			c.Certificate, c.Browser = "a", &Browser{Origins: []string{"https://a.example"}, Cookie: "a", Namespace: "maid"}
		},
	} {
		c := client("x", grant("acme", false))
		must(t, c.Validate())
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
