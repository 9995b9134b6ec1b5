package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
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
	// Of single questions: profiles whose customer ids are hidden, and answers
	// to which a profile that is not shared, or a grant that has ended, would
	// have added.
	anonymous, withheld, ended int
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
	if h.anonymous < atLeast || h.withheld < atLeast || h.ended < atLeast {
		t.Errorf("only %d profiles hid their customer ids, %d answers lacked what is not shared, and %d what is granted no more", h.anonymous, h.withheld, h.ended)
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
		v := m.match(c, now, q)
		want, a := v.answer, &h.batch.Answers[i]
		if got := h.persons.read(t, s, &h.batch, a, c, want.Person); !reflect.DeepEqual(got, want) || a.Asked != i {
			t.Errorf("%s: %q:\n got %+v (asked %d)\nwant %+v (asked %d)", where, q.text, got, a.Asked, want, i)
		}
		h.count(want)
		h.withheld += boolInt(v.withheld > 0)
		h.ended += boolInt(want.Reason != engine.Matched && m.match(unending(c), now, q).Reason == engine.Matched)
	}
}

// unending is the client with grants that never end.
func unending(c engine.Client) engine.Client {
	c.Grants = slices.Clone(c.Grants)
	for i := range c.Grants {
		c.Grants[i].Until = time.Time{}
	}
	return c
}

func (h *harness) count(a answer) {
	if h.results == nil {
		h.results = map[engine.Reason]int{}
	}
	h.results[a.Reason]++
	if len(a.Profiles) > 1 {
		h.merged++
	}
	for _, p := range a.Profiles {
		h.anonymous += boolInt(p.Customer == "")
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
