package fold_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/engine/event"
	"github.com/matchd/matchd/engine/eventlog"
	"github.com/matchd/matchd/index"
	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
	"github.com/matchd/matchd/snapshot/build/fold"
)

const ruled = `
version: 1
namespaces: [{name: cookie.pub, compare: exact}, cookie.other]
tenants: [{name: acme, legal_basis: contract, profiles: [{path: acme.csv}]}, {name: bolt, profiles: []}]
links: [{path: links.csv, source: pub, party: second}]
`

// ruledPool has a file that links a cookie to a customer of acme.
type ruledPool struct {
	t          *testing.T
	dir, store string
	log        *eventlog.Log
}

func newRuledPool(t *testing.T) *ruledPool {
	p := &ruledPool{t: t, dir: t.TempDir()}
	p.store = filepath.Join(p.dir, "store")
	for name, text := range map[string]string{
		"acme.csv":  "customer_id,segments\nC-5,vip\n",
		"links.csv": "left,right,method,observed_at\ncookie.pub:AB12,crm.acme:C-5,authenticated,2026-10-01\n",
	} {
		ok(t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
	}
	var err error
	p.log, err = eventlog.Open(filepath.Join(p.dir, "log"), eventlog.Options{})
	ok(t, err)
	t.Cleanup(func() { ok(t, p.log.Close()) })
	return p
}

// build builds with the log, by a config that is ruled with changes.
func (p *ruledPool) build(changes ...string) (*build.Report, error) {
	p.t.Helper()
	config := filepath.Join(p.dir, "onboard.yaml")
	ok(p.t, os.WriteFile(config, []byte(strings.NewReplacer(changes...).Replace(ruled)), 0o600))
	return build.Run(context.Background(), build.Options{
		Config: config, Store: p.store, AsOf: asOf, Secret: &secret, Shards: 1, Workers: 1,
		Live: func(ns *index.Namespaces, keys snapshot.Keys) (*build.Live, error) { return fold.Read(p.log, ns, keys) },
	})
}

func (p *ruledPool) builds(changes ...string) {
	p.t.Helper()
	_, err := p.build(changes...)
	ok(p.t, err)
}

// refuses checks that a build is refused for other rules, with what to do, and
// writes nothing.
func (p *ruledPool) refuses(says string, changes ...string) {
	p.t.Helper()
	before, _ := os.ReadFile(filepath.Join(p.store, "CURRENT"))
	_, err := p.build(changes...)
	var is *snapshot.OtherRulesError
	if !errors.As(err, &is) || !strings.Contains(err.Error(), says) {
		p.t.Errorf("%q: %v, which does not say %q", changes, err, says)
	}
	if after, _ := os.ReadFile(filepath.Join(p.store, "CURRENT")); string(after) != string(before) {
		p.t.Errorf("%q: it was published", changes)
	}
}

const (
	cookieOut = `"type":"opt_out","tenant":"acme","identifier":"cookie.pub:AB12"`
	cookieIn  = `"type":"opt_in","tenant":"acme","identifier":"cookie.pub:AB12"`
)

// A namespace in which somebody opted out cannot compare in another way: the hash
// that the log has would be nobody's.
func TestComparingOtherwise(t *testing.T) {
	toHex := []string{"compare: exact", "compare: hex"}
	p := newRuledPool(t)
	p.builds()
	add(t, p.log, names(t), cookieOut)
	p.refuses("go back to compare: exact of cookie.pub", toHex...)
	p.refuses("go back to compare: exact of cookie.pub", "compare: exact", "compare: uuid")
	p.builds("{name: cookie.pub, compare: exact}", "{name: cookie.pub}") // the same
	p.builds("cookie.other", "{name: cookie.other, compare: hex}")       // nobody opted out there
	// Once it was left out, it cannot come back otherwise either.
	p.builds("{name: cookie.pub, compare: exact}", "cookie.third", "links: [{path: links.csv, source: pub, party: second}]", "links: []")
	p.refuses("cookie.pub", toHex...)
	add(t, p.log, names(t), cookieIn)
	p.builds(toHex...)
}

// Of an opt-out of before the log said the rule, it is taken to be the snapshot's.
func TestComparingOtherwiseThanUnsaid(t *testing.T) {
	toHex := []string{"compare: exact", "compare: hex"}
	p := newRuledPool(t)
	p.builds()
	for _, text := range []string{cookieOut, cookieIn, `"type":"opt_out","tenant":"bolt","identifier":"maid:6d92078a-8246-4ba4-ae5b-76104861e7dc"`} {
		e, err := event.Parse([]byte(`{"id":"e",` + text + `}`))
		ok(t, err)
		last, _, _ := p.log.Last()
		b, err := e.Bind(names(t), "shop", noon.Add(time.Duration(last)*time.Hour))
		ok(t, err)
		b.Normalised = ""
		_, err = p.log.Append(context.Background(), []eventlog.Entry{{Body: b.Append(nil)}})
		ok(t, err)
		if text == cookieIn {
			p.builds(toHex...)
			p.builds()
			continue
		}
		p.refuses("go back to compare: exact of cookie.pub", toHex...)
	}
}

// What is withheld for a tenant, or of one, is not dropped with the tenant's name.
func TestTenantsOfBefore(t *testing.T) {
	rename := []string{"name: bolt", "name: bolt2"}
	gone := func(names string) []string {
		return append(rename, "version: 1\n", "version: 1\nformer_tenants: ["+names+"]\n")
	}
	for what, c := range map[string]struct {
		change, back string
		count        int64
	}{
		"an opt-out":               {`"type":"opt_out","tenant":"bolt","identifier":"cookie.pub:AB12"`, `"type":"opt_in","tenant":"bolt","identifier":"cookie.pub:AB12"`, 1},
		"an erasure":               {`"type":"erase","tenant":"bolt","customer":"bolt:B-1"`, `"type":"opt_in","tenant":"bolt","customer":"bolt:B-1"`, 1},
		"an erasure for all":       {`"type":"erase","tenant":"*","customer":"bolt:B-1"`, `"type":"opt_in","tenant":"*","customer":"bolt:B-1"`, 0},
		"an opt-out of a customer": {`"type":"opt_out","tenant":"acme","identifier":"crm.bolt:B-1"`, `"type":"opt_in","tenant":"acme","identifier":"crm.bolt:B-1"`, 0},
	} {
		t.Run(what, func(t *testing.T) {
			p := newRuledPool(t)
			p.builds(rename...)
			add(t, p.log, names(t), c.change)
			for _, changes := range [][]string{rename, gone("zeta")} {
				if _, err := p.build(changes...); err == nil || !strings.Contains(err.Error(), "does not have: bolt;") || !strings.Contains(err.Error(), "former_tenants: [bolt]") {
					t.Errorf("%q: %v", changes, err)
				}
			}
			r, err := p.build(gone("zeta, bolt")...)
			ok(t, err)
			if r.Live.FormerTenants != c.count {
				t.Errorf("it counts %d of former tenants", r.Live.FormerTenants)
			}
			p.builds() // with the name of before
			add(t, p.log, names(t), c.back)
			p.builds(rename...)
		})
	}
}
