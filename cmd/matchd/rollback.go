package main

import (
	"net/url"

	"github.com/spf13/cobra"
)

func newRollbackCommand() *cobra.Command {
	var a adminClient
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Have a daemon go back to the snapshot that it served before",
		Long: `Has a daemon serve the snapshot that it served before this one, and stay on it,
over restarts, until matchd unpin.`,
		Example: "  matchd rollback",
	}
	a.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.post(cmd, "rollback", url.Values{}) }
	return cmd
}
