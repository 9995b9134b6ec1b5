package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"
)

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "matchd",
		Short: "A match engine for CRM onboarding",
		Long: `matchd links a brand's CRM records to the cookies and mobile advertising ids
of the same people, keeps the links in a memory-mapped snapshot, and answers
"which customer is this, and in which segments?" while an ad request waits.

New here? Run 'matchd demo': it makes realistic files, builds a snapshot of
them, serves it, and prints lookups to try.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmp.Or(cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()))
		},
	}
	root.AddCommand(
		newDemoCommand(),
		newGenCommand(),
		newBuildCommand(),
		newServeCommand(),
		newEventsCommand(),
		newLookupCommand(),
		newInspectCommand(),
		newVerifyCommand(),
		newDiffCommand(),
		newPrivacyCommand(),
		newSwapCommand(),
		newRollbackCommand(),
		newPinCommand(),
		newUnpinCommand(),
		newRekeyCommand(),
		newReportCommand(),
		newQualityCommand(),
		newClientCommand(),
		newAuditCommand(),
		newBenchCommand(),
	)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	strictArgs(root)
	return root
}

// strictArgs makes wrong arguments of all commands usage errors, and a command
// that only has subcommands refuse anything else.
func strictArgs(cmd *cobra.Command) {
	args := cmd.Args
	if args == nil {
		args = cobra.NoArgs
	}
	cmd.Args = func(c *cobra.Command, list []string) error { return usage(args(c, list)) }
	if cmd.HasSubCommands() && cmd.RunE == nil {
		cmd.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	for _, sub := range cmd.Commands() {
		strictArgs(sub)
	}
}

// usage marks an error as one of wrong usage.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errUsage, err)
}

// required marks flags as required, and panics where there is no such flag.
func required(cmd *cobra.Command, flags ...string) {
	for _, f := range flags {
		if err := cmd.MarkFlagRequired(f); err != nil {
			panic(err)
		}
	}
}
