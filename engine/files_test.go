package engine_test

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
	"github.com/matchd/matchd/snapshot/resolve"
)

// TestModelOfFiles goes all the way: pools are written as an onboard.yaml with
// its CSV files, built, and held against the same naive model.
func TestModelOfFiles(t *testing.T) {
	pools := uint64(40)
	if testing.Short() || raceEnabled {
		pools = 8
	}
	for seed := range pools {
		r := rand.New(rand.NewPCG(seed, 10))
		p := buildable(randomPool(r, true))
		if len(p.profiles) == 0 {
			continue // a build of nothing is refused
		}
		dir := t.TempDir()
		writeFiles(t, p, dir)
		_, err := build.Run(t.Context(), build.Options{
			Config: filepath.Join(dir, "onboard.yaml"), Store: filepath.Join(dir, "store"),
			Secret: &secret, Workers: 1, Shards: 1 << (seed % 3), FS: noSync{},
		})
		ok(t, err)
		at := &clock{}
		h := &harness{clock: at, engine: newEngine(t, engine.Options{
			Store: must(snapshot.OpenStore(filepath.Join(dir, "store")))(t), Now: at.now,
		})}
		reload(t, h.engine)
		h.compare(t, fmt.Sprintf("pool %d", seed), newModel(p), p.randomClients(r), r)
	}
}

// buildable cuts a pool down to what a build makes of it: links that are too
// old are left out, and so are identifiers that nothing leads to; what is not
// linked is another person; a consent without an end gets one.
func buildable(p *pool) *pool {
	m := newModel(p)
	q := *p
	q.links, q.ids, q.profiles = nil, nil, nil
	for _, l := range p.links {
		if m.fresh(l, p.asOf) {
			q.links = mergeLink(q.links, l)
		}
	}
	q.ids = slices.Clone(p.ids)
	q.persons = 0
	for i := range q.ids {
		q.ids[i].person = -1
	}
	for i := range q.ids {
		if q.ids[i].person < 0 {
			paint(&q, i, q.persons)
			q.persons++
		}
	}
	cutApart(&q)
	for _, profile := range p.profiles {
		t := p.tenants[profile.tenant]
		if c := &profile.consent; c.At != 0 && c.Expires == 0 && t.LegalBasis == snapshot.Consent {
			c.Expires = snapshot.AddMonths(time.Unix(c.At, 0).UTC(), t.ConsentMaxAge).Unix()
		}
		q.profiles = append(q.profiles, profile)
	}
	dropAnonymous(&q)
	return &q
}

// mergeLink adds a link, or widens the one that says the same of other days.
func mergeLink(links []poolLink, l poolLink) []poolLink {
	l.first = l.last // a row has one day
	for i := range links {
		if k := &links[i]; k.a == l.a && k.b == l.b && k.method == l.method && k.source == l.source {
			k.first, k.last = min(k.first, l.first), max(k.last, l.last)
			return links
		}
	}
	return append(links, l)
}

// paint gives a person to identifier i and all that links join to it.
func paint(p *pool, i, person int) {
	p.ids[i].person = person
	for _, l := range p.links {
		for _, way := range [][2]int{{l.a, l.b}, {l.b, l.a}} {
			if way[0] == i && p.ids[way[1]].person < 0 {
				paint(p, way[1], person)
			}
		}
	}
}

// cutApart cuts what hangs together into persons, by the rules of package
// resolve, and drops the links between them.
func cutApart(p *pool) {
	sets := make([][]int, p.persons)
	for i, id := range p.ids {
		sets[id.person] = append(sets[id.person], i)
	}
	p.persons = 0
	for _, set := range sets {
		hash := func(i int) index.Hash {
			return snapshot.IdentifierHasher(secret).Sum([]byte(p.ids[i].space + ":" + p.ids[i].value))
		}
		slices.SortFunc(set, func(a, b int) int { return hash(a).Compare(hash(b)) })
		var nodes []resolve.Node
		for _, i := range set {
			n := resolve.Node{Kind: resolve.KindOf(p.spaceOf(p.ids[i].space))}
			if n.Kind == resolve.Customer {
				n.Tenant = uint16(slices.IndexFunc(p.tenants, func(t snapshot.Tenant) bool { return "crm."+t.Name == p.ids[i].space }))
			}
			nodes = append(nodes, n)
		}
		var edges []resolve.Edge
		for _, l := range p.links {
			if a, b := slices.Index(set, l.a), slices.Index(set, l.b); a >= 0 && b >= 0 {
				edges = append(edges, resolve.Edge{A: uint32(min(a, b)), B: uint32(max(a, b)), Method: l.method, Source: uint16(l.source), Seen: l.last})
			}
		}
		slices.SortFunc(edges, func(x, y resolve.Edge) int { return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B)) })
		res := resolve.NewResolver(resolve.DefaultRules()).Resolve(nodes, edges)
		for at, i := range set {
			p.ids[i].person = p.persons + int(res.Person[at])
		}
		p.persons += len(set)
	}
	p.links = slices.DeleteFunc(p.links, func(l poolLink) bool { return p.ids[l.a].person != p.ids[l.b].person })
}

