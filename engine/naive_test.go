package engine_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
)

// model answers from a pool by brute force: it knows no tree, no index and no
// record.
type model struct {
	*pool
	months int // of the age of links; the shorter of the snapshot's and the engine's
	paths  map[pathKey]map[int]strength
	// What follows is by person.
	links    [][]poolLink
	profiles [][]int // places in pool.profiles, in the order of their answers
}

type pathKey struct {
	from, oldest int
}

// strength is what a link, or the weakest link of a path, is worth.
type strength struct {
	method snapshot.Method
	seen   snapshot.Day
}

func (s strength) beats(o strength) bool {
	return s.method < o.method || s.method == o.method && s.seen > o.seen
}

func newModel(p *pool) *model {
	m := &model{
		pool: p, months: p.linkMaxAge, paths: map[pathKey]map[int]strength{},
		links: make([][]poolLink, p.persons), profiles: make([][]int, p.persons),
	}
	for _, l := range p.links {
		person := p.ids[l.a].person
		m.links[person] = append(m.links[person], l)
	}
	for i, q := range p.profiles {
		person := p.ids[q.id].person
		m.profiles[person] = append(m.profiles[person], i)
	}
	for _, list := range m.profiles {
		slices.SortFunc(list, func(x, y int) int {
			a, b := p.profiles[x], p.profiles[y]
			return cmp.Or(cmp.Compare(b.consent.At, a.consent.At), cmp.Compare(a.tenant, b.tenant),
				strings.Compare(p.ids[a.id].value, p.ids[b.id].value))
		})
	}
	return m
}

// ages reports whether a link is used only for so long.
func (m *model) ages(l poolLink) bool {
	for _, i := range []int{l.a, l.b} {
		switch space := m.ids[i].space; {
		case strings.HasPrefix(space, "crm."), space == "email_sha256", space == "phone_sha256", space == "postal_sha256":
		default:
			return true
		}
	}
	return false
}

func (m *model) fresh(l poolLink, now time.Time) bool {
	return !m.ages(l) || int(l.last) >= oldestDay(now, m.months)
}

// reach returns the strongest path to every identifier that fresh links join
// to one, by trying all links until nothing gets better.
func (m *model) reach(from int, now time.Time) map[int]strength {
	key := pathKey{from, oldestDay(now, m.months)}
	if best, ok := m.paths[key]; ok {
		return best
	}
	best := map[int]strength{from: {snapshot.Authenticated, snapshot.Day(dayOf(m.asOf))}}
	for better := true; better; {
		better = false
		for _, l := range m.links[m.ids[from].person] {
			if !m.fresh(l, now) {
				continue
			}
			for _, way := range [][2]int{{l.a, l.b}, {l.b, l.a}} {
				path, ok := best[way[0]]
				if !ok {
					continue
				}
				if link := (strength{l.method, l.last}); path.beats(link) {
					path = link
				}
				if have, ok := best[way[1]]; !ok || path.beats(have) {
					best[way[1]], better = path, true
				}
			}
		}
	}
	m.paths[key] = best
	return best
}

// answer is an answer as a caller sees it. Person is the number in the pool,
// or -1.
type answer struct {
	Reason   engine.Reason
	Person   int
	Profiles []profile
}

type profile struct {
	Tenant, Customer string
	Kind             snapshot.Kind
	Segments         string // their codes with |
	Path             strength
	Expires          int64
}

// verdict is an answer and what deciding between several needs.
type verdict struct {
	answer
	known    bool
	person   int
	best     strength
	ordinals []int // of the profiles, among those of the person
	withheld int   // profiles that would have been there, had they been shared
}

// query is a text that is asked for.
type query struct {
	text  string
	space string // "" where it is no identifier at all
	id    int    // in pool.ids, or -1
}

func none(reason engine.Reason) verdict { return verdict{answer: answer{Reason: reason, Person: -1}} }

func (m *model) match(c engine.Client, now time.Time, q query) verdict {
	granted := func(tenant int) bool { return m.sees(c, now, m.tenants[tenant].Name, q.space) }
	if q.space == "" || !slices.ContainsFunc(m.tenants, func(t snapshot.Tenant) bool { return m.sees(c, now, t.Name, q.space) }) {
		return none(engine.Invalid)
	}
	v := none(engine.Unknown)
	if q.id < 0 {
		return v
	}
	if !m.vouched(c, now, q.id) {
		return v
	}
	paths := m.reach(q.id, now)
	for ordinal, i := range m.profiles[m.ids[q.id].person] {
		p := m.pool.profiles[i]
		path, ok := paths[p.id]
		if !ok || !granted(p.tenant) {
			continue
		}
		if m.withheld(c, now, p) {
			v.withheld++
			continue
		}
		if !v.known || path.beats(v.best) {
			v.best = path
		}
		v.known, v.person = true, m.ids[q.id].person
		reason := m.ruling(c, now, p)
		v.Reason = says(v.Reason, reason)
		if reason == engine.Matched {
			v.Person = v.person
			v.Profiles = append(v.Profiles, m.shown(c, now, p, path))
			v.ordinals = append(v.ordinals, ordinal)
		}
	}
	return v
}

// says returns the one of two reasons that says more.
func says(a, b engine.Reason) engine.Reason {
	for _, r := range []engine.Reason{engine.Matched, engine.ConsentExpired, engine.NoConsent} {
		if a == r || b == r {
			return r
		}
	}
	return a
}

func (m *model) shown(c engine.Client, now time.Time, p poolProfile, path strength) profile {
	g, _ := m.grant(c, now, m.tenants[p.tenant].Name)
	var codes []string
	for _, s := range p.segments {
		if code := m.segments[s].Code; slices.Contains(g.Segments, engine.All) || slices.Contains(g.Segments, code) {
			codes = append(codes, code)
		}
	}
	customer := ""
	if g.Customers {
		customer = m.ids[p.id].value
	}
	return profile{
		Tenant: m.tenants[p.tenant].Name, Customer: customer, Kind: p.kind,
		Segments: strings.Join(codes, "|"), Path: path, Expires: p.consent.Expires,
	}
}

// resolve answers several identifiers as one.
func (m *model) resolve(c engine.Client, now time.Time, qs []query) answer {
	var known []verdict
	out := none(engine.Invalid).answer
	for _, q := range qs {
		v := m.match(c, now, q)
		if v.Reason != engine.Invalid {
			out = none(engine.Unknown).answer
		}
		if v.known {
			known = append(known, v)
		}
	}
	if len(known) == 0 {
		return out
	}
	slices.SortStableFunc(known, func(a, b verdict) int {
		return cmp.Compare(boolInt(b.best.beats(a.best)), boolInt(a.best.beats(b.best)))
	})
	win := known[0]
	profiles := map[int]profile{}
	for _, v := range known {
		if v.person != win.person {
			if v.best == win.best {
				return none(engine.Ambiguous).answer
			}
			continue
		}
		win.Reason = says(win.Reason, v.Reason)
		for i, ordinal := range v.ordinals {
			if have, ok := profiles[ordinal]; !ok || v.Profiles[i].Path.beats(have.Path) {
				profiles[ordinal] = v.Profiles[i]
			}
		}
	}
	out = answer{Reason: win.Reason, Person: -1}
	for ordinal := range m.pool.profiles {
		if p, ok := profiles[ordinal]; ok {
			out.Person, out.Profiles = win.person, append(out.Profiles, p)
		}
	}
	return out
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
