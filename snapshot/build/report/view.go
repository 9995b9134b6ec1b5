package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"github.com/matchd/matchd/snapshot"
)

// formVersion is the version of report.json; it grows when a name or a meaning
// changes.
const formVersion = 1

// Count is a count as it is shown: a number, or withheld, which is null.
type Count struct {
	n     int64
	shown bool
}

// MarshalJSON writes the number or null.
func (c Count) MarshalJSON() ([]byte, error) {
	if !c.shown {
		return []byte("null"), nil
	}
	return json.Marshal(c.n)
}

// String is the number with its thousands apart, or "withheld".
func (c Count) String() string {
	if !c.shown {
		return "withheld"
	}
	return grouped(c.n)
}

// of returns c as a share of whole, from 0 to 1, where both are shown.
func (c Count) of(whole Count) (share float64, ok bool) {
	if !c.shown || !whole.shown || whole.n == 0 {
		return 0, false
	}
	return float64(c.n) / float64(whole.n), true
}

// percentOf is the share in words.
func (c Count) percentOf(whole Count) string {
	share, ok := c.of(whole)
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*share)
}

func (f *figure) count() Count {
	if !f.shown {
		return Count{}
	}
	return Count{f.exact, true}
}

// report is what is shown. Every number in it has been decided on, or is
// computed from such.
type report struct {
	Form       int              `json:"form"`
	Threshold  int              `json:"threshold"`
	Header     Header           `json:"header"`
	Input      inputView        `json:"input"`
	Quarantine map[string]Count `json:"quarantine"`
	Lineage    map[string]Count `json:"lineage,omitempty"`
	Persons    personsView      `json:"persons"`
	Tenants    []tenantView     `json:"tenants"`
	Sources    []sourceIDs      `json:"sources"`
	Segments   segmentsView     `json:"segments"`
}

type inputView struct {
	Files        int64            `json:"files"`
	Rows         Count            `json:"rows"`
	Bad          Count            `json:"bad_rows"`
	RowsBySource map[string]Count `json:"rows_by_source"`
}

type personsView struct {
	People Count `json:"people"`
	Sizes  []bin `json:"sizes"` // by identifiers
	// LargestAtMost is a power of two that no person has more identifiers
	// than; how many the largest has exactly would be about one person. It
	// is 0 where sizes are withheld.
	LargestAtMost int64 `json:"largest_at_most"`
}

// bin is a step of a histogram, or several that were merged. To 0 is open.
type bin struct {
	From   int   `json:"from"`
	To     int   `json:"to"`
	People Count `json:"people"`
}

type tenantView struct {
	Tenant     string       `json:"tenant"`
	Customers  audienceView `json:"customers"`
	Prospects  audienceView `json:"prospects"`
	Records    Count        `json:"customer_records"`
	Duplicates Count        `json:"duplicate_customer_records"`
}

type audienceView struct {
	People  Count `json:"people"`
	Reached Count `json:"reached"`
	Own     Count `json:"reached_by_own_data"`
	// Gain is Reached by Own, to one decimal, or null.
	Gain       *float64     `json:"gain"`
	Parties    []namedCount `json:"reached_up_to_party"`
	Methods    []namedCount `json:"reached_down_to_method"`
	Namespaces []namedCount `json:"reached_by_namespace"`
	Sources    []sourceView `json:"reached_by_source"`
	Devices    []bin        `json:"digital_ids"`
	Consent    []window     `json:"consent_expires_within"`
}

type namedCount struct {
	Name   string `json:"name"`
	People Count  `json:"people"`
}

type sourceView struct {
	Source string `json:"source"`
	Party  string `json:"party"`
	People Count  `json:"people"`
	Only   Count  `json:"people_only_thanks_to_it"`
}

type window struct {
	Days   int   `json:"days"`
	People Count `json:"people"`
}

type sourceIDs struct {
	Source string `json:"source"`
	Party  string `json:"party"`
	Only   Count  `json:"digital_ids_only_it_links"`
}

type segmentsView struct {
	Segments []segmentView `json:"segments"`
	// Overlaps[i][j] are the people in both; a segment's own place has its size.
	Overlaps [][]Count `json:"overlaps"`
}

type segmentView struct {
	Tenant  string `json:"tenant"`
	Segment string `json:"segment"`
	People  Count  `json:"people"`
}

