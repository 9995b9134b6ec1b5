package build

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matchd/matchd/snapshot"
)

// testAsOfPlus is the time some months after at, in Unix seconds.
func testAsOfPlus(at int64, months int) int64 {
	return time.Unix(at, 0).UTC().AddDate(0, months, 0).Unix()
}

// write writes the world as input files, one for each tenant and age, and one
// for each source of links, and returns the config's path.
func (w *world) write(t testing.TB) string {
	t.Helper()
	files := map[string]string{}
	var text strings.Builder
	fmt.Fprintf(&text, "version: 1\nkeep_anonymous: %t\nnamespaces: [cookie.pub]\n", w.cfg.KeepAnonymous)
	rules := w.cfg.Rules
	fmt.Fprintf(&text, "resolution: {max_identifiers: %d, max_customers_per_device: %d, max_customers_per_contact: %d, shared: %v}\ntenants:\n",
		rules.MaxIdentifiers, rules.MaxOnDevice, rules.MaxOnContact, rules.Shared)
	for i, tenant := range w.cfg.Tenants {
		fmt.Fprintf(&text, "  - name: %s\n    legal_basis: %v\n    profiles:\n", tenant.Name, tenant.LegalBasis)
		for _, age := range []int{0, 7} {
			name := fmt.Sprintf("%s-%d.csv", tenant.Name, age)
			fmt.Fprintf(&text, "      - {path: %s, as_of: %s}\n", name, testAsOf.AddDate(0, 0, -age).Format(time.DateOnly))
			files[name] = w.profileFile(i, age)
		}
	}
	text.WriteString("links:\n")
	for i, source := range w.cfg.Sources() {
		if i < ownSourcesOnly {
			continue
		}
		name := fmt.Sprintf("links-%d.csv", i)
		fmt.Fprintf(&text, "  - {path: %s, source: %s, party: %v}\n", name, source.Name, source.Party)
		rows := "observed_at,right,method,left\n"
		for _, l := range w.links {
			if int(l.source) == i {
				rows += fmt.Sprintf("%v,%s,%v,%s\n", l.seen, l.a, l.method, l.b)
			}
		}
		files[name] = rows
	}
	files["onboard.yaml"] = text.String()
	return writeInputs(t, files)
}

func (w *world) profileFile(tenant, age int) string {
	rows := "customer_id,kind,segments,consent_at,consent_expires_at,consent_purposes\n"
	at := func(s int64) string {
		if s == 0 {
			return ""
		}
		return time.Unix(s, 0).UTC().Format(time.RFC3339)
	}
	for _, r := range w.rows {
		if int(r.tenant) != tenant || r.age != age {
			continue
		}
		_, customer, _ := strings.Cut(r.customer, ":")
		purposes := map[snapshot.Purposes]string{0: "", 1: "use", 2: "share", 3: "share|use"}[r.consent.Purposes]
		rows += fmt.Sprintf("%s,%v,%s,%s,%s,%s\n", customer, r.kind, strings.Join(r.segments, "|"), at(r.consent.At), at(r.consent.Expires), purposes)
	}
	return rows
}
