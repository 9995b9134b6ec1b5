package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// All stands for every segment or namespace in a grant.
const All = "*"

// Client is a caller and what it may see. Without grants it sees nothing.
type Client struct {
	Name string
	// IDSpace scopes the person ids that the client is shown. Empty is the
	// tenant of its grants, or the client alone where they name several.
	IDSpace string
	Grants  []Grant
}

// Grant lets a client ask for one tenant's profiles.
type Grant struct {
	Tenant string
	// Segments are the codes that the client is shown, or All.
	Segments []string
	// Namespaces are those it may ask by and see, or All: every namespace but
	// the customer ids of tenants that it has no grant for.
	Namespaces []string
	// Identifiers lets the client list the identifiers of a customer.
	Identifiers bool
}

// Validate checks what does not depend on a snapshot.
func (c Client) Validate() error {
	if c.Name == "" || strings.ContainsAny(c.Name, "/\x00") {
		return fmt.Errorf("client %q: a name is not empty and has no slash", c.Name)
	}
	if strings.ContainsAny(c.IDSpace, "/\x00") {
		return fmt.Errorf("client %s: id space %q has a slash", c.Name, c.IDSpace)
	}
	seen := map[string]bool{}
	for _, g := range c.Grants {
		if g.Tenant == "" || g.Tenant == All {
			return fmt.Errorf("client %s: a grant names one tenant", c.Name)
		}
		if seen[g.Tenant] {
			return fmt.Errorf("client %s: two grants for tenant %s", c.Name, g.Tenant)
		}
		seen[g.Tenant] = true
		for _, n := range g.Namespaces {
			if err := (index.Namespace{Name: n}).Validate(); n != All && err != nil {
				return fmt.Errorf("client %s: %w", c.Name, err)
			}
		}
	}
	return nil
}

// clone returns a copy that shares nothing with c.
func (c Client) clone() Client {
	c.Grants = slices.Clone(c.Grants)
	for i := range c.Grants {
		g := &c.Grants[i]
		g.Segments, g.Namespaces = slices.Clone(g.Segments), slices.Clone(g.Namespaces)
	}
	return c
}

// space is the id space of the client's person ids.
func (c Client) space() string {
	switch {
	case c.IDSpace != "":
		return c.IDSpace
	case len(c.Grants) == 1:
		return c.Grants[0].Tenant
	}
	return "client/" + c.Name
}

// bitset is a set of small numbers; a number beyond it is not in it.
type bitset []uint64

func (s *bitset) add(i int) {
	for len(*s) <= i/64 {
		*s = append(*s, 0)
	}
	(*s)[i/64] |= 1 << (i % 64)
}

func (s bitset) has(i int) bool { return i/64 < len(s) && s[i/64]>>(i%64)&1 != 0 }

// access is a client's grants in the numbers of one snapshot.
type access struct {
	tenants []tenantAccess // by number of the tenant
	asks    []bitset       // tenants that may be asked for, by namespace
	persons index.Hasher   // makes the person ids of the client's id space

	// What belongs to tenants whose identifiers the client may not list:
	// namespaces of customer ids, and the sources of those tenants' own files.
	foreignSpaces  bitset
	foreignSources bitset
}

type tenantAccess struct {
	granted     bool
	identifiers bool
	allSegments bool
	segments    bitset
	sees        bitset // namespaces
}

// compile translates the client's grants. What a grant names and the snapshot
// does not have is no error: it grants nothing.
func (c Client) compile(s *snapshot.Snapshot, secret index.Secret) *access {
	a := &access{
		tenants: make([]tenantAccess, len(s.Tenants)),
		asks:    make([]bitset, s.Namespaces.Len()),
		persons: secret.Hasher("person/" + c.space()),
	}
	for id, n := range s.Namespaces.All() {
		if c.foreign(n.Name, true) {
			a.foreignSpaces.add(id)
		}
	}
	for id, src := range s.Sources {
		if c.foreign(src.Name, true) {
			a.foreignSources.add(id)
		}
	}
	for _, g := range c.Grants {
		i := slices.IndexFunc(s.Tenants, func(t snapshot.Tenant) bool { return t.Name == g.Tenant })
		if i < 0 {
			continue
		}
		t := &a.tenants[i]
		t.granted, t.identifiers = true, g.Identifiers
		t.allSegments = slices.Contains(g.Segments, All)
		for id, seg := range s.Segments {
			if int(seg.Tenant) == i && slices.Contains(g.Segments, seg.Code) {
				t.segments.add(id)
			}
		}
		for id, n := range s.Namespaces.All() {
			if !c.foreign(n.Name, false) && (slices.Contains(g.Namespaces, All) || slices.Contains(g.Namespaces, n.Name)) {
				t.sees.add(id)
				a.asks[id].add(i)
			}
		}
	}
	return a
}

// unknown lists what the client's grants name and the snapshot does not have.
func (c Client) unknown(s *snapshot.Snapshot) (out []string) {
	for _, g := range c.Grants {
		i := slices.IndexFunc(s.Tenants, func(t snapshot.Tenant) bool { return t.Name == g.Tenant })
		if i < 0 {
			out = append(out, "tenant "+g.Tenant)
			continue
		}
		for _, code := range g.Segments {
			if code != All && !slices.Contains(s.Segments, snapshot.Segment{Tenant: uint16(i), Code: code}) {
				out = append(out, "segment "+code+" of tenant "+g.Tenant)
			}
		}
		for _, n := range g.Namespaces {
			if _, ok := s.Namespaces.ByName(n); n != All && !ok {
				out = append(out, "namespace "+n)
			}
		}
	}
	return out
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
