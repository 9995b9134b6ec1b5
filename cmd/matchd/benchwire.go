package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/bench/wire"
	"github.com/matchd/matchd/snapshot"
)

func newBenchWireCommand() *cobra.Command {
	c := wire.Default()
	format, out, memory := "markdown", "", string(c.Memory)
	cmd := &cobra.Command{
		Use:   "wire",
		Short: "Load matchd over the wire, beside a bare handler, Redis and memcached",
		Long: `Starts matchd serve, a bare fasthttp handler whose answers are as long, Redis
and memcached with the same answers in the smallest binary encoding, each on the
same core, and asks them from another one, in turns: one id a request, requests
in a pipeline, 100 ids at once; 1 and 64 connections; TCP and unix socket. It
shows rates, the servers' processor time, the latency at half of the peak rate,
that while matchd changes snapshots, and memory.

It needs Linux and two cores that have nothing else to do. What is not installed
is skipped, and said to be. The servers listen on loopback and on sockets in
--dir, and are ended.`,
		Example: `  matchd bench wire
  matchd bench wire --ids 10000000 --out bench/results/wire.md`,
	}
	f := cmd.Flags()
	f.IntVar(&c.IDs, "ids", c.IDs, "identifiers in the snapshot and in the stores")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "seed of the data and of the requests")
	f.IntVar(&c.Draws, "draws", c.Draws, "identifiers that are asked for, round and round")
	f.StringVar(&memory, "memory", memory, "what matchd serves from, map or copy")
	f.IntVar(&c.Rounds, "rounds", c.Rounds, "rounds of each case; the median is shown")
	f.DurationVar(&c.Duration, "duration", c.Duration, "time of a case in a round")
	f.IntVar(&c.LatencyRounds, "latency-rounds", c.LatencyRounds, "rounds of latency, and of swaps; 0 leaves both out")
	f.DurationVar(&c.LatencyDuration, "latency-duration", c.LatencyDuration, "time of a round of latency")
	f.StringVar(&c.Redis, "redis", c.Redis, "the program of Redis; empty leaves it out")
	f.StringVar(&c.Memcached, "memcached", c.Memcached, "the program of memcached; empty leaves it out")
	f.StringVar(&c.Dir, "dir", "", "folder for data and sockets (default: the system's for temporary files)")
	f.StringVar(&format, "format", format, "markdown, or bench for benchstat")
	f.StringVar(&out, "out", "", "file for the result, besides printing it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if format != "markdown" && format != "bench" {
			return usage(fmt.Errorf("--format %q is neither markdown nor bench", format))
		}
		c.Memory = snapshot.Memory(memory)
		if err := c.Validate(); err != nil {
			return usage(err)
		}
		if c.Matchd, err = os.Executable(); err != nil {
			return err
		}
		c.Log = progress(cmd)
		r, err := c.Run(cmd.Context())
		if err != nil {
			return err
		}
		var text bytes.Buffer
		if format == "bench" {
			r.Benchmark(&text)
		} else {
			r.Markdown(&text)
		}
		if _, err := cmd.OutOrStdout().Write(text.Bytes()); err != nil || out == "" {
			return err
		}
		return errors.Join(os.MkdirAll(filepath.Dir(out), 0o755), os.WriteFile(out, text.Bytes(), 0o644))
	}
	return cmd
}

// newBenchBareCommand is the server that matchd bench wire measures beside.
func newBenchBareCommand() *cobra.Command {
	var b wire.BareHandler
	cmd := &cobra.Command{
		Use:    "bare",
		Short:  "Serve a constant answer by fasthttp alone",
		Hidden: true,
		RunE:   func(cmd *cobra.Command, _ []string) error { return b.Serve(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringVar(&b.TCP, "listen", "", "address, host:port")
	f.StringVar(&b.Unix, "unix", "", "path of a socket")
	f.IntVar(&b.Bytes, "bytes", 0, "bytes of the body")
	f.BoolVar(&b.Echo, "echo", false, "answer with the body of the request instead")
	return cmd
}
