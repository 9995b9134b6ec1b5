package engine

import (
	"slices"
	"time"

	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Holdings are all that a store has of the person that an identifier leads to:
// what the right of access is about. They are for the operator of a store, who
// sees what no client may.
type Holdings struct {
	Identifier string `json:"identifier"`
	Snapshot   string `json:"snapshot"`
	AsOf       string `json:"as_of"`
	// Found is whether the identifier is in the snapshot. Live changes may be of
	// one that is not.
	Found       bool             `json:"found"`
	Identifiers []HeldIdentifier `json:"identifiers"`
	Profiles    []HeldProfile    `json:"profiles"`
	// Live are the facts that live changes made and that no snapshot replaces.
	Live []HeldFact `json:"live"`
}

// HeldIdentifier is an identifier and the links that say that it is the person's.
type HeldIdentifier struct {
	ID    string     `json:"id"`
	First string     `json:"first_seen,omitempty"`
	Last  string     `json:"last_seen,omitempty"`
	Links []HeldLink `json:"links"`
}

// HeldLink is a link to another identifier of the person.
type HeldLink struct {
	To     string `json:"to"`
	Method string `json:"method"`
	Source string `json:"source"`
	Party  string `json:"party"`
	First  string `json:"first_seen"`
	Last   string `json:"last_seen"`
	Aged   bool   `json:"aged,omitempty"` // too old to be used
}

// HeldProfile is a tenant's record of a customer, with live changes.
type HeldProfile struct {
	Tenant   string      `json:"tenant"`
	Customer string      `json:"customer"`
	Kind     string      `json:"kind"`
	Basis    string      `json:"legal_basis"`
	Source   string      `json:"source"`
	Segments []string    `json:"segments"`
	Consent  HeldConsent `json:"consent"`
	// Withheld is where an opt-out or an erasure keeps it from every answer. The
	// rest is what the snapshot says then.
	Withheld bool         `json:"withheld,omitempty"`
	SeenBy   []HeldViewer `json:"may_be_seen_by"`
}

// HeldConsent is what is known of a customer's consent.
type HeldConsent struct {
	Purposes []string `json:"purposes"`
	At       string   `json:"at,omitempty"`
	Expires  string   `json:"expires_at,omitempty"`
	// Source is where that is from: the tenant's own records, or "live".
	Source string `json:"source"`
	// Use is "allowed", or why the tenant itself may not use the profile.
	Use string `json:"use"`
}

// HeldViewer is a client whose grants let it ask for the tenant's profiles.
type HeldViewer struct {
	Client      string   `json:"client"`
	Owner       string   `json:"tenant,omitempty"`
	Segments    []string `json:"segments"`
	Namespaces  []string `json:"namespaces"`
	Customers   bool     `json:"customers"`
	Identifiers bool     `json:"identifiers"`
	Purposes    []string `json:"purposes"`
	Until       string   `json:"until,omitempty"`
}

// Holdings lists what the store has of the person that an identifier leads to,
// "namespace:value". The error is [ErrNotReady], or wraps snapshot.ErrCorrupt; or
// it says why the text is no identifier, without quoting it.
func (e *Engine) Holdings(id string) (out Holdings, err error) {
	s, clients, err := e.ownSession()
	if err != nil {
		return out, err
	}
	g := s.gen
	defer g.pins.release(s.pin)
	key, ns, err := g.Namespaces.AppendKey(nil, []byte(id))
	if err != nil {
		return out, err
	}
	now := e.opts.Now()
	s.now, s.oldest = now.Unix(), g.oldestFresh(now)
	out = Holdings{
		Identifier: string(g.Namespaces.AppendText(nil, ns, g.Namespaces.Value(ns, key))), Snapshot: g.name, AsOf: shownTime(g.AsOf.Unix()),
		Identifiers: []HeldIdentifier{}, Profiles: []HeldProfile{}, Live: []HeldFact{},
	}
	err = snapshot.Guard(func() error {
		f, err := s.at(g.hasher.Sum(key))
		if f == nil && err == nil {
			s.beside = nil // live links have made it nobody's, and the snapshot holds it
			f, err = s.at(g.hasher.Sum(key))
		}
		if err != nil || f == nil {
			return err
		}
		return s.hold(&out, f, clients)
	})
	if err == nil && !out.Found {
		out.Live = s.heldFacts(out.Live, out.Identifier, g.hasher.Sum(key))
		for _, former := range g.former {
			for _, fact := range s.heldFacts(nil, out.Identifier, former.Sum(key)) {
				if !slices.ContainsFunc(out.Live, func(f HeldFact) bool { return f.Seq == fact.Seq }) {
					out.Live = append(out.Live, fact)
				}
			}
		}
	}
	return out, err
}

// hold lists what is in a record.
func (s *Session) hold(out *Holdings, f *found, clients []Client) error {
	cold, err := s.coldOf(f)
	if err != nil {
		return err
	}
	out.Found = true
	var paths pathFinder
	paths.reset(&f.record, s.gen, s.oldest)
	for _, id := range cold.Identifiers {
		text := s.gen.Namespaces.AppendText(nil, id.Namespace, id.Value)
		out.Identifiers = append(out.Identifiers, HeldIdentifier{ID: string(text), Links: []HeldLink{}})
		key := s.gen.Namespaces.AppendKeyOf(nil, id.Namespace, id.Value)
		out.Live = s.heldFacts(out.Live, string(text), s.gen.hasher.Sum(key))
	}
	for _, k := range cold.Links {
		s.heldLink(out.Identifiers, &paths, int(k.A), int(k.B), k)
		s.heldLink(out.Identifiers, &paths, int(k.B), int(k.A), k)
	}
	var live liveRecord
	live.read(s, &f.record)
	var p snapshot.Profile
	ps := f.record.Profiles()
	for ps.Next(&p) {
		out.Profiles = append(out.Profiles, s.heldProfile(p, &live, &paths, clients))
	}
	if ps.Err() != nil || paths.damaged {
		return snapshot.ErrCorrupt
	}
	return nil
}

// heldLink adds a link to the identifier at a place, and widens since when and
// until when that was seen.
func (s *Session) heldLink(list []HeldIdentifier, paths *pathFinder, at, to int, k snapshot.Link) {
	src, first, last := s.gen.SourceOf(k.Source), k.First.String(), k.Last.String()
	id := &list[at]
	id.Links = append(id.Links, HeldLink{
		To: list[to].ID, Method: k.Method.String(), Source: src.Name, Party: src.Party.String(), First: first, Last: last, Aged: paths.aged(at, to, k.Last),
	})
	if id.First == "" || first < id.First { // dates order as texts
		id.First = first
	}
	id.Last = max(id.Last, last)
}

func (s *Session) heldProfile(p snapshot.Profile, live *liveRecord, paths *pathFinder, clients []Client) HeldProfile {
	t := s.gen.Tenants[p.Tenant]
	source := index.CRMPrefix + t.Name
	out := HeldProfile{
		Tenant: t.Name, Customer: string(p.Customer), Kind: p.Kind.String(), Basis: t.LegalBasis.String(), Source: source,
		Segments: []string{}, Consent: HeldConsent{Source: source, Use: "allowed"}, SeenBy: viewers(clients, t.Name, s.now),
	}
	before := p.Consent
	p.Segments = slices.Clone(p.Segments)
	out.Withheld = live.some && !live.alter(s, &p, paths)
	if p.Consent != before {
		out.Consent.Source = "live"
	}
	for _, id := range p.Segments {
		out.Segments = append(out.Segments, s.gen.Segments[id].Code)
	}
	out.Consent.Purposes = purposeNames(p.Consent.Purposes)
	out.Consent.At, out.Consent.Expires = shownTime(p.Consent.At), shownTime(p.Consent.Expires)
	if reason := privacy.Consent(p.Consent, t.LegalBasis, snapshot.Use, s.now); reason != privacy.Allowed {
		out.Consent.Use = string(reason)
	}
	return out
}

// viewers are the clients that have a grant for a tenant at a time.
func viewers(clients []Client, tenant string, now int64) []HeldViewer {
	out := []HeldViewer{}
	for _, c := range clients {
		for _, g := range c.Grants {
			if g.Tenant != tenant || !g.Until.IsZero() && now >= endOf(g.Until) {
				continue
			}
			v := HeldViewer{
				Client: c.Name, Owner: c.Owner(), Segments: append([]string{}, g.Segments...), Namespaces: append([]string{}, g.Namespaces...),
				Customers: g.Customers, Identifiers: g.Identifiers, Purposes: purposeNames(g.Purposes),
			}
			if !g.Until.IsZero() {
				v.Until = g.Until.UTC().Format(time.RFC3339)
			}
			out = append(out, v)
		}
	}
	return out
}

func purposeNames(p snapshot.Purposes) []string {
	out := []string{}
	for _, one := range []struct {
		of   snapshot.Purposes
		name string
	}{{snapshot.Use, "use"}, {snapshot.Share, "share"}} {
		if p&one.of != 0 {
			out = append(out, one.name)
		}
	}
	return out
}

// Pseudonym is what a text about a person is called in the audit log; see
// [audit.Pseudonym].
func (e *Engine) Pseudonym(text string) (string, error) {
	secret, err := e.opts.Store.Secret()
	if err != nil {
		return "", err
	}
	return audit.Pseudonym(audit.Hasher(secret), text), nil
}
