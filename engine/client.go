package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// All stands for every segment or namespace in a grant, and for every exchange
// that is not named.
const All = "*"

// Client is a caller and what it may see. Without grants it sees nothing.
type Client struct {
	Name string
	// Tenant is the brand whose client it is. What another tenant grants to it
	// is then a share. Empty is the tenant of its grants where they name one
	// alone, and nobody's otherwise: then every grant is a share that does not
	// name its purposes.
	Tenant string
	// IDSpace scopes the person ids that the client is shown. Empty is its
	// tenant, or the client alone where it is nobody's.
	IDSpace string
	// Privacy says what the client may rely on where privacy signals ask for
	// consent; the zero value relies on nothing.
	Privacy privacy.Policy
	// BidRequests says what the identifiers in its bid requests are.
	BidRequests BidRequests
	Grants      []Grant
}

// Grant lets a client ask for one tenant's profiles.
type Grant struct {
	Tenant string
	// Store is the one that the grant holds in, by its name among [Pools];
	// empty is every store that has the tenant.
	Store string
	// Segments are the codes that the client is shown, or All.
	Segments []string
	// Namespaces are those it may ask by and see, or All: every namespace but
	// the customer ids of tenants that it has no grant for, or whose customer
	// ids it is not shown.
	Namespaces []string
	// Customers shows the tenant's customer ids; without it, only segments.
	Customers bool
	// Identifiers lets the client list the identifiers of a customer. It needs
	// Customers.
	Identifiers bool
	// Purposes are those that a profile's consent has to cover, all of them.
	// None is Use for the tenant's own client and Share for others; a grant to
	// another tenant's client always needs Share too.
	Purposes snapshot.Purposes
	// Until is when the grant ends; zero is never.
	Until time.Time
}

// BidRequests says which identifiers of a bid request are of which namespace.
// What it does not say is not read, but for device.ifa.
type BidRequests struct {
	// EIDs are namespaces by the source of an eid, such as a publisher's domain.
	EIDs map[string]string
	// Exchanges say what the ids of an exchange are, by its name; All is what
	// holds for those that are not named, and where a request names none.
	Exchanges map[string]Exchange
	// Devices are namespaces of device.ifa by device.ext.ifa_type, where they
	// are another than "maid".
	Devices map[string]string
	// Person is how the person id is offered, if its Source is not empty.
	Person PersonEID
}

// Exchange says of which namespace the ids of an exchange are; empty is none.
type Exchange struct{ BuyerUID, UserID string }

// PersonEID describes the eid that a person id is written as. All three are
// domains.
type PersonEID struct{ Source, Inserter, Matcher string }

// Validate checks what does not depend on a snapshot.
func (c Client) Validate() error {
	if c.Name == "" || strings.ContainsAny(c.Name, "/\x00") {
		return fmt.Errorf("client %q: a name is not empty and has no slash", c.Name)
	}
	if strings.ContainsAny(c.IDSpace, "/\x00") {
		return fmt.Errorf("client %s: id space %q has a slash", c.Name, c.IDSpace)
	}
	if c.Tenant != "" && !validTenant(c.Tenant) {
		return fmt.Errorf("client %s: %q is not the name of a tenant", c.Name, c.Tenant)
	}
	for i, g := range c.Grants {
		if err := g.validate(); err != nil {
			return fmt.Errorf("client %s: %w", c.Name, err)
		}
		for _, o := range c.Grants[:i] {
			if o.Tenant == g.Tenant && (o.Store == g.Store || o.Store == "" || g.Store == "") {
				return fmt.Errorf("client %s: two grants for tenant %s", c.Name, g.Tenant)
			}
		}
	}
	if err := c.Privacy.Validate(); err != nil {
		return fmt.Errorf("client %s: privacy: %w", c.Name, err)
	}
	if err := c.BidRequests.validate(); err != nil {
		return fmt.Errorf("client %s: %w", c.Name, err)
	}
	return nil
}

func (g Grant) validate() error {
	if g.Tenant == "" || g.Tenant == All {
		return errors.New("a grant names one tenant")
	}
	if !validTenant(g.Tenant) {
		return fmt.Errorf("%q is not the name of a tenant", g.Tenant)
	}
	if g.Identifiers && !g.Customers {
		return fmt.Errorf("tenant %s: listing identifiers takes a customer id, and the grant does not show those", g.Tenant)
	}
	for _, n := range g.Namespaces {
		if err := validNamespace(n); n != All && err != nil {
			return err
		}
	}
	return nil
}

