package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/bench/gen"
	"github.com/matchd/matchd/snapshot"
)

func newGenCommand() *cobra.Command {
	c := gen.DefaultConfig()
	var asOf string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "gen --out DIR --customers N --seed S",
		Short: "Make realistic input files, with the true answers beside them",
		Long: `Makes CRM files, a site's logins and partner files of invented people, an
onboard.yaml that names them, and truth.csv with the true person, or persons, of
every identifier. The same flags give the same bytes.

By default it tells the story of an energy supplier whose own logins reach 5 %
of its customers, and whose partners multiply that by four.`,
		Example: "  matchd gen --out data --customers 100000 --seed 7",
	}
	f := cmd.Flags()
	f.StringVar(&c.Out, "out", "", "folder to write to; empty or not there yet")
	f.IntVar(&c.Customers, "customers", 10_000, "customers of the first tenant")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "another seed gives another world")
	f.IntVar(&c.Tenants, "tenants", c.Tenants, "brands that pool their links")
	f.StringVar(&asOf, "as-of", "", "the latest time in the files (default 2026-11-01)")
	f.BoolVar(&asJSON, "json", false, "print the summary as JSON")
	required(cmd, "out")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if asOf != "" {
			t, err := snapshot.ParseTime(asOf)
			if err != nil {
				return usage(fmt.Errorf("--as-of: %w", err))
			}
			c.AsOf = t
		}
		if err := c.Validate(); err != nil {
			return usage(err)
		}
		s, err := gen.Run(cmd.Context(), c)
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(s)
		}
		printSummary(cmd.OutOrStdout(), c.Out, &s)
		return nil
	}
	return cmd
}

func printSummary(w io.Writer, out string, s *gen.Summary) {
	fmt.Fprintf(w, "%s: %s customers and %s prospects, %s true links and %s false ones, %s identifiers\n",
		out, count(int64(s.Customers)), count(int64(s.Prospects)), count(int64(s.Links)), count(int64(s.FalseLinks)), count(int64(s.Identifiers)))
	for _, f := range s.Files {
		fmt.Fprintf(w, "  %s: %s rows, %s of them junk\n", f.Path, count(int64(f.Rows)), count(int64(f.Junk)))
	}
	for _, x := range s.Examples {
		fmt.Fprintf(w, "  to try: %s, %s\n", x.Identifier, exampleTitles[x.Name])
	}
}
