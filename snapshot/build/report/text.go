package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
)

// WriteText writes the report as tables for a terminal.
func (d *Data) WriteText(w io.Writer) error {
	r := d.disclose()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprint(t, printable(fmt.Sprint(c)))
		}
		fmt.Fprintln(t)
	}
	row("snapshot", r.Header.Snapshot)
	row("as of", r.Header.AsOf)
	row("matchd", r.Header.Version)
	row("input", fmt.Sprintf("%s files; %s rows of links, %s bad", grouped(r.Input.Files), r.Input.Rows, r.Input.Bad))
	writeCounts(row, "  rows of ", r.Input.RowsBySource)
	writeCounts(row, "persons ", r.Lineage)
	writeCounts(row, "links cut: ", r.Quarantine)
	for i := range r.Tenants {
		v := &r.Tenants[i]
		row()
		row("tenant " + v.Tenant)
		writeAudience(row, "customers", &v.Customers)
		row("  customer records", v.Records, fmt.Sprintf("%s of them duplicates", v.Duplicates))
		writeAudience(row, "prospects", &v.Prospects)
	}
	row()
	row("persons", r.Persons.People)
	for _, b := range r.Persons.Sizes {
		row("  of "+b.label()+" identifiers", b.People, b.People.percentOf(r.Persons.People))
	}
	if n := r.Persons.LargestAtMost; n > 0 {
		row("  the largest has at most", grouped(n))
	}
	for _, s := range r.Sources {
		row(fmt.Sprintf("digital ids that only %s (%s party) links", s.Source, s.Party), s.Only)
	}
	for i, s := range r.Segments.Segments {
		row("segment "+s.name(), s.People)
		for j, o := range r.Segments.Segments[:min(shownOverlaps, len(r.Segments.Segments))] {
			if i != j {
				both := r.Segments.Overlaps[i][j]
				row("  also in "+o.name(), both, both.percentOf(s.People))
			}
		}
	}
	row()
	row(withheldNote)
	return t.Flush()
}

// shownOverlaps is with how many of the largest segments each is compared here;
// the page has the whole matrix.
const shownOverlaps = 3

// withheldNote explains the word that stands for a count.
var withheldNote = fmt.Sprintf("withheld: fewer than %d people, or a number that would reveal so few", Threshold)

func writeAudience(row func(...any), kind string, a *audienceView) {
	row("  "+kind, a.People)
	if !a.People.shown || a.People.n == 0 {
		return
	}
	of := func(label string, c Count) { row("    "+label, c, c.percentOf(a.People)) }
	of("with a digital id", a.Reached)
	of("  by own data alone", a.Own)
	if a.Gain != nil {
		row("    partners multiply reach by", fmt.Sprintf("x%.1f", *a.Gain))
	}
	for _, p := range a.Parties {
		of("by links up to "+p.Name+" party", p.People)
	}
	for _, m := range a.Methods {
		of("by links "+m.Name+" or stronger", m.People)
	}
	for _, n := range a.Namespaces {
		of("with a "+n.Name, n.People)
	}
	for _, s := range a.Sources {
		of(fmt.Sprintf("by %s (%s party)", s.Source, s.Party), s.People)
		of("  only thanks to it", s.Only)
	}
	for _, b := range a.Devices {
		of("with "+b.label()+" digital ids", b.People)
	}
	for _, c := range a.Consent {
		of(fmt.Sprintf("consent ends within %d days", c.Days), c.People)
	}
}

func writeCounts(row func(...any), label string, counts map[string]Count) {
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		row(label+k, counts[k])
	}
}

// label is the bin in words: "3", "3–4" or "5 and more".
func (b bin) label() string {
	switch {
	case b.To == b.From:
		return fmt.Sprint(b.From)
	case b.To == 0:
		return fmt.Sprintf("%d and more", b.From)
	}
	return fmt.Sprintf("%d–%d", b.From, b.To)
}

func (s segmentView) name() string { return s.Tenant + "/" + s.Segment }

// printable replaces what would steer a terminal or break a line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, s)
}
