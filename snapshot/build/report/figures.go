package report

import (
	"maps"
	"slices"

	"github.com/matchd/matchd/snapshot"
)

// audienceFigures are the counts of one kind of people of a tenant.
type audienceFigures struct {
	people, reached *figure
	party           []*figure // up to this party; the last is reached
	method          []*figure // at least as strong; the last is reached
	reach, only     []*figure // by source
	namespaces      []*figure // by namespace
	devices         []*figure // so many or more, from 1
	consent         []*figure // by window
	duplicates      *figure
	records         *figure
}

// figures are all counts of a report, decided on.
type figures struct {
	persons    *figure
	sizes      []*figure // so many identifiers or more
	audiences  []audienceFigures
	onlyIDs    []*figure          // by source
	segments   []*figure          // of Config.Largest
	pairs      map[[2]int]*figure // places in Config.Largest, ascending
	input      map[string]*figure // rows, bad and files
	bySource   map[string]*figure // rows
	quarantine map[string]*figure // links
	lineage    map[string]*figure // persons
}

// decide offers all counts of d, declares how they hang together, and decides.
// Where one of two counts has to be withheld, it is the one offered later.
func (d *Data) decide(least int64) *figures {
	l := &ledger{least: least}
	f := &figures{pairs: map[[2]int]*figure{}}
	for i := range d.counts.audiences {
		f.audiences = append(f.audiences, d.offerAudience(l, &d.counts.audiences[i]))
	}
	d.offerPersons(l, f)
	d.offerIDs(l, f)
	d.offerSegments(l, f)
	d.offerInput(l, f)
	l.decide()
	return f
}

func (d *Data) offerAudience(l *ledger, a *audience) audienceFigures {
	var sources, spaces, methods, devices, consent pool
	out := audienceFigures{people: l.offer(a.people, nil, &sources, &spaces, &methods, &devices, &consent)}
	out.reached = l.offer(a.reached(), out.people, &sources, &spaces, &methods, &devices)
	for _, n := range a.party[:parties-1] {
		out.party = append(out.party, l.offer(n, out.reached, &sources))
	}
	out.party = append(out.party, out.reached)
	for _, s := range a.sources {
		out.only = append(out.only, l.offer(s.only, out.reached, &sources))
	}
	for _, s := range a.sources {
		out.reach = append(out.reach, l.offer(s.reached, out.reached, &sources, &spaces))
	}
	for _, n := range a.namespaces {
		out.namespaces = append(out.namespaces, l.offer(n, out.reached, &spaces))
	}
	out.devices = l.atLeast(a.devices[1:], out.reached, &devices, &spaces)
	for _, n := range a.method[:len(a.method)-1] {
		out.method = append(out.method, l.offer(n, out.reached, &methods))
	}
	out.method = append(out.method, out.reached)
	for _, n := range slices.Backward(a.consent[:]) {
		out.consent = append(out.consent, l.offer(n, out.people, &consent))
	}
	slices.Reverse(out.consent)
	out.duplicates = l.offerOf(a.records-a.people, a.repeated, out.people)
	out.records = l.offer(a.records, out.duplicates)
	d.relateSources(l, &out)
	// Namespaces make up all who are reached, and who has two has two devices.
	both := sum(1, out.namespaces...).and(-1, out.reached)
	l.relate(both)
	l.relate(both.and(-1, out.devices[1]))
	return out
}

// relateSources declares what the counts by source say together. For most
// people, whom no chain of two sources reaches, all of this is plain sets: who
// is reached by a source, by it alone, and by sources of some party alone.
func (d *Data) relateSources(l *ledger, a *audienceFigures) {
	all := sum(1, a.reached)
	d.relateCover(l, all, func(snapshot.Party) bool { return true }, a)
	for last := range a.party[:parties-1] {
		within := a.party[last]
		inside := func(p snapshot.Party) bool { return int(p) <= last }
		outside := func(p snapshot.Party) bool { return int(p) > last }
		d.relateCover(l, sum(1, within), inside, a)
		d.relateCover(l, all.and(-1, within), outside, a)
	}
	for p := 1; p < len(a.party); p++ { // who is reached by this party at best
		var only []*figure
		for i, s := range d.cfg.Sources {
			if int(s.Party) == p {
				only = append(only, a.only[i])
			}
		}
		l.relate(sum(1, a.party[p]).and(-1, a.party[p-1]), only...)
	}
	// Who is reached by several sources: how often more than twice.
	l.relate(sum(1, a.reach...).and(1, a.only...).and(-2, a.reached))
}

// relateCover declares that the sources of some parties make up who.
func (d *Data) relateCover(l *ledger, who terms, of func(snapshot.Party) bool, a *audienceFigures) {
	var reach, only []*figure
	for i, s := range d.cfg.Sources {
		if of(s.Party) {
			reach, only = append(reach, a.reach[i]), append(only, a.only[i])
		}
	}
	if len(reach) == 0 {
		return
	}
	l.relate(sum(1, reach...).andAll(-1, who))
	l.relate(who, only...)
	for i := range reach {
		others := slices.Delete(slices.Clone(only), i, i+1)
		l.relate(who.and(-1, reach[i]), others...)
		// All but whom this one alone has, the others make up.
		rest := slices.Delete(slices.Clone(reach), i, i+1)
		l.relate(sum(1, rest...).andAll(-1, who).and(1, only[i]))
	}
}

