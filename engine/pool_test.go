package engine_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// pool is a small random pool of identifiers, links and profiles, from which
// both a snapshot and the naive model are made.
type pool struct {
	asOf       time.Time
	linkMaxAge int // months
	tenants    []snapshot.Tenant
	spaces     []index.Namespace
	sources    []snapshot.Source
	segments   []snapshot.Segment // by tenant and code
	ids        []poolID
	links      []poolLink
	profiles   []poolProfile
	persons    int
	// clocks are moments at which something changes, and others.
	clocks []time.Time
}

type poolID struct {
	space  string
	value  string // canonical bytes
	person int
}

type poolLink struct {
	a, b        int // in pool.ids
	method      snapshot.Method
	source      int
	first, last snapshot.Day
}

type poolProfile struct {
	id       int // in pool.ids; its value is the customer id
	tenant   int
	kind     snapshot.Kind
	segments []uint32
	consent  snapshot.ConsentState
}

var (
	tenantNames  = []string{"acme", "bolt", "cora", "dune"}
	segmentCodes = []string{"b2b", "churn.high", "new", "vip", "Ünï"} // in order
	allSources   = []snapshot.Source{
		{Name: "site", Party: snapshot.FirstParty},
		{Name: "pub", Party: snapshot.SecondParty},
		{Name: "pub", Party: snapshot.ThirdParty},
		{Name: "crm.acme", Party: snapshot.FirstParty},
		{Name: "crm.bolt", Party: snapshot.FirstParty},
	}
	bases = []snapshot.LegalBasis{snapshot.Consent, snapshot.Contract, snapshot.LegitimateInterest}
)

// randomPool makes a pool of a few persons. Where asFiles is true it is one
// that input files can state: no consent lies ahead, and none ends before it
// begins.
func randomPool(r *rand.Rand, asFiles bool) *pool { return poolOf(r, 1+r.IntN(6), asFiles) }

// poolOf makes a pool of so many persons.
func poolOf(r *rand.Rand, persons int, asFiles bool) *pool {
	p := &pool{
		asOf:       time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(3600)) * time.Second),
		linkMaxAge: pick(r, 13, 13, 6, 1),
	}
	midnight := time.Date(2026, 12, 10, 0, 0, 0, 0, time.UTC)
	p.clocks = []time.Time{
		p.asOf, midnight.Add(-time.Second), midnight, midnight.Add(time.Second),
		time.Date(2027, 6, 15, 12, 0, 0, 0, time.UTC), time.Date(2028, 2, 5, 0, 0, 0, 0, time.UTC),
	}
	p.declare(r)
	if asFiles {
		p.sources = allSources[:3] // a config may not name the tenants' own
	}
	known := map[string]bool{}
	p.persons = persons
	for person := range persons {
		from := len(p.ids)
		for n := 1 + r.IntN(9); n > 0 || from == len(p.ids); n-- {
			id := p.randomID(r, person)
			if !known[id.space+":"+id.value] {
				known[id.space+":"+id.value] = true
				p.ids = append(p.ids, id)
			}
		}
		p.connect(r, from)
	}
	for i, id := range p.ids {
		tenant := slices.IndexFunc(p.tenants, func(t snapshot.Tenant) bool { return "crm."+t.Name == id.space })
		if tenant >= 0 && r.IntN(6) > 0 {
			p.profiles = append(p.profiles, p.randomProfile(r, i, tenant, asFiles))
		}
	}
	return p
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// spacesFor are the namespaces of a pool of these tenants.
func spacesFor(tenants ...string) []index.Namespace {
	list := append(index.Builtin(), index.Namespace{Name: "cookie.a"}, index.Namespace{Name: "cookie.b"},
		index.Namespace{Name: "ctv.x", Compare: index.UUID}, index.Namespace{Name: "dev.h", Compare: index.Hex})
	for _, name := range tenants {
		list = append(list, index.Namespace{Name: index.CRMPrefix + name})
	}
	return list
}

// declare makes tenants, namespaces, sources and segments.
func (p *pool) declare(r *rand.Rand) {
	for _, name := range tenantNames[:1+r.IntN(len(tenantNames))] {
		p.tenants = append(p.tenants, snapshot.Tenant{
			Name: name, Domain: name + ".example", LegalBasis: pick(r, bases...), ConsentMaxAge: pick(r, 36, 12),
		})
	}
	p.spaces = spacesFor(tenantNames[:len(p.tenants)]...)
	r.Shuffle(len(p.spaces), func(i, j int) { p.spaces[i], p.spaces[j] = p.spaces[j], p.spaces[i] })
	p.sources = allSources
	for i := range p.tenants {
		for _, code := range segmentCodes {
			if r.IntN(3) > 0 {
				p.segments = append(p.segments, snapshot.Segment{Tenant: uint16(i), Code: code})
			}
		}
	}
}

