package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/snapshot"
)

// filterProbes is how many random identifiers the filters are measured with.
const filterProbes = 1_000_000

func newInspectCommand() *cobra.Command {
	var (
		dir    string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:     "inspect --store DIR",
		Short:   "Show what a store's current snapshot holds, measured",
		Example: "  matchd inspect --store store",
	}
	cmd.Flags().StringVar(&dir, "store", "", "the store to look into")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	required(cmd, "store")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withCurrent(dir, func(_ *snapshot.Store, s *snapshot.Snapshot) error {
			in, err := s.Inspect(filterProbes)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(in)
			}
			return printInspection(cmd.OutOrStdout(), &in)
		})
	}
	return cmd
}

func printInspection(w io.Writer, in *snapshot.Inspection) error {
	m := &in.Manifest
	ids := float64(max(m.Counts.Identifiers, 1))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "snapshot   %s, format %d.%d, of %s, key %s\n", in.Name, snapshot.FormatVersion, in.Revision, m.AsOf.Format("2006-01-02 15:04:05"), m.KeyID)
	if in.Outdated {
		fmt.Fprintln(w, "           the format has a newer revision: building it anew would gain something")
	}
	fmt.Fprintf(w, "holds      %s identifiers of %s persons, %s profiles, %s links; the largest person has %s identifiers\n",
		count(m.Counts.Identifiers), count(m.Counts.Persons), count(m.Counts.Profiles), count(m.Counts.Links), count(m.Counts.Largest))
	fmt.Fprintf(w, "by kind    %s\n", byCount(m.Counts.ByNamespace))
	if l := m.Lineage; l != nil {
		fmt.Fprintf(w, "persons    %s kept, %s new, %s merged, %s split, %s gone since %s\n",
			count(l.Kept), count(l.New), count(l.Merged), count(l.Split), count(l.Gone), l.Previous)
	}
	if m.Counts.Anonymous > 0 {
		fmt.Fprintf(w, "           %s persons have no profile\n", count(m.Counts.Anonymous))
	}
	if in.Renamed > 0 {
		fmt.Fprintf(w, "renamed    %s hashes of former keys, by which identifiers were opted out or erased\n", few(int64(in.Renamed)))
	}
	for i, name := range slices.Sorted(maps.Keys(m.Rules)) {
		title := ""
		if i == 0 {
			title = "rules"
		}
		fmt.Fprintf(w, "%-9s  %s: %s\n", title, name, m.Rules[name])
	}
	fmt.Fprintf(w, "shards     %d of the index, %d of records\n", m.IndexShards, m.RecordShards)
	fmt.Fprintf(w, "table      %.1f %% full, %.1f %% of its lines spill into the next\n", 100*in.Fill, 100*in.Spilled)
	fmt.Fprintf(w, "filter     %.2f %% false positives, measured with %s random identifiers\n\n", 100*in.FalsePositives, count(int64(in.Probes)))
	fmt.Fprintf(t, "section\tbytes\tbytes an id\t\n")
	for _, s := range in.Sections {
		fmt.Fprintf(t, "%s\t%s\t%.2f\t\n", s.Tag, count(s.Bytes), float64(s.Bytes)/ids)
	}
	fmt.Fprintf(t, "all\t%s\t%.2f\t\n", count(in.Bytes), float64(in.Bytes)/ids)
	return t.Flush()
}
