package build

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
)

// quarantined reads the lines of a store's current quarantine.ndjson, and fails
// where one has a key that is not known.
func quarantined(t testing.TB, store, name string) (lines []cutLink) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(store, "snapshots", name, snapshot.QuarantineJSON))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var l cutLink
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&l); err != nil || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("line %q: %v", line, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// text describes a link that was cut, as linkText does one of the world.
func (l *cutLink) text(t testing.TB, cfg *config.Config) string {
	t.Helper()
	method, err := snapshot.ParseMethod(l.Method)
	if err != nil {
		t.Fatal(err)
	}
	party, err := snapshot.ParseParty(l.Party)
	if err != nil {
		t.Fatal(err)
	}
	source, ok := config.SourceID(cfg.Sources(), snapshot.Source{Name: l.Source, Party: party})
	if !ok {
		t.Fatalf("no source %s of %v", l.Source, party)
	}
	a, b := l.Left.Identifier, l.Right.Identifier
	return fmt.Sprintf("%s-%s %d %v %s %s", min(a, b), max(a, b), source, method, l.First, l.Last)
}

// checkSide compares what a line says of one end with the model.
func (w *world) checkSide(t testing.TB, s *cutSide) {
	t.Helper()
	members, shared := w.component(t, s.Identifier)
	if s.Shared != shared || s.Identifiers != len(members) {
		t.Fatalf("%s is said to be shared: %t, with %d identifiers; want %t, %d: %q", s.Identifier, s.Shared, s.Identifiers, shared, len(members), members)
	}
	customers := 0
	for _, m := range members {
		if w.profileText(m) != "" {
			customers++
		}
	}
	if len(s.Customers) != min(customers, shownCustomers) {
		t.Fatalf("%s: the customers %q are shown, of %d", s.Identifier, s.Customers, customers)
	}
	for _, c := range s.Customers {
		if !slices.Contains(members, c) || w.profileText(c) == "" {
			t.Fatalf("%s: %s is no customer of %q", s.Identifier, c, members)
		}
	}
}

// Nothing is lost: each fresh link of the input is a link of a person, or a
// line of quarantine.ndjson, or lies between identifiers that are together and
// are nobody, and is one of these once. The lines say of each end whose it is,
// and the report counts them.
func TestEveryLinkIsAccountedFor(t *testing.T) {
	t.Parallel()
	total := map[string]int{}
	for seed := uint64(1000); seed < 1050; seed++ {
		w := newWorld(t, seed)
		if len(w.links) == 0 {
			continue
		}
		o := options(w.write(t), filepath.Join(t.TempDir(), "store"))
		report := run(t, o)
		got := map[string]string{}
		found := func(link, where string) {
			if other, ok := got[link]; ok {
				t.Fatalf("world %d: %s is %s, and %s", seed, link, other, where)
			}
			got[link] = where
			total[where]++
		}
		s := openCurrent(t, o.Store)
		seen := map[uint64]bool{}
		for _, id := range w.names() {
			addr, r, ok := findRecord(t, s, id)
			if !ok || seen[addr] {
				continue
			}
			seen[addr] = true
			_, _, links := personText(t, w, s, addr, r)
			for _, l := range links {
				found(l, "a link of a person")
			}
		}
		cuts := map[string]int64{}
		for _, l := range quarantined(t, o.Store, report.Snapshot) {
			found(l.text(t, w.cfg), "a link that was cut")
			total[l.Reason]++
			cuts[l.Reason]++
			w.checkSide(t, &l.Left)
			w.checkSide(t, &l.Right)
		}
		if !maps.Equal(cuts, report.Cuts) {
			t.Fatalf("world %d: the report counts %v, quarantine.ndjson has %v", seed, report.Cuts, cuts)
		}
		for _, id := range w.names() {
			members, _ := w.component(t, id)
			if _, _, ok := findRecord(t, s, id); ok || members[0] != id {
				continue
			}
			for _, l := range w.wantLinks(members) {
				found(l, "a link of nobody")
			}
		}
		want := w.wantLinks(w.names())
		if !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
			t.Fatalf("world %d: the links are\n%q, want\n%q", seed, slices.Sorted(maps.Keys(got)), want)
		}
	}
	for _, what := range []string{
		"a link of a person", "a link that was cut", "a link of nobody",
		"too_many_customers", "shared_identifier", "different_people", "weak_link", "too_many_identifiers",
	} {
		if total[what] < 10 {
			t.Errorf("%s: %d, too few: %v", what, total[what], total)
		}
	}
}

