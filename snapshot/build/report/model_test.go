package report

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/matchd/matchd/snapshot"
)

// naive answers the collector's questions about one person by walking its
// links.
type naive struct {
	cfg Config
	p   *snapshot.Person
}

// reaches reports whether links that use allows lead from a node to a digital
// id.
func (n naive) reaches(from uint32, use func(l snapshot.Link) bool) bool {
	seen := map[uint32]bool{from: true}
	for queue := []uint32{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if n.digital(at) {
			return true
		}
		for _, l := range n.p.Links {
			for _, step := range [2][2]uint32{{l.A, l.B}, {l.B, l.A}} {
				if step[0] == at && !seen[step[1]] && use(l) {
					seen[step[1]] = true
					queue = append(queue, step[1])
				}
			}
		}
	}
	return false
}

func (n naive) name(node uint32) string { return n.cfg.Namespaces.At(n.p.Nodes[node].Namespace).Name }

func (n naive) digital(node uint32) bool {
	return n.cfg.Namespaces.At(n.p.Nodes[node].Namespace).Tracer()
}

// own reports whether a link is a record's to its own contact data.
func (n naive) own(l snapshot.Link) bool {
	crm := func(x uint32) bool { return len(n.name(x)) > 4 && n.name(x)[:4] == "crm." }
	return n.cfg.Sources[l.Source].Party == snapshot.FirstParty && !n.digital(l.A) && !n.digital(l.B) && crm(l.A) != crm(l.B)
}

// add counts a person as it is defined, in no hurry.
func (n naive) add(c *counts) {
	size := len(n.p.Nodes)
	c.persons++
	c.largest = max(c.largest, int64(size))
	for i := len(sizeSteps) - 1; i >= 0; i-- {
		if size >= sizeSteps[i] {
			c.sizes[i]++
			break
		}
	}
	digital := 0
	spaces := map[int]bool{}
	linkedBy := map[uint16]bool{}
	exclusive := map[uint16]int64{}
	for i := range n.p.Nodes {
		if !n.digital(uint32(i)) {
			continue
		}
		digital++
		spaces[int(n.p.Nodes[i].Namespace)] = true
		by := map[uint16]bool{}
		for _, l := range n.p.Links {
			if l.A == uint32(i) || l.B == uint32(i) {
				by[l.Source], linkedBy[l.Source] = true, true
			}
		}
		if len(by) == 1 {
			for s := range by {
				exclusive[s]++
			}
		}
	}
	for s, ids := range exclusive {
		c.onlyIDs[s].ids += ids
		c.onlyIDs[s].people++
	}
	mask := 0
	for t := range n.cfg.Tenants {
		n.addTo(c, t, digital, spaces, linkedBy)
	}
	for _, q := range n.p.Profiles {
		for at, s := range n.cfg.Largest {
			if slices.Contains(q.Segments, s) {
				mask |= 1 << at
			}
		}
	}
	c.overlap[mask]++
}

func (n naive) addTo(c *counts, tenant, digital int, spaces map[int]bool, linkedBy map[uint16]bool) {
	var records []snapshot.Profile
	for _, kind := range []snapshot.Kind{snapshot.Customer, snapshot.Prospect} {
		for _, q := range n.p.Profiles {
			if int(q.Tenant) == tenant && q.Kind == kind && (len(records) == 0 || records[0].Kind == kind) {
				records = append(records, q)
			}
		}
	}
	if len(records) == 0 {
		return
	}
	any := func(use func(l snapshot.Link) bool) bool {
		return slices.ContainsFunc(records, func(q snapshot.Profile) bool { return n.reaches(q.Node, use) })
	}
	one := func(yes bool) int64 {
		if yes {
			return 1
		}
		return 0
	}
	a := &c.audiences[2*tenant+int(records[0].Kind)]
	a.people++
	a.records += int64(len(records))
	a.repeated += one(len(records) > 1)
	for i, days := range consentDays {
		a.consent[i] += one(slices.ContainsFunc(records, func(q snapshot.Profile) bool {
			e := q.Consent.Expires
			return e > asOf.Unix() && e <= asOf.Unix()+int64(days)*86400
		}))
	}
	reached := any(func(snapshot.Link) bool { return true })
	if !reached {
		a.devices[0]++
	}
	for p := range a.party {
		a.party[p] += one(any(func(l snapshot.Link) bool { return int(n.cfg.Sources[l.Source].Party) <= p }))
	}
	for m := range a.method {
		a.method[m] += one(any(func(l snapshot.Link) bool { return int(l.Method) <= m }))
	}
	for i := len(deviceSteps) - 1; reached && i > 0; i-- {
		if digital >= deviceSteps[i] {
			a.devices[i]++
			break
		}
	}
	for s := range spaces {
		a.namespaces[s] += one(reached)
	}
	for s := range n.cfg.Sources {
		without := any(func(l snapshot.Link) bool { return int(l.Source) != s || n.own(l) })
		a.sources[s].reached += one(reached && linkedBy[uint16(s)])
		a.sources[s].only += one(reached && !without)
	}
}

