package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// benchResult is what a bench found: a pointer that is nil where it found nothing.
type benchResult interface {
	comparable
	Markdown(io.Writer)
	Benchmark(io.Writer)
}

// resultFiles are the files that the results of a bench go to; empty is none.
type resultFiles struct{ tables, lines string }

// resultFlags adds the flags that name them.
func resultFlags(cmd *cobra.Command) *resultFiles {
	r := &resultFiles{}
	cmd.Flags().StringVar(&r.tables, "out", "", "file for the tables, in Markdown, besides printing them")
	cmd.Flags().StringVar(&r.lines, "bench-out", "", "file for all rounds, in the format of go test -bench")
	return r
}

// progress returns what tells the terminal, or the log, what happens.
func progress(cmd *cobra.Command) func(format string, args ...any) {
	return func(format string, args ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) }
}

// runBench runs a bench, prints its tables, and writes the files. What it found
// before an error is printed: it may have taken an hour.
func runBench[R benchResult](cmd *cobra.Command, files *resultFiles, run func(context.Context) (R, error)) error {
	for _, file := range []string{files.tables, files.lines} { // rather than after all is measured
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
	}
	var none R
	r, err := run(cmd.Context())
	if r == none {
		return err
	}
	if err != nil {
		r.Markdown(cmd.OutOrStdout())
		return err
	}
	var tables, lines bytes.Buffer
	r.Markdown(&tables)
	r.Benchmark(&lines)
	for _, f := range []struct {
		name string
		text []byte
	}{{files.tables, tables.Bytes()}, {files.lines, lines.Bytes()}} {
		if f.name == "" {
			continue
		}
		if err := os.WriteFile(f.name, f.text, 0o644); err != nil {
			return err
		}
	}
	_, err = cmd.OutOrStdout().Write(tables.Bytes())
	return err
}