// crowd is a pool in which one inbox and one device are of so many customers.
func crowd(customers int, more string) map[string]string {
	crm, links := "customer_id,email\n", "left,right,method,observed_at\n"
	for i := range customers {
		crm += fmt.Sprintf("C-%d,all@example.com\n", i)
		links += fmt.Sprintf("cookie.pub:all,crm.acme:C-%d,authenticated,2026-09-%02d\n", i, i+1)
		links += fmt.Sprintf("cookie.pub:d%d,crm.acme:C-%d,authenticated,2026-09-02\n", i, i)
	}
	return with(map[string]string{
		"crm.csv": crm, "links.csv": links,
		"onboard.yaml": strings.Replace(small["onboard.yaml"], "version: 1\n", "version: 1\n"+more, 1),
	})
}

// What more customers use than the limit joins none of them, up to the limit
// itself; each of its links is in quarantine.ndjson.
func TestCrowdedIdentifiers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ customers, device, contact, cut int }{
		{4, 4, 4, 0}, {5, 4, 9, 5}, {5, 9, 4, 5}, {5, 4, 4, 10}, {9, 2, 2, 18},
	} {
		more := fmt.Sprintf("resolution: {max_customers_per_device: %d, max_customers_per_contact: %d}\n", c.device, c.contact)
		o := options(writeInputs(t, crowd(c.customers, more)), filepath.Join(t.TempDir(), "store"))
		report := run(t, o)
		if report.Cuts["too_many_customers"] != int64(c.cut) {
			t.Errorf("%+v: the cuts are %v", c, report.Cuts)
		}
		for _, l := range quarantined(t, o.Store, report.Snapshot) {
			if l.Reason != "too_many_customers" {
				continue
			}
			if l.Left.Shared == l.Right.Shared || l.Method != "authenticated" || l.First == "" {
				t.Errorf("%+v: line %+v", c, l)
			}
		}
		s := openCurrent(t, o.Store)
		if _, _, ok := findRecord(t, s, "cookie.pub:all"); ok && c.customers > c.device {
			t.Errorf("%+v: the crowded device is found", c)
		}
		for i := range c.customers {
			_, _, ok := findRecord(t, s, fmt.Sprintf("cookie.pub:d%d", i))
			if !ok {
				t.Errorf("%+v: customer %d's own device is not found", c, i)
			}
		}
	}
}

// shared: latest gives a device that two customers use to whose link is the
// latest; without it, to nobody.
func TestSharedLatest(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]string{"": "", "resolution: {shared: nobody}\n": "", "resolution: {shared: latest}\n": "crm.acme:C-1"} {
		o := options(writeInputs(t, map[string]string{
			"onboard.yaml": strings.Replace(small["onboard.yaml"], "version: 1\n", "version: 1\n"+more, 1),
			"crm.csv":      "customer_id,email\nC-0,ann@example.com\nC-1,bob@example.com\n",
			"links.csv":    "left,right,method,observed_at\ncookie.pub:x,crm.acme:C-0,authenticated,2026-09-01\ncookie.pub:x,crm.acme:C-1,authenticated,2026-09-02\n",
		}), filepath.Join(t.TempDir(), "store"))
		report := run(t, o)
		addr, _, ok := findRecord(t, openCurrent(t, o.Store), "cookie.pub:x")
		if ok != (want != "") {
			t.Fatalf("%q: the device is found: %t", more, ok)
		}
		if ok {
			if at, _, _ := findRecord(t, openCurrent(t, o.Store), want); at != addr {
				t.Errorf("%q: the device is not of %s", more, want)
			}
		}
		if cuts := report.Cuts["shared_identifier"]; ok && cuts != 1 || !ok && cuts != 2 {
			t.Errorf("%q: the cuts are %v", more, report.Cuts)
		}
	}
}

