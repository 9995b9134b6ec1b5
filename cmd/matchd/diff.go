package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/engine/audit"
	"github.com/matchd/matchd/engine/swap"
	"github.com/matchd/matchd/snapshot"
)

func newDiffCommand() *cobra.Command {
	var (
		dir    string
		worst  int
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "diff --store DIR [A B]",
		Short: "Show what changed between two snapshots of a store",
		Long: `Compares two snapshots of a store, by name: persons gained, lost, merged and
split, told by the identifiers that both have, the reach of each namespace, the
size of each segment, and the persons with the largest changes, by pseudonym.
Without names, it compares the one before the current one with the current one.`,
		Example: "  matchd diff --store store",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 0 && len(args) != 2 {
				return errors.New("name two snapshots, or none")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "store", "", "the store that holds both")
	f.IntVar(&worst, "worst", 5, "how many of the largest changes to list, of each kind")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	required(cmd, "store")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if worst < 0 || worst > 1000 {
			return usage(fmt.Errorf("--worst is from 0 to 1000, not %d", worst))
		}
		d, err := diffStore(dir, args, worst)
		if err != nil {
			return err
		}
		if asJSON {
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(d)
		}
		return printDiff(cmd.OutOrStdout(), d)
	}
	return cmd
}

func diffStore(dir string, args []string, worst int) (d *swap.Difference, err error) {
	store, err := snapshot.OpenStore(dir)
	if err != nil {
		return nil, err
	}
	secret, err := store.Secret()
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		if args, err = lastTwo(store); err != nil {
			return nil, err
		}
	}
	var sides []swap.Side
	for _, name := range args {
		// A path of a snapshot of the store is as good as its name.
		c, err := store.Named(filepath.Base(name))
		if err != nil {
			return nil, err
		}
		s, err := store.Open(c, snapshot.Map)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		sides = append(sides, swap.Side{Snapshot: s, Hasher: snapshot.IdentifierHasher(secret)})
	}
	h := audit.Hasher(secret)
	name := func(id snapshot.PersonID) string { return audit.Pseudonym(h, "person "+id.String()) }
	return swap.Diff(sides[0], sides[1], name, worst)
}

// lastTwo names the snapshot before the current one, and the current one.
func lastTwo(store *snapshot.Store) ([]string, error) {
	cur, err := store.Current()
	if err != nil {
		return nil, err
	}
	names, err := store.Snapshots()
	if err != nil {
		return nil, err
	}
	if i := slices.Index(names, cur.Name); i > 0 {
		return []string{names[i-1], cur.Name}, nil
	}
	return nil, fmt.Errorf("store %s has no snapshot before the current one: name two", store.Dir())
}

func printDiff(w io.Writer, d *swap.Difference) error {
	fmt.Fprintf(w, "from       %s: %s identifiers of %s persons\n", d.From, count(d.Identifiers.Before), count(d.Persons.Before))
	fmt.Fprintf(w, "to         %s: %s identifiers of %s persons\n", d.To, count(d.Identifiers.After), count(d.Persons.After))
	fmt.Fprintf(w, "persons    %s gained, %s lost, %s merged, %s split; %s have another id\n",
		count(d.Gained), count(d.Lost), count(d.Merged), count(d.Split), count(d.Renamed))
	for _, part := range []struct {
		title string
		list  []swap.Change
	}{{"reach", d.Reach}, {"segments", d.Segments}} {
		title := part.title
		for _, c := range part.list {
			if c.Before != c.After {
				fmt.Fprintf(w, "%-9s  %s: %s, was %s\n", title, c.Of, count(c.After), count(c.Before))
				title = ""
			}
		}
	}
	for _, part := range []struct {
		title string
		list  []swap.PersonChange
	}{{"gained", d.WorstGained}, {"lost", d.WorstLost}, {"merged", d.WorstMerged}, {"split", d.WorstSplit}} {
		title := part.title
		for _, p := range part.list {
			fmt.Fprintf(w, "%-9s  %s, %s identifiers%s\n", title, p.Person, count(int64(p.Identifiers)), among(p.Others))
			title = ""
		}
	}
	return nil
}

func among(others []string) string {
	const shown = 4
	switch {
	case len(others) == 0:
		return ""
	case len(others) > shown:
		return fmt.Sprintf(": %s and %d more", strings.Join(others[:shown], ", "), len(others)-shown)
	}
	return ": " + strings.Join(others, ", ")
}
