package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
	"github.com/matchd/matchd/snapshot/build/config"
)

// buildFlags are the flags of a build that are not options as they stand.
type buildFlags struct {
	asOf, key string
	live      liveFlags
	maxBad    float64
	memory    byteSize
	asJSON    bool
}

func newBuildCommand() *cobra.Command {
	var (
		o       build.Options
		in      = buildFlags{memory: build.DefaultMemory}
		command = &cobra.Command{
			Use:   "build --config onboard.yaml --store DIR [--previous [NAME]]",
			Short: "Build a snapshot from CRM and link files, and publish it",
			Long: `Reads the files that onboard.yaml names, joins their identifiers to persons,
writes a snapshot, verifies what it wrote, and makes it the store's current one.
Whatever goes wrong, the store keeps the snapshot that it has.

--live has the log of live changes obeyed, which a store that has one cannot be
built without: links, segments and consents become part of the snapshot, and
who is erased or opted out is in it no more, whatever the files say.

A row that cannot be used is reported and counted; above --max-bad-rows the
build fails. The same files, config, time, key, previous snapshot and position of
the log give the same bytes, whatever --memory and --workers.

Standard output has what came of it: a table, or one object with --json.
Progress and bad rows go to standard error, with --json as an object a line.`,
			Example: `  matchd build --config onboard.yaml --store store
  matchd build --config onboard.yaml --store store --previous --memory 6GiB --tmp /mnt/fast
  matchd build --config onboard.yaml --store store --live store-events   # which no daemon has open
  matchd build --config onboard.yaml --store store --live http://localhost:8080 --live-key-file admin.key
  zcat logins.csv.gz | matchd build --config onboard.yaml --store store   # of a path "-"`,
			Args: cobra.MaximumNArgs(1), // the name after --previous
		}
	)
	f := command.Flags()
	f.StringVar(&o.Config, "config", "onboard.yaml", "what to build from")
	f.StringVar(&o.Store, "store", "", "the store to publish to, made where there is none")
	f.StringVar(&in.asOf, "as-of", "", "the time the build is of, RFC 3339 or YYYY-MM-DD (default: the config's, or else now)")
	f.StringVar(&o.Previous, "previous", "", "keep the person ids of this snapshot of the store; without a `NAME`, of the current one")
	f.Lookup("previous").NoOptDefVal = build.Current
	f.Float64Var(&in.maxBad, "max-bad-rows", 1, "percentage of bad rows above which the build fails")
	f.Var(&in.memory, "memory", "memory that the build may take; beyond it, it works in temporary files")
	f.StringVar(&o.Tmp, "tmp", "", "folder for temporary files (default: in the store)")
	in.live.flags(f)
	f.StringVar(&in.key, "key", "", "key file to make a new store with, so that several stores agree")
	f.IntVar(&o.Keep, "keep", 3, "how many snapshots to keep in the store; 0 keeps all")
	f.IntVar(&o.Workers, "workers", 0, "cores to use (default: all)")
	f.IntVar(&o.Shards, "shards", 0, "index and record shards, a power of two (default: by size)")
	f.BoolVar(&in.asJSON, "json", false, "print the report as JSON, and progress as an object a line")
	required(command, "store")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if err := in.options(&o, cmd.Flags().Changed("previous"), args); err != nil {
			return usage(err)
		}
		if err := in.find(cmd.Context(), &o); err != nil {
			return asNotice(in.asJSON, err)
		}
		return runBuild(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr(), in.asJSON)
	}
	return command
}

// options checks the flags and completes the options. What it finds is wrong
// usage.
func (in *buildFlags) options(o *build.Options, previous bool, args []string) (err error) {
	switch {
	case len(args) > 0 && o.Previous != build.Current:
		return fmt.Errorf("argument %q: only the name of a snapshot may follow --previous", args[0])
	case len(args) > 0: // a flag that may stand alone takes no value after a space
		o.Previous = args[0]
	case previous && o.Previous == "":
		return errors.New("--previous= names no snapshot: leave the = away for the current one")
	}
	if !(in.maxBad >= 0 && in.maxBad <= 100) {
		return fmt.Errorf("--max-bad-rows is a percentage from 0 to 100, not %g", in.maxBad)
	}
	if in.memory < build.MinMemory {
		least := byteSize(build.MinMemory)
		return fmt.Errorf("--memory %v is too little for any build: give %v or more", &in.memory, &least)
	}
	o.MaxBadRows, o.Memory, o.Version = in.maxBad/100, int64(in.memory), version()
	if err := in.live.check(); err != nil {
		return err
	}
	if in.asOf != "" {
		if o.AsOf, err = snapshot.ParseTime(in.asOf); err != nil {
			return fmt.Errorf("--as-of: %w", err)
		}
	}
	return o.Validate()
}