// dropAnonymous leaves out persons without a profile.
func dropAnonymous(p *pool) {
	known := map[int]bool{}
	for _, q := range p.profiles {
		known[p.ids[q.id].person] = true
	}
	to := make([]int, len(p.ids))
	var ids []poolID
	for i, id := range p.ids {
		to[i] = len(ids)
		if known[id.person] {
			ids = append(ids, id)
		}
	}
	p.links = slices.DeleteFunc(p.links, func(l poolLink) bool { return !known[p.ids[l.a].person] })
	for i := range p.links {
		p.links[i].a, p.links[i].b = to[p.links[i].a], to[p.links[i].b]
	}
	for i := range p.profiles {
		p.profiles[i].id = to[p.profiles[i].id]
	}
	p.ids = ids
}

func writeFiles(t testing.TB, p *pool, dir string) {
	t.Helper()
	var y strings.Builder
	fmt.Fprintf(&y, "version: 1\nas_of: %s\nlink_max_age: %d\nnamespaces: [cookie.a, cookie.b, {name: ctv.x, compare: uuid}, {name: dev.h, compare: hex}]\ntenants:\n",
		p.asOf.Format(time.RFC3339), p.linkMaxAge)
	for i, tenant := range p.tenants {
		rows := [][]string{{"customer_id", "kind", "segments", "consent_at", "consent_expires_at", "consent_purposes"}}
		for _, q := range p.profiles {
			if q.tenant == i {
				rows = append(rows, profileRow(p, q))
			}
		}
		writeCSV(t, filepath.Join(dir, tenant.Name+".csv"), rows)
		fmt.Fprintf(&y, "  - {name: %s, legal_basis: %v, domain: %s, consent_max_age: %d, profiles: [{path: %s.csv}]}\n",
			tenant.Name, tenant.LegalBasis, tenant.Domain, tenant.ConsentMaxAge, tenant.Name)
	}
	y.WriteString("links:\n")
	for i, src := range p.sources {
		rows := [][]string{{"left", "right", "method", "observed_at"}}
		for _, l := range p.links {
			if l.source != i {
				continue
			}
			rows = append(rows, []string{p.text(l.a), p.text(l.b), l.method.String(), l.last.String()})
			if l.first != l.last {
				rows = append(rows, []string{p.text(l.b), p.text(l.a), l.method.String(), l.first.String()})
			}
		}
		name := fmt.Sprintf("links-%d.csv", i)
		writeCSV(t, filepath.Join(dir, name), rows)
		fmt.Fprintf(&y, "  - {path: %s, source: %s, party: %v}\n", name, src.Name, src.Party)
	}
	ok(t, os.WriteFile(filepath.Join(dir, "onboard.yaml"), []byte(y.String()), 0o644))
}

func profileRow(p *pool, q poolProfile) []string {
	var codes, purposes []string
	for _, s := range q.segments {
		codes = append(codes, p.segments[s].Code)
	}
	if q.consent.Purposes&snapshot.Use != 0 {
		purposes = append(purposes, "use")
	}
	if q.consent.Purposes&snapshot.Share != 0 {
		purposes = append(purposes, "share")
	}
	expires := q.consent.Expires
	if t := p.tenants[q.tenant]; q.consent.At != 0 && t.LegalBasis == snapshot.Consent &&
		expires == snapshot.AddMonths(time.Unix(q.consent.At, 0).UTC(), t.ConsentMaxAge).Unix() {
		expires = 0 // the build is to set it
	}
	return []string{
		p.ids[q.id].value, q.kind.String(), strings.Join(codes, "|"),
		timeText(q.consent.At), timeText(expires), strings.Join(purposes, "|"),
	}
}

func writeCSV(t testing.TB, name string, rows [][]string) {
	t.Helper()
	f := must(os.Create(name))(t)
	ok(t, csv.NewWriter(f).WriteAll(rows))
	ok(t, f.Close())
}
