package main

import (
	"github.com/spf13/cobra"

	"github.com/matchd/matchd/bench/cachebench"
)

func newBenchCacheCommand() *cobra.Command {
	c := cachebench.Default()
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Time listings and lookups with a cache and without",
		Long: `Builds a snapshot of --ids mobile ids and times listings of its customers, drawn
by Zipf's law and uniformly, on one core and on two, with matchd's cache of
decoded cold blocks switched off, of --cache-bytes, and with room for all. Then
lookups by Zipf's law, as matchd makes them and with such a cache of answers
before it, which shows why there is none.`,
		Example: `  matchd bench cache
  matchd bench cache --ids 1000000`,
	}
	f := cmd.Flags()
	f.IntVar(&c.IDs, "ids", c.IDs, "identifiers in the snapshot")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "seed of the data and of the draws")
	f.IntVar(&c.Rounds, "rounds", c.Rounds, "rounds of each case; the median is shown")
	f.IntVar(&c.Listings, "listings", c.Listings, "listings in a round of each case")
	f.IntVar(&c.Lookups, "lookups", c.Lookups, "lookups in a round of each case")
	f.IntVar(&c.WarmListings, "warm-listings", c.WarmListings, "listings before the rounds")
	f.IntVar(&c.WarmLookups, "warm-lookups", c.WarmLookups, "lookups before the rounds")
	f.Int64Var(&c.CacheBytes, "cache-bytes", c.CacheBytes, "the cache that has not room for all, in bytes")
	f.StringVar(&c.Dir, "dir", "", "folder for the snapshot (default: the system's for temporary files)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := c.Validate(); err != nil {
			return usage(err)
		}
		c.Log = progress(cmd)
		r, err := c.Run(cmd.Context())
		if err != nil {
			return err
		}
		r.Markdown(cmd.OutOrStdout())
		return nil
	}
	return cmd
}
