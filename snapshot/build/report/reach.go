package report

import "github.com/matchd/matchd/snapshot"

// sets are the connected sets of a person's identifiers by some of its links.
type sets struct {
	parent  []uint32
	digital []bool // of a set's first: whether it holds a digital id
}

// apart puts each identifier in a set of its own.
func (c *Collector) apart(p *snapshot.Person) {
	s := &c.sets
	s.parent, s.digital = s.parent[:0], s.digital[:0]
	for i := range p.Nodes {
		s.parent = append(s.parent, uint32(i))
		s.digital = append(s.digital, c.classes[p.Nodes[i].Namespace] == digital)
	}
}

func (s *sets) find(n uint32) uint32 {
	for s.parent[n] != n {
		s.parent[n] = s.parent[s.parent[n]]
		n = s.parent[n]
	}
	return n
}

func (s *sets) join(a, b uint32) {
	a, b = s.find(a), s.find(b)
	if a != b {
		s.parent[max(a, b)] = min(a, b)
		s.digital[min(a, b)] = s.digital[a] || s.digital[b]
	}
}

// stages adds the person's links party by party, and then method by method,
// and notes at which stage each kind of record of each tenant is reached.
func (c *Collector) stages(p *snapshot.Person) {
	c.apart(p)
	for party := range snapshot.Party(parties) {
		joined := false
		for i := range p.Links {
			if l := &p.Links[i]; c.cfg.Sources[l.Source].Party == party {
				c.sets.join(l.A, l.B)
				joined = true
			}
		}
		for i := range p.Profiles {
			q := &p.Profiles[i]
			if k := &c.tenants[q.Tenant].kinds[q.Kind]; joined && k.party == unreached && c.sets.digital[c.sets.find(q.Node)] {
				k.party = uint8(party)
			}
		}
	}
	c.apart(p)
	for method := range snapshot.Method(methods) {
		joined := false
		for i := range p.Links {
			if l := &p.Links[i]; l.Method == method {
				c.sets.join(l.A, l.B)
				joined = true
			}
		}
		for i := range p.Profiles {
			q := &p.Profiles[i]
			if k := &c.tenants[q.Tenant].kinds[q.Kind]; joined && k.method == unreached && c.sets.digital[c.sets.find(q.Node)] {
				k.method = uint8(method)
			}
		}
	}
}

// withoutEach counts, for each source, the tenants whom the person would not
// be reached for without it.
func (c *Collector) withoutEach(p *snapshot.Person) {
	for _, source := range c.found {
		c.apart(p)
		for i := range p.Links {
			if l := &p.Links[i]; l.Source != source || c.isRecord(p, l) {
				c.sets.join(l.A, l.B)
			}
		}
		for i := range p.Profiles {
			q := &p.Profiles[i]
			if t := &c.tenants[q.Tenant]; q.Kind == t.kind() && c.sets.digital[c.sets.find(q.Node)] {
				t.still = c.round
			}
		}
		for _, tenant := range c.known {
			t := &c.tenants[tenant]
			kind := t.kind()
			if t.still != c.round && t.kinds[kind].party != unreached {
				c.counts.audiences[int(tenant)*2+int(kind)].sources[source].only++
			}
			t.still = 0
		}
	}
}
