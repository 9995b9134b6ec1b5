package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/engine/server"
)

func newSwapCommand() *cobra.Command {
	var (
		a             adminClient
		force, status bool
	)
	cmd := &cobra.Command{
		Use:   "swap [--force | --status]",
		Short: "Have a daemon serve the snapshot that was published",
		Long: `Has a daemon look for a new snapshot at once. One that is beyond the bounds of
matchd.yaml is refused, and the daemon stays on what it serves; --force takes it
all the same. A snapshot that is damaged is never taken.

--status changes nothing and prints what each store serves.`,
		Example: "  matchd swap --status\n  matchd swap --force",
	}
	a.flags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "take a snapshot that is beyond bounds")
	cmd.Flags().BoolVar(&status, "status", false, "print what is served, and change nothing")
	cmd.MarkFlagsMutuallyExclusive("force", "status")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if status {
			var all struct{ Stores []server.StoreSwaps }
			if err := a.call(cmd.Context(), http.MethodGet, "/admin/v1/snapshots", nil, &all); err != nil {
				return err
			}
			return a.print(cmd.OutOrStdout(), all.Stores)
		}
		params := url.Values{}
		if force {
			params.Set("force", "true")
		}
		return a.post(cmd, "swap", params)
	}
	return cmd
}
