package engine

import (
	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// Explanation is how an answer to one identifier came about. It is for the
// operator of a store: it tells what no client may learn.
type Explanation struct {
	Identifier string `json:"identifier"`
	Error      string `json:"error,omitempty"` // why it is no identifier
	Hash       string `json:"hash,omitempty"`  // 128 bits, hexadecimal
	IndexShard int    `json:"index_shard"`
	Filter     bool   `json:"filter"` // whether the filter let it pass
	Found      bool   `json:"found"`
	// Live says that live changes have moved it: it is not in the record that the
	// snapshot has of it, if there is one.
	Live bool `json:"live,omitempty"`

	RecordShard int              `json:"record_shard"`
	Offset      uint64           `json:"record_offset"` // bytes into the hot section
	Person      string           `json:"person,omitempty"`
	Identifiers int              `json:"identifiers,omitempty"` // of the person
	Profiles    []ProfileVerdict `json:"profiles,omitempty"`
	Links       []LinkShown      `json:"links,omitempty"`
}

// ProfileVerdict is one profile of the person and what was decided about it.
type ProfileVerdict struct {
	Tenant   string `json:"tenant"`
	Customer string `json:"customer"`
	Basis    string `json:"legal_basis"`
	Granted  bool   `json:"granted"`
	// Reached says that a path of fresh links leads to it; Method and Seen
	// are those of the weakest link on the strongest path.
	Reached bool   `json:"reached"`
	Method  string `json:"method,omitempty"`
	Seen    string `json:"seen,omitempty"`
	// Consent is "allowed" or the reason of the denial.
	Consent        string `json:"consent"`
	ConsentAt      string `json:"consent_at,omitempty"`
	ConsentExpires string `json:"consent_expires_at,omitempty"`
}

// LinkShown is one link of the person.
type LinkShown struct {
	A      string `json:"a"`
	B      string `json:"b"`
	Method string `json:"method"`
	Source string `json:"source"`
	Party  string `json:"party"`
	First  string `json:"first_seen"`
	Last   string `json:"last_seen"`
	Aged   bool   `json:"aged"` // too old to be used
}

// Explain retraces the lookup of one identifier. Errors wrap
// snapshot.ErrCorrupt.
func (s *Session) Explain(id string) (Explanation, error) {
	x := Explanation{Identifier: id}
	err := snapshot.Guard(func() error { return s.explain(&x, []byte(id)) })
	return x, err
}

func (s *Session) explain(x *Explanation, id []byte) error {
	key, ns, err := s.gen.Namespaces.AppendKey(nil, id)
	if err != nil {
		x.Error = err.Error()
		return nil
	}
	h := s.gen.hasher.Sum(key)
	x.Hash = shownHash(h)
	x.IndexShard = s.gen.Shard(h)
	x.Filter = s.gen.Filter(x.IndexShard).MayContain(h)
	f, err := s.locate(id)
	if err != nil || f == nil {
		return err
	}
	x.Found, x.Live = true, f.beside != nil
	x.RecordShard, x.Offset = s.gen.Place(f.addr)
	x.Person = shownID(s.access.persons, f.record.ID).String()
	x.Identifiers = f.record.Len()
	var paths pathFinder
	paths.reset(&f.record, s.gen, s.oldest)
	var p snapshot.Profile
	for ps := f.record.Profiles(); ps.Next(&p); {
		x.Profiles = append(x.Profiles, s.judge(&paths, f.at, ns, &p))
	}
	cold, err := s.coldOf(f)
	if err != nil {
		return err
	}
	for _, k := range cold.Links {
		x.Links = append(x.Links, s.showLink(cold, &paths, k))
	}
	if paths.damaged {
		return snapshot.ErrCorrupt
	}
	return nil
}

func (s *Session) judge(paths *pathFinder, at int, ns index.NamespaceID, p *snapshot.Profile) ProfileVerdict {
	t := s.gen.Tenants[p.Tenant]
	v := ProfileVerdict{
		Tenant: t.Name, Customer: string(p.Customer), Basis: t.LegalBasis.String(),
		Granted: s.access.asks[ns].has(int(p.Tenant)), Consent: "allowed",
		ConsentAt: shownTime(p.Consent.At), ConsentExpires: shownTime(p.Consent.Expires),
	}
	var path snapshot.Strength
	if path, v.Reached = paths.strongest(at, int(p.Node)); v.Reached {
		v.Method, v.Seen = path.Method.String(), path.Seen.String()
	}
	if reason := s.consent(p); reason != privacy.Allowed {
		v.Consent = string(reason)
	}
	return v
}

func (s *Session) showLink(cold *snapshot.ColdPerson, paths *pathFinder, k snapshot.Link) LinkShown {
	text := func(i uint32) string {
		id := cold.Identifiers[i]
		return string(s.gen.Namespaces.AppendText(nil, id.Namespace, id.Value))
	}
	src := s.gen.SourceOf(k.Source)
	return LinkShown{
		A: text(k.A), B: text(k.B), Method: k.Method.String(), Source: src.Name, Party: src.Party.String(),
		First: k.First.String(), Last: k.Last.String(), Aged: paths.aged(int(k.A), int(k.B), k.Last),
	}
}
