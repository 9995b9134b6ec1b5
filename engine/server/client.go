package server

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/index"
)

// Client is a caller: the engine's client, the hash of its key, and what it
// may do with it.
type Client struct {
	engine.Client
	Key KeyHash
	// Scopes are what it may do. None are [ScopeMatch] and [ScopeSegments],
	// and [ScopeIdentifiers] where a grant lists those; a browser's are always
	// ScopeSegments alone.
	Scopes Scopes
	// Rate is how many questions a second it may ask, each identifier of a
	// batch being one; 0 is any number. Burst is how many at once; 0 is a
	// second's worth.
	Rate  float64
	Burst int
	// Certificate, if not empty, is the DNS name or the common name of the
	// client certificate without which the key is nobody's.
	Certificate string
	Privacy     PrivacyConfig
	// Browser is how pages may use the key, which is then no secret; nil is
	// not at all.
	Browser *Browser
}

// PrivacyConfig is what a client asks in the name of.
type PrivacyConfig struct {
	// Vendor is its number in the Global Vendor List, from 1; 0 is none.
	Vendor int
	// Purposes are those of the TCF, from 1 to 11, that it asks for.
	Purposes []int
	// Jurisdiction holds where a request names none: "none", "gdpr" or "us";
	// empty is not said.
	Jurisdiction string
}

// Browser lets pages ask for the segments of their visitor, who is known by a
// cookie.
type Browser struct {
	// Origins of the pages, such as "https://shop.example".
	Origins []string
	// Cookie is the cookie's name; Namespace is that of its value.
	Cookie, Namespace string
}

// Limits of what a client's config may say.
const (
	maxRate    = 1e9
	maxVendor  = 1<<16 - 1
	maxPurpose = 11
)

var jurisdictions = []string{"none", "gdpr", "us"}

// Validate checks what does not depend on a snapshot or on other clients.
func (c Client) Validate() error {
	if err := c.Client.Validate(); err != nil {
		return err
	}
	for _, err := range []error{c.validateTenants(), c.validateScopes(), c.validateRate(), c.Privacy.validate(), c.validateBrowser()} {
		if err != nil {
			return fmt.Errorf("client %s: %w", c.Name, err)
		}
	}
	if strings.Contains(c.Certificate, "*") {
		return fmt.Errorf("client %s: certificate %q has to be one name", c.Name, c.Certificate)
	}
	return nil
}

// validateTenants refuses what would be an id space of another kind.
func (c Client) validateTenants() error {
	names := []string{c.Tenant}
	for _, g := range c.Grants {
		names = append(names, g.Tenant)
	}
	for _, name := range names {
		if name == engine.All || strings.ContainsAny(name, "/\x00") {
			return fmt.Errorf("%q is not the name of a tenant", name)
		}
	}
	return nil
}

func (c Client) listsIdentifiers() bool {
	return slices.ContainsFunc(c.Grants, func(g engine.Grant) bool { return g.Identifiers })
}

func (c Client) validateScopes() error {
	if c.Scopes&^allScopes != 0 {
		return fmt.Errorf("unknown scopes %#x", uint8(c.Scopes&^allScopes))
	}
	if c.Scopes&ScopeIdentifiers != 0 && !c.listsIdentifiers() {
		return errors.New("the scope identifiers needs a grant with identifiers: true")
	}
	return nil
}

func (c Client) validateRate() error {
	switch {
	case !(c.Rate >= 0 && c.Rate <= maxRate): // nor NaN
		return fmt.Errorf("rate %v is not from 0 to %d", c.Rate, int(maxRate))
	case c.Burst < 0 || c.Burst > maxRate:
		return fmt.Errorf("burst %d is not from 1 to %d", c.Burst, int(maxRate))
	case c.Burst > 0 && c.Rate == 0:
		return errors.New("a burst needs a rate")
	}
	return nil
}

func (p PrivacyConfig) validate() error {
	if p.Vendor < 0 || p.Vendor > maxVendor {
		return fmt.Errorf("privacy: vendor %d is not from 1 to %d", p.Vendor, maxVendor)
	}
	for i, n := range p.Purposes {
		if n < 1 || n > maxPurpose {
			return fmt.Errorf("privacy: purpose %d is not from 1 to %d", n, maxPurpose)
		}
		if slices.Contains(p.Purposes[:i], n) {
			return fmt.Errorf("privacy: purpose %d is there twice", n)
		}
	}
	if p.Jurisdiction != "" && !slices.Contains(jurisdictions, p.Jurisdiction) {
		return fmt.Errorf("privacy: jurisdiction %q is none of %s", p.Jurisdiction, strings.Join(jurisdictions, ", "))
	}
	return nil
}