// find looks at what the flags name, so that a wrong name fails before there is
// a store.
func (in *buildFlags) find(ctx context.Context, o *build.Options) error {
	cfg, err := config.Load(o.Config)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; name the onboard.yaml with --config", err)
	}
	if err != nil {
		return err
	}
	if o.AsOf.IsZero() && cfg.AsOf.IsZero() {
		o.AsOf = time.Now() // an input, recorded in the snapshot and the report
	}
	if in.key != "" {
		secret, err := snapshot.ReadSecret(in.key)
		if err != nil {
			return fmt.Errorf("--key: %w", err)
		}
		o.Secret = &secret
	}
	if o.Live, err = in.live.source(ctx); err != nil {
		return err
	}
	if o.Tmp != "" {
		if info, err := os.Stat(o.Tmp); err != nil {
			return fmt.Errorf("--tmp: %w; make the folder first", err)
		} else if !info.IsDir() {
			return fmt.Errorf("--tmp: %s is no folder", o.Tmp)
		}
	}
	if o.Previous == "" || o.Previous == build.Current {
		return nil
	}
	store, err := snapshot.OpenStore(o.Store)
	if err == nil {
		_, err = findSnapshot(store, o.Previous)
	}
	if err != nil {
		return fmt.Errorf("--previous: %w", err)
	}
	return nil
}

// runBuild builds, showing how far it is, and prints what came of it.
func runBuild(ctx context.Context, o build.Options, out, errOut io.Writer, asJSON bool) error {
	defer limitHeap(o.Memory)()
	progress := newProgressReporter(errOut, progressStyleOf(errOut, asJSON), time.Now)
	o.Progress = progress.show
	began := time.Now()
	r, err := build.Run(ctx, o)
	took := time.Since(began)
	progress.done()
	if r != nil && asJSON {
		printBadJSON(errOut, &r.Read)
	} else if r != nil {
		printBad(errOut, &r.Read)
	}
	if err != nil {
		return asNotice(asJSON, advise(err, r))
	}
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	return printBuilt(out, r, o.Store, took)
}

// limitHeap holds the collector's heap to half of what a build may take. The
// rest is what the collector does not see: what package spill maps, up to half,
// and the files of snapshots. It returns what puts the limit back.
func limitHeap(memory int64) (restore func()) {
	before := debug.SetMemoryLimit(-1) // GOMEMLIMIT may have set one
	debug.SetMemoryLimit(min(before, cmp.Or(memory, build.DefaultMemory)/2))
	return func() { debug.SetMemoryLimit(before) }
}

// advise adds to why a build failed what to do about it.
func advise(err error, r *build.Report) error {
	var tooMany *build.TooManyBadRowsError
	var log *snapshot.OtherLogError
	switch {
	case r != nil && r.Snapshot != "":
		return fmt.Errorf("%s was published and is the current snapshot, but an older one could not be removed: %w", r.Snapshot, err)
	case errors.As(err, &tooMany):
		return fmt.Errorf("%w; mend the rows, or allow more with --max-bad-rows", err)
	case errors.As(err, &log):
		return fmt.Errorf("%w; name it with --live", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: nothing was published; make room on the store's disk, or put the temporary files on another with --tmp", err)
	}
	return err
}

// A noticeError is printed as a notice, in a line of JSON.
type noticeError struct{ error }

func (e noticeError) Unwrap() error { return e.error }

// asNotice is err as --json has it.
func asNotice(asJSON bool, err error) error {
	if !asJSON || err == nil {
		return err
	}
	return noticeError{err}
}

// version is that of this program, as the Go tool knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