// offerPersons offers all persons and their sizes. The tenants' people are
// among them.
func (d *Data) offerPersons(l *ledger, f *figures) {
	var sizes pool
	f.persons = l.offer(d.counts.persons, nil, &sizes)
	f.sizes = l.atLeast(d.counts.sizes[:], f.persons, &sizes)
	var everybody []*figure
	for t := range d.cfg.Tenants {
		customers, prospects := f.audiences[2*t].people, f.audiences[2*t+1].people
		everybody = append(everybody, customers, prospects)
		l.relate(sum(1, f.persons).and(-1, customers))
		l.relate(sum(1, f.persons).and(-1, prospects))
		l.relate(sum(1, f.persons).and(-1, customers, prospects))
	}
	l.relate(sum(1, f.persons).and(-1, everybody...))
	if d.Lineage != nil {
		var pool pool
		f.lineage = map[string]*figure{}
		for _, x := range []struct {
			name string
			n    int64
		}{{"kept", d.Lineage.Kept}, {"new", d.Lineage.New}, {"merged", d.Lineage.Merged}, {"split", d.Lineage.Split}} {
			f.lineage[x.name] = l.offer(x.n, f.persons, &pool)
			l.relate(sum(1, f.persons).and(-1, f.lineage[x.name]))
		}
		l.relate(sum(1, f.persons).and(-1, f.lineage["kept"], f.lineage["new"]))
	}
}

// offerIDs offers the digital ids that one source alone links. Whom the source
// alone reaches has at least one.
func (d *Data) offerIDs(l *ledger, f *figures) {
	for i, n := range d.counts.onlyIDs {
		x := l.offerOf(n.ids, n.people, nil)
		f.onlyIDs = append(f.onlyIDs, x)
		var only, reach []*figure
		for j := range f.audiences {
			a := &f.audiences[j]
			only, reach = append(only, a.only[i]), append(reach, a.reach[i])
			l.relate(sum(1, x).and(-1, a.only[i]))
			l.relate(sum(1, x).and(-1, a.reach[i]))
		}
		l.relate(sum(1, x).and(-1, only...))
		l.relate(sum(1, x).and(-1, reach...))
	}
}

// offerSegments offers the largest segments and their overlaps.
func (d *Data) offerSegments(l *ledger, f *figures) {
	total := make([]terms, len(d.cfg.Largest))
	tenant := func(i int) uint16 { return d.cfg.Segments[d.cfg.Largest[i]].Tenant }
	for i := range d.cfg.Largest {
		s := l.offer(d.counts.segment(1<<i), nil)
		customers, prospects := f.audiences[2*tenant(i)].people, f.audiences[2*tenant(i)+1].people
		total[i] = sum(1, customers, prospects)
		l.relate(sum(1, customers).and(-1, s))
		l.relate(sum(1, prospects).and(-1, s))
		l.relate(total[i].and(-1, s))
		l.relate(sum(1, f.persons).and(-1, s))
		f.segments = append(f.segments, s)
	}
	for j := range f.segments {
		for i := range j {
			a, b := f.segments[i], f.segments[j]
			both := l.offer(d.counts.segment(1<<i|1<<j), a)
			both.rules = append(both.rules, func() bool { return b.shown })
			f.pairs[[2]int{i, j}] = both
			l.relate(sum(1, both).and(-1, b))
			l.relate(sum(1, a).and(-1, both))
			if tenant(i) == tenant(j) {
				l.relate(total[i].and(-1, a, b).and(1, both))
			}
		}
	}
	for k := range f.segments {
		for j := range k {
			for i := range j {
				var within terms
				if tenant(i) == tenant(j) && tenant(j) == tenant(k) {
					within = total[i]
				}
				l.triangle(f.segments[i], f.segments[j], f.segments[k],
					f.pairs[[2]int{i, j}], f.pairs[[2]int{i, k}], f.pairs[[2]int{j, k}], within)
			}
		}
	}
}

// offerInput offers what was read and what was cut. A row is of one person.
func (d *Data) offerInput(l *ledger, f *figures) {
	rows := l.offer(d.Input.Rows, nil)
	bad := l.offer(d.Input.Bad, nil)
	l.relate(sum(1, rows).and(-1, bad))
	f.input = map[string]*figure{"rows": rows, "bad_rows": bad}
	f.bySource = map[string]*figure{}
	var parts []*figure
	for _, name := range slices.Sorted(maps.Keys(d.Input.RowsBySource)) {
		x := l.offer(d.Input.RowsBySource[name], nil)
		f.bySource[name] = x
		parts = append(parts, x)
		for i := range f.audiences {
			a := &f.audiences[i]
			l.relate(sum(1, x).and(-1, a.records))
			l.relate(sum(1, x).and(-1, a.people))
		}
		for t := range d.cfg.Tenants {
			c, p := &f.audiences[2*t], &f.audiences[2*t+1]
			l.relate(sum(1, x).and(-1, c.records, p.records))
			l.relate(sum(1, x).and(-1, c.people, p.people))
		}
	}
	l.relate(sum(1, rows), parts...)
	l.relate(sum(1, rows).and(-1, bad), parts...)
	f.quarantine = map[string]*figure{}
	for _, reason := range slices.Sorted(maps.Keys(d.Quarantine)) {
		f.quarantine[reason] = l.offer(d.Quarantine[reason], nil)
	}
}
