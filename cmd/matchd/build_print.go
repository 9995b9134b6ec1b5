package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
	"github.com/matchd/matchd/snapshot/build/report"
)

// shownBad is how many bad rows are printed as text.
const shownBad = 10

// printBad lists bad rows, left-out fields and warnings.
func printBad(w io.Writer, r *build.ReadReport) {
	for _, b := range r.BadRows[:min(len(r.BadRows), shownBad)] {
		fmt.Fprintf(w, "bad row: %s\n", b)
	}
	if n := r.Bad - shownBad; n > 0 {
		fmt.Fprintf(w, "bad row: and %s more\n", count(n))
	}
	for _, column := range slices.Sorted(maps.Keys(r.BadFields)) {
		fmt.Fprintf(w, "left out: %s values of column %s that cannot be read or are nobody's; their rows are kept\n", count(r.BadFields[column]), column)
	}
	for _, text := range r.Warnings {
		fmt.Fprintf(w, "warning: %s\n", text)
	}
}

// A notice is what printBad says, as an object beside those of progress. One
// of its fields is given.
type notice struct {
	BadRow  *badRow   `json:"bad_row,omitempty"`
	MoreBad int64     `json:"bad_rows_not_listed,omitempty"`
	LeftOut *badField `json:"left_out,omitempty"`
	Warning string    `json:"warning,omitempty"`
	Error   string    `json:"error,omitempty"`
}

type badRow struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

type badField struct {
	Column string `json:"column"`
	Values int64  `json:"values"`
}

// printBadJSON prints an object a line: so all that stands on standard error
// can be read as such.
func printBadJSON(w io.Writer, r *build.ReadReport) {
	enc := json.NewEncoder(w)
	for _, b := range r.BadRows {
		_ = enc.Encode(notice{BadRow: &badRow{b.File, b.Line, b.Reason}})
	}
	if n := r.Bad - int64(len(r.BadRows)); n > 0 {
		_ = enc.Encode(notice{MoreBad: n})
	}
	for _, column := range slices.Sorted(maps.Keys(r.BadFields)) {
		_ = enc.Encode(notice{LeftOut: &badField{column, r.BadFields[column]}})
	}
	for _, text := range r.Warnings {
		_ = enc.Encode(notice{Warning: text})
	}
}

// disclosed is what the onboarding report shows of counts that the build has
// exactly. Without a number they are withheld.
type disclosed struct {
	Persons struct {
		People *int64 `json:"people"`
	} `json:"persons"`
	Quarantine map[string]*int64 `json:"quarantine"`
	Lineage    map[string]*int64 `json:"lineage"`
}

func disclose(d *report.Data) (s disclosed, err error) {
	b, err := json.Marshal(d)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(b, &s)
}

// printBuilt prints what went in and what came out, where it is, and the
// onboarding report. Text is what gets copied into a chat or a ticket, so it
// counts people as the report does, which withholds small counts; rows,
// identifiers and links are rounded, and other totals that the report does not
// have are exact where they are no small ones themselves.
func printBuilt(w io.Writer, r *build.Report, store string, took time.Duration) error {
	s, err := disclose(r.Onboarding)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "in\t%s rows of %s files; %s bad ones left out\n", about(r.Read.ProfileRows+r.Read.LinkRows), count(int64(len(r.Read.Files))), count(r.Read.Bad))
	fmt.Fprintf(t, "\t%s links too old at %s left out; %s rows repeated a customer\n", few(r.Aged), r.AsOf, few(r.Merged))
	fmt.Fprintf(t, "out\t%s persons with %s identifiers and %s links\n", shown(s.Persons.People), about(r.Counts.Identifiers), about(r.Counts.Links))
	fmt.Fprintf(t, "\t%s connected sets without any profile left out; %s identifiers are shared and serve nobody\n", few(r.Dropped), few(r.Shared))
	if len(s.Quarantine) > 0 {
		fmt.Fprintf(t, "links cut\t%s\n", shownCounts(s.Quarantine))
	}
	if l := r.Live; l != nil {
		fmt.Fprintf(t, "live\t%s up to change %d: %s links added, %s rows unlinked, %s segments and %s consents changed\n",
			l.Log, l.Seq, few(l.Links), few(l.UnlinkedRows), few(l.Segments), few(l.Consents))
		fmt.Fprintf(t, "\t%s rows of the erased and %s of the opted-out dropped, %s links to them, %s to their contacts\n",
			few(l.ErasedRows), few(l.OptedOutRows), few(l.DroppedLinkRows), few(l.CutContacts))
	}
	if r.Lineage != nil {
		fmt.Fprintf(t, "persons\t%s, since %s\n", shownCounts(s.Lineage), r.Lineage.Previous)
	}
	fmt.Fprintf(t, "snapshot\t%s, %s, %.1f bytes an identifier, in %s\n", r.Snapshot, byteText(r.Bytes),
		float64(r.Bytes)/float64(max(r.Counts.Identifiers, 1)), spanText(took))
	if r.Spilled > 0 {
		fmt.Fprintf(t, "\t%s went through temporary files: more --memory would spare some of it\n", byteText(r.Spilled))
	}
	fmt.Fprintln(t)
	if err := t.Flush(); err != nil {
		return err
	}
	if err := r.Onboarding.WriteText(w); err != nil {
		return err
	}
	dir := snapshotDir(store, r.Snapshot)
	fmt.Fprintf(w, "\nthe same as a page: %s\nlinks that were cut, and why: %s\n",
		filepath.Join(dir, snapshot.ReportHTML), filepath.Join(dir, snapshot.QuarantineJSON))
	return nil
}

// snapshotDir is the folder of a snapshot of the store in dir.
func snapshotDir(dir, name string) string { return filepath.Join(dir, "snapshots", name) }

// shown is a count of the report.
func shown(n *int64) string {
	if n == nil {
		return "withheld"
	}
	return count(*n)
}

// shownCounts lists the counts of a report by name.
func shownCounts(m map[string]*int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, name+" "+shown(m[name]))
	}
	return strings.Join(parts, ", ")
}

// few is a total that the report does not have, withheld as there where it
// tells of few.
func few(n int64) string {
	if n > 0 && n < report.Threshold {
		return fmt.Sprintf("fewer than %d", report.Threshold)
	}
	return count(n)
}

// about rounds to thousands: beside the report, exact numbers of rows,
// identifiers and links would tell of few people.
func about(n int64) string {
	if n < 1000 {
		return "fewer than 1,000"
	}
	return "about " + count((n+500)/1000*1000)
}
