package gen

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// TestDefaultStory holds the published numbers against a world of 10,000 customers.
func TestDefaultStory(t *testing.T) {
	w := generate(t, func(c *Config) { c.Customers = 10_000 })
	s, c := w.sum, DefaultConfig()
	partnerRows, crmRows := 0, 0
	for _, f := range s.Files {
		if strings.HasPrefix(f.Path, "partners/") {
			partnerRows += f.Rows
		}
		if strings.HasPrefix(f.Path, "crm/") {
			crmRows += f.Rows
		}
	}
	for _, x := range []struct {
		name        string
		part, whole int
		want, slack float64 // slack is relative
	}{
		{"reached by own logins", s.ReachedOwn, s.Customers, c.OwnReach, 0.15},
		{"reached in all", s.Reached, s.Customers, c.PartnerReach, 0.15},
		{"phones", s.WithPhone, s.Profiles, c.PhoneShare, 0.05},
		{"duplicates", s.Duplicates, s.Customers, c.Duplicates, 0.25},
		{"expired consents", s.ExpiredConsents, s.Profiles, c.ExpiredConsent, 0.20},
		{"no consents", s.NoConsents, s.Profiles, c.NoConsent, 0.25},
		{"shared devices", s.SharedHomes, s.Households, c.SharedDevice, 0.10},
		{"shared inboxes", s.SharedInbox, s.Households, c.SharedInbox, 0.30},
		{"false links", s.FalseLinks, partnerRows, c.FalseLinks, 0.25},
		{"junk rows", s.JunkRows, partnerRows + crmRows, c.JunkRows, 0.20},
	} {
		got := float64(x.part) / float64(x.whole)
		t.Logf("%-22s %6d of %6d: %.4f", x.name, x.part, x.whole, got)
		if math.Abs(got-x.want) > x.slack*x.want {
			t.Errorf("%s: %.4f, want %.4f", x.name, got, x.want)
		}
	}
	checkTruth(t, w)
	checkReach(t, w)
	checkExamples(t, w)
	if len(s.Examples) != 4 || s.BidRequest == nil {
		t.Errorf("examples are %+v and %+v, want one of each", s.Examples, s.BidRequest)
	}
}

func TestPoolOfTenants(t *testing.T) {
	w := generate(t, func(c *Config) { c.Customers, c.Tenants, c.Seed = 1500, 3, 7 })
	checkTruth(t, w)
	checkReach(t, w)
	checkExamples(t, w)
}

// TestSmallFilesHaveLittleJunk holds because junk is counted, not drawn: a build fails above 1 % in a file.
func TestSmallFilesHaveLittleJunk(t *testing.T) {
	for _, customers := range []int{1, 30, 400, 1200} {
		w := generate(t, func(c *Config) { c.Customers = customers })
		for _, f := range w.sum.Files {
			if float64(f.Junk) > 0.003*float64(f.Rows) {
				t.Errorf("%d customers: %s has %d junk rows in %d", customers, f.Path, f.Junk, f.Rows)
			}
		}
	}
}

func TestPhonesAreValidAtTheEdges(t *testing.T) {
	seen := map[string]bool{}
	for serial := range uint64(3_000) {
		number := phoneNumber(serial*40_009, 3)
		if got := normalisePhone(t, number); got != number || seen[number] {
			t.Fatalf("serial %d has %s, read as %s", serial*40_009, number, got)
		}
		seen[number] = true
	}
	for _, prefix := range phonePrefixes {
		for third := '0'; third <= '9'; third++ {
			for _, rest := range []string{"000000", "999999"} {
				normalisePhone(t, "0"+prefix+string(third)+rest)
			}
		}
	}
}

var (
	canonicalID = regexp.MustCompile(`^(crm\.[a-z]+:[CP]-\d+|(email|phone)_sha256:[0-9a-f]{64}|cookie\.[a-z-]+:[0-9a-f]{16,24}` +
		`|maid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})$`)
	personName = regexp.MustCompile(`^p-\d+$`)
)

