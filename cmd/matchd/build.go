package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
	"github.com/matchd/matchd/snapshot/build/config"
)

func newBuildCommand() *cobra.Command {
	var (
		o       build.Options
		asOf    string
		key     string
		maxBad  float64
		asJSON  bool
		command = &cobra.Command{
			Use:   "build --config onboard.yaml --store DIR",
			Short: "Build a snapshot from CRM and link files, and publish it",
			Long: `Reads the files that onboard.yaml names, joins their identifiers to persons,
writes a snapshot, verifies what it wrote, and makes it the store's current one.
Whatever goes wrong, the store keeps the snapshot that it has.

A row that cannot be used is reported and counted; above --max-bad-rows the
build fails. The same files, config, time and key give the same bytes.`,
			Example: `  matchd build --config onboard.yaml --store store
  matchd build --config onboard.yaml --store store --as-of 2026-11-01`,
		}
	)
	f := command.Flags()
	f.StringVar(&o.Config, "config", "onboard.yaml", "what to build from")
	f.StringVar(&o.Store, "store", "", "the store to publish to, made where there is none")
	f.StringVar(&asOf, "as-of", "", "the time the build is of, RFC 3339 or YYYY-MM-DD (default: the config's, or else now)")
	f.Float64Var(&maxBad, "max-bad-rows", 1, "percentage of bad rows above which the build fails")
	f.StringVar(&key, "key", "", "key file to make a new store with, so that several stores agree")
	f.IntVar(&o.Keep, "keep", 3, "how many snapshots to keep in the store; 0 keeps all")
	f.IntVar(&o.Workers, "workers", 0, "cores to use (default: all)")
	f.IntVar(&o.Shards, "shards", 0, "index and record shards, a power of two (default: by size)")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	required(command, "store")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if !(maxBad >= 0 && maxBad <= 100) {
			return usage(fmt.Errorf("--max-bad-rows is a percentage from 0 to 100, not %g", maxBad))
		}
		o.MaxBadRows = maxBad / 100
		if err := o.Validate(); err != nil {
			return usage(err)
		}
		if err := buildInputs(&o, asOf, key); err != nil {
			return err
		}
		return runBuild(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr(), asJSON)
	}
	return command
}

// buildInputs turns the texts of flags into options.
func buildInputs(o *build.Options, asOf, key string) error {
	if key != "" {
		secret, err := snapshot.ReadSecret(key)
		if err != nil {
			return err
		}
		o.Secret = &secret
	}
	if asOf != "" {
		t, err := config.ParseTime(asOf)
		if err != nil {
			return usage(fmt.Errorf("--as-of: %w", err))
		}
		o.AsOf = t
		return nil
	}
	cfg, err := config.Load(o.Config)
	if err != nil {
		return err
	}
	if cfg.AsOf.IsZero() {
		o.AsOf = time.Now() // an input, recorded in the snapshot and the report
	}
	return nil
}

// runBuild builds, and prints what came of it.
func runBuild(ctx context.Context, o build.Options, out, errOut io.Writer, asJSON bool) error {
	report, err := build.Run(ctx, o)
	if report != nil {
		printBad(errOut, &report.Read)
	}
	var tooMany *build.TooManyBadRowsError
	if errors.As(err, &tooMany) {
		return fmt.Errorf("%w; mend the rows, or allow more with --max-bad-rows", err)
	}
	if err != nil {
		return err
	}
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	return printReport(out, report)
}
