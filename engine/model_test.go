package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/index"
)

// TestModel holds the engine against the naive model on many random pools:
// every identifier in every spelling, absent and malformed ones, for several
// clients and moments; alone, as a batch and several as one; and the cold
// answers. All pools pass through one engine, so each is also a swap.
func TestModel(t *testing.T) {
	const pools = 1200
	for part := range uint64(2) {
		t.Run(fmt.Sprint("part ", part), func(t *testing.T) {
			t.Parallel()
			n := uint64(pools)
			if testing.Short() || raceEnabled {
				n /= 10
			}
			modelPart(t, part*n/2, (part+1)*n/2)
		})
	}
}

func modelPart(t *testing.T, from, to uint64) {
	store, at := newStore(t), &clock{}
	h := &harness{engine: newEngine(t, engine.Options{Store: store, Now: at.now}), clock: at}
	for seed := from; seed < to; seed++ {
		r := rand.New(rand.NewPCG(seed, 1))
		p := randomPool(r, false)
		cur := publish(t, store, p.contents(t, seed))
		reload(t, h.engine)
		h.compare(t, fmt.Sprintf("pool %d", seed), newModel(p), p.randomClients(r), r)
		ok(t, os.RemoveAll(filepath.Join(store.Dir(), "snapshots", cur.Name)))
	}
	h.checkPower(t, int(to-from)/10)
}

// TestLinkMaxAgeOfTheEngine says that the engine can make links age earlier
// than the snapshot states, and never later.
func TestLinkMaxAgeOfTheEngine(t *testing.T) {
	for _, months := range []int{1, 3, 13, 40} {
		store, at := newStore(t), &clock{}
		h := &harness{engine: newEngine(t, engine.Options{Store: store, Now: at.now, LinkMaxAge: months}), clock: at}
		for seed := range uint64(20) {
			r := rand.New(rand.NewPCG(seed, 2))
			p := randomPool(r, false)
			publish(t, store, p.contents(t, seed))
			reload(t, h.engine)
			m := newModel(p)
			m.months = min(months, p.linkMaxAge)
			h.compare(t, fmt.Sprintf("%d months, pool %d", months, seed), m, p.randomClients(r), r)
		}
	}
}

// harness asks an engine and a model the same questions.
type harness struct {
	engine  *engine.Engine
	clock   *clock
	persons persons
	batch   engine.Batch
	results map[engine.Reason]int // of single answers, to see that each occurs
	merged  int                   // answers of several profiles
	listed  int
}

// checkPower fails where the pools were too tame to show anything.
func (h *harness) checkPower(t *testing.T, atLeast int) {
	t.Helper()
	for _, r := range []engine.Reason{
		engine.Matched, engine.Unknown, engine.NoConsent, engine.ConsentExpired, engine.Ambiguous, engine.Invalid,
	} {
		if h.results[r] < atLeast {
			t.Errorf("only %d answers were %s", h.results[r], r)
		}
	}
	if h.merged < atLeast || h.listed < atLeast {
		t.Errorf("only %d answers had several profiles, and %d listings several identifiers", h.merged, h.listed)
	}
}

func (h *harness) compare(t *testing.T, name string, m *model, clients []engine.Client, r *rand.Rand) {
	t.Helper()
	ok(t, h.engine.SetClients(clients))
	h.persons.clear()
	queries := m.queries(r)
	for _, now := range m.clocks {
		h.clock.set(now)
		for _, c := range clients {
			if r.IntN(3) > 0 {
				continue // over many pools, each combination has its turn
			}
			s := begin(t, h.engine, c.Name)
			where := fmt.Sprintf("%s, %v, client %+v", name, now, c)
			h.compareMatch(t, where, s, m, c, now, queries)
			h.compareResolve(t, where, s, m, c, now, queries, r)
			if r.IntN(2) == 0 {
				h.compareListings(t, where, s, m, c, now)
			}
			if r.IntN(6) == 0 {
				h.compareExplanations(t, where, s, m, c, now)
			}
			s.End()
			if t.Failed() {
				t.Fatalf("%s: stop after the first pool that differs", name)
			}
		}
	}
}

func (h *harness) compareMatch(t *testing.T, where string, s *engine.Session, m *model, c engine.Client, now time.Time, qs []query) {
	t.Helper()
	s.Match(&h.batch, texts(qs))
	if len(h.batch.Answers) != len(qs) {
		t.Fatalf("%s: %d answers to %d identifiers", where, len(h.batch.Answers), len(qs))
	}
	for i, q := range qs {
		want := m.match(c, now, q).answer
		a := &h.batch.Answers[i]
		if got := h.persons.read(t, s, &h.batch, a, c, want.Person); !reflect.DeepEqual(got, want) || a.Asked != i {
			t.Errorf("%s: %q:\n got %+v (asked %d)\nwant %+v (asked %d)", where, q.text, got, a.Asked, want, i)
		}
		h.count(want)
	}
}

func (h *harness) count(a answer) {
	if h.results == nil {
		h.results = map[engine.Reason]int{}
	}
	h.results[a.Reason]++
	if len(a.Profiles) > 1 {
		h.merged++
	}
}

