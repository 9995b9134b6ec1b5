package build

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/resolve"
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
	tracer := func(id string) bool { return strings.HasPrefix(id, "maid:") || strings.HasPrefix(id, "cookie.") }
	return !tracer(l.a) && !tracer(l.b) || l.seen >= snapshot.OldestFresh(testAsOf, w.cfg.LinkMaxAge)
}

// connected finds what is connected to id, by breadth-first search.
func (w *world) connected(id string) []string {
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

// component returns the person of id: of all that is connected to it, what the
// rules leave together. The rules themselves are tested in package resolve.
func (w *world) component(t testing.TB, id string) (members []string, shared bool) {
	t.Helper()
	ns, err := w.cfg.NamespaceTable()
	if err != nil {
		t.Fatal(err)
	}
	names := w.connected(id)
	hashes, hasher := map[string]index.Hash{}, snapshot.IdentifierHasher(*testSecret())
	for _, name := range names {
		key, _, err := ns.AppendKey(nil, []byte(name))
		if err != nil {
			t.Fatal(err)
		}
		hashes[name] = hasher.Sum(key)
	}
	slices.SortFunc(names, func(a, b string) int { return hashes[a].Compare(hashes[b]) })
	nodes := make([]resolve.Node, len(names))
	for i, name := range names {
		space, _, _ := strings.Cut(name, ":")
		at, _ := ns.ByName(space)
		if nodes[i].Kind = resolve.KindOf(ns.At(at)); nodes[i].Kind == resolve.Customer {
			nodes[i].Tenant = w.cfg.TenantOf(space)
		}
	}
	var edges []resolve.Edge
	for _, l := range w.links {
		a, b := slices.Index(names, l.a), slices.Index(names, l.b)
		if a >= 0 && w.fresh(l) {
			edges = append(edges, resolve.Edge{A: uint32(min(a, b)), B: uint32(max(a, b)), Method: l.method, Source: l.source, Seen: l.seen})
		}
	}
	slices.SortFunc(edges, func(x, y resolve.Edge) int { return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B)) })
	res := resolve.NewResolver(w.cfg.Rules).Resolve(nodes, edges)
	at := slices.Index(names, id)
	for i, name := range names {
		if res.Person[i] == res.Person[at] {
			members = append(members, name)
		}
	}
	slices.Sort(members)
	return members, res.Shared[at]
}

// newestRows are the rows about a customer in the newest files about it.
func (w *world) newestRows(customer string) (rows []worldRow) {
	youngest := 1 << 30
	for _, r := range w.rows {
		if r.customer == customer {
			youngest = min(youngest, r.age)
		}
	}
	for _, r := range w.rows {
		if r.customer == customer && r.age == youngest {
			rows = append(rows, r)
		}
	}
	return rows
}

// profileText is what all rows about a customer come to, or "".
func (w *world) profileText(customer string) string {
	rows := w.newestRows(customer)
	if len(rows) == 0 {
		return ""
	}
	p := rows[0]
	var segments []string
	for _, s := range []string{"a", "b", "c", "d"} {
		in := !slices.ContainsFunc(rows, func(r worldRow) bool { return !slices.Contains(r.segments, s) })
		if w.live.segment(customer, s, rows[0].asOf(), in) {
			segments = append(segments, s)
		}
	}
	for _, r := range rows {
		p.kind = max(p.kind, r.kind)
	}
	said := w.said(customer)
	tenant := &w.cfg.Tenants[p.tenant]
	consent := permitsText(said, tenant, func(purpose snapshot.Purposes, now int64) bool {
		return naivePermits(said, tenant, purpose, now)
	})
	return fmt.Sprintf("%s %v %q %s", customer, p.kind, segments, consent)
}

// said are what rows, or the customer later, say about consent.
func (w *world) said(customer string) (said []snapshot.ConsentState) {
	rows := w.newestRows(customer)
	for _, r := range rows {
		said = append(said, r.consent)
	}
	return w.live.consent(customer, rows[0].asOf(), said, &w.cfg.Tenants[rows[0].tenant])
}

// naivePermits reports whether rows from files of one time permit a purpose:
// each that gives no time of consent must, and of the others each that gives
// the latest time.
func naivePermits(said []snapshot.ConsentState, t *config.Tenant, purpose snapshot.Purposes, now int64) bool {
	for _, c := range said {
		later := slices.ContainsFunc(said, func(o snapshot.ConsentState) bool { return o.At > c.At })
		if (c.At == 0 || !later) && !alonePermits(c, t, purpose, now) {
			return false
		}
	}
	return true
}

// alonePermits reports whether a customer's only row permits a purpose: under
// the basis consent it must give a time that has come, and ends after
// consent_max_age if it names no end; under another one what it does not say
// denies nothing but sharing.
func alonePermits(c snapshot.ConsentState, t *config.Tenant, purpose snapshot.Purposes, now int64) bool {
	end := c.Expires
	if t.LegalBasis == snapshot.Consent {
		if c.At == 0 || now < c.At {
			return false
		}
		if end == 0 {
			end = testAsOfPlus(c.At, t.ConsentMaxAge)
		}
	}
	if purpose&snapshot.Share != 0 && (c.At == 0 || now < c.At) {
		return false
	}
	return (end == 0 || now < end) && (c.At == 0 || c.Purposes&purpose == purpose)
}

// permitsText is what permits says about each purpose at each moment at which
// one of said may begin or end.
func permitsText(said []snapshot.ConsentState, t *config.Tenant, permits func(snapshot.Purposes, int64) bool) string {
	moments := []int64{1, testAsOf.Unix(), 1 << 40}
	for _, c := range said {
		for _, at := range []int64{c.At, c.Expires, testAsOfPlus(c.At, t.ConsentMaxAge)} {
			moments = append(moments, at-1, at, at+1)
		}
	}
	slices.Sort(moments)
	var out []byte
	for _, now := range slices.Compact(moments) {
		out = strconv.AppendInt(append(out, ' '), now, 10)
		for _, purpose := range []snapshot.Purposes{snapshot.Use, snapshot.Share, snapshot.Use | snapshot.Share} {
			out = strconv.AppendBool(append(out, '/'), permits(purpose, now))
		}
	}
	return string(out)
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
		if !w.fresh(l) || !slices.Contains(members, l.a) || !slices.Contains(members, l.b) {
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
