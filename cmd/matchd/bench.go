package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/bench"
)

func newBenchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure matchd beside what one would use instead",
	}
	cmd.AddCommand(newBenchLookupCommand(), newBenchBuildCommand(), newBenchWireCommand(), newBenchAllCommand(), newBenchCacheCommand(), newBenchEnrichCommand(), newBenchLogCommand(), newBenchLiveCommand(), newBenchBareCommand())
	return cmd
}

func newBenchLookupCommand() *cobra.Command {
	c := bench.DefaultLookup()
	format := "markdown"
	cmd := &cobra.Command{
		Use:   "lookup",
		Short: "Time lookups in process, beside a Go map and the machine's limit",
		Long: `Builds a snapshot of --ids mobile ids and times lookups of it in process: hits,
misses and a mix of 20 % hits, uniform and by Zipf's law, one at a time with each
waiting for the one before, and in batches, on one core and on two. Beside it, in
the same run and with the same records: a Go map, Pebble, Badger and bbolt (with
--peers), and the limit, one dependent random read of memory. Every lookup parses
the id and reads customer and segments.`,
		Example: `  matchd bench lookup --ids 10000000
  make peers && matchd bench lookup --ids 10000000 --peers bin/peers`,
	}
	f := cmd.Flags()
	f.IntVar(&c.IDs, "ids", c.IDs, "identifiers in the snapshot")
	f.IntVar(&c.Probes, "probes", c.Probes, "lookups in a round of each case")
	f.IntVar(&c.Rounds, "rounds", c.Rounds, "rounds of each case; the median is shown")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "seed of the data and of the lookups")
	f.StringVar(&c.Peers, "peers", "", "the program that holds the embedded stores, as make peers builds it")
	f.IntVar(&c.PeerIDs, "peer-ids", c.PeerIDs, "up to how many identifiers they are measured")
	f.StringVar(&c.Dir, "dir", "", "folder for the snapshot (default: the system's for temporary files)")
	f.StringVar(&format, "format", format, "markdown, or bench for benchstat")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if format != "markdown" && format != "bench" {
			return usage(fmt.Errorf("--format %q is neither markdown nor bench", format))
		}
		if err := c.Validate(); err != nil {
			return usage(err)
		}
		c.Log = progress(cmd)
		r, err := c.Run(cmd.Context())
		if err != nil {
			return err
		}
		if format == "bench" {
			r.Benchmark(cmd.OutOrStdout())
			return nil
		}
		r.Markdown(cmd.OutOrStdout())
		return nil
	}
	return cmd
}