func (h *harness) compareResolve(t *testing.T, where string, s *engine.Session, m *model, c engine.Client, now time.Time, qs []query, r *rand.Rand) {
	t.Helper()
	for range 12 {
		some := make([]query, r.IntN(5))
		for i := range some {
			some[i] = qs[r.IntN(len(qs))]
		}
		want := m.resolve(c, now, some)
		a, err := s.Resolve(&h.batch, texts(some))
		if err != nil {
			t.Fatal(err)
		}
		if got := h.persons.read(t, s, &h.batch, &a, c, want.Person); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q as one:\n got %+v\nwant %+v", where, texts(some), got, want)
		}
		h.count(want)
	}
}

// queries are all texts of all identifiers, absent ones, and malformed ones.
func (m *model) queries(r *rand.Rand) []query {
	byKey := map[string]int{}
	var qs []query
	for i, id := range m.ids {
		byKey[id.space+":"+id.value] = i
		for _, text := range m.texts(i) {
			qs = append(qs, query{text: text, space: id.space, id: i})
		}
	}
	ask := func(n index.Namespace, value string) {
		i, ok := byKey[n.Name+":"+value]
		if !ok {
			i = -1
		}
		for _, text := range textsOf(n, value) {
			qs = append(qs, query{text: text, space: n.Name, id: i})
		}
	}
	for _, n := range m.spaces {
		ask(n, randomValue(r, n))
		if n.Compare != index.Exact {
			continue
		}
		for _, id := range m.ids { // the value of another namespace, or nearly the value
			if m.spaceOf(id.space).Compare == index.Exact {
				ask(n, id.value)
				ask(n, id.value+"0")
				ask(n, strings.ToLower(id.value)+" ")
			}
		}
	}
	for _, text := range malformed {
		qs = append(qs, query{text: text, id: -1})
	}
	r.Shuffle(len(qs), func(i, j int) { qs[i], qs[j] = qs[j], qs[i] })
	return qs
}

// malformed texts are no identifiers in any pool.
var malformed = []string{
	"", ":", "maid", "maid:", ":x", "no.such:1", "crm.nobody:C-1", "MAID:6d92078a-8246-4ba4-ae5b-76104861e7dc",
	"maid:00000000-0000-0000-0000-000000000000", "maid:xyz", "maid:6d92078a-8246-4ba4-ae5b-76104861e7d", "email_sha256:abcd",
	"cookie.a:null", "cookie.a:${UID}", "cookie.a:[UID]", "cookie.a:\x01", "cookie.a:\xff", "cookie.a:" + strings.Repeat("x", 513), " cookie.a:x",
}

func texts(qs []query) [][]byte {
	out := make([][]byte, len(qs))
	for i, q := range qs {
		out[i] = []byte(q.text)
	}
	return out
}

// persons knows which person of a pool an id shown in an id space stands for.
// It fails where one id stands for two persons, two ids of one id space for
// one person, or an id shows in two id spaces.
type persons struct {
	byID map[engine.PersonID]spacePerson
	ids  map[spacePerson]engine.PersonID
}

type spacePerson struct {
	space  string
	person int
}

func (p *persons) clear() {
	*p = persons{map[engine.PersonID]spacePerson{}, map[spacePerson]engine.PersonID{}}
}

// number returns the number of the person that id stands for in the id space
// of c, and -1 for no id. An id that is new is taken for want.
func (p *persons) number(t testing.TB, id engine.PersonID, c engine.Client, want int) int {
	t.Helper()
	if id == (engine.PersonID{}) {
		return -1
	}
	if p.byID == nil {
		p.clear()
	}
	is, have := p.byID[id]
	if !have {
		is = spacePerson{spaceOf(c), want}
		if other, ok := p.ids[is]; ok {
			t.Errorf("person %d has two ids in space %q, %v and %v", want, is.space, other, id)
		}
		p.byID[id], p.ids[is] = is, id
	}
	if is.space != spaceOf(c) {
		t.Errorf("person id %v shows in id spaces %q and %q", id, is.space, spaceOf(c))
	}
	return is.person
}

// spaceOf is the id space of a client.
func spaceOf(c engine.Client) string {
	switch {
	case c.IDSpace != "":
		return c.IDSpace
	case len(c.Grants) == 1:
		return c.Grants[0].Tenant
	}
	return "client " + c.Name
}

// read turns an engine's answer into one that can be compared.
func (p *persons) read(t testing.TB, s *engine.Session, b *engine.Batch, a *engine.Answer, c engine.Client, want int) answer {
	t.Helper()
	out := answer{Reason: a.Reason, Person: p.number(t, s.Person(a), c, want)}
	if a.Matched() != (a.Reason == engine.Matched) {
		t.Errorf("Matched is %t for %s", a.Matched(), a.Reason)
	}
	for i := range b.Profiles(a) {
		q := &b.Profiles(a)[i]
		var codes []string
		for _, n := range b.Segments(q) {
			codes = append(codes, s.Segment(n))
		}
		out.Profiles = append(out.Profiles, profile{
			Tenant: s.Tenant(q.Tenant).Name, Customer: string(b.Customer(q)), Kind: q.Kind,
			Segments: strings.Join(codes, "|"), Path: strength{q.Strength.Method, q.Strength.Seen}, Expires: q.Expires,
		})
	}
	return out
}
