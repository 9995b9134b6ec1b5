package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/bench/buildbench"
)

func newBenchBuildCommand() *cobra.Command {
	c := buildbench.Default()
	var memory byteSize
	if err := memory.Set(c.Memory); err != nil {
		panic(err)
	}
	out := ""
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Time builds, beside sort and as the data grows",
		Long: `Writes one file of --links links and one of --customers customers, and lets
GNU sort (of the links alone) and matchd build (of all) take turns, --rounds
times. Then builds as many identifiers as each number of --scale, once. All
builds have --memory, and their temporary files in --dir as sort has its own.
Wall time, CPU time and peak memory are those of the processes.

It works in --dir, and removes what it wrote there unless --keep. What has no
room on the disk is skipped, and said to be. --rounds 0 --scale 0 --keep makes
the files and no more.`,
		Example: `  matchd bench build --out bench/results/build.md
  matchd bench build --customers 200000 --links 1000000 --scale 0`,
	}
	f := cmd.Flags()
	f.IntVar(&c.Customers, "customers", c.Customers, "customers in the input beside sort")
	f.IntVar(&c.Links, "links", c.Links, "links in the input beside sort")
	f.IntVar(&c.Rounds, "rounds", c.Rounds, "rounds of sort and of the build; the best counts")
	f.IntSliceVar(&c.Scale, "scale", c.Scale, "identifiers of the builds that grow; 0 is no such build")
	f.Var(&memory, "memory", "memory of each build, as matchd build --memory")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "seed of the data")
	f.StringVar(&c.Dir, "dir", "", "folder to work in, empty or not there yet (default: a new one among the system's temporary files)")
	f.BoolVar(&c.Keep, "keep", false, "leave the input files")
	f.StringVar(&out, "out", "", "file for the tables, in Markdown, besides printing them")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		c.Memory = memory.String()
		c.Scale = slices.DeleteFunc(c.Scale, func(n int) bool { return n == 0 })
		if err := c.Validate(); err != nil {
			return usage(err)
		}
		if c.Matchd, err = os.Executable(); err != nil {
			return err
		}
		c.Log = progress(cmd)
		r, err := c.Run(cmd.Context())
		if r == nil || !r.Measured() {
			return err
		}
		if err != nil { // what was measured may have taken an hour
			r.Markdown(cmd.OutOrStdout())
			return err
		}
		return writeTables(cmd.OutOrStdout(), r, out)
	}
	return cmd
}

// writeTables prints the tables, and writes them to a file where one is named.
func writeTables(w io.Writer, r *buildbench.Result, file string) error {
	var tables bytes.Buffer
	r.Markdown(&tables)
	if _, err := w.Write(tables.Bytes()); err != nil || file == "" {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, tables.Bytes(), 0o644)
}