// checkTruth holds truth.csv against the valid rows: it names their identifiers, all of them and no other, and the
// links that join nobody's identifiers are the false ones.
func checkTruth(t *testing.T, w world) {
	t.Helper()
	used := map[string]bool{}
	for _, r := range w.crm {
		self := w.truth[r.self]
		if used[r.self] || len(self) != 1 {
			t.Fatalf("%s is used twice, or of the persons %v", r.self, self)
		}
		used[r.self] = true
		for _, id := range r.known {
			used[id] = true
			if !slices.Contains(w.truth[id], self[0]) {
				t.Fatalf("%s of %s is truly of %v", id, self[0], w.truth[id])
			}
		}
	}
	wrong, aged := 0, 0
	for _, l := range w.links {
		used[l.left], used[l.right] = true, true
		switch {
		case !w.isTrue(l):
			wrong++
		case w.isAged(l):
			aged++
		}
		if l.seen.After(DefaultConfig().AsOf) {
			t.Fatalf("%+v is from the future", l)
		}
	}
	if wrong != w.sum.FalseLinks || aged != w.sum.AgedLinks || len(w.links) != w.sum.Links+wrong {
		t.Errorf("%d links, %d false, %d aged; the summary says %+v", len(w.links), wrong, aged, w.sum)
	}
	if len(used) != len(w.truth) || len(used) != w.sum.Identifiers {
		t.Errorf("%d identifiers in rows, %d in truth.csv, %d in the summary", len(used), len(w.truth), w.sum.Identifiers)
	}
	people, shared := map[string]bool{}, 0
	for id, persons := range w.truth {
		if !used[id] || !canonicalID.MatchString(id) {
			t.Fatalf("truth.csv has %q, which no row has or which is not canonical", id)
		}
		if len(persons) > 1 {
			shared++
		}
		for i, p := range persons {
			if !personName.MatchString(p) || slices.Contains(persons[:i], p) {
				t.Fatalf("%s is of %v", id, persons)
			}
			people[p] = true
		}
	}
	if len(people) != w.sum.People || shared != w.sum.SharedIDs {
		t.Errorf("%d people, %d shared; the summary says %+v", len(people), shared, w.sum)
	}
}

func (w world) isTrue(l linkRow) bool {
	return slices.ContainsFunc(w.truth[l.left], func(p string) bool { return slices.Contains(w.truth[l.right], p) })
}

func (w world) isAged(l linkRow) bool { return l.seen.Before(DefaultConfig().AsOf.AddDate(0, -13, 0)) }

// graph joins each profile with what it is known by, and the ends of the links that use takes.
func (w world) graph(use func(linkRow) bool) map[string][]string {
	edges := map[string][]string{}
	join := func(a, b string) {
		edges[a] = append(edges[a], b)
		edges[b] = append(edges[b], a)
	}
	for _, r := range w.crm {
		for _, id := range r.known {
			join(r.self, id)
		}
	}
	for _, l := range w.links {
		if use(l) {
			join(l.left, l.right)
		}
	}
	return edges
}

// walk is all that can be reached from start over identifiers that step accepts.
func walk(edges map[string][]string, start string, step func(string) bool) []string {
	seen := map[string]bool{start: true}
	found := []string{start}
	for i := 0; i < len(found); i++ {
		for _, next := range edges[found[i]] {
			if !seen[next] && step(next) {
				seen[next] = true
				found = append(found, next)
			}
		}
	}
	return found
}

// checkReach counts the reached customers again, from the files.
func checkReach(t *testing.T, w world) {
	t.Helper()
	count := func(use func(linkRow) bool) int {
		edges := w.graph(func(l linkRow) bool { return use(l) && w.isTrue(l) && !w.isAged(l) })
		reached := 0
		for _, r := range w.crm {
			if r.tenant != "acme" || r.fields["kind"] != "customer" {
				continue
			}
			person := w.truth[r.self][0]
			ids := walk(edges, r.self, func(id string) bool { return slices.Contains(w.truth[id], person) })
			if slices.ContainsFunc(ids, isDevice) {
				reached++
			}
		}
		return reached
	}
	own := count(func(l linkRow) bool { return l.file == "site/logins.csv" })
	all := count(func(linkRow) bool { return true })
	if own != w.sum.ReachedOwn || all != w.sum.Reached {
		t.Errorf("reached %d and %d, the summary says %d and %d", own, all, w.sum.ReachedOwn, w.sum.Reached)
	}
}

