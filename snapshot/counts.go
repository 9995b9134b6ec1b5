package snapshot

// Counts are what a snapshot holds.
type Counts struct {
	Identifiers int64            `json:"identifiers"`
	Persons     int64            `json:"persons"`
	Profiles    int64            `json:"profiles"`
	Anonymous   int64            `json:"anonymous,omitempty"` // persons without a profile
	Links       int64            `json:"links"`
	Spares      int64            `json:"spare_links"`
	Largest     int64            `json:"largest_person"` // identifiers of the largest person
	ByNamespace map[string]int64 `json:"by_namespace"`
	ByTenant    map[string]int64 `json:"profiles_by_tenant"`
}

// tally counts persons by the numbers of namespaces and tenants, which
// [tally.counts] turns into names.
type tally struct {
	Counts
	namespaces, tenants []int64
}

func newTally(l *layout) tally {
	return tally{namespaces: make([]int64, l.namespaces), tenants: make([]int64, l.tenants)}
}

func (c *tally) count(p *Person) {
	c.Persons++
	c.Identifiers += int64(len(p.Nodes))
	c.Profiles += int64(len(p.Profiles))
	if len(p.Profiles) == 0 {
		c.Anonymous++
	}
	c.Links += int64(len(p.Links))
	c.Spares += int64(len(p.Spares))
	c.Largest = max(c.Largest, int64(len(p.Nodes)))
	for i := range p.Nodes {
		c.namespaces[p.Nodes[i].Namespace]++
	}
	for i := range p.Profiles {
		c.tenants[p.Profiles[i].Tenant]++
	}
}

func (c *tally) add(o *tally) {
	c.Persons += o.Persons
	c.Identifiers += o.Identifiers
	c.Profiles += o.Profiles
	c.Anonymous += o.Anonymous
	c.Links += o.Links
	c.Spares += o.Spares
	c.Largest = max(c.Largest, o.Largest)
	for i, n := range o.namespaces {
		c.namespaces[i] += n
	}
	for i, n := range o.tenants {
		c.tenants[i] += n
	}
}

// counts returns the sums with names; what there is none of has no name.
func (c *tally) counts(d *Dictionaries) Counts {
	out := c.Counts
	out.ByNamespace, out.ByTenant = map[string]int64{}, map[string]int64{}
	for i, n := range d.Namespaces.All() {
		if c.namespaces[i] > 0 {
			out.ByNamespace[n.Name] = c.namespaces[i]
		}
	}
	for i, n := range c.tenants {
		if n > 0 {
			out.ByTenant[d.Tenants[i].Name] += n
		}
	}
	return out
}
