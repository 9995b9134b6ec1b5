package livetest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tenants are those of every world. The first has its customers' consent, the other
// a contract with them.
var tenants = [...]string{"acme", "bolt"}

// Tenants returns the names of the tenants of every world.
func Tenants() []string { return tenants[:] }

// codes are the segments of every tenant.
var codes = [...]string{"new", "vip"}

// Person is one customer.
type Person struct {
	Tenant, Customer string
	// CRM, Email and Cookie are the identifiers that the files have, and Late is
	// a cookie that they do not.
	CRM, Email, Cookie, Late string
	// via is what changes link Late to, CRM or Cookie, so that there is one way at
	// most from one identifier to another.
	via     string
	address string
	// segments are those that the files have, a bit for each of codes.
	segments int
}

// Name is the customer as changes have it.
func (p *Person) Name() string { return p.Tenant + ":" + p.Customer }

// Identifiers are all of the person's.
func (p *Person) Identifiers() [4]string { return [4]string{p.CRM, p.Email, p.Cookie, p.Late} }

// World is some persons, and when files spoke of them: changes are later.
type World struct {
	AsOf    time.Time
	Persons []Person
}

// New makes a world of so many persons, as of a day before now.
func New(persons int, now time.Time) *World {
	w := &World{AsOf: now.UTC().Truncate(time.Second).Add(-24 * time.Hour)}
	for i := range persons {
		p := Person{
			Tenant: tenants[i%len(tenants)], Customer: fmt.Sprintf("C-%d", i),
			Cookie: fmt.Sprintf("cookie.a:seen-%d", i), Late: fmt.Sprintf("cookie.a:late-%d", i),
			address: fmt.Sprintf("person.%d@mail.example", i), segments: i / len(tenants) % (1 << len(codes)),
		}
		digest := sha256.Sum256([]byte(p.address))
		p.CRM, p.Email = "crm."+p.Name(), "email_sha256:"+hex.EncodeToString(digest[:])
		if p.via = p.CRM; i/len(tenants)%2 == 1 {
			p.via = p.Cookie
		}
		w.Persons = append(w.Persons, p)
	}
	return w
}

// Of returns the persons of a tenant.
func (w *World) Of(tenant string) (list []*Person) {
	for i := range w.Persons {
		if w.Persons[i].Tenant == tenant {
			list = append(list, &w.Persons[i])
		}
	}
	return list
}

// Write writes the files into a folder, and returns the path of the onboard.yaml.
func (w *World) Write(dir string) (config string, err error) {
	stated := w.AsOf.Add(-time.Hour).Format(time.RFC3339)
	links := "left,right,method,observed_at\n"
	profiles := [len(tenants)]string{}
	for i := range w.Persons {
		p := &w.Persons[i]
		var has []string
		for k, code := range codes {
			if p.segments&(1<<k) != 0 {
				has = append(has, code)
			}
		}
		profiles[i%len(tenants)] += fmt.Sprintf("%s,%s,%s,%s,use\n", p.Customer, p.address, strings.Join(has, "|"), stated)
		links += fmt.Sprintf("%s,%s,observed,%s\n", p.Cookie, p.CRM, stated)
	}
	write := func(name, text string) {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("links.csv", links)
	spec := fmt.Sprintf("version: 1\nas_of: %s\nnamespaces: [cookie.a]\nlinks: [{path: links.csv, source: site, party: first}]\ntenants:\n", w.AsOf.Format(time.RFC3339))
	for i, tenant := range tenants {
		write(tenant+".csv", "customer_id,email,segments,consent_at,consent_purposes\n"+profiles[i])
		spec += fmt.Sprintf("  - {name: %s, legal_basis: %s, profiles: [{path: %s.csv}]}\n", tenant, [...]string{"consent", "contract"}[i], tenant)
	}
	write("onboard.yaml", spec)
	return filepath.Join(dir, "onboard.yaml"), err
}
