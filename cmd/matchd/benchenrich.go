package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/bench/enrich"
	"github.com/matchd/matchd/snapshot"
)

func newBenchEnrichCommand() *cobra.Command {
	c := enrich.Default()
	memory := string(c.Memory)
	cmd := &cobra.Command{
		Use:   "enrich",
		Short: "Time enriching bid requests, in process and over the wire",
		Long: `Enriches bid requests of about 1.2 KB with a consent string each, of somebody and
of nobody, in process, beside decoding and encoding the same bytes with
prebid/openrtb; decides about consent strings with a memory and without; starts
matchd serve and a bare fasthttp handler that echoes the body, and compares their
processor time; and measures the latency of a client alone and beside one that
sends ten times what it may. It prints first how that stands to the bars that
matchd sets itself. A bar that is missed is no failure of the command.

Over the wire it needs Linux and two cores that have nothing else to do.`,
		Example: `  matchd bench enrich
  matchd bench enrich --ids 10000000 --out bench/results/enrich.md --bench-out bench/results/enrich.txt`,
	}
	f := cmd.Flags()
	f.IntVar(&c.IDs, "ids", c.IDs, "mobile identifiers in the snapshot")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "seed of the data and of the requests")
	f.IntVar(&c.Requests, "requests", c.Requests, "different requests of each kind, and calls in a round in process")
	f.IntVar(&c.Strings, "strings", c.Strings, "different consent strings")
	f.StringVar(&memory, "memory", memory, "what matchd serves from, map or copy")
	f.IntVar(&c.Rounds, "rounds", c.Rounds, "rounds of each case; the median is shown")
	f.DurationVar(&c.Duration, "duration", c.Duration, "time of a case over the wire in a round")
	f.IntVar(&c.LatencyRounds, "latency-rounds", c.LatencyRounds, "rounds of latency; 0 leaves it out")
	f.DurationVar(&c.LatencyDuration, "latency-duration", c.LatencyDuration, "time of a round of latency")
	f.IntVar(&c.Rate, "rate", c.Rate, "requests a second whose latency is measured")
	f.IntVar(&c.Limit, "limit", c.Limit, "requests a second that the greedy client may send, of which it sends ten times as many")
	f.StringVar(&c.Dir, "dir", "", "folder for data and sockets (default: the system's for temporary files)")
	files := resultFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		c.Memory = snapshot.Memory(memory)
		if err := c.Validate(); err != nil {
			return usage(err)
		}
		if c.Matchd, err = os.Executable(); err != nil {
			return err
		}
		c.Log = progress(cmd)
		return runBench(cmd, files, c.Run)
	}
	return cmd
}