// What is counted is what the definitions say, whatever the persons.
func TestCountsAreTheDefinitions(t *testing.T) {
	cfg := testConfig(t, 4)
	r := rand.New(rand.NewPCG(1, 2))
	for world := range 40 {
		c, want := NewCollector(cfg), newCounts(cfg)
		for range 50 {
			p := wild(r, 6)
			if world%2 == 0 {
				p = likely(r)
			}
			c.Add(p)
			naive{cfg, p}.add(&want)
			if got := c.counts; !equalCounts(got, want) {
				t.Fatalf("after person %+v:\n%+v\nwant\n%+v", p, got, want)
			}
		}
	}
}

func equalCounts(a, b counts) bool {
	if a.persons != b.persons || a.largest != b.largest || a.sizes != b.sizes ||
		!slices.Equal(a.onlyIDs, b.onlyIDs) || !slices.Equal(a.overlap, b.overlap) {
		return false
	}
	return slices.EqualFunc(a.audiences, b.audiences, func(x, y audience) bool {
		return x.people == y.people && x.records == y.records && x.repeated == y.repeated && x.party == y.party &&
			x.method == y.method && x.devices == y.devices && x.consent == y.consent &&
			slices.Equal(x.namespaces, y.namespaces) && slices.Equal(x.sources, y.sources)
	})
}

// The same persons give the same bytes, whatever the order and whoever counts.
func TestOrderDoesNotMatter(t *testing.T) {
	cfg := testConfig(t, 6)
	r := rand.New(rand.NewPCG(3, 4))
	var people []*snapshot.Person
	for range 2000 {
		people = append(people, likely(r), wild(r, 6))
	}
	render := func(workers int) []byte {
		r.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
		cs := make([]*Collector, workers)
		for i := range cs {
			cs[i] = NewCollector(cfg)
		}
		for _, p := range people {
			cs[r.IntN(workers)].Add(p)
		}
		r.Shuffle(len(cs), func(i, j int) { cs[i], cs[j] = cs[j], cs[i] })
		for _, c := range cs[1:] {
			cs[0].Merge(c)
		}
		d := cs[0].Data()
		d.Quarantine = map[string]int64{"b": 70, "a": 3, "c": 900}
		d.Input.RowsBySource = map[string]int64{"y": 100, "x": 2000}
		var out bytes.Buffer
		for _, write := range []func() error{
			func() error { return d.WriteJSON(&out) }, func() error { return d.WriteText(&out) }, func() error { return d.WriteHTML(&out) },
		} {
			if err := write(); err != nil {
				t.Fatal(err)
			}
		}
		return out.Bytes()
	}
	want := render(1)
	for workers := range 5 {
		if !bytes.Equal(render(workers+1), want) {
			t.Fatalf("%d collectors render something else", workers+1)
		}
	}
}

// Data is a copy: what is added later is not in it.
func TestDataStays(t *testing.T) {
	c := NewCollector(testConfig(t, 2))
	r := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		c.Add(likely(r))
	}
	d := c.Data()
	before := d.counts.clone()
	for range 100 {
		c.Add(likely(r))
	}
	if !equalCounts(d.counts, before) || equalCounts(d.counts, c.counts) {
		t.Error("what was added after Data is in it")
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	c := NewCollector(testConfig(t, 6))
	var people []*snapshot.Person
	for range 200 {
		people = append(people, likely(r), wild(r, 6))
	}
	add := func() {
		for _, p := range people {
			c.Add(p)
		}
	}
	add()
	if n := testing.AllocsPerRun(10, add); n != 0 {
		t.Errorf("%v allocations in %d persons", n, len(people))
	}
}

func BenchmarkAdd(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	c := NewCollector(testConfig(b, 6))
	people := make([]*snapshot.Person, 4096)
	for i := range people {
		people[i] = likely(r)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Add(people[i%len(people)])
	}
}