// validTenant refuses what, as an id space, would be one of another kind.
func validTenant(name string) bool { return name != All && !strings.ContainsAny(name, "/\x00") }

func (b BidRequests) validate() error {
	spaces := slices.Collect(maps.Values(b.EIDs))
	spaces = slices.AppendSeq(spaces, maps.Values(b.Devices))
	for _, x := range b.Exchanges {
		spaces = append(spaces, x.BuyerUID, x.UserID)
	}
	for _, n := range spaces {
		if err := validNamespace(n); n != "" && err != nil {
			return fmt.Errorf("bid requests: %w", err)
		}
	}
	if p := b.Person; p.Source == "" && p != (PersonEID{}) {
		return errors.New("bid requests: the person id needs a source")
	}
	return nil
}

func validNamespace(name string) error { return index.Namespace{Name: name}.Validate() }

// clone returns a copy that shares nothing with c.
func (c Client) clone() Client {
	c.Grants = slices.Clone(c.Grants)
	for i := range c.Grants {
		g := &c.Grants[i]
		g.Segments, g.Namespaces = slices.Clone(g.Segments), slices.Clone(g.Namespaces)
	}
	b := &c.BidRequests
	b.EIDs, b.Exchanges, b.Devices = maps.Clone(b.EIDs), maps.Clone(b.Exchanges), maps.Clone(b.Devices)
	return c
}

// Owner is the brand that the client belongs to, or empty where it is nobody's.
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

// Owns reports whether a tenant's data in a store are the client's own to change
// at a time: it has a grant for them that is no share, and holds.
func (c Client) Owns(tenant, store string, now time.Time) bool {
	return slices.ContainsFunc(c.Grants, func(g Grant) bool { return g.Tenant == tenant && c.own(g, store, now) })
}

// own reports whether a grant holds in a store at a time, and is no share.
func (c Client) own(g Grant, store string, now time.Time) bool {
	return (g.Store == "" || g.Store == store) && c.purposes(g)&snapshot.Share == 0 && (g.Until.IsZero() || now.Unix() < endOf(g.Until))
}

// Links reports whether the client may say in a store at a time what identifiers
// of a namespace are linked to: it may ask by them under a grant that is no share.
func (c Client) Links(namespace, store string, now time.Time) bool {
	return slices.ContainsFunc(c.Grants, func(g Grant) bool {
		return c.own(g, store, now) && (slices.Contains(g.Namespaces, All) || slices.Contains(g.Namespaces, namespace))
	})
}

// space is the id space of the client's person ids.
func (c Client) space() string {
	switch owner := c.Owner(); {
	case c.IDSpace != "":
		return c.IDSpace
	case owner != "":
		return owner
	}
	return "client/" + c.Name
}

// resolved returns the client with all that its grants together decide written
// down, so that it stays when some of them end or hold elsewhere. The result
// shares nothing with c.
func (c Client) resolved() Client {
	out := c.clone()
	out.IDSpace = c.space()
	for i, g := range c.Grants {
		out.Grants[i].Purposes = c.purposes(g)
	}
	return out
}

// purposes are those that a consent has to cover under a grant of the client's.
func (c Client) purposes(g Grant) snapshot.Purposes {
	switch owner := c.Owner(); {
	case owner == g.Tenant && g.Purposes == 0:
		return snapshot.Use
	case owner == g.Tenant || owner == "" && g.Purposes != 0:
		return g.Purposes
	default:
		return g.Purposes | snapshot.Share
	}
}

// foreign reports whether a name, of a namespace of customer ids or of a
// tenant's own source, is that of a tenant that the client has no grant for; or,
// for listings, none to list identifiers.
func (c Client) foreign(name string, listing bool) bool {
	tenant, ok := strings.CutPrefix(name, index.CRMPrefix)
	return ok && !slices.ContainsFunc(c.Grants, func(g Grant) bool {
		return g.Tenant == tenant && (g.Identifiers || !listing)
	})
}
