package main

import (
	"github.com/spf13/cobra"

	"github.com/matchd/matchd/bench/logbench"
)

func newBenchLogCommand() *cobra.Command {
	c := logbench.Default()
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Time the log of live changes beside Pebble's synchronous writes",
		Long: `Appends events to a log of live changes from 1, 16 and 128 goroutines, each of
which waits until its event is on disk, beside Pebble's own synchronous writes of
as many bytes; and opens a log, with every record checked, beside Pebble alone
iterating over it. It prints how that stands to the bars that matchd sets itself.
A bar that is missed is no failure of the command. --dir says which disk is
measured.`,
		Example: `  matchd bench log
  matchd bench log --dir /data --out bench/results/log.md --bench-out bench/results/log.txt`,
	}
	f := cmd.Flags()
	f.IntSliceVar(&c.Writers, "writers", c.Writers, "goroutines that append at once, of each case")
	f.IntVar(&c.Body, "body", c.Body, "size of an event's body, in bytes")
	f.IntVar(&c.Rounds, "rounds", c.Rounds, "rounds of each case; the median is shown")
	f.DurationVar(&c.Duration, "duration", c.Duration, "time of a side in a round of appends")
	f.IntVar(&c.Replayed, "replayed", c.Replayed, "events in the log that is opened")
	f.StringVar(&c.Dir, "dir", "", "folder for the logs (default: the system's for temporary files)")
	files := resultFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := c.Validate(); err != nil {
			return usage(err)
		}
		c.Log = progress(cmd)
		return runBench(cmd, files, c.Run)
	}
	return cmd
}
