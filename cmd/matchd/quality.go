package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build/config"
	"github.com/matchd/matchd/snapshot/build/quality"
)

// currentSnapshot names the snapshot that is served.
const currentSnapshot = "current"

func newQualityCommand() *cobra.Command {
	var (
		configPath, dir, name string
		o                     quality.Options
		asJSON                bool
	)
	cmd := &cobra.Command{
		Use:   "quality --config onboard.yaml --truth truth.csv --store DIR",
		Short: "Measure the persons of a snapshot against the truth",
		Long: `Compares the persons of a snapshot with truth.csv, which names the true persons
of each identifier, separated by "|". Precision is the share of the pairs that
the snapshot has in one person and that are one person's; recall is the share of
the pairs that are due, which true links of the input connect before any guard,
that the snapshot has in one person. Shared identifiers, those of more than one
true person, are measured apart.

Give the config and the input files that the snapshot was built from.`,
		Example: "  matchd quality --config data/onboard.yaml --truth data/truth.csv --store store",
	}
	f := cmd.Flags()
	f.StringVar(&configPath, "config", "onboard.yaml", "what the snapshot was built from")
	f.StringVar(&o.Truth, "truth", "", "the true persons of the identifiers: CSV with the columns identifier and persons")
	f.StringVar(&dir, "store", "", "the store that holds the snapshot")
	f.StringVar(&name, "snapshot", currentSnapshot, "the snapshot's name, or current")
	f.IntVar(&o.Worst, "worst", 5, "how many of the worst persons to list, of each kind")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	required(cmd, "truth", "store")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.Worst < 0 {
			return usage(fmt.Errorf("--worst is how many persons to list, 0 or more, not %d", o.Worst))
		}
		var err error
		if o.Config, err = config.Load(configPath); err != nil {
			return err
		}
		r, err := measureQuality(cmd.Context(), o, dir, name)
		if err != nil {
			return err
		}
		if asJSON {
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(r)
		}
		return printQuality(cmd.OutOrStdout(), r)
	}
	return cmd
}

// measureQuality measures a snapshot of the store in dir.
func measureQuality(ctx context.Context, o quality.Options, dir, name string) (r *quality.Report, err error) {
	store, err := snapshot.OpenStore(dir)
	if err != nil {
		return nil, err
	}
	which, err := findSnapshot(store, name)
	if err != nil {
		return nil, err
	}
	if o.Snapshot, err = store.Open(which, snapshot.Map); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Snapshot.Close()) }()
	return quality.Measure(ctx, o)
}

// findSnapshot finds a snapshot of a store by its name, or the current one.
func findSnapshot(store *snapshot.Store, name string) (snapshot.Current, error) {
	if name == currentSnapshot {
		return store.Current()
	}
	names, err := store.Snapshots()
	if err != nil {
		return snapshot.Current{}, err
	}
	if !slices.Contains(names, name) {
		return snapshot.Current{}, fmt.Errorf("store %s has no snapshot %q; it has %s", store.Dir(), name, strings.Join(names, ", "))
	}
	return store.Named(name)
}

func printQuality(w io.Writer, r *quality.Report) error {
	in := &r.Input
	fmt.Fprintf(w, "snapshot  %s: %s persons with %s unshared identifiers, %s shared ones, and %s that the truth does not know\n", r.Snapshot,
		count(r.Held.Persons), count(r.Held.Unshared), count(r.Held.Shared), count(r.Held.Unknown))
	fmt.Fprintf(w, "truth     %s persons with %s unshared identifiers and %s shared ones\n",
		count(r.Truth.Persons), count(r.Truth.Unshared), count(r.Truth.Shared))
	fmt.Fprintf(w, "input     %s true links, %s false ones, %s of unknown identifiers, %s aged out; %s bad rows\n\n",
		count(in.TrueLinks), count(in.FalseLinks), count(in.UnknownLink), count(in.AgedLinks), count(in.BadRows))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "pairs\tprecision\trecall\tF1\tin one person\tof them right\tdue\tof them found\t\n")
	printScore(t, "unshared", &r.Unshared)
	printScore(t, "shared", &r.Shared)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\naside     %s unshared and %s shared pairs of persons without a profile, which the snapshot leaves out\n",
		count(r.Aside.Unshared), count(r.Aside.Shared))
	fmt.Fprintf(w, "wrong     %s pairs in %s persons; %s of them of people who share an identifier of that person\n",
		count(r.Wrong.Pairs), count(r.Wrong.Persons), count(r.Wrong.BySharing))
	fmt.Fprintf(w, "missed    %s pairs of %s true persons; %s with an identifier that the snapshot does not hold, %s that are in two persons; %s that shared identifiers alone connect\n",
		count(r.Missed.Pairs), count(r.Missed.Persons), count(r.Missed.Absent), count(r.Missed.Pairs-r.Missed.Absent), count(r.Missed.BySharing))
	printNamespacePairs(w, r.Namespaces)
	printWorst(w, r)
	return nil
}

func printScore(w io.Writer, name string, s *quality.Score) {
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", name, ratio(s.Precision), ratio(s.Recall), ratio(s.F1),
		count(s.Paired), count(s.Right), count(s.Due), count(s.Found))
}

func ratio(r quality.Ratio) string {
	if math.IsNaN(float64(r)) {
		return "-"
	}
	return fmt.Sprintf("%.5f", float64(r))
}

func printNamespacePairs(w io.Writer, list []quality.NamespacePairs) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "unshared pairs of\tmissed\tof them absent\twrong\t\n")
	for _, p := range list {
		fmt.Fprintf(t, "%s + %s\t%s\t%s\t%s\t\n", p.A, p.B, count(p.Missed), count(p.Absent), count(p.Wrong))
	}
	_ = t.Flush()
}

func printWorst(w io.Writer, r *quality.Report) {
	if len(r.Mixed) > 0 {
		fmt.Fprintln(w, "\npersons of the snapshot that mix most")
	}
	for _, m := range r.Mixed {
		fmt.Fprintf(w, "  %s wrong pairs: %s true persons in %s identifiers (%s shared, %s unknown)\n    %s\n", count(m.Wrong),
			count(m.Persons), count(m.Identifiers), count(m.Shared), count(m.Unknown), strings.Join(m.Examples, "\n    "))
	}
	if len(r.Torn) > 0 {
		fmt.Fprintln(w, "\ntrue persons torn most")
	}
	for _, x := range r.Torn {
		fmt.Fprintf(w, "  %s missed pairs: %s, %s identifiers, in %s persons of the snapshot and %s in none\n    %s\n", count(x.Missed),
			x.Person, count(x.Identifiers), count(x.Pieces), count(x.Absent), strings.Join(x.Examples, "\n    "))
	}
}
