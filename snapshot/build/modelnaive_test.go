package build

import (
	"fmt"
	"maps"
	"slices"

	"github.com/matchd/matchd/snapshot"
)

// names returns every identifier of the world.
func (w *world) names() []string {
	all := map[string]bool{}
	for _, l := range w.links {
		all[l.a], all[l.b] = true, true
	}
	for _, r := range w.rows {
		all[r.customer] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// fresh reports whether a link is used at the time of the build.
func (w *world) fresh(l worldLink) bool {
	tracer := func(id string) bool { return id[:3] != "crm" && id[:5] != "email" }
	return !tracer(l.a) && !tracer(l.b) || l.seen >= snapshot.OldestFresh(testAsOf, w.cfg.LinkMaxAge)
}

// component finds what is connected to id, by breadth-first search.
func (w *world) component(id string) []string {
	found, queue := map[string]bool{id: true}, []string{id}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, l := range w.links {
			for _, ends := range [][2]string{{l.a, l.b}, {l.b, l.a}} {
				if w.fresh(l) && ends[0] == queue[0] && !found[ends[1]] {
					found[ends[1]] = true
					queue = append(queue, ends[1])
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// profileText is what all rows about a customer come to, or "".
func (w *world) profileText(customer string) string {
	youngest := 1 << 30
	for _, r := range w.rows {
		if r.customer == customer {
			youngest = min(youngest, r.age)
		}
	}
	var rows []worldRow
	for _, r := range w.rows {
		if r.customer == customer && r.age == youngest {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return ""
	}
	p := rows[0]
	var segments []string
	for _, s := range []string{"a", "b", "c"} {
		if !slices.ContainsFunc(rows, func(r worldRow) bool { return !slices.Contains(r.segments, s) }) {
			segments = append(segments, s)
		}
	}
	latest, none, shortest := int64(0), false, int64(1<<62)
	for _, r := range rows {
		p.kind = max(p.kind, r.kind)
		latest, none = max(latest, r.consent.At), none || r.consent.At == 0
	}
	purposes := snapshot.Use | snapshot.Share
	for _, r := range rows {
		if none || r.consent.At == latest {
			purposes &= r.consent.Purposes
		}
		if (r.consent.At == latest || none && r.consent.At == 0) && r.consent.Expires != 0 {
			shortest = min(shortest, r.consent.Expires)
		}
	}
	if none {
		return fmt.Sprintf("%s %v %q no consent", customer, p.kind, segments)
	}
	if shortest == 1<<62 {
		shortest = 0
		if p.tenant == 0 {
			shortest = testAsOfPlus(latest, w.cfg.Tenants[0].ConsentMaxAge)
		}
	}
	return fmt.Sprintf("%s %v %q %v", customer, p.kind, segments, snapshot.ConsentState{At: latest, Expires: shortest, Purposes: purposes})
}

// wantLinks describes the fresh links between members, those that differ in
// nothing but the day as one.
func (w *world) wantLinks(members []string) (out []string) {
	type pair struct {
		a, b   string
		source uint16
		method snapshot.Method
	}
	days := map[pair][2]snapshot.Day{}
	for _, l := range w.links {
		if !w.fresh(l) || !slices.Contains(members, l.a) {
			continue
		}
		k := pair{min(l.a, l.b), max(l.a, l.b), l.source, l.method}
		d, ok := days[k]
		if !ok {
			d = [2]snapshot.Day{l.seen, l.seen}
		}
		days[k] = [2]snapshot.Day{min(d[0], l.seen), max(d[1], l.seen)}
	}
	for k, d := range days {
		out = append(out, linkText(k.a, k.b, k.source, k.method, d[0], d[1]))
	}
	slices.Sort(out)
	return out
}
