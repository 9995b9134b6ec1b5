package report

import (
	"math"
	"strings"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// MaxLargest is how many segments the overlap is counted of, at most.
const MaxLargest = 12

// Config is what the numbers in persons mean.
type Config struct {
	AsOf       time.Time
	Namespaces *index.Namespaces
	Sources    []snapshot.Source
	Tenants    []snapshot.Tenant
	Segments   []snapshot.Segment
	// Largest are the numbers of the largest segments, at most [MaxLargest]
	// and each once, in the order in which they are shown.
	Largest []uint32
}

// Collector counts persons. It is for one goroutine; see [Collector.Merge].
type Collector struct {
	cfg     Config
	counts  counts
	classes []class // by namespace
	place   []int8  // by segment: its place in Largest, or -1
	windows [len(consentDays)]int64

	// What follows is about the person being added, and kept between persons
	// for its memory.
	round   uint64 // stamps what was set for this person
	sets    sets
	linker  []uint32 // by node: which source links it
	sources []sourceMark
	found   []uint16 // sources that link the person, in the order met
	tenants []tenantMark
	known   []uint16            // tenants with a record of the person
	spaces  []uint64            // by namespace: the round in which it was met
	digital []index.NamespaceID // of the person's digital ids, each once
}

// class says what an identifier of a namespace is to the report.
type class uint8

const (
	contact class = iota // hashed email, phone or postal address
	record               // a tenant's own id
	digital              // a cookie or device id
)

// What Collector.linker holds besides the number of a source.
const (
	nobody  = math.MaxUint32
	several = math.MaxUint32 - 1
)

// sourceMark is what a source does to the person being added.
type sourceMark struct {
	met, reaches, onlyID uint64 // rounds
}

// tenantMark is what the person being added is to a tenant, by kind.
type tenantMark struct {
	met, still uint64 // rounds
	kinds      [2]kindMark
}

type kindMark struct {
	records       int32
	party, method uint8 // the first stage that reaches it; unreached if none
	expires       int64 // the first end of a consent that is to come; 0 is none
}

const unreached = math.MaxUint8

// NewCollector returns a collector with nothing in it. It panics where
// c.Largest is too long or names a segment that is not there.
func NewCollector(c Config) *Collector {
	if len(c.Largest) > MaxLargest {
		panic("report: more of the largest segments than MaxLargest")
	}
	out := &Collector{
		cfg:     c,
		counts:  newCounts(c),
		classes: make([]class, c.Namespaces.Len()),
		place:   make([]int8, len(c.Segments)),
		sources: make([]sourceMark, len(c.Sources)),
		tenants: make([]tenantMark, len(c.Tenants)),
		spaces:  make([]uint64, c.Namespaces.Len()),
	}
	for i, n := range c.Namespaces.All() {
		switch {
		case n.Tracer():
			out.classes[i] = digital
		case strings.HasPrefix(n.Name, index.CRMPrefix):
			out.classes[i] = record
		}
	}
	for i := range out.place {
		out.place[i] = -1
	}
	for i, s := range c.Largest {
		out.place[s] = int8(i)
	}
	for i, days := range consentDays {
		out.windows[i] = c.AsOf.AddDate(0, 0, days).Unix()
	}
	return out
}

// Add counts a person, which it keeps nothing of.
func (c *Collector) Add(p *snapshot.Person) {
	c.round++
	c.found, c.known = c.found[:0], c.known[:0]
	c.counts.persons++
	c.counts.sizes[stepOf(sizeSteps[:], len(p.Nodes))]++
	c.counts.largest = max(c.counts.largest, int64(len(p.Nodes)))
	devices := c.readNodes(p)
	c.readLinks(p)
	c.readProfiles(p)
	if devices > 0 {
		c.exclusiveIDs(p)
		if len(c.known) > 0 {
			c.stages(p)
			c.withoutEach(p)
		}
	}
	for _, t := range c.known {
		c.count(t, devices)
	}
}

// readNodes returns how many digital ids the person has.
func (c *Collector) readNodes(p *snapshot.Person) (devices int) {
	c.linker, c.digital = c.linker[:0], c.digital[:0]
	for i := range p.Nodes {
		ns := p.Nodes[i].Namespace
		c.linker = append(c.linker, nobody)
		if c.classes[ns] == digital {
			devices++
			if c.spaces[ns] != c.round {
				c.spaces[ns] = c.round
				c.digital = append(c.digital, ns)
			}
		}
	}
	return devices
}

// readLinks notes which sources the person's links are of, and which of them
// links each node.
func (c *Collector) readLinks(p *snapshot.Person) {
	for i := range p.Links {
		l := &p.Links[i]
		s := &c.sources[l.Source]
		if !c.isRecord(p, l) && s.met != c.round {
			s.met = c.round
			c.found = append(c.found, l.Source)
		}
		for _, n := range [2]uint32{l.A, l.B} {
			if c.classes[p.Nodes[n].Namespace] == digital {
				s.reaches = c.round
			}
			switch c.linker[n] {
			case nobody, uint32(l.Source):
				c.linker[n] = uint32(l.Source)
			default:
				c.linker[n] = several
			}
		}
	}
}

// isRecord reports whether a link is one of a record to its own contact data.
func (c *Collector) isRecord(p *snapshot.Person, l *snapshot.Link) bool {
	a, b := c.classes[p.Nodes[l.A].Namespace], c.classes[p.Nodes[l.B].Namespace]
	return a != b && a != digital && b != digital && c.cfg.Sources[l.Source].Party == snapshot.FirstParty
}

// exclusiveIDs counts the digital ids that one source alone links.
func (c *Collector) exclusiveIDs(p *snapshot.Person) {
	for n, source := range c.linker {
		if source >= several || c.classes[p.Nodes[n].Namespace] != digital {
			continue
		}
		c.counts.onlyIDs[source].ids++
		if s := &c.sources[source]; s.onlyID != c.round {
			s.onlyID = c.round
			c.counts.onlyIDs[source].people++
		}
	}
}

// readProfiles notes what the person is to each tenant, and counts its
// segments.
func (c *Collector) readProfiles(p *snapshot.Person) {
	var mask uint
	for i := range p.Profiles {
		q := &p.Profiles[i]
		t := &c.tenants[q.Tenant]
		if t.met != c.round {
			blank := kindMark{party: unreached, method: unreached}
			*t = tenantMark{met: c.round, kinds: [2]kindMark{blank, blank}}
			c.known = append(c.known, q.Tenant)
		}
		k := &t.kinds[q.Kind]
		k.records++
		if e := q.Consent.Expires; e > c.cfg.AsOf.Unix() && (k.expires == 0 || e < k.expires) {
			k.expires = e
		}
		for _, s := range q.Segments {
			if at := c.place[s]; at >= 0 {
				mask |= 1 << at
			}
		}
	}
	c.counts.overlap[mask]++
}

// kind is what the person being added is to a tenant: its customer if any of
// its records says so.
func (t *tenantMark) kind() snapshot.Kind {
	if t.kinds[snapshot.Customer].records > 0 {
		return snapshot.Customer
	}
	return snapshot.Prospect
}

// count counts the person as one of tenant's.
func (c *Collector) count(tenant uint16, devices int) {
	t := &c.tenants[tenant]
	kind := t.kind()
	k, a := &t.kinds[kind], &c.counts.audiences[int(tenant)*2+int(kind)]
	a.people++
	a.records += int64(k.records)
	if k.records > 1 {
		a.repeated++
	}
	for i, end := range c.windows {
		if k.expires != 0 && k.expires <= end {
			a.consent[i]++
		}
	}
	if k.party == unreached {
		a.devices[0]++
		return
	}
	for i := int(k.party); i < len(a.party); i++ {
		a.party[i]++
	}
	for i := int(k.method); i < len(a.method); i++ {
		a.method[i]++
	}
	a.devices[stepOf(deviceSteps[:], devices)]++
	for _, ns := range c.digital {
		a.namespaces[ns]++
	}
	for _, s := range c.found {
		if c.sources[s].reaches == c.round {
			a.sources[s].reached++
		}
	}
}

// Merge adds what o counted. Both have the same config; o is not to be used
// again.
func (c *Collector) Merge(o *Collector) { c.counts.merge(&o.counts) }

// Data returns what was counted.
func (c *Collector) Data() *Data {
	return &Data{Header: Header{AsOf: c.cfg.AsOf.UTC().Format(time.RFC3339)}, cfg: c.cfg, counts: c.counts.clone()}
}
