package engine

import (
	"slices"
	"strings"

	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Identifier is one identifier in the listing of a person.
type Identifier struct {
	// ID is its text, "namespace:value".
	ID string
	// Method, Source and Seen are those of its strongest fresh link. Where the
	// customer's own identifier has none, they are authenticated, crm.<tenant>
	// and the snapshot's day.
	Method snapshot.Method
	Source string
	Seen   snapshot.Day
}

// Listing is every identifier of a person that a client may see.
type Listing struct {
	Reason Reason
	// Signal is the one that forbids, where the reason is Suppressed.
	Signal      privacy.Kind
	Person      PersonID
	Identifiers []Identifier
}

// Identifiers lists the identifiers of the person that a tenant's customer is.
// The client needs a grant of its own for it; without one, and for a customer
// that is not there, the reason is Unknown. Only identifiers of the namespaces
// granted for the tenant are listed that a path joins to the customer, of fresh
// links that the client may know of; the customer's consent must hold. It may
// not know of links to customers whose own profile has no consent, or who are
// not shared, nor of links that only the files of tenants have whose identifiers
// it may not list: their sources are not named.
func (s *Session) Identifiers(tenant, customer string) (out Listing, err error) {
	out.Reason = Unknown
	err = snapshot.Guard(func() (err error) {
		out, err = s.identifiers(tenant, customer)
		return err
	})
	if err != nil {
		s.counts[ResultFault]++
		return Listing{Reason: Unknown}, err
	}
	s.counts[out.Reason.result()]++
	return out, nil
}

func (s *Session) identifiers(tenant, customer string) (Listing, error) {
	none := Listing{Reason: Unknown}
	if s.verdict.All != privacy.None {
		return Listing{Reason: Suppressed, Signal: s.verdict.All}, nil
	}
	ti := tenantNumber(s.gen.Snapshot, tenant)
	if ti < 0 || !s.access.tenants[ti].identifiers {
		return none, nil
	}
	f, err := s.locate([]byte(index.CRMPrefix + tenant + ":" + customer))
	if err != nil || f == nil {
		return none, err
	}
	p, ok, err := f.profileAt(ti)
	if err != nil || !ok {
		return none, err
	}
	var live liveRecord
	var paths pathFinder
	paths.reset(&f.record, s.gen, s.oldest)
	if live.read(s, &f.record); live.some && !live.alter(s, &p, &paths) {
		if live.nodes[f.at].OptedOut(tenant) && !s.access.tenants[ti].shared {
			none.Reason = OptedOut
		}
		return none, nil
	}
	banned := slices.Clone(paths.banned)
	if reason := s.consent(&p); reason != privacy.Allowed {
		if s.access.tenants[ti].shared {
			return none, nil
		}
		return Listing{Reason: Reason(reason)}, nil
	}
	cold, err := s.coldOf(f)
	if err != nil {
		return none, err
	}
	hidden, err := s.denied(f, &live)
	if err != nil {
		return none, err
	}
	for i, b := range banned {
		if b {
			hidden[uint32(i)] = true
		}
	}
	out := Listing{Reason: Matched, Person: shownID(s.access.persons, f.record.ID)}
	paths.reset(&f.record, s.gen, s.oldest)
	links := s.strongestLinks(cold, &paths, hidden)
	near := s.connected(cold, &paths, hidden)
	for i, id := range cold.Identifiers {
		ns := int(id.Namespace)
		if near.find(i) != near.find(f.at) || hidden[uint32(i)] ||
			!s.access.tenants[ti].sees.has(ns) || s.access.foreignSpaces.has(ns) || s.suppressed(id.Namespace) {
			continue
		}
		if id, ok := s.describe(cold, &paths, i, links[i]); ok {
			out.Identifiers = append(out.Identifiers, id)
		}
	}
	if paths.damaged {
		return none, snapshot.ErrCorrupt
	}
	slices.SortFunc(out.Identifiers, func(a, b Identifier) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// strongestLinks returns, for each identifier, the place of its strongest fresh
// link that the client may know of, or -1. Links to customers in hidden are not
// among those.
func (s *Session) strongestLinks(cold *snapshot.ColdPerson, paths *pathFinder, hidden map[uint32]bool) []int {
	best := slices.Repeat([]int{-1}, len(cold.Identifiers))
	for at, k := range cold.Links {
		if !s.tells(cold, paths, hidden, k) {
			continue
		}
		link := snapshot.Strength{Method: k.Method, Seen: k.Last}
		for _, i := range [...]uint32{k.A, k.B} {
			if have := best[i]; have < 0 || link.Compare(snapshot.Strength{Method: cold.Links[have].Method, Seen: cold.Links[have].Last}) < 0 {
				best[i] = at
			}
		}
	}
	return best
}

// tells reports whether a link is fresh and the client may know of it.
func (s *Session) tells(cold *snapshot.ColdPerson, paths *pathFinder, hidden map[uint32]bool, k snapshot.Link) bool {
	return !paths.aged(int(k.A), int(k.B), k.Last) && !hidden[k.A] && !hidden[k.B] && !s.foreign(cold, k)
}

// connected joins the identifiers that links connect of which the client may
// know.
func (s *Session) connected(cold *snapshot.ColdPerson, paths *pathFinder, hidden map[uint32]bool) groups {
	g := make(groups, len(cold.Identifiers))
	for i := range g {
		g[i] = i
	}
	for _, k := range cold.Links {
		if s.tells(cold, paths, hidden, k) {
			g[g.find(int(k.A))] = g.find(int(k.B))
		}
	}
	return g
}

// groups is a union-find structure: each place has its parent.
type groups []int

func (g groups) find(i int) int {
	for g[i] != i {
		g[i] = g[g[i]]
		i = g[i]
	}
	return i
}

// describe names identifier i and its strongest link, or -1. A customer id may
// be without one: its tenant says that it is there. Another identifier without
// one is not shown.
func (s *Session) describe(cold *snapshot.ColdPerson, paths *pathFinder, i, link int) (Identifier, bool) {
	id := cold.Identifiers[i]
	space := s.gen.Namespaces.At(id.Namespace).Name
	out := Identifier{
		ID:     string(s.gen.Namespaces.AppendText(nil, id.Namespace, id.Value)),
		Method: paths.self.Method, Seen: paths.self.Seen, Source: space,
	}
	if link < 0 {
		return out, strings.HasPrefix(space, index.CRMPrefix)
	}
	k := cold.Links[link]
	out.Method, out.Seen, out.Source = k.Method, k.Last, s.gen.SourceOf(k.Source).Name
	return out, true
}

// foreign reports whether a link is from the file of a tenant whose identifiers
// the client may not list, or leads to a customer of one.
func (s *Session) foreign(cold *snapshot.ColdPerson, k snapshot.Link) bool {
	return s.access.foreignSources.has(int(k.Source)) ||
		s.access.foreignSpaces.has(int(cold.Identifiers[k.A].Namespace)) ||
		s.access.foreignSpaces.has(int(cold.Identifiers[k.B].Namespace))
}
