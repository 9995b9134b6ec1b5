package server

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// client adds a client to c, whose stores and TLS have been read.
func (d *decoder) client(n *yaml.Node, c *Config) {
	var out Client
	var said []bool // which grants say whether they show customer ids
	what := "client " + strconv.Itoa(len(c.Clients)+1)
	ok := d.mapping(n, what, []field{
		{"name", func(n *yaml.Node) { out.Name = d.text(n, what+": name") }},
		{"tenant", func(n *yaml.Node) { out.Tenant = d.text(n, what+": tenant") }},
		{"key_sha256", func(n *yaml.Node) {
			var err error
			if out.Key, err = ParseKeyHash(d.text(n, what+": key_sha256")); err != nil {
				d.fail(n, "%s: %v", what, err)
			}
		}},
		{"scopes", func(n *yaml.Node) { out.Scopes = d.scopes(n, what+": scopes") }},
		{"rate", func(n *yaml.Node) { out.Rate = d.rate(n, what+": rate") }},
		{"burst", func(n *yaml.Node) { out.Burst = d.number(n, what+": burst", 1, maxRate) }},
		{"certificate", func(n *yaml.Node) {
			out.Certificate = d.text(n, what+": certificate")
			if c.TLS == nil || c.TLS.ClientCA == "" {
				d.fail(n, "%s: certificate: clients show theirs only where tls has a client_ca", what)
			}
		}},
		{"id_space", func(n *yaml.Node) { out.IDSpace = d.text(n, what+": id_space") }},
		{"privacy", func(n *yaml.Node) { out.Privacy = d.privacy(n, what+": privacy") }},
		{"openrtb", func(n *yaml.Node) { out.BidRequests = d.bidRequests(n, what+": openrtb") }},
		{"browser", func(n *yaml.Node) { out.Browser = d.browser(n, what+": browser") }},
		{"grants", func(n *yaml.Node) {
			d.list(n, what+": grants", func(n *yaml.Node) {
				g, customers := d.grant(n, what+": grant", c.Stores)
				out.Grants, said = append(out.Grants, g), append(said, customers)
			})
		}},
	}, "name", "key_sha256")
	for i := range out.Grants {
		if g := &out.Grants[i]; !said[i] {
			g.Customers = g.Tenant == out.Owner() && out.Browser == nil
		}
	}
	if ok {
		d.checkClient(n, out, c.Clients)
	}
	c.Clients = append(c.Clients, out.effective())
}

// checkClient checks a client that is well formed, also against those before it.
func (d *decoder) checkClient(n *yaml.Node, c Client, before []Client) {
	if err := c.Validate(); err != nil {
		d.fail(n, "%v", err)
	}
	for _, other := range before {
		if other.Name == c.Name {
			d.fail(n, "two clients are named %s", c.Name)
		}
		if other.Key == c.Key {
			d.fail(n, "client %s has the key of client %s", c.Name, other.Name)
		}
	}
}

// someTexts is a list that says something.
func (d *decoder) someTexts(n *yaml.Node, what string, each func(n *yaml.Node, s string)) {
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		d.fail(n, "%s: the list is empty; name one at least, or leave the key away", what)
		return
	}
	d.list(n, what, func(n *yaml.Node) {
		if s := d.text(n, what); s != "" {
			each(n, s)
		}
	})
}

func (d *decoder) scopes(n *yaml.Node, what string) (out Scopes) {
	d.someTexts(n, what, func(n *yaml.Node, s string) {
		scope, err := ParseScope(s)
		if err != nil {
			d.fail(n, "%s: %v", what, err)
		}
		out |= scope
	})
	return out
}

func (d *decoder) rate(n *yaml.Node, what string) float64 {
	s := d.text(n, what)
	f, err := strconv.ParseFloat(s, 64)
	if s != "" && (err != nil || !(f >= 0 && f <= maxRate)) {
		d.fail(n, "%s: %q is not a number of questions a second, from 0 to %d", what, s, int(maxRate))
		return 0
	}
	return f
}

var jurisdictions = []string{privacy.Nowhere.String(), privacy.UnderGDPR.String(), privacy.UnitedStates.String()}

func (d *decoder) privacy(n *yaml.Node, what string) (p privacy.Policy) {
	d.mapping(n, what, []field{
		{"vendor", func(n *yaml.Node) { p.Vendor = uint16(d.number(n, what+": vendor", 1, maxVendor)) }},
		{"purposes", func(n *yaml.Node) {
			d.list(n, what+": purposes", func(n *yaml.Node) {
				purpose := d.number(n, what+": purposes", 1, maxPurpose)
				if p.Purposes.Has(purpose) {
					d.fail(n, "%s: purposes: %d is there twice", what, purpose)
				}
				set, _ := privacy.Purposes(purpose) // out of range it was told of
				p.Purposes |= set
			})
		}},
		{"jurisdiction", func(n *yaml.Node) {
			var err error
			text := d.text(n, what+": jurisdiction")
			if p.Jurisdiction, err = privacy.ParseJurisdiction(text); err != nil && text != "" {
				d.fail(n, "%s: jurisdiction: unknown %q; %s", what, text, Suggest(text, jurisdictions))
			}
		}},
	})
	return p
}

func (d *decoder) namespace(n *yaml.Node, what string) string {
	name := d.text(n, what)
	if err := (index.Namespace{Name: name}).Validate(); err != nil && name != "" {
		d.fail(n, "%s: %v", what, err)
	}
	return name
}