// checkExamples answers the examples by the files as they are, false links and all.
func checkExamples(t *testing.T, w world) {
	t.Helper()
	rows := map[string]crmRow{}
	for _, r := range w.crm {
		rows[r.self] = r
	}
	edges := w.graph(func(linkRow) bool { return true })
	shown := w.sum.Examples
	if x := w.sum.BidRequest; x != nil {
		shown = append(slices.Clone(shown), *x)
		if !strings.HasPrefix(x.Identifier, "maid:") || x.Status != "matched" || len(x.BidStream) == 0 || len(x.BidStream) >= len(x.Segments) {
			t.Errorf("example of a bid request %+v", x)
		}
	}
	for _, x := range shown {
		if x.Name == "unknown" {
			if w.truth[x.Identifier] != nil || !canonicalID.MatchString(x.Identifier) || x.Reason != "unknown" {
				t.Errorf("example %+v is known or not well-formed", x)
			}
			continue
		}
		var profiles []string
		for _, id := range walk(edges, x.Identifier, func(string) bool { return true }) {
			if len(w.truth[id]) != 1 || w.truth[id][0] != w.truth[x.Identifier][0] {
				t.Errorf("example %+v is connected with %s of %v", x, id, w.truth[id])
			}
			if strings.HasPrefix(id, "crm.") {
				profiles = append(profiles, id)
			}
		}
		if !slices.Equal(profiles, []string{"crm." + x.Tenant + ":" + x.Customer}) {
			t.Fatalf("example %+v has the profiles %v", x, profiles)
		}
		r := rows[profiles[0]]
		expires, err := parseTime(r.fields["consent_expires_at"])
		expired := err == nil && expires.Before(DefaultConfig().AsOf)
		at, err := parseTime(r.fields["consent_at"])
		valid := err == nil && !expired && at.After(DefaultConfig().AsOf.Add(-901*24*time.Hour))
		if expired != (x.Reason == "consent_expired") || valid != (x.Status == "matched") {
			t.Errorf("example %+v has the row %v", x, r.fields)
		}
		if got := strings.Join(x.Segments, "|"); valid && got != r.fields["segments"] {
			t.Errorf("example %+v has the segments %s", x, r.fields["segments"])
		}
		if r.fields["consent_purposes"] != "use|share" && valid {
			t.Errorf("example %+v may not be shared", x)
		}
		var ids []string
		for _, code := range x.Segments {
			if id := w.bidStream(t)[code]; id != "" {
				ids = append(ids, id)
			}
		}
		if !slices.Equal(ids, x.BidStream) {
			t.Errorf("example %+v is declared as %v", x, ids)
		}
	}
}

// bidStream is what the first tenant's segments are called in bid requests, by onboard.yaml.
func (w world) bidStream(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "onboard.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var onboard struct {
		Tenants []struct {
			BidStream struct{ Segments map[string]string } `yaml:"bid_stream"`
		}
	}
	if err := yaml.Unmarshal(text, &onboard); err != nil {
		t.Fatal(err)
	}
	return onboard.Tenants[0].BidStream.Segments
}

// Brands may share most profiles with each other, and not all.
func TestConsentToShare(t *testing.T) {
	w := generate(t, func(c *Config) { c.Customers = 2000 })
	shared, given := 0, 0
	for _, r := range w.crm {
		if r.fields["consent_at"] != "" {
			given++
		}
		if strings.Contains(r.fields["consent_purposes"], "share") {
			shared++
		}
	}
	if part := float64(shared) / float64(given); part < 0.7 || part > 0.8 {
		t.Errorf("%d of %d consents cover sharing: %.2f, want 0.75", shared, given, part)
	}
}

// An example of a bid request whose person is taken for somebody else later is given up: many worlds, since most have none
// that is.
func TestBidRequestIsInNoFalseLink(t *testing.T) {
	found := 0
	for seed := range uint64(8) {
		w := generate(t, func(c *Config) { c.Customers, c.Seed, c.FalseLinks = 800, seed, 0.2 })
		checkExamples(t, w)
		if w.sum.BidRequest != nil {
			found++
		}
	}
	if found == 0 {
		t.Error("no world has an example")
	}
}
