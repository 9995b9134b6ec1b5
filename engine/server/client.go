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
	// Browser is how pages may use the key, which is then no secret; nil is
	// not at all.
	Browser *Browser
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

// Validate checks what does not depend on a snapshot or on other clients.
func (c Client) Validate() error {
	if err := c.Client.Validate(); err != nil {
		return err
	}
	for _, err := range []error{c.validateScopes(), c.validateRate(), c.validateBrowser()} {
		if err != nil {
			return fmt.Errorf("client %s: %w", c.Name, err)
		}
	}
	if !validName(c.Name) {
		return fmt.Errorf("client %q: a name is 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-', and not %q", c.Name, openName)
	}
	if strings.Contains(c.Certificate, "*") {
		return fmt.Errorf("client %s: certificate %q has to be one name", c.Name, c.Certificate)
	}
	return nil
}

// validName keeps names fit for logs and terminals, and [openName] for callers
// without a key.
func validName(s string) bool {
	return len(s) <= 64 && s != openName &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
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
	// Whoever copies the key can ask by any value: it has to be one that nobody
	// can know or guess, which only the brand's own cookie is.
	if slices.ContainsFunc(index.Builtin(), func(n index.Namespace) bool { return n.Name == b.Namespace }) || strings.HasPrefix(b.Namespace, index.CRMPrefix) {
		return fmt.Errorf("browser: namespace %s is not that of a cookie", b.Namespace)
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
