package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/matchd/matchd/snapshot"
)

// forms are the three forms of a report.
func forms(t *testing.T, d *Data) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"json": func(b *bytes.Buffer) error { return d.WriteJSON(b) },
		"text": func(b *bytes.Buffer) error { return d.WriteText(b) },
		"html": func(b *bytes.Buffer) error { return d.WriteHTML(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		out[name] = b.String()
	}
	return out
}

// Worlds that differ in withheld numbers alone give the same bytes: no width,
// height, area, share or tooltip is made from what is not shown.
func TestWithheldNumbersLeaveNoTrace(t *testing.T) {
	make := func(prospects, reached, duplicates, both, bad, cut int64) *Data {
		cfg := testConfig(t, 2)
		d := &Data{cfg: cfg, counts: newCounts(cfg)}
		a, p := &d.counts.audiences[0], &d.counts.audiences[1]
		a.people, a.records, a.repeated = 1000, 1000+duplicates, duplicates
		a.party, a.method = [3]int64{200, 600, 700}, [4]int64{700 - reached, 700, 700, 700}
		a.devices = [len(deviceSteps)]int64{300, 700 - reached, reached}
		a.consent = [3]int64{reached, 90, 90}
		a.sources[srcSite] = sourceReach{200, reached}
		a.namespaces[nsMAID] = 700 - reached
		p.people, p.records = prospects, prospects
		d.counts.persons = 1000 + prospects
		d.counts.sizes[3] = d.counts.persons
		d.counts.largest = 4
		d.counts.onlyIDs[srcSite] = onlyIDs{500, reached}
		d.counts.overlap[0] = 1000 + prospects - 500
		d.counts.overlap[1], d.counts.overlap[2], d.counts.overlap[3] = 300-both, 200, both
		d.counts.overlap[2] -= both
		d.Input = Input{Files: 3, Rows: 4000, Bad: bad, RowsBySource: map[string]int64{"acme": 4000 - bad}}
		d.Quarantine = map[string]int64{"shared": cut}
		d.Lineage = &Lineage{Kept: 1000 - cut, New: cut}
		return d
	}
	want := forms(t, make(20, 20, 20, 20, 20, 20))
	for i := range 6 {
		var n [6]int64
		for j := range n {
			n[j] = 20
		}
		n[i] = 37
		for name, got := range forms(t, make(n[0], n[1], n[2], n[3], n[4], n[5])) {
			if got != want[name] {
				t.Errorf("number %d shows in %s: %s", i, name, firstDifference(got, want[name]))
			}
		}
	}
	if strings.Count(want["json"], "null") < 10 || !strings.Contains(want["json"], "1000") {
		t.Errorf("next to nothing is withheld, or shown:\n%s", want["json"])
	}
}

func firstDifference(a, b string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%.60q, %.60q", a[max(0, i-30):], b[max(0, i-30):])
		}
	}
	return "one is longer"
}

// No form of a report, whatever the world, has a count of 1 to 49 people.
func TestNoSmallNumber(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for people := 10; people < 3000; people = people*3/2 + r.IntN(9) {
		c := NewCollector(testConfig(t, 5))
		for range people {
			c.Add(likely(r))
			if r.IntN(3) == 0 {
				c.Add(wild(r, 6))
			}
		}
		d := c.Data()
		var tree any
		if err := json.Unmarshal([]byte(forms(t, d)["json"]), &tree); err != nil {
			t.Fatal(err)
		}
		noSmall(t, "", tree)
		inside, err := json.Marshal(map[string]any{"report": d})
		if err != nil || strings.Contains(fmt.Sprintf("%v %+v %#v", d, d, d), "audiences") {
			t.Errorf("a Data that is printed gives its counts away (%v)", err)
		}
		if !bytes.Contains(inside, []byte(`"threshold":50`)) {
			t.Error("a Data inside another value is not the disclosed report")
		}
	}
}

// notPeople are the numbers of report.json that count nobody.
var notPeople = map[string]bool{"form": true, "threshold": true, "from": true, "to": true, "days": true, "gain": true, "largest_at_most": true, "files": true}

func noSmall(t *testing.T, key string, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			noSmall(t, k, x)
		}
	case []any:
		for _, x := range v {
			noSmall(t, key, x)
		}
	case float64:
		if !notPeople[key] && v > 0 && v < Threshold {
			t.Errorf("%s is %v", key, v)
		}
	}
}

// Names come from files and partners: none of them is markup, steers a
// terminal or breaks a line.
func TestHostileNames(t *testing.T) {
	evil := "</title></style><script>alert(1)</script><img src=x onerror=y>\" onload=\"z' \x1b[2J\n{{.}} url(http://evil.example/)"
	d := likelyData(t, 3000, 3)
	d.Header = Header{Snapshot: evil, AsOf: evil, Version: evil}
	for i := range d.cfg.Tenants {
		d.cfg.Tenants[i].Name = evil
	}
	for i := range d.cfg.Sources {
		d.cfg.Sources[i].Name = evil
	}
	for i := range d.cfg.Segments {
		d.cfg.Segments[i].Code = evil
	}
	d.Quarantine[evil], d.Input.RowsBySource[evil] = 700, 800
	out := forms(t, d)
	if strings.ContainsAny(out["text"], "\x1b") {
		t.Error("a name steers the terminal")
	}
	var tree any
	if err := json.Unmarshal([]byte(out["json"]), &tree); err != nil {
		t.Error(err)
	}
	page := out["html"]
	if n := strings.Count(page, "<title>Onboarding"); n != 1 || !strings.Contains(page, html.EscapeString("<script>")) {
		t.Errorf("%d titles; the names are not in the page as text", n)
	}
	page = regexp.MustCompile(`"[^"]*"`).ReplaceAllString(page, "") // a quote in a name is escaped
	if bad := regexp.MustCompile(`(?i)<(script|img|link|iframe|object|embed|base)\b|<[^>]*\s(on\w+|src|href|style)=`).FindString(page); bad != "" {
		t.Errorf("the page has %.80q", bad)
	}
}

// The page is one file: it names nothing to fetch, and says that it may not.
func TestPageIsSelfContained(t *testing.T) {
	page := forms(t, likelyData(t, 3000, 6))["html"]
	for _, want := range []string{`Content-Security-Policy" content="default-src 'none'`, "<svg", "<circle", "prefers-color-scheme:dark"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if bad := regexp.MustCompile(`(?i)https?://|@import|url\(|<script|ZgotmplZ`).FindString(page); bad != "" {
		t.Errorf("the page has %q", bad)
	}
}

// A report of nobody is a report.
func TestNobody(t *testing.T) {
	out := forms(t, NewCollector(testConfig(t, 2)).Data())
	if !strings.Contains(out["text"], "customers") || !strings.Contains(out["html"], "acme") {
		t.Error("the tenants are not named")
	}
	c := NewCollector(testConfig(t, 0))
	m := &maker{}
	m.node(nsMAID)
	c.Add(&m.p)
	if d := c.Data(); d.Reach(0, snapshot.Customer) != (Reach{}) || d.counts.persons != 1 {
		t.Errorf("a person of no tenant is counted as %+v", d.Reach(0, snapshot.Customer))
	}
}
