package server

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/engine/swap"
	"github.com/matchd/matchd/snapshot"
)

const fullConfig = `# a comment
stores: [pool, {name: energy, path: /srv/e, events: changes}]
listen: unix:/run/matchd.sock
admin: 0.0.0.0:9090
memory: copy
link_max_age: 6
limits: {connections: 100, connections_per_ip: 7}
tls: {cert: tls.crt, key: /etc/tls.key, client_ca: ca.crt}
audit: log/audit.ndjson
clients:
  - name: acme-ads
    key_sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b
    id_space: acme
    tenant: acme
    grants:
      - {tenant: acme, segments: ["*"], namespaces: [maid, cookie.site], identifiers: true}
      - {tenant: globex}
  - {name: nobody, key_sha256: 2BB80D537B1DA3E38BD30361AA855686BDE0EACD7162FEF6A25FE97BF527A25C}
  - name: dsp
    key_sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25d
    scopes: [enrich, segments]
    rate: 2.5
    certificate: dsp.example
    privacy: {vendor: 755, purposes: [1, 3, 4], jurisdiction: gdpr}
    openrtb:
      eids: {publisher-a.example: cookie.publisher-a}
      exchanges: {exchange-one: {buyeruid: cookie.dsp, user_id: cookie.ex}, "*": {buyeruid: cookie.dsp}}
      devices: {roku: ctv.roku}
      person: {source: acme.example, inserter: matchd.example, matcher: matchd.example}
    grants:
      - {tenant: acme, store: energy, customers: true, purposes: [share, use], until: 2027-01-01}
      - {tenant: globex, store: pool, until: "2027-01-01T12:00:00+02:00"}
  - name: page
    key_sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25e
    rate: 3
    burst: 9
    browser: {origins: [https://shop.example, "http://localhost:3000"], cookie: uid, namespace: cookie.acme}
    grants: [{tenant: acme, segments: [vip], namespaces: [cookie.acme]}]
`

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "matchd.yaml")
	must(t, os.WriteFile(path, []byte(fullConfig), 0o600))
	got, err := ReadConfig(path)
	must(t, err)
	key, err := ParseKeyHash("2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b")
	must(t, err)
	keys := [4]KeyHash{}
	for i := range keys {
		keys[i] = key
		key[31]++
	}
	bounds := swap.DefaultBounds()
	want := Config{
		Swap:   &bounds,
		Stores: []StoreConfig{{Name: "pool", Path: filepath.Join(dir, "pool")}, {Name: "energy", Path: "/srv/e", Events: filepath.Join(dir, "changes")}},
		Listen: "unix:/run/matchd.sock", Admin: "0.0.0.0:9090", Memory: snapshot.Copy, LinkMaxAge: 6,
		Limits: Limits{Connections: 100, ConnectionsPerIP: 7},
		TLS:    &TLSConfig{Cert: filepath.Join(dir, "tls.crt"), Key: "/etc/tls.key", ClientCA: filepath.Join(dir, "ca.crt")},
		Audit:  filepath.Join(dir, "log/audit.ndjson"),
		Clients: []Client{
			{Key: keys[0], Scopes: ScopeMatch | ScopeSegments | ScopeIdentifiers, Client: engine.Client{Name: "acme-ads", IDSpace: "acme", Tenant: "acme", Grants: []engine.Grant{
				{Tenant: "acme", Segments: []string{"*"}, Namespaces: []string{"maid", "cookie.site"}, Customers: true, Identifiers: true},
				{Tenant: "globex"},
			}}},
			{Key: keys[1], Scopes: ScopeMatch | ScopeSegments, Client: engine.Client{Name: "nobody"}},
			{
				Key: keys[2], Scopes: ScopeEnrich | ScopeSegments, Rate: 2.5, Burst: 3, Certificate: "dsp.example",
				Client: engine.Client{
					Name: "dsp", Privacy: privacy.Policy{Vendor: 755, Purposes: 0b1101, Jurisdiction: privacy.UnderGDPR},
					BidRequests: engine.BidRequests{
						EIDs:      map[string]string{"publisher-a.example": "cookie.publisher-a"},
						Exchanges: map[string]engine.Exchange{"exchange-one": {BuyerUID: "cookie.dsp", UserID: "cookie.ex"}, "*": {BuyerUID: "cookie.dsp"}},
						Devices:   map[string]string{"roku": "ctv.roku"},
						Person:    engine.PersonEID{Source: "acme.example", Inserter: "matchd.example", Matcher: "matchd.example"},
					},
					Grants: []engine.Grant{
						{Tenant: "acme", Store: "energy", Customers: true, Purposes: snapshot.Use | snapshot.Share, Until: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
						{Tenant: "globex", Store: "pool", Until: time.Date(2027, 1, 1, 10, 0, 0, 0, time.UTC)},
					},
				},
			},
			{
				Key: keys[3], Scopes: ScopeSegments, Rate: 3, Burst: 9,
				Browser: &Browser{Origins: []string{"https://shop.example", "http://localhost:3000"}, Cookie: "uid", Namespace: "cookie.acme"},
				Client: engine.Client{Name: "page", Grants: []engine.Grant{
					{Tenant: "acme", Segments: []string{"vip"}, Namespaces: []string{"cookie.acme"}},
				}},
			},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	small, err := ParseConfig("c", []byte("stores: [/a]"))
	must(t, err)
	if want := (Config{Swap: &bounds, Stores: []StoreConfig{{Name: "a", Path: "/a"}}, Listen: DefaultListen, Admin: DefaultAdmin, Memory: snapshot.Map}); !reflect.DeepEqual(small, want) {
		t.Errorf("got %+v", small)
	}
}

// Customer ids are shown where a grant says so, or where it says nothing and is
// of the client's own tenant.
func TestCustomersUnlessSaid(t *testing.T) {
	for _, c := range []struct {
		tenant, grants string
		want           []bool
	}{
		{"", "{tenant: a}", []bool{true}},
		{"", "{tenant: a, store: s}, {tenant: a, store: r}", []bool{true, true}},
		{"", "{tenant: a}, {tenant: b}", []bool{false, false}},
		{"a", "{tenant: a}, {tenant: b}", []bool{true, false}},
		{"z", "{tenant: a}", []bool{false}},
		{"a", "{tenant: a, customers: false}, {tenant: b, customers: true}", []bool{false, true}},
	} {
		file := "stores: [s, r]\nclients:\n  - name: x\n    key_sha256: " + HashKey("k").String() + "\n    grants: [" + c.grants + "]\n"
		if c.tenant != "" {
			file += "    tenant: " + c.tenant + "\n"
		}
		got, err := ParseConfig("c", []byte(file))
		must(t, err)
		for i, g := range got.Clients[0].Grants {
			if g.Customers != c.want[i] {
				t.Errorf("tenant %q, %s: grant %d shows customer ids: %v", c.tenant, c.grants, i+1, g.Customers)
			}
		}
	}
}

func TestAdminIsOnLoopbackUnlessConfigured(t *testing.T) {
	for _, addr := range []string{DefaultAdmin, DefaultListen} {
		if e, err := parseEndpoint(addr); err != nil || !e.local {
			t.Errorf("%s: %+v, %v", addr, e, err)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for addr, local := range map[string]bool{
		"127.0.0.1:1": true, "127.1.2.3:1": true, "[::1]:1": true, "localhost:1": true, "[::ffff:127.0.0.1]:1": true, "unix:/s": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "example.com:1": false, "localhost.example.com:1": false,
	} {
		if e, err := parseEndpoint(addr); err != nil || e.local != local || e.String() != addr {
			t.Errorf("%s: %+v, %v", addr, e, err)
		}
	}
	for _, addr := range []string{"", "8080", "unix:", "a:b:c", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:99999", "127.0.0.1:-1"} {
		if _, err := parseEndpoint(addr); err == nil {
			t.Errorf("%q is accepted", addr)
		}
	}
}

// one is a client of whom one line is replaced.
func one(old, replacement string) string {
	return strings.Replace("stores: [a]\nclients:\n  - name: x\n    key_sha256: "+HashKey("k").String()+"\n    grants: [{tenant: t}]\n", old, replacement, 1)
}

var badConfigs = []struct{ yaml, want string }{
	{"", "empty"},
	{"{}", `c:1: matchd.yaml: key "stores" is missing`},
	{"[]", "c:1: matchd.yaml: should be a mapping"},
	{"stores: [a]\nlissten: x", `c:2: matchd.yaml: unknown key "lissten"; did you mean "listen"?`},
	{"stores: [a]\nzzzzzzzzz: x", `c:2: matchd.yaml: unknown key "zzzzzzzzz"; known are stores, listen`},
	{"stores: [a]\nstores: [b]", `c:2: matchd.yaml: key "stores" is given twice`},
	{"stores: []", "c:1: stores: name the folder"},
	{"stores: a", "c:1: stores: should be a list"},
	{"stores: [[a]]", "c:1: stores: should be one value"},
	{"stores: [a]\nlisten: 8080", "c:2: listen:"},
	{"stores: [a]\nadmin: nowhere", "c:2: admin:"},
	{"stores: [a]\nmemory: disk", `c:2: memory: "disk" is neither map nor copy`},
	{"stores: [a]\nlink_max_age: -1", "c:2: link_max_age:"},
	{"stores: [a]\nlink_max_age: soon", "c:2: link_max_age:"},
	{"stores: [a]\nlimits: 3", "c:2: limits: should be a mapping"},
	{"stores: [a]\nlimits: {connections: 0}", "c:2: limits: connections: a number from 1"},
	{"stores: [a]\nlimits: {connections: 9999999}", "c:2: limits: connections: a number from 1"},
	{"stores: [a]\nlimits: {connections_per_ip: -1}", "c:2: limits: connections_per_ip: a number from 1"},
	{"stores: [a]\nlimits: {connections_per_ip: many}", "c:2: limits: connections_per_ip: a number from 1"},
	{"stores: [a]\nlimits: {connectons: 1}", `c:2: limits: unknown key "connectons"; did you mean "connections"?`},
	{"stores: [a]\n---\nstores: [b]", "second document"},
	{"stores: [a\n", "c: yaml"},
	{"stores: &x [a]\nclients: *x", "c:2: clients: should be a list"},
	{one("  - name: x", "  - nmae: x"), `c:3: client 1: unknown key "nmae"; did you mean "name"?`},
	{one("name: x", "name: a/b"), "c:3: client \"a/b\""},
	{one("name: x", "name:"), "c:3: client 1: name: should be one value"},
	{one(HashKey("k").String(), "abc"), "c:4: client 1: a key_sha256 is"},
	{one(HashKey("k").String(), HashKey("").String()), "c:4: client 1: this is the hash of no key"},
	{one("tenant: t", "tenant: '*'"), "c:3: client x: a grant names one tenant"},
	{one("tenant: t", "segments: ['*']"), `c:5: client 1: grant: key "tenant" is missing`},
	{one("tenant: t", "tenant: t, identifiers: maybe"), `c:5: client 1: grant: identifiers: "maybe"`},
	{one("tenant: t", "tenant: t, segments: '*'"), "c:5: client 1: grant: segments: should be a list"},
	{one("{tenant: t}", "{tenant: t}, {tenant: t}"), "two grants for tenant t"},
	{one("clients:\n", "clients:\n  - {name: x, key_sha256: "+HashKey("j").String()+"}\n"), "c:4: two clients are named x"},
	{one("clients:\n", "clients:\n  - {name: y, key_sha256: "+HashKey("k").String()+"}\n"), "c:4: client x has the key of client y"},
}

func TestBadConfigs(t *testing.T) {
	for _, c := range badConfigs {
		_, err := ParseConfig("c", []byte(c.yaml))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngot  %v\nwant %s", c.yaml, err, c.want)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(fullConfig))
	for _, c := range slices.Concat(badConfigs, exactConfigs) {
		f.Add([]byte(c.yaml))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig("c", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "c:") {
				t.Errorf("an error without a place: %v", err)
			}
			return
		}
		if len(c.Stores) == 0 {
			t.Error("no store")
		}
		if _, err := newKeyring(c.Clients, "", nil); err != nil {
			t.Errorf("accepted, and then: %v", err)
		}
		for _, client := range c.Clients {
			if err := client.Validate(); err != nil {
				t.Errorf("accepted, and then: %v", err)
			}
		}
	})
}
