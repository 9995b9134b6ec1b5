package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/matchd/matchd/snapshot"
)

func newReportCommand() *cobra.Command {
	var (
		dir, name string
		asJSON    bool
	)
	cmd := &cobra.Command{
		Use:   "report --store DIR",
		Short: "Say where a snapshot's onboarding report is, or print it as JSON",
		Long: `Every build leaves report.html, report.json and quarantine.ndjson beside the
files of its snapshot. This prints the path of report.html, or with --json the
content of report.json. Both withhold counts of fewer than 50 people.`,
		Example: `  xdg-open "$(matchd report --store store)"
  matchd report --store store --json`,
	}
	f := cmd.Flags()
	f.StringVar(&dir, "store", "", "the store that holds the snapshot")
	f.StringVar(&name, "snapshot", currentSnapshot, "the snapshot's name, or current")
	f.BoolVar(&asJSON, "json", false, "print report.json")
	required(cmd, "store")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return showReport(cmd.OutOrStdout(), dir, name, asJSON)
	}
	return cmd
}

func showReport(out io.Writer, dir, name string, asJSON bool) error {
	store, err := snapshot.OpenStore(dir)
	if err != nil {
		return err
	}
	which, err := findSnapshot(store, name)
	if err != nil {
		return err
	}
	file := snapshot.ReportHTML
	if asJSON {
		file = snapshot.ReportJSON
	}
	path := filepath.Join(snapshotDir(dir, which.Name), file)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("snapshot %s has no %s: build it again", which.Name, file)
	}
	if err != nil {
		return err
	}
	if asJSON {
		_, err = out.Write(b)
		return err
	}
	fmt.Fprintln(out, path)
	return nil
}
