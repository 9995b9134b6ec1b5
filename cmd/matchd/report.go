package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/matchd/matchd/snapshot/build"
)

// shownBad is how many bad rows are printed.
const shownBad = 10

// printBad lists bad rows, left-out fields and warnings.
func printBad(w io.Writer, r *build.ReadReport) {
	for i, b := range r.BadRows {
		if i == shownBad {
			break
		}
		fmt.Fprintf(w, "bad row: %s\n", b)
	}
	if n := r.Bad - shownBad; n > 0 {
		fmt.Fprintf(w, "bad row: and %d more\n", n)
	}
	for _, column := range slices.Sorted(maps.Keys(r.BadFields)) {
		fmt.Fprintf(w, "left out: %d values of column %s that cannot be read; their rows are kept\n", r.BadFields[column], column)
	}
	for _, text := range r.Warnings {
		fmt.Fprintf(w, "warning: %s\n", text)
	}
}

// printReport prints what went in, what came out, and what it gained.
func printReport(w io.Writer, r *build.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "in\t%s profile rows, %s link rows from %d files; %s bad rows left out\n",
		count(r.Read.ProfileRows), count(r.Read.LinkRows), len(r.Read.Files), count(r.Read.Bad))
	fmt.Fprintf(t, "\t%s links too old at %s left out; %s rows repeated a customer\n", count(r.Aged), r.AsOf, count(r.Merged))
	fmt.Fprintf(t, "out\t%s persons with %s identifiers, %s profiles and %s links; the largest has %s identifiers\n",
		count(r.Counts.Persons), count(r.Counts.Identifiers), count(r.Counts.Profiles), count(r.Counts.Links), count(r.Counts.Largest))
	fmt.Fprintf(t, "\t%s connected sets without any profile left out\n", count(r.Dropped))
	fmt.Fprintf(t, "ids\t%s\n", byCount(r.Counts.ByNamespace))
	fmt.Fprintf(t, "snapshot\t%s, %s bytes, %.1f an identifier\n", r.Snapshot, count(r.Bytes), float64(r.Bytes)/float64(max(r.Counts.Identifiers, 1)))
	return t.Flush()
}

func percent(n, of int64) float64 { return 100 * float64(n) / float64(max(of, 1)) }

// byCount lists the entries of m, largest first.
func byCount(m map[string]int64) string {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), strings.Compare(a, b)) })
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k + " " + count(m[k])
	}
	return strings.Join(parts, ", ")
}

// count formats n with its thousands apart.
func count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