// namespaces is a mapping to namespaces. Its keys are compared as they are, so
// that a "*" would be the name of one.
func (d *decoder) namespaces(n *yaml.Node, what string) map[string]string {
	out := map[string]string{}
	d.entries(n, what, func(key string, n *yaml.Node) {
		if key == engine.All {
			d.fail(n, "%s: * stands for nothing here; name each", what)
		}
		out[key] = d.namespace(n, what+": "+key)
	})
	return out
}

func (d *decoder) bidRequests(n *yaml.Node, what string) (b engine.BidRequests) {
	d.mapping(n, what, []field{
		{"eids", func(n *yaml.Node) { b.EIDs = d.namespaces(n, what+": eids") }},
		{"exchanges", func(n *yaml.Node) {
			b.Exchanges = map[string]engine.Exchange{}
			d.entries(n, what+": exchanges", func(key string, n *yaml.Node) {
				var x engine.Exchange
				at := what + ": exchanges: " + key
				d.mapping(n, at, []field{
					{"buyeruid", func(n *yaml.Node) { x.BuyerUID = d.namespace(n, at+": buyeruid") }},
					{"user_id", func(n *yaml.Node) { x.UserID = d.namespace(n, at+": user_id") }},
				})
				b.Exchanges[key] = x
			})
		}},
		{"devices", func(n *yaml.Node) { b.Devices = d.namespaces(n, what+": devices") }},
		{"person", func(n *yaml.Node) {
			at := what + ": person"
			d.mapping(n, at, []field{
				{"source", func(n *yaml.Node) { b.Person.Source = d.domain(n, at+": source") }},
				{"inserter", func(n *yaml.Node) { b.Person.Inserter = d.domain(n, at+": inserter") }},
				{"matcher", func(n *yaml.Node) { b.Person.Matcher = d.domain(n, at+": matcher") }},
			}, "source")
		}},
	})
	return b
}

func (d *decoder) domain(n *yaml.Node, what string) string {
	s := d.text(n, what)
	if s != "" && !isHost(s) {
		d.fail(n, "%s: %q is not a domain in lower case", what, s)
	}
	return s
}

func (d *decoder) browser(n *yaml.Node, what string) *Browser {
	b := new(Browser)
	d.mapping(n, what, []field{
		{"origins", func(n *yaml.Node) {
			d.someTexts(n, what+": origins", func(n *yaml.Node, s string) {
				if err := validOrigin(s); err != nil {
					d.fail(n, "%s: origin %q: %v", what, s, err)
				}
				b.Origins = append(b.Origins, s)
			})
		}},
		{"cookie", func(n *yaml.Node) {
			if b.Cookie = d.text(n, what+": cookie"); b.Cookie != "" && !isToken(b.Cookie) {
				d.fail(n, "%s: cookie: %q is not the name of a cookie", what, b.Cookie)
			}
		}},
		{"namespace", func(n *yaml.Node) { b.Namespace = d.namespace(n, what+": namespace") }},
	}, "origins", "cookie", "namespace")
	return b
}

// grant reads a grant. said reports whether it says if customer ids are shown.
func (d *decoder) grant(n *yaml.Node, what string, stores []StoreConfig) (g engine.Grant, said bool) {
	d.mapping(n, what, []field{
		{"tenant", func(n *yaml.Node) { g.Tenant = d.text(n, what+": tenant") }},
		{"store", func(n *yaml.Node) { g.Store = d.storeName(n, what+": store", stores) }},
		{"segments", func(n *yaml.Node) { g.Segments = d.texts(n, what+": segments") }},
		{"namespaces", func(n *yaml.Node) { g.Namespaces = d.texts(n, what+": namespaces") }},
		{"customers", func(n *yaml.Node) { g.Customers, said = d.boolean(n, what+": customers"), true }},
		{"identifiers", func(n *yaml.Node) { g.Identifiers = d.boolean(n, what+": identifiers") }},
		{"purposes", func(n *yaml.Node) {
			d.someTexts(n, what+": purposes", func(n *yaml.Node, s string) {
				p, err := snapshot.ParsePurpose(s)
				if err != nil {
					d.fail(n, "%s: purposes: %v", what, err)
					return
				}
				g.Purposes |= p
			})
		}},
		{"until", func(n *yaml.Node) {
			var err error
			if s := d.text(n, what+": until"); s != "" {
				if g.Until, err = ParseUntil(s); err != nil {
					d.fail(n, "%s: until: %v", what, err)
				}
			}
		}},
	}, "tenant")
	return g, said
}

func (d *decoder) storeName(n *yaml.Node, what string, stores []StoreConfig) string {
	name := d.text(n, what)
	known := make(map[string]bool, len(stores))
	for _, s := range stores {
		known[s.Name] = true
	}
	if name != "" && len(stores) > 0 && !known[name] {
		d.fail(n, "%s: there is no store %q; %s", what, name, Suggest(name, slices.Sorted(maps.Keys(known))))
	}
	return name
}

// ParseUntil reads the end of a grant: a time of RFC 3339, or a date, which is
// the start of that day in UTC.
func ParseUntil(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		// The zero time would be no end at all.
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1970 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a date, as in 2027-01-31, nor a time, as in 2027-01-31T12:00:00Z", s)
}