func (c Client) validateBrowser() error {
	b := c.Browser
	switch {
	case b == nil:
		return nil
	case c.Scopes != 0 && c.Scopes != ScopeSegments:
		return fmt.Errorf("a browser has the scope segments alone, not %v", c.Scopes)
	case c.listsIdentifiers():
		return errors.New("a browser lists no identifiers")
	case c.Certificate != "":
		return errors.New("a page cannot show a certificate: a browser takes none")
	case len(b.Origins) == 0:
		return errors.New("browser: name the origins of its pages")
	case !isToken(b.Cookie):
		return fmt.Errorf("browser: cookie %q is not the name of a cookie", b.Cookie)
	}
	for i, origin := range b.Origins {
		if err := validOrigin(origin); err != nil {
			return fmt.Errorf("browser: origin %q: %w", origin, err)
		}
		if slices.Contains(b.Origins[:i], origin) {
			return fmt.Errorf("browser: origin %q is there twice", origin)
		}
	}
	if err := (index.Namespace{Name: b.Namespace}).Validate(); err != nil {
		return fmt.Errorf("browser: %w", err)
	}
	if !slices.ContainsFunc(c.Grants, func(g engine.Grant) bool {
		return slices.Contains(g.Namespaces, b.Namespace) || slices.Contains(g.Namespaces, engine.All)
	}) {
		return fmt.Errorf("browser: no grant has the namespace %s", b.Namespace)
	}
	return nil
}

// validOrigin takes the form in which browsers send an origin, RFC 6454
// section 6.1: anything else would never be equal to one.
func validOrigin(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || s != u.Scheme+"://"+u.Host || u.Host == "" || strings.ToLower(s) != s || !isHost(u.Hostname()):
		return errors.New("write scheme://host or scheme://host:port, in lower case, without a path or *")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopbackHost(u.Hostname())):
		return errors.New("only https, or http on this machine")
	case u.Port() == "443" && u.Scheme == "https", u.Port() == "80" && u.Scheme == "http":
		return errors.New("leave the port away, as browsers do")
	case u.Port() == "":
		if strings.HasSuffix(s, ":") {
			return errors.New("the port is missing")
		}
		return nil
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 || u.Port()[0] == '0' {
		return errors.New("there is no such port")
	}
	return nil
}

// isHost reports whether s may be a host name, or an address.
func isHost(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.:") == ""
}

// isToken reports whether s is a token of RFC 9110 section 5.6.2, which the
// name of a cookie is.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// effective returns the client with what it does not say filled in.
func (c Client) effective() Client {
	switch {
	case c.Browser != nil:
		c.Scopes = ScopeSegments
	case c.Scopes == 0:
		c.Scopes = ScopeMatch | ScopeSegments
		if c.listsIdentifiers() {
			c.Scopes |= ScopeIdentifiers
		}
	}
	if c.Rate > 0 {
		c.Burst = cmp.Or(c.Burst, int(math.Ceil(max(c.Rate, 1))))
	}
	return c
}

// engine is the client as the engine has it. It is valid.
func (c Client) engine() engine.Client {
	out := c.Client
	purposes, _ := privacy.Purposes(c.Privacy.Purposes...)
	jurisdiction, _ := privacy.ParseJurisdiction(cmp.Or(c.Privacy.Jurisdiction, "none"))
	out.Privacy = privacy.Policy{Vendor: uint16(c.Privacy.Vendor), Purposes: purposes, Jurisdiction: jurisdiction}
	return out
}

// Owner is the tenant whose client it is, or empty where it is nobody's: see
// [engine.Client].
func (c Client) Owner() string {
	if c.Tenant != "" || len(c.Grants) == 0 {
		return c.Tenant
	}
	for _, g := range c.Grants {
		if g.Tenant != c.Grants[0].Tenant {
			return ""
		}
	}
	return c.Grants[0].Tenant
}
