package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/bench/bars"
	"github.com/matchd/matchd/snapshot"
)

func newBenchAllCommand() *cobra.Command {
	c := bars.Default()
	memory, limit := string(c.Memory), byteSize(c.LimitBytes)
	cmd := &cobra.Command{
		Use:   "all",
		Short: "Measure everything about lookups, and judge it by the bars",
		Long: `Does what matchd bench lookup and matchd bench wire do, measures how fast a
snapshot opens and what a lookup and a request allocate, and prints first how
that stands to the bars that matchd sets itself: ratios of what was measured in
the same run. The bars are judged with --memory; in process, the other kind is
shown beside it.

What cannot be measured here, for want of a program or of Linux and two cores, is
skipped, and said to be. A bar that is missed is no failure of the command.`,
		Example: `  make peers && matchd bench all --peers bin/peers
  matchd bench all --ids 100000000 --out bench/results/full.md --bench-out bench/results/full.txt`,
	}
	f := cmd.Flags()
	f.IntVar(&c.IDs, "ids", c.IDs, "identifiers in process")
	f.IntVar(&c.WireIDs, "wire-ids", c.WireIDs, "identifiers over the wire; 0 leaves that out")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "seed of the data and of what is asked for")
	f.StringVar(&memory, "memory", memory, "what is judged: matchd serving from map or copy")
	f.IntVar(&c.Probes, "probes", c.Probes, "lookups in a round of each case in process")
	f.Var(&limit, "limit-memory", "memory over which a dependent random read is measured")
	f.IntVar(&c.Rounds, "rounds", c.Rounds, "rounds of each case; the median is shown")
	f.DurationVar(&c.Duration, "duration", c.Duration, "time of a case over the wire in a round")
	f.IntVar(&c.LatencyRounds, "latency-rounds", c.LatencyRounds, "rounds of latency, and of swaps; 0 leaves both out")
	f.DurationVar(&c.LatencyDuration, "latency-duration", c.LatencyDuration, "time of a round of latency")
	f.StringVar(&c.Peers, "peers", "", "the program that holds the embedded stores, as make peers builds it")
	f.IntVar(&c.PeerIDs, "peer-ids", c.PeerIDs, "up to how many identifiers they are measured")
	f.StringVar(&c.Redis, "redis", c.Redis, "the program of Redis; empty leaves it out")
	f.StringVar(&c.Memcached, "memcached", c.Memcached, "the program of memcached; empty leaves it out")
	f.StringVar(&c.Dir, "dir", "", "folder for data and sockets (default: the system's for temporary files)")
	files := resultFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		c.Memory, c.LimitBytes = snapshot.Memory(memory), int(limit)
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
