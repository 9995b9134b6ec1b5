package build

import (
	"fmt"
	"slices"
	"testing"

	"github.com/matchd/matchd/engine/privacy"
	"github.com/matchd/matchd/snapshot"
)

// personText describes what a record and its cold part say.
func personText(t testing.TB, w *world, s *snapshot.Snapshot, addr uint64, r *snapshot.Record) (members, profiles, links []string) {
	t.Helper()
	block, err := s.ReadCold(s.ColdBlockOf(addr, r))
	if err != nil {
		t.Fatal(err)
	}
	cold, err := s.Cold(block, r)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, id := range cold.Identifiers {
		names = append(names, string(s.Namespaces.AppendText(nil, id.Namespace, id.Value)))
	}
	for _, l := range cold.Links {
		links = append(links, linkText(names[l.A], names[l.B], l.Source, l.Method, l.First, l.Last))
	}
	var p snapshot.Profile
	last := int64(1 << 62)
	for ps := r.Profiles(); ps.Next(&p); {
		var codes []string
		for _, i := range p.Segments {
			if s.Segments[i].Tenant != p.Tenant {
				t.Fatalf("a segment of tenant %d on a profile of tenant %d", s.Segments[i].Tenant, p.Tenant)
			}
			codes = append(codes, s.Segments[i].Code)
		}
		customer := fmt.Sprintf("crm.%s:%s", s.Tenants[p.Tenant].Name, p.Customer)
		if names[p.Node] != customer {
			t.Fatalf("the profile of %s names the identifier %s", customer, names[p.Node])
		}
		if p.Consent.At > last {
			t.Fatal("profiles are not newest consent first")
		}
		last = p.Consent.At
		if p.Consent.At == 0 && p.Consent.Purposes != 0 {
			t.Fatalf("purposes without consent: %v", p.Consent)
		}
		tenant := &w.cfg.Tenants[p.Tenant]
		consent := permitsText(w.said(customer), tenant, func(purpose snapshot.Purposes, now int64) bool {
			return privacy.Consent(p.Consent, tenant.LegalBasis, purpose, now) == privacy.Allowed
		})
		profiles = append(profiles, fmt.Sprintf("%s %v %q %s", customer, p.Kind, codes, consent))
	}
	slices.Sort(names)
	slices.Sort(profiles)
	slices.Sort(links)
	return names, profiles, links
}

func linkText(a, b string, source uint16, m snapshot.Method, first, last snapshot.Day) string {
	return fmt.Sprint(min(a, b), "-", max(a, b), " ", source, m, first, last)
}

// findRecord looks an identifier up, and checks that it has the place in the
// record that the record says.
func findRecord(t testing.TB, s *snapshot.Snapshot, text string) (addr uint64, r *snapshot.Record, ok bool) {
	t.Helper()
	k, id, err := s.Namespaces.AppendKey(nil, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	h := snapshot.IdentifierHasher(*testSecret()).Sum(k)
	shard := s.Shard(h)
	for c := s.Table(shard).Seek(h); ; {
		addr, ok := s.Table(shard).Next(h, &c)
		if !ok {
			return 0, nil, false
		}
		r = &snapshot.Record{}
		if _, err := s.Record(addr, nil, r); err != nil {
			t.Fatal(err)
		}
		if at := r.Find(h); at >= 0 {
			if got := r.Node(at).Namespace; got != id || !s.Filter(shard).MayContain(h) {
				t.Fatalf("%s: namespace %d, or the filter misses it", text, got)
			}
			return addr, r, true
		}
	}
}