// A chain of customers that hang together by weak links beyond max_connected
// loses the weakest methods first, and no link of another method; the lines
// name both ends. A chain of authenticated links alone is an error.
func TestMaxConnected(t *testing.T) {
	t.Parallel()
	const customers = 40
	chain := func(method string, limit int) map[string]string {
		crm, links := "customer_id,email\n", "left,right,method,observed_at\n"
		for i := range customers {
			crm += fmt.Sprintf("C-%d,c%d@example.com\n", i, i)
			links += fmt.Sprintf("cookie.pub:d%d,crm.acme:C-%d,observed,2026-09-02\n", i, i)
			links += fmt.Sprintf("cookie.pub:d%d,crm.acme:C-%d,%s,2026-09-02\n", i, (i+1)%customers, method)
		}
		return with(map[string]string{
			"crm.csv": crm, "links.csv": links,
			"onboard.yaml": strings.Replace(small["onboard.yaml"], "version: 1\n", fmt.Sprintf("version: 1\nresolution: {max_connected: %d}\n", limit), 1),
		})
	}
	for _, method := range []string{"cookie_sync", "inferred"} {
		o := options(writeInputs(t, chain(method, 10)), filepath.Join(t.TempDir(), "store"))
		report := run(t, o)
		if len(report.Cuts) != 1 || report.Cuts["too_connected"] != customers {
			t.Fatalf("%s: the cuts are %v", method, report.Cuts)
		}
		lines := map[string]bool{}
		for _, l := range quarantined(t, o.Store, report.Snapshot) {
			if l.Method != method || l.Reason != "too_connected" {
				t.Fatalf("line %+v", l)
			}
			lines[min(l.Left.Identifier, l.Right.Identifier)+"-"+max(l.Left.Identifier, l.Right.Identifier)] = true
		}
		for i := range customers {
			if want := fmt.Sprintf("cookie.pub:d%d-crm.acme:C-%d", i, (i+1)%customers); !lines[want] {
				t.Fatalf("%s: no line of %s in %v", method, want, lines)
			}
			s := openCurrent(t, o.Store)
			device, _, _ := findRecord(t, s, fmt.Sprintf("cookie.pub:d%d", i))
			own, _, ok := findRecord(t, s, fmt.Sprintf("crm.acme:C-%d", i))
			if !ok || device != own {
				t.Fatalf("%s: customer %d lost its device", method, i)
			}
		}
		o = options(writeInputs(t, chain(method, 4*customers)), filepath.Join(t.TempDir(), "store"))
		if cuts := run(t, o).Cuts; cuts["too_connected"] != 0 {
			t.Errorf("%s, within the limit: the cuts are %v", method, cuts)
		}
	}
	o := options(writeInputs(t, small), filepath.Join(t.TempDir(), "store"))
	run(t, o)
	before := tree(t, o.Store)
	files := chain("authenticated", 10)
	files["links.csv"] = strings.ReplaceAll(files["links.csv"], "observed,", "authenticated,")
	o.Config, o.AsOf = writeInputs(t, files), testAsOf.AddDate(0, 0, 1)
	_, err := Run(context.Background(), o)
	if err == nil || !strings.Contains(err.Error(), "120 identifiers") || !strings.Contains(err.Error(), "max_connected, 10") {
		t.Fatalf("too many authenticated links: %v", err)
	}
	sameTree(t, "too many authenticated links", before, tree(t, o.Store))
}
