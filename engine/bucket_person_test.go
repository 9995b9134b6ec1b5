package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
)

// crowd is a pool of many customers of acme, each with a cookie.
func crowd(n int) *pool {
	p := story()
	day := snapshot.Day(dayOf(storyTime))
	p.tenants, p.ids, p.links, p.profiles, p.persons = p.tenants[1:], nil, nil, nil, n
	p.tenants[0].Name, p.segments = "acme", nil
	for i := range n {
		p.ids = append(p.ids, poolID{"crm.acme", fmt.Sprint("C-", i), i}, poolID{"cookie.a", fmt.Sprint("c", i), i})
		p.links = append(p.links, poolLink{2 * i, 2*i + 1, snapshot.Authenticated, 0, day, day})
		p.profiles = append(p.profiles, poolProfile{id: 2 * i})
	}
	return p
}

// bucketsOf returns the buckets of the persons of identifiers, as a client sees
// them; -1 is for nobody.
func bucketsOf(t testing.TB, e *engine.Engine, client, experiment string, buckets int, ids [][]byte) (out []int) {
	t.Helper()
	s := begin(t, e, client)
	defer s.End()
	var b engine.Batch
	for len(ids) > 0 {
		n := min(len(ids), 1000)
		ok(t, s.Match(&b, ids[:n]))
		ids = ids[n:]
		for i := range b.Answers {
			bucket := -1
			if a := &b.Answers[i]; a.Matched() {
				bucket = must(engine.Bucket(s.Person(a), experiment, buckets))(t)
			}
			out = append(out, bucket)
		}
	}
	return out
}

// TestBucketsOfTwoIDSpaces: the buckets of one client tell nothing of those of
// another id space, in the same experiment; within one they are the same.
func TestBucketsOfTwoIDSpaces(t *testing.T) {
	const buckets = 10
	n := 8000
	p := crowd(n)
	spaces := []string{"acme's", "acme's other", "own", "another's"}
	clients := []engine.Client{
		{Name: spaces[0], Grants: []engine.Grant{grant("acme")}},
		{Name: spaces[1], Grants: []engine.Grant{grant("acme")}},
		{Name: spaces[2], IDSpace: "own", Grants: []engine.Grant{grant("acme")}},
		{Name: spaces[3], IDSpace: "own2", Grants: []engine.Grant{grant("acme")}},
	}
	e, _, _ := open(t, p, clients...)
	var ids [][]byte
	for i := range n {
		ids = append(ids, fmt.Appendf(nil, "cookie.a:c%d", i))
	}
	all := map[string][]int{}
	for _, c := range spaces {
		all[c] = bucketsOf(t, e, c, "price", buckets, ids)
		alone := newTable(1, buckets)
		for _, bucket := range all[c] {
			if bucket < 0 {
				t.Fatalf("%s does not know a person of the crowd", c)
			}
			alone[0][bucket]++
		}
		if chi, limit, ok := alone.even(); !ok {
			t.Errorf("%s: chi-square %.1f, limit %.1f", c, chi, limit)
		}
	}
	for i, a := range spaces {
		for _, b := range spaces[i+1:] {
			joint := newTable(buckets, buckets)
			for k := range ids {
				joint[all[a][k]][all[b][k]]++
			}
			chi, limit, independent := joint.even()
			if same := a == spaces[0] && b == spaces[1]; independent == same {
				t.Errorf("%s and %s: chi-square %.1f, limit %.1f", a, b, chi, limit)
			}
		}
	}
}

// households writes the files of customers with devices on a day, and links
// each customer from the second day on with another record, a phone and more.
func households(t testing.TB, dir string, n, day int, r *rand.Rand) {
	t.Helper()
	crm := [][]string{}
	links := [][]string{}
	seen := storyTime.AddDate(0, 0, day-1).Format("2006-01-02")
	for i := range n {
		crm = append(crm, []string{fmt.Sprint("C-", i)})
		links = append(links, []string{fmt.Sprint("crm.acme:C-", i), fmt.Sprint("cookie.a:laptop", i), "authenticated", seen})
		if day == 0 {
			continue
		}
		crm = append(crm, []string{fmt.Sprint("A-", i)})
		links = append(links,
			[]string{fmt.Sprint("crm.acme:A-", i), fmt.Sprint("crm.acme:C-", i), "authenticated", seen},
			[]string{fmt.Sprint("cookie.a:laptop", i), fmt.Sprint("cookie.b:phone", i), "observed", seen})
	}
	for _, rows := range [][][]string{crm, links} {
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
	writeCSV(t, filepath.Join(dir, "crm.csv"), append([][]string{{"customer_id"}}, crm...))
	writeCSV(t, filepath.Join(dir, "links.csv"), append([][]string{{"left", "right", "method", "observed_at"}}, links...))
	ok(t, os.WriteFile(filepath.Join(dir, "onboard.yaml"), []byte(strings.Join([]string{
		"version: 1",
		"namespaces: [cookie.a, cookie.b]",
		"tenants: [{name: acme, legal_basis: contract, profiles: [{path: crm.csv}]}]",
		"links: [{path: links.csv, source: site, party: first}]",
	}, "\n")), 0o600))
}

// TestBucketsStayFromBuildToBuild: a person keeps the bucket over a rebuild that
// knows more of it, and a phone that it knows only then has the laptop's.
func TestBucketsStayFromBuildToBuild(t *testing.T) {
	const n = 60
	dir, r := t.TempDir(), rand.New(rand.NewPCG(3, 3))
	client := engine.Client{Name: "tool", Grants: []engine.Grant{grant("acme")}}
	var laptops, phones [][]byte
	for i := range n {
		laptops = append(laptops, fmt.Appendf(nil, "cookie.a:laptop%d", i))
		phones = append(phones, fmt.Appendf(nil, "cookie.b:phone%d", i))
	}
	publish := func(store string, day int) {
		t.Helper()
		households(t, dir, n, day, r)
		_, err := build.Run(t.Context(), build.Options{
			Config: filepath.Join(dir, "onboard.yaml"), Store: filepath.Join(dir, store), Secret: &secret, Previous: build.Current,
			AsOf: storyTime.AddDate(0, 0, day), Workers: 1, Shards: 1 << day, FS: noSync{},
		})
		ok(t, err)
	}
	serve := func(store string) *engine.Engine {
		t.Helper()
		at := &clock{}
		at.set(storyTime.AddDate(0, 0, 2))
		e := newEngine(t, engine.Options{Store: must(snapshot.OpenStore(filepath.Join(dir, store)))(t), Now: at.now})
		reload(t, e)
		ok(t, e.SetClients([]engine.Client{client}))
		return e
	}
	publish("store", 0)
	e := serve("store")
	before := bucketsOf(t, e, "tool", "price", 1000, laptops)
	publish("store", 1)
	reload(t, e)
	publish("fresh", 1)
	same := 0
	unlike := bucketsOf(t, serve("fresh"), "tool", "price", 1000, laptops)
	for what, after := range map[string][]int{
		"laptop": bucketsOf(t, e, "tool", "price", 1000, laptops), "phone": bucketsOf(t, e, "tool", "price", 1000, phones),
	} {
		for i := range after {
			if before[i] < 0 || after[i] != before[i] {
				t.Errorf("%s %d has gone from bucket %d to %d", what, i, before[i], after[i])
			}
		}
	}
	for i := range unlike {
		if unlike[i] == before[i] {
			same++
		}
	}
	if same == n {
		t.Error("a build without a previous one has the same buckets: this test shows nothing")
	}
}
