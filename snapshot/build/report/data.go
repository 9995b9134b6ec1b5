package report

import (
	"encoding/json"
	"io"

	"github.com/matchd/matchd/snapshot"
)

// Data is what was counted, to be rendered. The counts inside are exact, and
// leave it only through [Data.Reach] and, disclosed, through the forms.
type Data struct {
	Header     Header
	Input      Input
	Quarantine map[string]int64 // links cut, by reason
	Lineage    *Lineage         // nil where there was no previous snapshot

	cfg    Config
	counts counts
}

// Header says what the report is about.
type Header struct {
	Snapshot string `json:"snapshot"`
	AsOf     string `json:"as_of"`   // RFC 3339; [Collector.Data] fills it in
	Version  string `json:"version"` // of matchd
}

// Input is what was read. Rows are those of link files, bad rows included: rows
// of profiles, beside the people in them, would tell of few. Files are all.
type Input struct {
	Files        int64
	Rows, Bad    int64
	RowsBySource map[string]int64
}

// Lineage is what became of the persons of the previous snapshot.
type Lineage struct{ Kept, New, Merged, Split int64 }

// Reach is how many people of one kind a tenant has, how many of them have a
// digital id, and how many have one by own data alone.
type Reach struct{ People, Reached, Own int64 }

// Reach returns exact counts, which are not for publication.
func (d *Data) Reach(tenant int, kind snapshot.Kind) Reach {
	a := &d.counts.audiences[2*tenant+int(kind)]
	return Reach{People: a.people, Reached: a.reached(), Own: a.party[snapshot.FirstParty]}
}

// MarshalJSON renders the disclosed report, so that a Data inside something
// else gives nothing away.
func (d *Data) MarshalJSON() ([]byte, error) { return json.Marshal(d.disclose()) }

// String is a placeholder, so that a Data in a log gives nothing away.
func (d *Data) String() string { return "report of snapshot " + d.Header.Snapshot }

// GoString is String, for %#v.
func (d *Data) GoString() string { return d.String() }

// WriteJSON writes report.json. The same persons give the same bytes, whatever
// the order in which they were added and merged.
func (d *Data) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(d.disclose())
}
