package main

import (
	"github.com/spf13/cobra"

	"github.com/matchd/matchd/bench/livebench"
	"github.com/matchd/matchd/snapshot"
)

func newBenchLiveCommand() *cobra.Command {
	c := livebench.Default()
	memory := string(c.Memory)
	cmd := &cobra.Command{
		Use:   "live",
		Short: "Time lookups with a million live changes beside lookups without",
		Long: `Builds a snapshot of --ids mobile ids, gives --entries of its persons a live change
each, and times lookups on one core: of persons without a change and of ids that
nobody has, one at a time with each waiting for the one before, and in batches;
without an overlay, beside an empty one, and beside the entries. It prints how that
stands to the bar that matchd sets itself. Lookups of the changed themselves are
shown beside it. A bar that is missed is no failure of the command.`,
		Example: `  matchd bench live --ids 1000000 --entries 100000
  matchd bench live --out bench/results/live.md --bench-out bench/results/live.txt`,
	}
	f := cmd.Flags()
	f.IntVar(&c.IDs, "ids", c.IDs, "identifiers in the snapshot, three of each person")
	f.IntVar(&c.Entries, "entries", c.Entries, "persons with a live change; at most half of all")
	f.IntVar(&c.Probes, "probes", c.Probes, "lookups in a round of each case")
	f.IntVar(&c.Rounds, "rounds", c.Rounds, "rounds of each case; the median is shown")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "seed of the data and of the lookups")
	f.StringVar(&memory, "memory", memory, "what the snapshot is served from: copy or map")
	f.StringVar(&c.Dir, "dir", "", "folder for the snapshot (default: the system's for temporary files)")
	files := resultFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c.Memory = snapshot.Memory(memory)
		if err := c.Validate(); err != nil {
			return usage(err)
		}
		c.Log = progress(cmd)
		return runBench(cmd, files, c.Run)
	}
	return cmd
}
