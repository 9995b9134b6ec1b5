package fold_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine"
	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
	"github.com/matchd/matchd/snapshot/build/fold"
)

// pool is a store of a few people of two tenants, each with an email, of which
// cookies hang, its log, and the engine that serves it.
type pool struct {
	t                  *testing.T
	r                  *rand.Rand
	people             int
	dir, log, config   string
	secret             index.Secret
	engine             *engine.Engine
	store              *snapshot.Store
	events             int
	erased             map[string]bool // customers of whom one is, for a time at least, by what they share
	opted              map[string]bool // identifiers that opted out, for a time at least
	answered, withheld int
}

var (
	asOf = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	now  = asOf.Add(3 * time.Hour)
)

func mail(i int) string { return fmt.Sprintf("%064x", sha256.Sum256([]byte{byte(i)})) }

// newPool writes the files of a pool and builds a first snapshot, without a log.
func newPool(t *testing.T, seed uint64) *pool {
	t.Helper()
	p := &pool{t: t, r: rand.New(rand.NewPCG(seed, 3)), dir: t.TempDir(), secret: secret, erased: map[string]bool{}, opted: map[string]bool{}}
	p.people = 2 + p.r.IntN(5)
	files := map[string]string{
		"onboard.yaml": `
version: 1
namespaces: [cookie.pub]
tenants:
  - {name: acme, profiles: [{path: acme.csv}]}
  - {name: bolt, legal_basis: contract, profiles: [{path: bolt.csv}]}
links:
  - {path: links.csv, source: pub, party: second}
`,
		"acme.csv":  "customer_id,email_sha256,segments,consent_at\nX,,a|b|c,2026-01-01\n",
		"bolt.csv":  "customer_id,email_sha256,segments\nX,,a|b|c\n",
		"links.csv": "left,right,method,observed_at\ncookie.pub:x,cookie.pub:y,observed,2026-10-01\n",
	}
	for i := range p.people {
		segments := strings.Join([]string{"a", "b", "c"}[:p.r.IntN(4)], "|")
		consent := []string{"", "2026-01-01", "2026-10-31T23:30:00Z"}[p.r.IntN(3)]
		if i == 0 || p.r.IntN(4) > 0 {
			files["acme.csv"] += fmt.Sprintf("C%d,%s,%s,%s\n", i, mail(i), segments, consent)
		}
		if p.r.IntN(2) == 0 { // the second of a household
			files["acme.csv"] += fmt.Sprintf("C%d-b,%s,%s,%s\n", i, mail(i), segments, consent)
		}
		if p.r.IntN(2) == 0 {
			files["bolt.csv"] += fmt.Sprintf("C%d,%s,%s\n", i, mail(i), segments)
		}
		for _, c := range "pq" {
			files["links.csv"] += fmt.Sprintf("cookie.pub:%c%d,email_sha256:%s,authenticated,2026-10-01\n", c, i, mail(i))
		}
	}
	for name, text := range files {
		ok(t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
	}
	p.config, p.log = filepath.Join(p.dir, "onboard.yaml"), filepath.Join(p.dir, "log")
	p.build(nil)
	var err error
	p.store, err = snapshot.OpenStore(filepath.Join(p.dir, "store"))
	ok(t, err)
	p.open()
	return p
}

func (p *pool) build(live build.LiveSource) {
	p.t.Helper()
	_, err := build.Run(context.Background(), build.Options{
		Config: p.config, Store: filepath.Join(p.dir, "store"), AsOf: asOf, Secret: &p.secret, Shards: 1, Workers: 1, Live: live,
	})
	ok(p.t, err)
}

// move gives the pool a store of another key, which knows the one that it had: a
// build has yet to fill it.
func (p *pool) move(key index.Secret) {
	p.t.Helper()
	dir := filepath.Join(p.dir, "store")
	ok(p.t, os.RemoveAll(dir))
	var err error
	p.store, err = snapshot.CreateStore(snapshot.OS{}, dir, &key)
	ok(p.t, err)
	keys := filepath.Join(dir, "keys")
	ok(p.t, os.Mkdir(keys, 0o700))
	ok(p.t, os.WriteFile(filepath.Join(keys, p.secret.ID()+".key"), snapshot.FormatSecret(p.secret), 0o600))
	p.secret = key
}

func (p *pool) open() {
	p.t.Helper()
	var err error
	p.engine, err = engine.New(engine.Options{Store: p.store, Now: func() time.Time { return now }})
	ok(p.t, err)
	ok(p.t, p.engine.OpenChanges(p.log))
	p.reload()
	all := []string{engine.All}
	grant := func(tenant string) engine.Grant {
		return engine.Grant{Tenant: tenant, Segments: all, Namespaces: all, Customers: true, Purposes: snapshot.Use}
	}
	ok(p.t, p.engine.SetClients([]engine.Client{
		{Name: "acme", Tenant: "acme", Grants: []engine.Grant{grant("acme")}},
		{Name: "bolt", Tenant: "bolt", Grants: []engine.Grant{grant("bolt")}},
		{Name: "both", Grants: []engine.Grant{grant("acme"), grant("bolt")}},
	}))
}

func (p *pool) reload() {
	p.t.Helper()
	_, err := p.engine.Reload()
	ok(p.t, err)
}

// identifiers are all that there are.
func (p *pool) identifiers() (ids []string) {
	for i := range p.people {
		for _, form := range []string{"crm.acme:C%d", "crm.acme:C%d-b", "crm.bolt:C%d", "cookie.pub:p%d", "cookie.pub:q%d", "cookie.pub:new%d"} {
			ids = append(ids, fmt.Sprintf(form, i))
		}
		ids = append(ids, index.EmailSHA256+":"+mail(i))
	}
	return ids
}

// change is a change at random. What takes an opt-out or an erasure back that a
// snapshot obeys is seen in the next one alone; lifts says whether to make those.
func (p *pool) change(lifts bool) string {
	r := p.r
	p.events++
	id := p.identifiers()[r.IntN(7*p.people)]
	tenant := []string{"acme", "bolt"}[r.IntN(2)]
	customer := fmt.Sprintf("%s:C%d%s", tenant, r.IntN(p.people), []string{"", "-b"}[r.IntN(2)])
	n := r.IntN(p.people)
	scope := []string{tenant, tenant, "*"}[r.IntN(3)]
	until := []string{"", `,"until":"2026-10-31T23:50:00Z"`, `,"until":"2027-01-01"`}[r.IntN(3)]
	what := ""
	switch r.IntN(16) {
	case 0, 1:
		p.opted[id] = true
		what = fmt.Sprintf(`"type":"opt_out","tenant":%q,"identifier":%q`, scope, id)
	case 2:
		if !lifts {
			// A contact that a snapshot has cut from the customer, or a customer
			// who is not in it, is known at the next build, which reads the files.
			if scope = tenant; p.opted["crm."+customer] {
				return p.change(lifts)
			}
		}
		p.erased[shared(customer)] = true
		what = fmt.Sprintf(`"type":"erase","tenant":%q,"customer":%q`, scope, customer)
	case 3, 4, 5:
		what = fmt.Sprintf(`"type":"segment_add","customer":%q,"segment":%q%s`, customer, []string{"a", "b", "c"}[r.IntN(3)], until)
	case 6, 7:
		what = fmt.Sprintf(`"type":"segment_remove","customer":%q,"segment":%q%s`, customer, []string{"a", "b", "c"}[r.IntN(3)], until)
	case 8:
		what = fmt.Sprintf(`"type":"consent","customer":%q,"status":"withdrawn"`, customer)
	case 9:
		what = fmt.Sprintf(`"type":"consent","customer":%q,"status":"granted","purposes":[%q],"until":"2027-01-01"`, customer, []string{"use", "share"}[r.IntN(2)])
	case 10, 11: // a cookie that no file has, or one that a file says is his already
		what = fmt.Sprintf(`"type":"link","left":"cookie.pub:%s%d","right":"email_sha256:%s","method":"authenticated"`, []string{"new", "p"}[r.IntN(2)], n, mail(n))
	case 12, 13:
		what = fmt.Sprintf(`"type":"unlink","left":"cookie.pub:%s%d","right":"email_sha256:%s"`, []string{"new", "p"}[r.IntN(2)], n, mail(n))
	case 14:
		if what = fmt.Sprintf(`"type":"opt_in","tenant":%q,"identifier":%q`, scope, id); !lifts {
			return p.change(lifts)
		}
	default:
		if what = fmt.Sprintf(`"type":"opt_in","tenant":%q,"customer":%q`, scope, customer); !lifts {
			return p.change(lifts)
		}
	}
	at := asOf.Add(time.Duration(r.IntN(7)-2) * 10 * time.Minute) // many at one time, some as late as the files
	if !lifts && (strings.Contains(what, `"erase"`) || strings.Contains(what, `"granted"`)) {
		// What an erasure cuts that was lifted before it came, a snapshot has until
		// the next build; and a withdrawal that files did not know of outdates a
		// grant that is older than they are until then.
		at = asOf.Add(time.Hour)
	}
	if strings.Contains(what, "23:50") { // before its end
		at = asOf.Add(-10 * time.Minute)
	}
	return fmt.Sprintf(`{"id":"e-%d","at":%q,%s}`, p.events, at.Format(time.RFC3339), what)
}

// take has the daemon take changes at random.
func (p *pool) take(n int, lifts bool) {
	p.t.Helper()
	for range n {
		e, err := event.Parse([]byte(p.change(lifts)))
		ok(p.t, err)
		out, err := p.engine.Changes().Take("shop", []event.Event{e})
		ok(p.t, err)
		if err := out[0].Err; err != nil && !errors.Is(err, engine.ErrErased) {
			p.t.Fatal(err)
		}
	}
}

// answers are those to each client about each identifier.
func (p *pool) answers() map[string]string {
	p.t.Helper()
	out := map[string]string{}
	for _, client := range []string{"acme", "bolt", "both"} {
		s, err := p.engine.Begin(client)
		ok(p.t, err)
		var b engine.Batch
		for _, id := range p.identifiers() {
			ok(p.t, s.Match(&b, [][]byte{[]byte(id)}))
			a := &b.Answers[0]
			text := string(a.Reason)
			var profiles []string
			for i := range b.Profiles(a) {
				q := &b.Profiles(a)[i]
				one := s.Tenant(q.Tenant).Name + ":" + string(b.Customer(q))
				for _, seg := range b.Segments(q) {
					one += " " + s.Segment(seg)
				}
				profiles = append(profiles, one)
			}
			slices.Sort(profiles)
			if out[client+" "+id] = text + strings.Join(profiles, "; "); a.Matched() {
				p.answered++
			} else {
				p.withheld++
			}
		}
		s.End()
	}
	return out
}

// shared is what the customers who share an email have in common.
func shared(customer string) string {
	_, id, _ := strings.Cut(customer, ":")
	return strings.TrimSuffix(id, "-b")
}

// same compares answers before a build with those after it. A customer id of one
// tenant whose email is withheld from it leads another tenant to its own over that
// email, until a build cuts the two.
func (p *pool) same(what string, a, b map[string]string) {
	p.t.Helper()
	for _, ask := range slices.Sorted(maps.Keys(a)) {
		client, id, _ := strings.Cut(ask, " ")
		if forgotten := strings.HasPrefix(id, index.CRMPrefix) && p.erased[shared(id)] && !strings.HasPrefix(id, index.CRMPrefix+client); a[ask] != b[ask] && !forgotten {
			p.t.Errorf("%s: %s: %q, and not %q", what, ask, b[ask], a[ask])
		}
	}
}

// A snapshot that was built from the log up to any of its changes, with what came
// later beside it, answers as one that was built from the files alone with the
// whole log beside it.
func TestFoldingChangesNoAnswer(t *testing.T) {
	pools := uint64(28)
	if testing.Short() {
		pools = 6
	}
	answered, withheld := 0, 0
	for seed := range pools {
		p := newPool(t, seed)
		what := fmt.Sprint("pool ", seed)
		plain, err := p.store.Current()
		ok(t, err)
		before, after := p.r.IntN(40), p.r.IntN(20)
		p.take(before, true)
		want := p.answers()
		ok(t, p.engine.Close())
		p.build(fold.Dir(p.log))
		folded, err := p.store.Current()
		ok(t, err)
		p.open()
		p.same(what+" after the build", want, p.answers())
		p.take(after, false)
		got := p.answers()
		ok(t, p.store.Pin(plain)) // an older snapshot
		p.reload()
		p.same(what+" after later changes", p.answers(), got)
		ok(t, p.store.Pin(folded))
		p.reload()
		p.same(what+" after a rollback", got, p.answers())
		ok(t, p.engine.Close())
		p.build(fold.Dir(p.log))
		ok(t, p.store.Unpin())
		p.open()
		p.same(what+" after the next build", got, p.answers())
		ok(t, p.engine.Close())
		answered, withheld = answered+p.answered, withheld+p.withheld
		if t.Failed() {
			break
		}
	}
	if answered < 100*int(pools) || withheld < 100*int(pools) {
		t.Errorf("%d answers and %d refusals: too few to tell", answered, withheld)
	}
}

// The first build of a store that was moved to another key answers as one of its
// former key with the log beside it, and so does the next one, of what was changed
// under either.
func TestFoldingOverAnotherKey(t *testing.T) {
	pools := uint64(12)
	if testing.Short() {
		pools = 6
	}
	answered, withheld := 0, 0
	for seed := range pools {
		p := newPool(t, 1015+seed)
		what := fmt.Sprint("pool ", seed)
		p.take(p.r.IntN(40), true)
		want := p.answers()
		ok(t, p.engine.Close())
		p.move(index.Secret{9})
		p.build(fold.Dir(p.log))
		p.open()
		p.same(what+" after the move", want, p.answers())
		p.take(p.r.IntN(20), false)
		got := p.answers()
		ok(t, p.engine.Close())
		p.build(fold.Dir(p.log))
		p.open()
		p.same(what+" after the next build", got, p.answers())
		ok(t, p.engine.Close())
		answered, withheld = answered+p.answered, withheld+p.withheld
		if t.Failed() {
			break
		}
	}
	if answered < 60*int(pools) || withheld < 60*int(pools) {
		t.Errorf("%d answers and %d refusals: too few to tell", answered, withheld)
	}
}