// disclose returns what is shown of d.
func (d *Data) disclose() *report {
	f := d.decide(Threshold)
	out := &report{
		Form: formVersion, Threshold: Threshold, Header: d.Header,
		Input: inputView{
			Files: d.Input.Files, Rows: f.input["rows"].count(), Bad: f.input["bad_rows"].count(),
			RowsBySource: countsOf(f.bySource),
		},
		Quarantine: countsOf(f.quarantine),
		Persons:    personsView{People: f.persons.count(), Sizes: bins(sizeSteps[:], f.sizes)},
		Segments:   d.segmentsView(f),
		Tenants:    []tenantView{},
		Sources:    []sourceIDs{},
	}
	if f.lineage != nil {
		out.Lineage = countsOf(f.lineage)
	}
	if f.persons.shown && d.counts.largest > 0 {
		out.Persons.LargestAtMost = 1 << bits.Len64(uint64(d.counts.largest-1))
	}
	for i, t := range d.cfg.Tenants {
		customers := &f.audiences[2*i]
		out.Tenants = append(out.Tenants, tenantView{
			Tenant:     t.Name,
			Customers:  d.audienceView(customers),
			Prospects:  d.audienceView(&f.audiences[2*i+1]),
			Records:    customers.records.count(),
			Duplicates: customers.duplicates.count(),
		})
	}
	for i, s := range d.cfg.Sources {
		if only := f.onlyIDs[i].count(); only != (Count{0, true}) {
			out.Sources = append(out.Sources, sourceIDs{s.Name, s.Party.String(), only})
		}
	}
	return out
}

func (d *Data) audienceView(f *audienceFigures) audienceView {
	out := audienceView{
		People: f.people.count(), Reached: f.reached.count(), Own: f.party[snapshot.FirstParty].count(),
		Devices: bins(deviceSteps[1:], f.devices), Sources: []sourceView{}, Namespaces: []namedCount{},
	}
	if own, ok := out.Reached.of(out.Own); ok {
		gain := float64(int64(own*10+0.5)) / 10
		out.Gain = &gain
	}
	// The first step of the histogram is who is not reached.
	if f.people.shown && f.reached.shown {
		none := bin{From: 0, To: 0, People: Count{f.people.exact - f.reached.exact, true}}
		out.Devices = slices.Insert(out.Devices, 0, none)
	}
	for i, p := range f.party {
		out.Parties = append(out.Parties, namedCount{snapshot.Party(i).String(), p.count()})
	}
	for i, m := range f.method {
		out.Methods = append(out.Methods, namedCount{snapshot.Method(i).String(), m.count()})
	}
	for i, n := range d.cfg.Namespaces.All() {
		if n.Tracer() {
			out.Namespaces = append(out.Namespaces, namedCount{n.Name, f.namespaces[i].count()})
		}
	}
	for i, s := range d.cfg.Sources {
		people, only := f.reach[i].count(), f.only[i].count()
		if nobody := (Count{0, true}); people != nobody || only != nobody {
			out.Sources = append(out.Sources, sourceView{s.Name, s.Party.String(), people, only})
		}
	}
	for i, n := range f.consent {
		out.Consent = append(out.Consent, window{consentDays[i], n.count()})
	}
	return out
}

func (d *Data) segmentsView(f *figures) segmentsView {
	out := segmentsView{Segments: []segmentView{}, Overlaps: [][]Count{}}
	for i, n := range d.cfg.Largest {
		s := d.cfg.Segments[n]
		out.Segments = append(out.Segments, segmentView{d.cfg.Tenants[s.Tenant].Name, s.Code, f.segments[i].count()})
		row := make([]Count, len(d.cfg.Largest))
		for j := range row {
			if i == j {
				row[j] = f.segments[i].count()
			} else {
				row[j] = f.pairs[[2]int{min(i, j), max(i, j)}].count()
			}
		}
		out.Overlaps = append(out.Overlaps, row)
	}
	return out
}

// bins turns how many have so much or more, as far as it is shown, into steps.
func bins(steps []int, atLeast []*figure) []bin {
	out := []bin{}
	for i, f := range atLeast {
		if !f.shown {
			continue
		}
		if n := len(out); n > 0 {
			out[n-1].To = steps[i] - 1
			out[n-1].People.n -= f.exact
		}
		if f.exact == 0 {
			break // and nobody beyond
		}
		out = append(out, bin{From: steps[i], People: f.count()})
	}
	return out
}

func countsOf(m map[string]*figure) map[string]Count {
	out := make(map[string]Count, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out[k] = m[k].count()
	}
	return out
}

// grouped formats n with its thousands apart.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
