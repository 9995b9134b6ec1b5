package main

import (
	"net/url"

	"github.com/spf13/cobra"
)

func newPinCommand() *cobra.Command {
	var a adminClient
	cmd := &cobra.Command{
		Use:   "pin SNAPSHOT",
		Short: "Have a daemon serve a snapshot and stay on it",
		Long: `Has a daemon serve a snapshot of its store, by name, and stay on it over restarts,
whatever is published, until matchd unpin. Builds do not remove it.`,
		Example: "  matchd pin 20261101T000000Z-0123456789ab",
		Args:    cobra.ExactArgs(1),
	}
	a.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.post(cmd, "pin", url.Values{"snapshot": {args[0]}})
	}
	return cmd
}

func newUnpinCommand() *cobra.Command {
	var a adminClient
	cmd := &cobra.Command{
		Use:   "unpin",
		Short: "Have a daemon follow what is published again",
		Long: `Ends what matchd pin or matchd rollback began. The current snapshot goes live at
once if it is within bounds of the one that is served.`,
		Example: "  matchd unpin",
	}
	a.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.post(cmd, "unpin", url.Values{}) }
	return cmd
}
