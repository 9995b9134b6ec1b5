package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/snapshot"
	"github.com/matchd/matchd/snapshot/build"
	"github.com/matchd/matchd/snapshot/build/rekey"
)

func newRekeyCommand() *cobra.Command {
	var (
		o            rekey.Options
		dir, keyFile string
		memory       = byteSize(build.DefaultMemory)
		asJSON       bool
	)
	cmd := &cobra.Command{
		Use:   "rekey --store DIR [--events DIR]",
		Short: "Move a store to another key",
		Long: `Writes the store's current snapshot anew under another key and makes that the
store's. Persons, profiles and links stay as they are, and so does the log of live
changes: who opted out or was erased stays so. Stop the daemons of the store first.

All other snapshots of the store are of the former key, and are removed. The store
keeps former keys, in keys/, as long as opt-outs or erasures in the log are known
by their hashes alone. Person ids and buckets that clients see become others.

When it was killed, the store has the former key or the new one; run it again.`,
		Example: `  matchd rekey --store store --events store-events
  matchd rekey --store copy --events copy-events --key-file new.key   # as another store was`,
	}
	f := cmd.Flags()
	f.StringVar(&dir, "store", "", "the store to move")
	f.StringVar(&o.Log, "events", "", "folder of the store's log of live changes, which no daemon has open")
	f.StringVar(&keyFile, "key-file", "", "file with the new key (default: one by chance)")
	f.Var(&memory, "memory", "memory that it may take; beyond it, it works in temporary files in the store")
	f.IntVar(&o.Workers, "workers", 0, "cores to use (default: all)")
	f.BoolVar(&asJSON, "json", false, "print JSON, and progress as an object a line")
	required(cmd, "store")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if memory < build.MinMemory {
			least := byteSize(build.MinMemory)
			return usage(fmt.Errorf("--memory %v is too little: give %v or more", &memory, &least))
		}
		if o.Workers < 0 {
			return usage(fmt.Errorf("--workers %d: give a number of cores, or 0 for all", o.Workers))
		}
		o.Memory = int64(memory)
		if o.Store, err = snapshot.OpenStore(dir); err != nil {
			return asNotice(asJSON, err)
		}
		if keyFile != "" {
			secret, err := snapshot.ReadSecret(keyFile)
			if err != nil {
				return asNotice(asJSON, fmt.Errorf("--key-file: %w", err))
			}
			o.Key = &secret
		}
		return asNotice(asJSON, runRekey(cmd, o, asJSON))
	}
	return cmd
}

// runRekey moves the store, showing how far it is, and prints what came of it.
func runRekey(cmd *cobra.Command, o rekey.Options, asJSON bool) error {
	defer limitHeap(o.Memory)()
	errOut := cmd.ErrOrStderr()
	progress := newProgressReporter(errOut, progressStyleOf(errOut, asJSON), time.Now)
	progress.what = "rekey"
	o.Progress = progress.show
	r, err := rekey.Run(cmd.Context(), o)
	progress.done()
	if log := (*snapshot.OtherLogError)(nil); errors.As(err, &log) && log.Given == "" {
		err = fmt.Errorf("%w; name its folder with --events", err)
	}
	if err != nil {
		return err
	}
	if asJSON {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		err = enc.Encode(r)
	} else {
		err = printRekeyed(cmd.OutOrStdout(), r)
	}
	if err == nil && o.Key != nil && o.Key.ID() != r.To {
		err = fmt.Errorf("an earlier move, to the key %s, was completed: run it again to move to %s", r.To, o.Key.ID())
	}
	return err
}

func printRekeyed(w io.Writer, r *rekey.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if r.Completed {
		fmt.Fprintln(t, "an earlier move had the store's key changed and was not at its end: now it is, and nothing was moved again")
	}
	from := ""
	if r.From != "" {
		from = ", and before " + r.From
	}
	fmt.Fprintf(t, "key\t%s%s\n", r.To, from)
	if r.Snapshot != "" {
		fmt.Fprintf(t, "snapshot\t%s\n", r.Snapshot)
	}
	if !r.Completed && r.Snapshot != "" {
		fmt.Fprintf(t, "identifiers\t%s, of which %s were opted out or erased under a former key\n", about(r.Identifiers), few(r.Renamed))
	}
	if len(r.Removed) > 0 {
		fmt.Fprintf(t, "removed\t%s\n", strings.Join(r.Removed, ", "))
	}
	if len(r.FormerKeys) > 0 {
		fmt.Fprintf(t, "kept\tformer keys that opt-outs and erasures are known by: %s\n", strings.Join(r.FormerKeys, ", "))
	} else {
		fmt.Fprintln(t, "kept\tno former key: older backups of the store need theirs")
	}
	return t.Flush()
}
