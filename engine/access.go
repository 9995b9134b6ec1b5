package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// bitset is a set of small numbers; a number beyond it is not in it.
type bitset []uint64

func (s *bitset) add(i int) {
	for len(*s) <= i/64 {
		*s = append(*s, 0)
	}
	(*s)[i/64] |= 1 << (i % 64)
}

func (s bitset) has(i int) bool { return i/64 < len(s) && s[i/64]>>(i%64)&1 != 0 }

// access is a client's grants in the numbers of one snapshot, until the first
// of them ends.
type access struct {
	ends int64   // Unix seconds from which next holds; 0 is never
	next *access // without the grants that have ended

	tenants []tenantAccess // by number of the tenant
	asks    []bitset       // tenants that may be asked for, by namespace
	shares  []int          // tenant that shares the customer ids of a namespace, or nobody
	persons index.Hasher   // makes the person ids of the client's id space
	policy  privacy.Policy
	silent  privacy.Verdict // on a request that says nothing about privacy
	bids    *BidRequests
	granted bool // some tenant is

	// padded are the namespaces by which somebody may be known to others and
	// not to the client: there an absent identifier takes as long as one of
	// somebody else's.
	padded bitset

	// What belongs to tenants whose identifiers the client may not list:
	// namespaces of customer ids, and the sources of those tenants' own files.
	foreignSpaces  bitset
	foreignSources bitset
}

// nobody is the number of no tenant.
const nobody = -1

type tenantAccess struct {
	granted     bool
	customers   bool // their ids are shown
	identifiers bool
	allSegments bool
	shared      bool              // by another tenant: what is denied is not there
	purposes    snapshot.Purposes // that a consent has to cover
	segments    bitset
	sees        bitset // namespaces
}

// compile translates a resolved client's grants. What a grant names and the
// snapshot does not have is no error: it grants nothing.
func (c Client) compile(s *snapshot.Snapshot, secret index.Secret) *access {
	persons := secret.Hasher("person/" + c.IDSpace)
	var ends []int64
	for _, g := range c.Grants {
		if !g.Until.IsZero() {
			ends = append(ends, endOf(g.Until))
		}
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	// From the last, which nothing ends, to the first, which holds now.
	var a *access
	for i := len(ends); i >= 0; i-- {
		held := c
		held.Grants = slices.DeleteFunc(slices.Clone(c.Grants), func(g Grant) bool {
			return i > 0 && !g.Until.IsZero() && endOf(g.Until) <= ends[i-1]
		})
		next := a
		a = held.compileNow(s, persons)
		if next != nil {
			a.ends, a.next = ends[i], next
		}
	}
	return a
}

// endOf is the second from which a grant has ended. One that ends within a
// second ends with its start.
func endOf(until time.Time) int64 { return max(until.Unix(), 1) }

// at is the access that holds at now, in Unix seconds.
func (a *access) at(now int64) *access {
	for a.ends != 0 && now >= a.ends {
		a = a.next
	}
	return a
}

// compileNow translates grants without regard to when they end.
func (c Client) compileNow(s *snapshot.Snapshot, persons index.Hasher) *access {
	a := &access{
		tenants: make([]tenantAccess, len(s.Tenants)),
		asks:    make([]bitset, s.Namespaces.Len()),
		shares:  slices.Repeat([]int{nobody}, s.Namespaces.Len()),
		persons: persons,
		policy:  c.Privacy,
		silent:  privacy.Decide(c.Privacy, &privacy.Signals{}, 0),
		bids:    &c.BidRequests,
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
		if i := tenantNumber(s, g.Tenant); i >= 0 {
			c.grant(a, s, i, g)
		}
	}
	for id := range s.Namespaces.All() {
		if s.Anonymous() || !a.knowsAll(id) {
			a.padded.add(id)
		}
	}
	return a
}

func tenantNumber(s *snapshot.Snapshot, name string) int {
	return slices.IndexFunc(s.Tenants, func(t snapshot.Tenant) bool { return t.Name == name })
}

// grant adds a grant for tenant i.
func (c Client) grant(a *access, s *snapshot.Snapshot, i int, g Grant) {
	t := &a.tenants[i]
	a.granted = true
	t.granted, t.customers, t.identifiers = true, g.Customers, g.Identifiers
	t.purposes = g.Purposes
	t.shared = t.purposes&snapshot.Share != 0
	t.allSegments = slices.Contains(g.Segments, All)
	for id, seg := range s.Segments {
		if int(seg.Tenant) == i && slices.Contains(g.Segments, seg.Code) {
			t.segments.add(id)
		}
	}
	if id, ok := s.Namespaces.ByName(index.CRMPrefix + g.Tenant); ok && t.shared {
		a.shares[id] = i
	}
	for id, n := range s.Namespaces.All() {
		if !c.foreign(n.Name, false) && (slices.Contains(g.Namespaces, n.Name) || slices.Contains(g.Namespaces, All) && !c.unseen(n.Name)) {
			t.sees.add(id)
			a.asks[id].add(i)
		}
	}
}

// unseen reports whether a namespace is that of customer ids which no grant of
// the client's shows.
func (c Client) unseen(namespace string) bool {
	return strings.HasPrefix(namespace, index.CRMPrefix) && !slices.ContainsFunc(c.Grants, func(g Grant) bool {
		return g.Customers && index.CRMPrefix+g.Tenant == namespace
	})
}

// knowsAll reports whether nobody whom an identifier of the namespace leads to
// can be hidden from the client.
func (a *access) knowsAll(ns int) bool {
	for i := range a.tenants {
		if t := &a.tenants[i]; t.shared || !a.asks[ns].has(i) {
			return false
		}
	}
	return true
}

// unknown lists what the client's grants name and the snapshot does not have.
func (c Client) unknown(s *snapshot.Snapshot) (out []string) {
	for _, g := range c.Grants {
		i := tenantNumber(s, g.Tenant)
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
