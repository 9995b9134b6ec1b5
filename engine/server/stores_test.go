package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
)

// twoStores are stores of the same people, under different keys.
func twoStores(t *testing.T) *engine.Pools {
	t.Helper()
	var list []engine.Pool
	for _, name := range []string{"energy", "retail"} {
		s := newStore(t)
		publish(t, s, asOf)
		list = append(list, engine.Pool{Name: name, Engine: newEngine(t, s)})
	}
	p, err := engine.NewPools(list...)
	must(t, err)
	return p
}

// A client of several stores is answered from each, and can tell them apart;
// one of a single store cannot tell that there are others.
func TestSeveralStores(t *testing.T) {
	retail := grant("acme", true)
	retail.Store = "retail"
	pools := twoStores(t)
	r := start(t, Options{Pools: pools, Clients: []Client{client("both", grant("acme", true)), client("one", retail)}})
	snaps := []string{pools.All()[0].Info().Snapshot, pools.All()[1].Info().Snapshot}

	body := r.ask(t, "GET", "/v1/match?id="+maidOne, "both", "").body
	for _, want := range []string{
		`"store":"energy","snapshot":"` + snaps[0] + `","also":[{"status":"matched","person":"`,
		`"store":"retail","snapshot":"` + snaps[1] + `"}]}`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("match: %s lacks %s", body, want)
		}
	}
	if parts := strings.Split(body, `"person":"`); len(parts) != 3 || parts[1][:32] == parts[2][:32] {
		t.Errorf("two stores, and not two person ids: %s", body)
	}
	body = r.ask(t, "POST", "/v1/match", "both", batch(maidOne, maidNobody)).body
	want := fmt.Sprintf(`],"snapshot":"%s","snapshots":{"energy":"%s","retail":"%s"}}`, snaps[0], snaps[0], snaps[1])
	if !strings.HasSuffix(body, want) || strings.Count(body, `"also":[{`) != 1 || !strings.Contains(body, `{"id":"`+maidNobody+`","status":"none","reason":"unknown"}`) {
		t.Errorf("batch: %s", body)
	}
	if got := r.ask(t, "GET", "/v1/segments?id="+maidOne, "both", "").body; got != `{"status":"matched","segments":{"acme":["churn \"high\"","vip"]}}` {
		t.Errorf("segments: %s", got)
	}
	body = r.ask(t, "GET", "/v1/identifiers?customer=acme:C-1", "both", "").body
	if strings.Count(body, `"identifiers":[`) != 2 || strings.Count(body, `"also":[{`) != 1 {
		t.Errorf("identifiers: %s", body)
	}
	for _, target := range []string{"/v1/match?id=" + maidOne, "/v1/identifiers?customer=acme:C-1"} {
		body := r.ask(t, "GET", target, "one", "").body
		if strings.Contains(body, `"store"`) || strings.Contains(body, `"also"`) || !strings.HasSuffix(body, `"snapshot":"`+snaps[1]+`"}`) {
			t.Errorf("%s of one store: %s", target, body)
		}
	}
}

// startApart serves the stores eu and us of a tenant each or the same one, each with a
// customer C-1 of it, whose cookie is of a namespace that the other has not.
func startApart(t *testing.T, tenants ...string) *running {
	t.Helper()
	var list []engine.Pool
	for i, name := range []string{"eu", "us"} {
		s, tenant := newStore(t), tenants[i]
		publishOf(t, s, asOf, nil, []string{"cookie." + name, "crm." + tenant}, []snapshot.Tenant{{Name: tenant, ConsentMaxAge: 36}}, func(names *index.Namespaces, hasher index.Hasher) []*snapshot.Person {
			p := testPerson(t, names, hasher, 1, "crm."+tenant+":C-1", "cookie."+name+":one")
			p.Profiles = []snapshot.Profile{{Customer: []byte("C-1"), Segments: []uint32{0}, Consent: snapshot.ConsentState{At: asOf.Unix(), Purposes: snapshot.Use}}}
			return []*snapshot.Person{p}
		})
		e := newEngine(t, s)
		must(t, e.OpenChanges(filepath.Join(t.TempDir(), "log")))
		list = append(list, engine.Pool{Name: name, Engine: e})
	}
	p, err := engine.NewPools(list...)
	must(t, err)
	var grants []engine.Grant
	for i, tenant := range tenants {
		if i == 0 || tenant != tenants[0] {
			grants = append(grants, grant(tenant, true))
		}
	}
	all := client("all", grants...)
	all.Scopes = allScopes
	return start(t, Options{Pools: p, Clients: []Client{all}})
}

