package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/snapshot"
)

func newVerifyCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "verify --store DIR",
		Short: "Check every byte of a store's current snapshot",
		Long: `Reads every byte of the current snapshot and checks it: the checksums, and then
that every table, record and cold block is sound and leads to the others. The
first damage is told with file, section and 64 KiB chunk, and the exit code is 1.`,
		Example: "  matchd verify --store store",
	}
	cmd.Flags().StringVar(&dir, "store", "", "the store to check")
	required(cmd, "store")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withCurrent(dir, func(store *snapshot.Store, s *snapshot.Snapshot) error {
			secret, err := store.Secret()
			if err != nil {
				return err
			}
			if err := s.Verify(snapshot.IdentifierHasher(secret)); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is sound: %s bytes in %d files, %s identifiers of %s persons\n",
				s.Name(), count(s.Bytes()), len(s.Files)+1, count(s.Counts.Identifiers), count(s.Counts.Persons))
			return nil
		})
	}
	return cmd
}

// withCurrent calls f with the current snapshot of the store in dir.
func withCurrent(dir string, f func(*snapshot.Store, *snapshot.Snapshot) error) error {
	store, err := snapshot.OpenStore(dir)
	if err != nil {
		return err
	}
	return store.WithCurrent(snapshot.Map, func(s *snapshot.Snapshot) error { return f(store, s) })
}