func (p *pool) randomID(r *rand.Rand, person int) poolID {
	n := pick(r, p.spaces...)
	if r.IntN(2) == 0 {
		n = index.Namespace{Name: index.CRMPrefix + pick(r, p.tenants...).Name}
	}
	return poolID{space: n.Name, value: randomValue(r, n), person: person}
}

// values is how many numbers there are for exact values: few enough for one
// value to be there in several namespaces.
const values = 5000

// randomValue makes a canonical value that is not junk.
func randomValue(r *rand.Rand, n index.Namespace) string {
	size := 0
	switch n.Compare {
	case index.UUID:
		size = 16
	case index.Hex:
		if size = n.Size; size == 0 {
			size = 3 + r.IntN(6)
		}
	default:
		return pick(r, "C-", "id:", "é ", "x|") + fmt.Sprint(r.IntN(values))
	}
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	b[0], b[1] = 0x12, 0x34 // not all one digit
	return string(b)
}

// connect links the identifiers from one on to each other: a random tree, and
// links beside it.
func (p *pool) connect(r *rand.Rand, from int) {
	n := len(p.ids) - from
	for i := 1; i < n; i++ {
		p.links = append(p.links, p.randomLink(r, from+r.IntN(i), from+i))
	}
	for range r.IntN(n + 1) {
		if a, b := from+r.IntN(n), from+r.IntN(n); a < b {
			p.links = append(p.links, p.randomLink(r, a, b))
		}
	}
}

func (p *pool) randomLink(r *rand.Rand, a, b int) poolLink {
	newest := dayOf(p.asOf)
	last := newest - r.IntN(800)
	switch r.IntN(4) {
	case 0:
		last = newest - r.IntN(3)
	case 1, 2: // about the day on which it ages out at one of the clocks
		last = min(newest, oldestDay(pick(r, p.clocks...), p.linkMaxAge)-1+r.IntN(3))
	}
	method := pick(r, snapshot.Authenticated, snapshot.Observed, snapshot.CookieSync, snapshot.Inferred)
	return poolLink{
		a: a, b: b, method: method, source: r.IntN(len(p.sources)),
		first: snapshot.Day(last - r.IntN(30)), last: snapshot.Day(last),
	}
}

// dayOf counts days since 1970; oldestDay is the earliest day, some calendar
// months before now.
func dayOf(t time.Time) int { return int(t.Unix() / 86400) }

func oldestDay(now time.Time, months int) int {
	y, m, d := now.UTC().Date()
	return dayOf(time.Date(y, m-time.Month(months), d, 0, 0, 0, 0, time.UTC))
}

func (p *pool) randomProfile(r *rand.Rand, id, tenant int, asFiles bool) poolProfile {
	q := poolProfile{id: id, tenant: tenant, kind: pick(r, snapshot.Customer, snapshot.Prospect)}
	for i, s := range p.segments {
		if int(s.Tenant) == tenant && r.IntN(2) == 0 {
			q.segments = append(q.segments, uint32(i))
		}
	}
	near := func() int64 { return pick(r, p.clocks...).Unix() - 1 + int64(r.IntN(3)) }
	c := &q.consent
	if r.IntN(5) > 0 {
		c.At = p.asOf.Unix() - int64(r.IntN(3))*86400
		if r.IntN(3) == 0 && !asFiles {
			c.At = near()
		}
		c.Purposes = pick(r, snapshot.Use, snapshot.Use, snapshot.Use|snapshot.Share, snapshot.Share)
	}
	if r.IntN(2) == 0 {
		c.Expires = near()
		if asFiles {
			c.Expires = max(c.Expires, c.At)
		}
	}
	return q
}

// text is the identifier's canonical text.
func (p *pool) text(i int) string { return p.texts(i)[0] }

// texts are ways to write identifier i, the canonical one first.
func (p *pool) texts(i int) []string {
	id := p.ids[i]
	return textsOf(p.spaceOf(id.space), id.value)
}

func (p *pool) spaceOf(name string) index.Namespace {
	i := slices.IndexFunc(p.spaces, func(n index.Namespace) bool { return n.Name == name })
	return p.spaces[i]
}

func textsOf(n index.Namespace, value string) []string {
	digits := hex.EncodeToString([]byte(value))
	switch n.Compare {
	case index.UUID:
		dashed := strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-")
		return []string{n.Name + ":" + dashed, n.Name + ":" + strings.ToUpper(dashed), n.Name + ":" + digits}
	case index.Hex:
		return []string{n.Name + ":" + digits, n.Name + ":" + strings.ToUpper(digits)}
	}
	return []string{n.Name + ":" + value}
}