// TestEventsOfSeveralStores takes a change in the stores that know what it is about:
// what is told to be refused is obeyed by none.
func TestEventsOfSeveralStores(t *testing.T) {
	same, apart := startApart(t, "acme", "acme"), startApart(t, "acme", "globex")
	for _, c := range []struct {
		r            *running
		body         string
		status       int
		want         string // of the answer
		asked, after string // an identifier, and what its answer has then
	}{
		{same, `{"id":"1","type":"opt_out","tenant":"acme","identifier":"cookie.eu:one"}`, 200, `"receipts":[{"store":"eu"`, "cookie.eu:one", "opted_out"},
		{same, `{"id":"2","type":"opt_out","tenant":"acme","identifier":"cookie.us:one"}`, 200, `"receipts":[{"store":"us"`, "cookie.us:one", "opted_out"},
		{same, `{"id":"3","type":"opt_out","tenant":"acme","identifier":"cookie.fr:one"}`, 422, "store eu: identifier: ", "cookie.fr:one", "invalid"},
		{same, `{"id":"4","type":"link","left":"cookie.eu:new","right":"crm.acme:C-1"}`, 200, `"receipts":[{"store":"eu"`, "cookie.eu:new", `"live":true`},
		{same, `{"id":"5","type":"link","left":"cookie.eu:x","right":"cookie.us:x"}`, 422, "unknown namespace", "cookie.eu:x", "unknown"},
		{same, `{"id":"6","type":"erase","tenant":"acme","customer":"acme:C-1"}`, 200, `},{"store":"us"`, "cookie.eu:new", "unknown"},
		{apart, `{"id":"1","type":"opt_out","tenant":"*","identifier":"cookie.us:one"}`, 200, `"receipts":[{"store":"us"`, "cookie.us:one", "opted_out"},
		{apart, `{"id":"2","type":"erase","tenant":"*","customer":"acme:C-1"}`, 200, `"receipts":[{"store":"eu"`, "cookie.eu:one", "unknown"},
	} {
		if got, _ := c.r.post(t, "all", c.body); got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s: %d %s", c.body, got.status, got.body)
		}
		if got := c.r.ask(t, "GET", "/v1/match?id="+c.asked, "all", "").body; !strings.Contains(got, c.after) {
			t.Errorf("%s, and then %s is told %s", c.body, c.asked, got)
		}
	}
}

// TestPrivacyOfSeveralStores shows and erases a customer where one store alone has her,
// and refuses a store that there is none of.
func TestPrivacyOfSeveralStores(t *testing.T) {
	r := startApart(t, "acme", "globex")
	for _, c := range []struct {
		path   string
		fields url.Values
		status int
		want   string
	}{
		{"show", url.Values{"id": {"crm.globex:C-1"}}, 200, `{"stores":[{"store":"us",`},
		{"show", url.Values{"id": {"crm.other:C-1"}}, 400, "unknown namespace"},
		{"show", url.Values{"id": {"crm.globex:C-1"}, "store": {"eu"}}, 400, "unknown namespace"},
		{"show", url.Values{"id": {"crm.globex:C-1"}, "store": {"fr"}}, 400, "store is the name of one"},
		{"erase", url.Values{"tenant": {"*"}, "customer": {"globex:C-1"}, "store": {"fr"}}, 400, "store is the name of one"},
		{"erase", url.Values{"tenant": {"*"}, "customer": {"globex:C-1"}, "store": {"eu"}}, 400, "unknown namespace"},
		{"erase", url.Values{"tenant": {"*"}, "customer": {"other:C-1"}}, 400, "unknown namespace"},
		{"erase", url.Values{"tenant": {"*"}, "customer": {"globex:C-1"}}, http.StatusOK, `{"receipts":[{"store":"us",`},
	} {
		if code, body := r.form(t, "/admin/v1/privacy/"+c.path, c.fields); code != c.status || !strings.Contains(body, c.want) || strings.Contains(body, `"store":"eu"`) {
			t.Errorf("%s %v: %d %s", c.path, c.fields, code, body)
		}
	}
	for i, want := range []uint64{0, 1} {
		if seq, _, _ := r.pools.All()[i].Changes().Log().Last(); seq != want {
			t.Errorf("store %d has %d records", i, seq)
		}
	}
}

// A store that another daemon gives a log of live changes is answered from no more,
// and ready says why.
func TestWithdrawn(t *testing.T) {
	store := newStore(t)
	publish(t, store, asOf)
	r := start(t, Options{Pools: newPools(t, store)})
	e := r.pools.All()[0]
	if got := r.ask(t, "GET", "/health/ready", "", ""); got.status != http.StatusOK {
		t.Fatalf("before: %+v", got)
	}
	must(t, store.SetLog(strings.Repeat("ab", 16)))
	ctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop()
	watching.Go(func() { e.Watch(ctx, time.Millisecond) })
	until(t, "that it withdraws", func() bool { return !e.Ready() })
	if got := r.ask(t, "GET", "/health/ready", "", ""); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "log of live changes") {
		t.Errorf("ready: %+v", got)
	}
	checkProblem(t, r.ask(t, "GET", "/v1/match?id="+maidOne, "acme", ""), http.StatusServiceUnavailable)
}
